---The daemon is killed: what was asked ends with a sentence, the next question is answered, unsaved text included.
---Then the editor's own server process is killed, and the next question starts it anew for all buffers.
vim.lsp.config('memcache', { settings = { memcache = { answerTokens = 16 } } })

local function knows(turn)
  return vim.iter(turn.sources):any(function(each)
    return each.uri:find('courier/retry%.py$') and each.first < 3
  end)
end

T.run(function()
  vim.cmd.edit('courier/retry.py')
  local source = vim.api.nvim_get_current_buf()
  local status, client = T.settled()
  vim.api.nvim_buf_set_lines(source, 0, 0, false, { '# A zeppelin carries parcels.', 'ZEPPELIN_S = 77', '' })
  T.ask('Memcache ask what is a dead letter?')
  local model = vim.iter(T.status(client).workers):find(function(worker)
    return worker.name == 'model'
  end)
  vim.uv.kill(model.pid, 'sigstop') -- so that it cannot answer before the daemon dies
  vim.cmd('Memcache ask what happens to a parcel that fails too often?')
  local _, turn = T.answer()
  T.wait('the model is at it', function()
    return #turn.sources > 0
  end)
  vim.uv.kill(status.pid, 'sigkill')
  vim.uv.kill(model.pid, 'sigkill')
  T.wait('the question ends', function()
    return turn.state == 'failed'
  end)
  local again
  T.wait('another daemon', function()
    again = T.status(client)
    return again and again.pid ~= status.pid
  end)
  vim.cmd.wincmd('p')
  local _, next_turn = T.ask('Memcache! ask what does the retry policy do in ZEPPELIN_S?')
  T.check(knows(next_turn), 'unsaved text is known to the new daemon')

  vim.uv.kill(vim.api.nvim_get_proc_children(vim.fn.getpid())[1], 'sigkill')
  T.wait('the client is gone', function()
    return #vim.lsp.get_clients({ name = 'memcache' }) == 0
  end)
  vim.api.nvim_set_current_win(vim.fn.win_findbuf(source)[1])
  vim.cmd('Memcache! ask what does the retry policy do in ZEPPELIN_S?')
  local _, last = T.answer()
  T.wait('unsaved text is known to the new server', function()
    return knows(last)
  end)
  T.equal(1, #vim.lsp.get_clients({ bufnr = source, name = 'memcache' }), 'and serves the buffer')
end)
