---Places follow edits: above them, of them, undone, written, read again; unsaved text is cited where it is.
T.run(function()
  vim.cmd.edit('docs/retries.md')
  local source, origin = vim.api.nvim_get_current_buf(), vim.api.nvim_get_current_win()
  T.settled()
  local buf, turn = T.ask('Memcache ask what happens to a parcel that fails too often?')
  local cited = T.check(
    vim.iter(turn.citations):find(function(each)
      return each.place.uri:find('docs/retries%.md$')
    end),
    'the document is cited: ' .. T.text(buf)
  )
  local function go()
    vim.api.nvim_set_current_win(vim.fn.bufwinid(buf))
    T.on(('%%[%d%%]'):format(cited.n))
    T.keys('<CR>')
    T.equal(source, vim.api.nvim_get_current_buf(), 'buffer')
    return vim.api.nvim_get_current_line()
  end
  local line = go()
  local row = vim.api.nvim_win_get_cursor(0)[1]
  T.check(line:find('%S'), 'a line')

  vim.api.nvim_buf_set_lines(source, 0, 0, false, { 'one', 'two', 'three' })
  T.equal(line, go(), 'after lines above')
  T.equal(row + 3, vim.api.nvim_win_get_cursor(0)[1], 'its row')
  local items = vim.fn.getloclist(origin)
  T.equal(#turn.sources, #items, 'location list')

  local signs = vim.api.nvim_buf_get_extmarks(source, -1, 0, -1, { type = 'sign', details = true })
  T.check(#signs > 0, 'sources have signs')
  vim.api.nvim_win_call(vim.fn.bufwinid(buf), function()
    vim.cmd.hide()
  end)
  T.equal({}, vim.api.nvim_buf_get_extmarks(source, -1, 0, -1, { type = 'sign' }), 'but not without the answer')
  vim.cmd('botright sbuffer ' .. buf)
  signs = vim.api.nvim_buf_get_extmarks(source, -1, 0, -1, { type = 'sign', details = true })
  T.check(#signs > 0, 'and again with it')

  vim.api.nvim_set_current_win(origin)
  vim.cmd.write()
  vim.cmd('edit!')
  T.equal(line, go(), 'written and read again')
  vim.api.nvim_buf_set_lines(source, 0, 1, false, {})
  T.equal(line, go(), 'after a line is taken away')
  vim.cmd('edit!')
  T.equal(line, go(), 'changes thrown away')

  local first, last = require('memcache.places').lines(cited.place)
  vim.api.nvim_buf_set_lines(source, first - 1, last, false, {})
  go()
  T.check(T.told('no longer there'), 'its lines are gone')
  vim.cmd.undo()
  T.equal(line, go(), 'undone')

  vim.cmd.edit('courier/retry.py')
  vim.api.nvim_buf_set_lines(0, 0, 0, false, { '# A zeppelin carries parcels over mountains.', 'ZEPPELIN_S = 77', '' })
  vim.api.nvim_buf_set_lines(0, 0, 0, false, { '# é𝄞', '' })
  local _, unsaved = T.ask('Memcache! ask what does the retry policy do in ZEPPELIN_S?')
  local n = vim.iter(ipairs(unsaved.sources)):find(function(_, each)
    return each.uri:find('courier/retry%.py$') and each.first < 5
  end)
  T.check(n, 'unsaved text is found: ' .. T.text())
  T.on(('^%%- %%[%d%%]'):format(n))
  T.keys('gf')
  T.check(vim.bo.modified, 'the buffer as it is')
  T.check(vim.fn.line('.') <= 5 and vim.fn.search('^ZEPPELIN_S', 'nW') > 0, 'at its lines: ' .. vim.fn.line('.'))

  -- A window that has to keep what it shows keeps it; that a file cannot be read is told.
  local places = require('memcache.places')
  local window, windows = vim.api.nvim_get_current_win(), #vim.api.nvim_list_wins()
  local kept = vim.api.nvim_get_current_buf()
  vim.wo.winfixbuf = true
  places.go(window, vim.fs.abspath('courier/queue.py'), 2, 3)
  T.equal({ 'courier/queue.py', 2 }, { vim.fn.bufname(), vim.fn.line('.') }, 'beside one of a fixed buffer')
  vim.wo[window].winfixbuf = false
  vim.o.hidden = false
  places.go(window, vim.fs.abspath('courier/webhooks.py'), 2, 3)
  T.equal('courier/webhooks.py', vim.fn.bufname(), 'beside unsaved text')
  T.equal({ kept, windows + 2 }, { vim.api.nvim_win_get_buf(window), #vim.api.nvim_list_wins() }, 'windows')
  vim.o.hidden = true

  local folder = vim.fn.tempname()
  vim.fn.mkdir(folder)
  local program =
    { vim.v.progpath, '--headless', '--clean', '--cmd', 'set directory=' .. folder, 'docs/operations.rst' }
  local elsewhere = vim.fn.jobstart(vim.list_extend(program, { '-c', 'normal! ix', '-c', 'preserve', '-c', 'sp done' }))
  T.wait('the other Neovim', function()
    return #vim.fn.readdir(folder) == 2 -- the second file is opened once the first one is changed and kept
  end)
  vim.o.swapfile, vim.o.directory = true, folder
  local uri = vim.uri_from_fname(vim.fs.abspath('docs/operations.rst'))
  places.open(
    window,
    places.keep({ uri = uri, range = { start = { line = 1 }, ['end'] = { line = 2, character = 0 } } })
  )
  vim.fn.jobstop(elsewhere)
  T.check(T.told('docs/operations.rst was not opened: it is being edited elsewhere'), vim.inspect(T.messages))
end)
