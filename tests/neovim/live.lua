---Search while typing, as a list, into the location list, and by a range.
T.run(function()
  vim.cmd.edit('courier/dispatcher.py')
  local origin = vim.api.nvim_get_current_win()
  T.settled()

  -- A search that is asked for in a search takes its place.
  local former = require('memcache.live').live('queue')
  local latter = require('memcache.live').live('retry')
  T.check(not vim.api.nvim_win_is_valid(former.window), 'the former is closed')
  T.equal(origin, latter.origin, 'files are opened where they were')
  T.keys('<Esc>q')
  T.equal(origin, vim.api.nvim_get_current_win(), 'and it closes')

  -- The window that follows what is typed; keys are fed as typed, so that Neovim is in insert mode between them.
  local live = require('memcache.live').live('')
  T.equal({ '' }, T.lines(), 'empty at first')
  local function type_in(text)
    vim.api.nvim_buf_set_lines(live.buf, 0, 1, false, { text })
    vim.api.nvim_exec_autocmds('TextChangedI', { buffer = live.buf })
  end
  type_in('dead')
  type_in('dead lett')
  type_in('dead letters')
  T.wait('hits of what was typed last', function()
    return not live.cancel and #live.items > 0 and not live.incomplete
  end)
  T.equal('dead letters', live.query, 'query')
  T.check(T.text():find('dead_letters') or T.text():lower():find('dead letters'), T.text())
  T.equal(#live.items + 1, #T.lines(), 'a line for each')
  local second = live.items[2]
  vim.cmd.startinsert()
  T.keys('i<Down><CR>', 'tx')
  T.equal(origin, vim.api.nvim_get_current_win(), 'window')
  T.equal(second.filename, vim.api.nvim_buf_get_name(0), 'file')
  T.equal(second.lnum, vim.api.nvim_win_get_cursor(0)[1], 'line')
  T.check(not vim.api.nvim_buf_is_valid(live.buf), 'the window is gone')

  T.choosing(function(items)
    return items[1]
  end)
  vim.cmd('Memcache search how long does a retry wait')
  T.wait('a choice', function()
    return T.offered
  end)
  T.check(T.offered[1]:find('retr'), T.offered[1])
  T.check(vim.api.nvim_buf_get_name(0):find('retr'), 'the first was opened')

  vim.cmd('Memcache! search webhook signature')
  T.wait('the location list', function()
    return vim.bo.buftype == 'quickfix' or #vim.fn.getloclist(0) > 0
  end)
  T.check(vim.fn.getloclist(0)[1].text ~= '', 'texts')
  vim.cmd.lclose()

  T.offered = nil
  vim.cmd.edit('courier/retry.py')
  vim.cmd('32,50Memcache similar')
  T.wait('similar places', function()
    return T.offered
  end)
  T.check(#T.offered > 0, 'hits')

  vim.cmd.edit('courier/retry.py')
  local _, turn = T.ask('32,50Memcache explain')
  T.equal('Explain retry.py:32-50', turn.question, 'title')
  T.check(turn.sources[1].uri:find('courier/retry%.py$'), 'the selection comes first')
  vim.cmd.wincmd('p')
  local _, summary = T.ask('Memcache summarize')
  T.check(summary.question:find('^Summarize '), summary.question)

  T.offered = nil
  vim.cmd('Memcache search xylophone cadenza')
  T.wait('nothing', function()
    return T.told('Nothing was found') or T.offered
  end)
end)
