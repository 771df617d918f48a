---With a model: the answer streams, stops when told (while the model reads, while it writes), and the next one comes.
local gate = dofile(vim.env.TEST_TOP .. '/tests/neovim/gate.lua')
vim.lsp.config('memcache', {
  cmd = gate.before(vim.lsp.config.memcache.cmd),
  settings = { memcache = { answerTokens = 128 } },
})

T.run(function()
  vim.cmd.edit('courier/retry.py')
  local _, client = T.settled()
  local answer = require('memcache.answer')

  gate.shut_after('sources')
  vim.cmd('Memcache ask what happens to a parcel that fails too often?')
  local buf, turn = T.answer()
  T.wait('the sources', function()
    return #turn.sources > 0
  end)
  T.equal('', turn.text, 'sources come before the text')
  T.keys('<C-c>')
  T.equal('stopped', turn.state, 'stopped while it reads')
  gate.open()

  gate.shut_after('delta')
  vim.cmd('Memcache ask and how long does it wait between attempts?')
  local _, second = T.answer()
  T.wait('text streams', function()
    return second.state == 'writing' and #second.text > 0
  end)
  vim.cmd.wincmd('p')
  vim.cmd('Memcache stop')
  T.equal('stopped', second.state, 'stopped from another window')
  local text = T.text(buf)
  gate.open()
  T.wait('the model is at rest', function()
    return T.status(client).model.state == 'ready'
  end)
  T.equal(text, T.text(buf), 'nothing comes after a stop')
  vim.cmd('Memcache stop')
  T.check(T.told('Nothing is being answered'), 'there is nothing more to stop')

  vim.api.nvim_set_current_win(vim.fn.bufwinid(buf))
  local _, third = T.ask('Memcache ask what is a dead letter?')
  T.check(#third.text > 0, 'the next question is answered')
  T.equal(3, #answer.turns(buf), 'turns')

  gate.shut_after('sources')
  vim.cmd('Memcache! ask what is a webhook?')
  local other, last = T.answer()
  T.wait('it is at work', function()
    return #last.sources > 0
  end)
  T.equal(2, gate.cancels, 'so far both stops were told')
  vim.api.nvim_buf_delete(other, { force = true })
  T.equal(3, gate.cancels, 'closing the buffer stops it')
  gate.open()
  T.wait('the model is at rest', function()
    return T.status(client).model.state == 'ready'
  end)
end)
