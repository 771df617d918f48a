---A server of the test's own, in Neovim's process: what the protocol allows and the real server seldom does.
local seen = {} ---@type table<string, table> the last parameters, by method
local asked ---@type { params: table, reply: fun(err: table?, result: table?) }
local held = {} ---@type { method: string?, reply: fun(err: table?, result: table?)? } what the test replies to itself
local dispatchers
local counted = {} ---@type table<string, integer> how often each method was asked for

local METHODS = { 'ask', 'search', 'similar', 'explain', 'status', 'index', 'threads', 'caches', 'models' }
local RESULTS = {
  initialize = {
    capabilities = {
      textDocumentSync = 1,
      positionEncoding = 'utf-16',
      executeCommandProvider = { commands = {} },
      experimental = {
        memcache = {
          version = 1,
          methods = vim.tbl_map(function(name)
            return 'memcache/' .. name
          end, METHODS),
        },
      },
    },
  },
  ['memcache/models'] = { models = { { name = 'small', sizeBytes = 98e6, fetched = true, used = true } } },
  ['memcache/caches'] = {
    message = 'It is large.',
    caches = {
      {
        name = 'handbook',
        state = 'offline',
        places = {
          { uri = 'file:///tmp/handbook', state = 'offline', offlineSince = '2025-01-31T18:05:00Z', message = 'Gone.' },
        },
        files = { done = 60, total = 64, failed = 1, skipped = 3 },
        chunks = 214,
        failed = { { path = '/tmp/handbook/a.pdf', reason = 'broken' } },
        reading = true,
        sizeBytes = 1204224,
      },
    },
  },
  ['memcache/status'] = {
    quiescent = true,
    roots = {},
    scope = { indexing = false, complete = true, version = 1 },
  },
  ['memcache/index'] = { roots = { { uri = 'file:///tmp/p', state = 'paused' } } },
}

vim.lsp.config('memcache', {
  cmd = function(given)
    dispatchers = given
    local id = 0
    return {
      request = function(method, params, callback, notify)
        id = id + 1
        seen[method] = params
        counted[method] = (counted[method] or 0) + 1
        local function reply(err, result)
          vim.schedule(function()
            if notify then
              notify(id)
            end
            callback(err, result)
          end)
        end
        if method == 'memcache/ask' or params and params.action == 'askAgain' then
          asked = { params = params, reply = reply }
        elseif method == held.method then
          held.reply = reply
        else
          reply(nil, RESULTS[method] or {})
        end
        return true, id
      end,
      notify = function(method, params)
        seen[method] = params
        if method == 'exit' then
          given.on_exit(0, 0)
        end
      end,
      is_closing = function()
        return false
      end,
      terminate = function() end,
    }
  end,
})

local function send(value)
  dispatchers.notification('$/progress', { token = asked.params.partialResultToken, value = value })
end

---Have the index of what is asked be in a state, another than before, and tell of the project's.
local function become(indexing, more)
  local version = RESULTS['memcache/status'].scope.version + 1
  local scope = { indexing = indexing, complete = not indexing, version = version }
  RESULTS['memcache/status'] = {
    quiescent = not indexing,
    roots = { { uri = 'file:///tmp/p', state = indexing and 'indexing' or 'ready', files = { done = 3, total = 9 } } },
    scope = vim.tbl_extend('force', scope, more or {}),
  }
  dispatchers.notification('memcache/didChangeStatus', { health = 'ok', quiescent = not indexing })
end

---Return what stands below a turn of an answer, the last one where left out: what is going on, or how it ended.
local function stage(buf, number)
  local turns = require('memcache.answer').turns(buf)
  local turn = turns[number or #turns]
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(buf, -1, 0, -1, { details = true })) do
    if mark[1] == turn.stage and mark[4].virt_lines then
      return vim.iter(mark[4].virt_lines):fold('', function(all, line)
        return vim.trim(all .. ' ' .. line[1][1])
      end)
    end
  end
end

local function asks(question)
  vim.cmd('Memcache! ask ' .. question)
  T.wait('the request', function()
    return asked.params.question == question
  end)
  return T.answer()
end

local function location(path, first, last)
  local uri = vim.uri_from_fname(vim.fs.abspath(path))
  local range = { start = { line = first, character = 0 }, ['end'] = { line = last, character = 0 } }
  return { uri = uri, range = range }
end

local function result(turn, more)
  return vim.tbl_extend('force', {
    threadId = 't1',
    turnId = turn,
    finishReason = 'stop',
    evidence = { read = 1, found = 2 },
    usage = { promptTokens = 1, reusedTokens = 0, answerTokens = 1 },
    timings = { firstTextSeconds = 0.1, totalSeconds = 0.2 },
  }, more or {})
end

---Return what is highlighted in a group, in order.
local function highlighted(buf, group)
  local found = {}
  local marks = vim.api.nvim_buf_get_extmarks(buf, -1, 0, -1, { details = true })
  table.sort(marks, function(one, other)
    return one[2] < other[2] or one[2] == other[2] and one[3] < other[3]
  end)
  for _, mark in ipairs(marks) do
    if mark[4].hl_group == group then
      local text = vim.api.nvim_buf_get_text(buf, mark[2], mark[3], mark[4].end_row, mark[4].end_col, {})
      table.insert(found, table.concat(text, '\n'))
    end
  end
  return found
end

T.run(function()
  vim.cmd.edit('courier/retry.py')
  local source = vim.api.nvim_get_current_buf()
  T.wait('the client', function()
    local client = vim.lsp.get_clients({ name = 'memcache', bufnr = 0 })[1]
    return client and client.initialized
  end)
  T.equal(true, seen.initialize.capabilities.experimental.memcache, 'it declares itself')
  T.equal({ 'utf-16' }, seen.initialize.capabilities.general.positionEncodings, 'encodings')

  -- What is on no token of ours goes to Neovim's own handler.
  local progress
  vim.api.nvim_create_autocmd('LspProgress', {
    callback = function(event)
      progress = event.data.params
    end,
  })
  local bar = { kind = 'begin', title = 'Indexing' }
  dispatchers.notification('$/progress', { token = 'theirs', value = bar })
  T.wait('LspProgress', function()
    return progress
  end)
  T.equal('Indexing', progress.value.title, 'title')
  dispatchers.notification('window/showMessage', { type = 2, message = 'The engine stopped.' })
  T.wait('a message, on one line', function()
    return T.told('^memcache: The engine stopped%.$')
  end)

  vim.cmd('2,4Memcache ask what?')
  T.wait('the request', function()
    return asked
  end)
  T.equal({ line = 1, character = 0 }, asked.params.selection.start, 'range')
  T.equal({ line = 4, character = 0 }, asked.params.selection['end'], 'whole lines')
  local buf, turn = T.answer()
  local hit = { location = location('courier/retry.py', 0, 3), path = 'courier/retry.py', symbol = '', kind = 'block' }
  send({
    type = 'sources',
    items = { vim.tbl_extend('error', hit, { snippet = '\n  x\n', score = 1, origin = 'index' }) },
  })
  send({ type = 'stage', stage = 'reading', percent = 40 })
  T.wait('the stage', function()
    return vim.iter(vim.api.nvim_buf_get_extmarks(buf, -1, 0, -1, { details = true })):any(function(mark)
      return vim.deep_equal(mark[4].virt_lines, { { { 'reading the sources 40 % …', 'MemcacheStage' } } })
    end)
  end)
  send({ type = 'delta', seq = 0, text = 'A 𝄞 note' })
  local text = 'A 𝄞 note [1].\nIt is é false [1, 2]. Gone [1], but [1]!'
  local function cite(n, mark, place)
    local at = vim.str_utfindex(text, 'utf-16', text:find(mark, 1, true) - 1)
    send({ type = 'citation', n = n, location = place, status = 'fresh', at = at })
  end
  send({ type = 'delta', seq = 1, text = ' [1].\nIt is é false' })
  cite(1, '[1].', location('courier/retry.py', 9, 11))
  send({ type = 'delta', seq = 2, text = ' [1, 2]. Gone [1], but [1]!' })
  cite(1, '[1, 2]', location('courier/retry.py', 20, 22))
  cite(2, '[1, 2]', location('docs/retries.md', 4, 5))
  cite(1, '[1]!', location('courier/retry.py', 9, 11))
  local from = vim.str_utfindex(text, 'utf-16', text:find('é false') - 1)
  send({ type = 'unsupported', start = from, ['end'] = from + 7 })
  asked.reply(nil, result('1'))
  T.wait('the end', function()
    return turn.state == 'done'
  end)
  T.equal(text, turn.text, 'text')
  T.equal({ 'é false' }, highlighted(buf, 'MemcacheUnsupported'), 'unsupported')
  T.equal({ '[1]', '[1, 2]', '[1]', '[1]', '[1]' }, highlighted(buf, 'MemcacheCitation'), 'citations, and the source')

  local function line_of(pattern, offset)
    vim.api.nvim_set_current_win(vim.fn.bufwinid(buf))
    T.on(pattern)
    local at = vim.api.nvim_win_get_cursor(0)
    vim.api.nvim_win_set_cursor(0, { at[1], at[2] + (offset or 0) })
    T.keys('<CR>')
    return vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ':t') .. ':' .. vim.fn.line('.')
  end
  T.equal('retry.py:10', line_of('%[1%]%.'), 'the first [1]')
  T.equal('retry.py:21', line_of('%[1, 2%]'), 'the second one')
  T.equal('retries.md:5', line_of('%[1, 2%]', 4), 'the other number')
  T.equal('docs/retries.md', vim.fn.bufname(), 'its name is short')
  T.equal('retry.py:1', line_of('%[1%], but'), 'one whose lines are gone leads to its source')
  T.equal('retry.py:10', line_of('%[1%]!'), 'the first place once more')
  T.equal('retry.py:1', line_of('^%- %[1%]'), 'the source')

  -- Citations that no longer hold.
  dispatchers.notification('memcache/didChangeThread', {
    threadId = 't1',
    turnId = '1',
    stale = {
      { n = 1, location = location('courier/retry.py', 24, 26), status = 'moved' },
      { n = 2, location = location('docs/retries.md', 4, 5), status = 'stale' },
    },
  })
  T.wait('marks', function()
    return #highlighted(buf, 'MemcacheStale') > 0
  end)
  T.equal({ '[1, 2]' }, highlighted(buf, 'MemcacheStale'), 'the worst of both')
  T.equal({}, highlighted(buf, 'MemcacheMoved'), 'only the mark that stands for these lines')
  T.equal('retry.py:25', line_of('%[1, 2%]'), 'the nearer one has moved')
  T.equal('retry.py:10', line_of('%[1%]%.'), 'and the other has not')
  dispatchers.notification('memcache/didChangeThread', {
    threadId = 't1',
    turnId = '1',
    stale = { { n = 1, location = location('courier/retry.py', 11, 13), status = 'moved' } },
  })
  T.wait('the move', function()
    return line_of('%[1%]%.') == 'retry.py:12'
  end)
  T.equal('retry.py:12', line_of('%[1%]!'), 'all marks of these lines moved')
  T.equal({ '[1]', '[1]' }, highlighted(buf, 'MemcacheMoved'), 'and are marked, but not what stands for others')
  T.equal({}, highlighted(buf, 'MemcacheStale'), 'what is told no more holds again')
  T.equal('retry.py:21', line_of('%[1, 2%]'), 'where it was read')
  vim.api.nvim_buf_set_lines(source, 0, 0, false, { '# one', '# two' })
  T.equal('retry.py:3', line_of('^%- %[1%]'), 'the source, below new lines')
  T.equal('retry.py:14', line_of('%[1%]!'), 'and the citation')
  vim.cmd.undo()

  -- Asked again, in the same buffer; an error ends it with its sentence.
  vim.api.nvim_set_current_win(vim.fn.bufwinid(buf))
  vim.cmd('Memcache threads again')
  T.wait('the request', function()
    return asked.params.action == 'askAgain'
  end)
  T.equal({ 't1', '1' }, { asked.params.threadId, asked.params.turnId }, 'which')
  local _, again = T.answer()
  send({ type = 'delta', seq = 0, text = 'Anew.' })
  asked.reply(nil, { threads = {}, asked = result('2', { finishReason = 'no_answer', message = 'Ask otherwise.' }) })
  T.wait('the end', function()
    return again.state == 'done'
  end)
  T.check(T.text(buf):find('Anew.\n\n*Ask otherwise.*', 1, true), T.text(buf))
  vim.cmd('Memcache ask and?')
  T.wait('the request', function()
    return asked.params.question == 'and?'
  end)
  T.equal('t1', asked.params.threadId, 'the thread goes on')
  local _, failed = T.answer()
  local sentence = ('The model is missing. '):rep(9)
  asked.reply({ code = -32803, message = sentence })
  T.wait('the failure', function()
    return failed.state == 'failed'
  end)
  local told = vim.iter(vim.api.nvim_buf_get_extmarks(buf, -1, 0, -1, { details = true })):find(function(mark)
    return mark[1] == failed.stage and mark[4].virt_lines ~= nil
  end)
  local width = vim.api.nvim_win_get_width(vim.fn.bufwinid(buf))
  local told_lines = vim.tbl_map(function(line)
    T.check(#line[1][1] <= width, 'as wide as the window')
    return line[1][1]
  end, told[4].virt_lines)
  T.equal(vim.trim(sentence), table.concat(told_lines, ' '), 'the whole sentence')

  -- Sources of a later turn count on; a page that changed stays the page that it is.
  vim.cmd('Memcache ask and on which page?')
  T.wait('the request', function()
    return asked.params.question == 'and on which page?'
  end)
  local _, paged = T.answer()
  local page = vim.tbl_extend('force', location('docs/manual.pdf', 3, 9), { page = 12, extracted = true })
  page.uri = page.uri .. '#page=12'
  local found = { symbol = 'Limits', snippet = 'At most five.', breadcrumb = { 'Manual' }, cache = 'handbook' }
  send({ type = 'sources', items = { vim.tbl_extend('force', hit, found) }, first = 2 })
  T.wait('it is listed by its number', function()
    return T.text():find('- [2] `courier/retry.py:1-3` Limits (handbook)', 1, true)
  end)
  found.location = page
  send({ type = 'sources', items = { vim.tbl_extend('force', hit, found) }, first = 3 })
  send({ type = 'delta', seq = 0, text = 'Page [3].' })
  send({ type = 'citation', n = 3, location = page, status = 'fresh' })
  asked.reply(nil, result('3'))
  T.wait('the end', function()
    return paged.state == 'done'
  end)
  T.check(T.text():find('- [3] `docs/manual.pdf p. 12` Limits (handbook)', 1, true), T.text())
  local changed = location('docs/manual.pdf', 40, 44)
  changed.extracted = true
  dispatchers.notification('memcache/didChangeThread', {
    threadId = 't1',
    turnId = '3',
    stale = { { n = 3, location = changed, status = 'stale' } },
  })
  T.wait('the mark', function()
    return vim.list_contains(highlighted(buf, 'MemcacheStale'), '[3]')
  end)
  T.equal(12, paged.citations[1].place.page, 'page')
  T.on('Page %[3%]')
  T.keys('<CR>')
  T.check(T.told('docs/manual.pdf is not there'), 'the file')
  T.equal({ 'Manual › Limits', '', 'At most five.' }, T.lines(), 'the passage')
  T.keys('q')

  -- Code actions of the server come back as this command.
  vim.ui.input = function(_, on_confirm)
    on_confirm('why so?')
  end
  local client = vim.lsp.get_clients({ name = 'memcache' })[1]
  local selection = location('courier/retry.py', 3, 5).range
  local about = { textDocument = { uri = vim.uri_from_bufnr(source) }, selection = selection, intent = 'ask' }
  client:exec_cmd({ title = 'Ask', command = 'memcache.ask', arguments = { about } }, { bufnr = source })
  T.wait('the request', function()
    return asked.params.question == 'why so?'
  end)
  T.equal(selection, asked.params.selection, 'its selection')
  T.equal(nil, asked.params.threadId, 'a new thread')

  -- Lists, their completion, and what is sent.
  T.completed({ 'small' }, 'Memcache models use ')
  T.completed({ 'handbook' }, 'Memcache caches remove ')
  vim.cmd('Memcache models use small')
  T.wait('the list', function()
    return T.text():find('small  98 MB, fetched')
  end)
  T.equal({ action = 'use', name = 'small' }, seen['memcache/models'], 'parameters')
  T.keys('q')
  vim.cmd('Memcache caches reading /tmp/handbook/')
  T.wait('what the server says, and what it is at', function()
    return T.told('It is large') and T.told('handbook is offline')
  end)
  local sent = { action = 'add', name = 'handbook', uris = { 'file:///tmp/handbook' }, reading = true }
  T.equal(sent, seen['memcache/caches'], 'parameters')
  vim.cmd('Memcache caches')
  T.wait('the list', function()
    return vim.deep_equal(T.lines(), {
      'handbook  offline  reading folder',
      '  /tmp/handbook  offline since 2025-01-31 18:05 UTC: Gone.',
      '  60 of 64 files, 214 chunks, 1 MB, 3 left out on purpose, 1 failed',
      '  /tmp/handbook/a.pdf: broken',
    })
  end)
  T.keys('q')
  vim.cmd('Memcache index pause handbook')
  T.wait('which cache', function()
    return vim.deep_equal(seen['memcache/index'], { action = 'pause', cache = 'handbook' })
  end)
  vim.cmd('Memcache index pause')
  T.wait('its state', function()
    return T.told('/tmp/p is paused')
  end)

  -- The status line, and what is wrong.
  dispatchers.notification('memcache/didChangeStatus', { health = 'ok', quiescent = false })
  T.wait('the status line', function()
    return require('memcache').statusline() == 'memcache: indexing'
  end)
  dispatchers.notification('memcache/didChangeStatus', { health = 'error', quiescent = true, message = 'No disk.' })
  T.wait('the sentence', function()
    return T.told('No disk')
  end)
  T.equal('memcache: No disk.', require('memcache').statusline(), 'status line')

  -- What was not found while indexing goes on is asked again when all is indexed, in whatever tab page it is shown.
  require('memcache.indexing').LOOK_MS = 20
  local function not_found(turn, thread)
    asked.reply(nil, result(turn, { threadId = thread, finishReason = 'no_answer', message = 'Not yet.' }))
  end
  local function waits(about)
    T.wait('it waits', function()
      return stage(about) == 'it is asked again when all is indexed'
    end)
  end
  local function turns(about)
    return #require('memcache.answer').turns(about)
  end
  become(true)
  local early_buf = asks('where is it?')
  not_found('5', 't5')
  waits(early_buf)
  vim.cmd.tabnew()
  local here = vim.api.nvim_get_current_win()
  local windows = #vim.api.nvim_list_wins()
  become(false)
  T.wait('another turn', function()
    return turns(early_buf) == 2 and asked.params.threadId == 't5'
  end)
  T.equal('where is it?', asked.params.question, 'the same')
  T.equal('no answer before all was indexed; asked again below', stage(early_buf, 1), 'the former')
  T.equal(here, vim.api.nvim_get_current_win(), 'the user stays where he is')
  T.equal(windows, #vim.api.nvim_list_wins(), 'and nothing is opened')
  local hidden = vim.fn.win_findbuf(early_buf)[1]
  T.equal('# where is it?', T.lines(early_buf)[vim.fn.getwininfo(hidden)[1].topline], 'it has its window to itself')
  not_found('6', 't5')
  T.wait('the end', function()
    return (stage(early_buf) or ''):find('^no answer')
  end)
  T.equal(2, turns(early_buf), 'but not once more')

  -- An answer that is shown in another tab page is gone to, not shown twice.
  T.choosing(function(items)
    return items[1]
  end)
  RESULTS['memcache/threads'] =
    { threads = { { threadId = 't5', title = 'where is it?', updated = '2025-01-31T18:05:00Z', turns = {} } } }
  vim.cmd('Memcache threads')
  T.wait('its window', function()
    return vim.api.nvim_get_current_win() == hidden
  end)
  vim.cmd.tabclose({ args = { '2' } })

  -- What a thread of earlier cites is listed, and each row leads to its own lines, whatever is written above them.
  local cited = vim.tbl_map(function(first)
    return { n = 1, location = location('courier/retry.py', first, first + 2), status = 'fresh' }
  end, { 9, 20 })
  local past = { turnId = '1', question = 'and then?', answer = 'So [1].', citations = cited }
  RESULTS['memcache/threads'] =
    { threads = { { threadId = 't6', title = 'and then?', updated = '2025-01-31T18:05:00Z', turns = { past } } } }
  vim.cmd('Memcache threads')
  T.wait('the thread', function()
    return T.text():find('`courier/retry.py:21-22`', 1, true)
  end)
  buf = vim.api.nvim_get_current_buf()
  vim.api.nvim_buf_set_lines(source, 0, 0, false, { '# one', '# two' })
  T.equal('retry.py:12', line_of('retry%.py:10'), 'the first row')
  T.equal('retry.py:23', line_of('retry%.py:21'), 'the second one')
  vim.cmd.undo()
  RESULTS['memcache/threads'] = nil

  -- A wait for the index is stopped; closed, an answer does not wait; a question that follows takes its place.
  become(true)
  local stopped_buf = asks('when is it?')
  not_found('8', 't8')
  waits(stopped_buf)
  vim.cmd('Memcache stop')
  T.equal('stopped', stage(stopped_buf), 'what is told')
  local closed_buf = asks('who is it?')
  not_found('9', 't9')
  waits(closed_buf)
  vim.api.nvim_buf_delete(closed_buf, { force = true })
  local left_buf = asks('why is it?')
  not_found('10', 't10')
  waits(left_buf)
  vim.cmd.hide()
  become(false)
  T.wait('nobody sees it', function()
    return stage(left_buf) == 'all is indexed by now; ask again'
  end)
  T.equal({ 1, 1 }, { turns(stopped_buf), turns(left_buf) }, 'none is asked again')
  T.equal('why is it?', asked.params.question, 'none')

  -- Of caches no notification tells: the server is asked for them, and the project's indexing does not matter.
  become(true)
  require('memcache').scope({ 'handbook' })
  local cache_buf = asks('what is in it?')
  not_found('11', 't11')
  waits(cache_buf)
  T.equal({ caches = { 'handbook' } }, seen['memcache/status'].scope, 'how far it is')
  RESULTS['memcache/status'].scope = { indexing = false, complete = true, version = 90 }
  T.wait('another turn', function()
    return turns(cache_buf) == 2 and asked.params.threadId == 't11'
  end)
  asked.reply(nil, result('12', { threadId = 't11' }))
  T.wait('the end of a whole index', function()
    return stage(cache_buf) == '1 of 2 places read, 0.2 s'
  end)
  require('memcache').scope({ 'workspace' })

  -- An answer that has ended is not stopped any more, though it is looked whether it was early.
  become(false)
  local ended_buf = asks('has it ended?')
  held = { method = 'memcache/status' }
  not_found('13', 't13')
  T.wait('the look', function()
    return held.reply
  end)
  local look = held.reply
  held = {}
  T.equal('no answer, 1 of 2 places read, 0.2 s', stage(ended_buf), 'its end')
  vim.cmd('Memcache stop')
  T.check(T.told('Nothing is being answered'), 'there is nothing to stop')
  T.equal('done', require('memcache.answer').turns(ended_buf)[1].state, 'its state')
  become(true)
  look(nil, RESULTS['memcache/status'])
  waits(ended_buf)
  vim.cmd('Memcache stop')
  T.equal('stopped', stage(ended_buf), 'the wait')

  -- An answer tells that it came before all was indexed; a save, after which the index is behind, makes none early.
  local soon_buf = asks('how early?')
  send({ type = 'delta', seq = 0, text = 'Early.' })
  asked.reply(nil, result('7', { threadId = 't7' }))
  T.wait('that it was early', function()
    return stage(soon_buf) == '1 of 2 places read, 0.2 s, before all was indexed'
  end)
  become(false, { complete = false })
  local saved_buf = asks('how late?')
  asked.reply(nil, result('14', { threadId = 't14' }))
  T.wait('its end', function()
    return stage(saved_buf) == '1 of 2 places read, 0.2 s'
  end)
  vim.cmd.wincmd('p')
  become(false)
  T.wait('it is at rest', function()
    return require('memcache').statusline() == ''
  end)

  -- What is searched for while indexing goes on is searched for again when all is indexed; the choice stays.
  local first = vim.tbl_extend('force', hit, { snippet = 'x', score = 1, origin = 'index' })
  local second = vim.tbl_extend('force', first, { location = location('courier/queue.py', 4, 6) })
  RESULTS['memcache/search'] = { hits = { first, second }, complete = false, notes = {} }
  become(true)
  local live = require('memcache.live').live('parcels')
  T.wait('what there is', function()
    return #live.items == 2 and live.incomplete
  end)
  live.selected = 2
  local third = vim.tbl_extend('force', first, { location = location('docs/retries.md', 4, 6) })
  local all = { hits = { third, first, second }, complete = true, notes = {} }
  RESULTS['memcache/search'] = all
  become(false)
  T.wait('all there is', function()
    return #live.items == 3
  end)
  T.equal(3, live.selected, 'the chosen one')
  T.check(not live.incomplete, 'nothing more is waited for')

  -- So is what was under way when the indexing ended.
  local function type_in(text)
    vim.api.nvim_buf_set_lines(live.buf, 0, 1, false, { text })
    vim.api.nvim_exec_autocmds('TextChangedI', { buffer = live.buf })
  end
  local function noted()
    local texts = {}
    for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(live.buf, -1, { 0, 0 }, { 0, -1 }, { details = true })) do
      for _, line in ipairs(mark[4].virt_lines or { mark[4].virt_text }) do
        table.insert(texts, line[1][1])
      end
    end
    return texts
  end
  become(true)
  held = { method = 'memcache/search' }
  type_in('letters')
  T.wait('the search', function()
    return held.reply
  end)
  T.equal({ 'searching …' }, noted(), 'what it is at')
  become(false)
  T.wait('the news', function()
    return require('memcache').statusline() == ''
  end)
  local late = held.reply
  held = {}
  late(nil, { hits = { first }, complete = false, notes = {} })
  T.wait('all there is', function()
    return #live.items == 3 and not live.incomplete
  end)

  -- An error stands below the query, as wide as the window, and goes with the next letter.
  held = { method = 'memcache/search' }
  type_in('failing')
  T.wait('the search', function()
    return held.reply
  end)
  held.reply({ code = -32803, message = sentence })
  held = {}
  T.wait('the error', function()
    return live.problem
  end)
  for _, line in ipairs(noted()) do
    T.check(#line <= vim.api.nvim_win_get_width(live.window), 'as wide as the window: ' .. line)
  end
  T.equal(vim.trim(sentence), table.concat(noted(), ' '), 'the whole sentence, and no other note')
  type_in('letters')
  T.wait('all there is', function()
    return vim.deep_equal(noted(), { '3 found' })
  end)
  live.selected = 1
  vim.cmd.startinsert()
  T.keys('i<Down>', 'tx')
  T.equal({ 2, '3 found' }, { live.selected, noted()[1] }, 'a note stays while one chooses')

  -- A paused index stays incomplete: it is looked for more once, and again when it changed; nothing is polled.
  RESULTS['memcache/search'] = { hits = { first }, complete = false, notes = {} }
  become(false, { complete = false })
  local searches, looks = counted['memcache/search'], counted['memcache/status']
  type_in('paused')
  T.wait('two looks', function()
    return counted['memcache/status'] == looks + 2
  end)
  local later = false
  vim.defer_fn(function()
    later = true
  end, 5 * require('memcache.indexing').LOOK_MS)
  T.wait('when others would have been', function()
    return later
  end)
  T.equal({ searches + 2, looks + 2 }, { counted['memcache/search'], counted['memcache/status'] }, 'searches and looks')
  RESULTS['memcache/search'] = all
  become(true)
  become(false)
  T.wait('all there is', function()
    return #live.items == 3
  end)

  -- The only window stays when the search in it ends, and shows what was there before as it was shown.
  local about = live.about
  vim.cmd.only()
  local other = require('memcache.live').live('other parcels')
  T.check(not vim.api.nvim_buf_is_valid(live.buf), 'one takes the place of another')
  T.equal({ 2, about }, { #vim.api.nvim_list_wins(), other.about }, 'and it is about the same')
  vim.cmd.only()
  T.keys('<Esc>q')
  T.equal({ about, '' }, { vim.api.nvim_get_current_buf(), vim.wo.winbar }, 'what there was before')
  T.check(not vim.api.nvim_buf_is_valid(other.buf), 'the search is gone')
  T.equal({ true, false }, { vim.wo.wrap, vim.wo.winfixheight }, 'with its options')
  vim.cmd.tabnew({ args = { 'docs/retries.md' } })
  require('memcache.live').live('parcels')
  vim.cmd.only()
  T.keys('<Esc>q')
  T.equal('retries.md', vim.fs.basename(vim.api.nvim_buf_get_name(0)), 'so it is in a tab page of several')
  T.equal(2, #vim.api.nvim_list_tabpages(), 'which stays')
  vim.cmd.tabclose()
  live = require('memcache.live').live('parcels')
  T.wait('hits', function()
    return #live.items == 3
  end)
  vim.cmd.wincmd('T') -- into a tab page of its own
  T.keys('j<CR>')
  T.equal('retries.md', vim.fs.basename(vim.api.nvim_buf_get_name(0)), 'the hit')
  T.equal(1, #vim.api.nvim_list_tabpages(), 'and no page is left')
  vim.cmd.edit('courier/retry.py')

  -- A server that ends takes what waits with it.
  local open = select(2, T.answer())
  vim.api.nvim_set_current_win(vim.fn.win_findbuf(source)[1])
  vim.cmd('Memcache! ask still there?')
  open = select(2, T.answer())
  T.wait('the request', function()
    return asked.params.question == 'still there?'
  end)
  dispatchers.on_exit(1, 0)
  T.wait('its end', function()
    return open.state == 'failed'
  end)
end)
