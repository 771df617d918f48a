---Completion, mappings, status, why, threads, health, help tags, a server of others beside it.
local function complete(line)
  return vim.fn.getcompletion(line, 'cmdline')
end

---A language server in this process, as another plugin might bring one.
local function other_server(dispatchers)
  local closing = false
  return {
    request = function(method, _, callback)
      local result = method == 'initialize'
          and { capabilities = { hoverProvider = true, positionEncoding = 'utf-16', textDocumentSync = 1 } }
        or { contents = 'hovered' }
      callback(nil, result)
      return true, 1
    end,
    notify = function(method)
      if method == 'exit' then
        dispatchers.on_exit(0, 0)
      end
    end,
    is_closing = function()
      return closing
    end,
    terminate = function()
      closing = true
    end,
  }
end

T.run(function()
  T.check(vim.list_contains(complete('Memcache '), 'caches'), 'before the server tells, all is offered')
  vim.cmd.edit('courier/retry.py')
  local buf = vim.api.nvim_get_current_buf()
  T.settled()
  for _, word in ipairs({ 'ask', 'caches', 'models', 'news', 'scope' }) do
    T.check(vim.list_contains(complete('Memcache '), word), word)
  end
  T.equal({ 'search' }, complete('Memcache sea'), 'a word')
  T.equal({ 'pause' }, complete('Memcache index p'), 'a second word')
  T.equal({ 'ask' }, complete('Memcache! as'), 'with a bang')
  T.equal({ 'explain' }, complete('%Memcache exp'), 'with a range')
  vim.cmd('Memcache nonsense')
  T.check(T.told('There is no :Memcache nonsense'), 'a sentence')
  vim.cmd('Memcache index nonsense')
  T.check(T.told(':Memcache index takes'), 'a sentence')

  for _, name in ipairs({ 'ask', 'explain', 'summarize', 'callers', 'similar' }) do
    T.check(vim.fn.maparg(('<Plug>(memcache-%s)'):format(name), 'x') ~= '', name)
  end
  for _, name in ipairs({
    'ask',
    'search',
    'explain',
    'threads',
    'stop',
    'status',
    'index',
    'models',
    'caches',
    'scope',
    'news',
  }) do
    T.check(vim.fn.maparg(('<Plug>(memcache-%s)'):format(name), 'n') ~= '', name)
  end
  for _, mode in ipairs({ 'n', 'x', 'i', 'o' }) do
    for _, map in ipairs(vim.list_extend(vim.api.nvim_get_keymap(mode), vim.api.nvim_buf_get_keymap(buf, mode))) do
      local what = (map.rhs or '') .. (map.desc or '')
      T.check(map.lhs:find('^<Plug>') or not what:lower():find('memcache'), 'a default key: ' .. map.lhs)
    end
  end

  vim.ui.input = function(_, on_confirm)
    on_confirm('how long does a retry wait?')
  end
  vim.cmd('normal! 32GVjj')
  T.keys('<Plug>(memcache-ask)', 'xm')
  local answer, turn = T.answer()
  T.wait('the answer', function()
    return turn.state == 'done'
  end)
  T.equal('how long does a retry wait?', turn.question, 'question')
  vim.cmd.wincmd('p')

  T.reported('Memcache status', 'courier  %l+\n  19 of 19 files', 'editor    Neovim')
  vim.cmd('Memcache index why')
  T.wait('why', function()
    return T.told('is indexed') or T.told('It is in the index')
  end)

  vim.cmd.new()
  local windows = #vim.api.nvim_list_wins()
  vim.cmd('Memcache summarize')
  T.check(T.told('This buffer has no file to tell about'), 'a sentence')
  T.equal(windows, #vim.api.nvim_list_wins(), 'and no answer')
  T.messages = {}
  vim.cmd('Memcache index why')
  T.check(T.told('This buffer has no file to tell about'), 'a sentence')
  vim.cmd.close()

  T.choosing(function(items)
    return items[1]
  end)
  vim.api.nvim_buf_delete(answer, { force = true })
  vim.cmd('vertical Memcache threads')
  T.wait('the thread', function()
    return vim.bo.filetype == 'memcache'
  end)
  T.check(T.text():find('# how long does a retry wait', 1, true), T.text())
  T.check(T.text():find('%[%d+%]'), 'its citations')
  T.check(vim.api.nvim_win_get_width(0) < vim.o.columns, 'vertical')
  T.on('^%- %[%d')
  T.keys('<CR>')
  T.equal('', vim.bo.buftype, 'a file')

  vim.cmd.edit('courier/queue.py')
  local other = vim.lsp.start({ name = 'other', cmd = other_server })
  T.wait('both serve the buffer', function()
    return #vim.lsp.get_clients({ bufnr = 0 }) == 2 and vim.lsp.get_client_by_id(other).initialized
  end)
  local hover ---@type table?
  vim.lsp.buf_request_all(0, 'textDocument/hover', vim.lsp.util.make_position_params(0, 'utf-16'), function(results)
    hover = results
  end)
  T.wait('the other answers', function()
    return hover
  end)
  T.equal({ other }, vim.tbl_keys(hover), 'and is asked alone')
  T.ask('Memcache! ask what is a dead letter?')

  vim.cmd.wincmd('p')
  vim.cmd.edit('courier/retry.py')
  for title, heading in pairs({
    ['Explain'] = 'Explain retry.py:32-34',
    ['What calls this?'] = 'What calls retry.py:32-34',
    ['Summarize this file'] = 'Summarize retry.py',
  }) do
    local filter = function(action)
      return action.title == title
    end
    vim.lsp.buf.code_action({ range = { start = { 32, 0 }, ['end'] = { 34, 4 } }, filter = filter, apply = true })
    T.wait(heading, function()
      return T.lines()[1] == '# ' .. heading and T.text():find('Sources')
    end)
    vim.cmd.wincmd('p')
  end

  vim.cmd('checkhealth memcache')
  T.check(T.text():find('memcache%-lsp %d') and not T.text():find('ERROR'), T.text())
  local doc = vim.fn.tempname()
  vim.fn.mkdir(doc .. '/doc', 'p')
  local help = vim.api.nvim_get_runtime_file('doc/memcache.txt', false)[1]
  vim.fn.writefile(vim.fn.readfile(help), doc .. '/doc/memcache.txt')
  vim.cmd('helptags ' .. doc .. '/doc')
  local built, shipped = vim.fn.readfile(doc .. '/doc/tags'), vim.fn.readfile(vim.fs.dirname(help) .. '/tags')
  T.equal(built, shipped, 'no manager of plugins has to make the tags: run :helptags editors/neovim/doc')
  for _, tag in ipairs({ 'memcache', ':Memcache', 'memcache-install', 'g:memcache_picker' }) do
    vim.cmd.help(tag)
    T.equal(help, vim.api.nvim_buf_get_name(0), tag)
  end
end)
