---Caches: added, listed, chosen as the scope, offline, removed; pages and cells opened; news of a reading folder.
local disk = vim.env.TEST_DISK
local opened = {} ---@type string[] what the system's program was given
vim.ui.open = function(what)
  table.insert(opened, what)
  return {}
end

---Answer the inputs that follow, and remember what they were asked with.
local asked ---@type table[]
local function typing(...)
  local texts = { ... }
  asked = {}
  vim.ui.input = function(options, on_confirm)
    table.insert(asked, options)
    on_confirm(table.remove(texts, 1))
  end
end

local function complete(line)
  return vim.fn.getcompletion(line, 'cmdline')
end

local function in_float()
  return vim.api.nvim_win_get_config(0).relative ~= ''
end

local function title()
  return vim.trim(vim.api.nvim_win_get_config(0).title[1][1])
end

---Search, choose the hit whose label matches, and wait until its passage is shown.
local function passage(query, pattern)
  T.choosing(function(items)
    return vim.iter(items):find(function(item)
      return item.label:find(pattern)
    end)
  end)
  T.offered = nil
  vim.cmd('Memcache search ' .. query)
  T.wait('a choice', function()
    return T.offered
  end)
  T.check(in_float(), 'the passage of ' .. pattern .. ': ' .. vim.inspect(T.offered))
end

---Return what the server tells of a cache.
local function told(client, name)
  local answer = client:request_sync('memcache/caches', { action = 'list' }, T.PATIENCE_MS)
  return vim.iter(answer.result.caches):find(function(cache)
    return cache.name == name
  end)
end

local function ready(client, name)
  T.wait(name .. ' is ready', function()
    local cache = told(client, name)
    return cache and cache.state == 'ready'
  end)
end

T.run(function()
  vim.cmd.edit('courier/retry.py')
  local source, origin = vim.api.nvim_get_current_buf(), vim.api.nvim_get_current_win()
  local _, client = T.settled()
  vim.cmd('Memcache scope')
  T.wait('a sentence', function()
    return T.told('There is only the project')
  end)
  vim.cmd('Memcache caches nonsense')
  T.check(T.told(':Memcache caches takes add, list, reading, remove'), 'the words')

  -- Added by inputs that complete files, the path as that completion escapes it; then one by the command alone.
  typing((disk .. '/my papers/'):gsub(' ', '\\ '), 'papers')
  vim.cmd('Memcache caches add')
  T.equal({ 'file', 'my papers' }, { asked[1].completion, asked[2].default }, 'what is asked')
  ready(client, 'papers')
  T.wait('a message', function()
    return T.told('papers is %l+; :Memcache scope papers asks it')
  end)
  T.equal({ disk .. '/my\\ papers/' }, complete('Memcache caches add ' .. disk .. '/my'), 'escaped')
  T.equal(1, #complete('Memcache caches add ' .. disk .. '/my\\ papers/wal'), 'and so in them')
  vim.cmd('Memcache caches add ' .. disk .. '/other/zebu.md papers')
  T.wait('a second place', function()
    return #told(client, 'papers').places == 2
  end)
  ready(client, 'papers')
  T.reported('Memcache caches', 'papers  ready', 'zebu%.md  ready', '1 failed', 'torn%.docx: broken')
  T.reported('Memcache status', 'papers  ready')
  vim.cmd('Memcache caches add / root')
  T.wait('the sentence of the server', function()
    return T.told('/ holds everything')
  end)

  -- The scope: by name, by choice, shown where one asks.
  T.completed({ 'papers' }, 'Memcache scope workspace pa')
  T.completed({ 'papers' }, 'Memcache index pause ')
  vim.cmd('Memcache scope nonsense')
  T.wait('a sentence', function()
    return T.told('There is no cache nonsense; there are papers')
  end)
  T.choosing(function(items)
    return items[2]
  end)
  vim.cmd('Memcache scope')
  T.wait('a choice', function()
    return require('memcache').scope() == 'papers'
  end)
  T.equal({ '* the project', '  papers', '  papers and the project' }, T.offered, 'choices')
  typing(nil)
  vim.cmd('Memcache ask')
  T.equal('Ask (papers): ', asked[1].prompt, 'prompt')
  local live = require('memcache.live').live('retry')
  T.check(vim.api.nvim_eval_statusline(vim.wo.winbar, { winid = 0 }).str:find('asks papers'), 'the winbar')
  vim.api.nvim_win_close(live.window, true)

  -- Pages and cells: the passage is shown, the file opened by the system's program, and never a line of it.
  vim.api.nvim_set_current_win(origin)
  passage('which parcel is given up, and its line in ledger 39', 'manual%.pdf p%. 2$')
  T.equal({ vim.uri_from_fname(disk .. '/my papers/manual.pdf') .. '#page=2' }, opened, 'the page')
  T.check(title():find('manual%.pdf p%. 2$') and T.text():find('given up'), title() .. T.text())
  T.keys('q')
  T.equal(source, vim.api.nvim_get_current_buf(), 'the window is as it was')
  passage('walrus dives numbers', 'notes%.ipynb cell 1$')
  T.equal(1, #opened, 'a notebook is not opened')
  T.check(T.text():find('walrus_dives'), T.text())
  T.keys('e')
  T.check(vim.api.nvim_buf_get_name(0):find('notes%.ipynb$') and T.text():find('"cells"'), 'as it is, if asked')
  passage('okapi browses leaves', 'okapi%.7%.gz$')
  T.check(T.text():find('okapi'), T.text())
  T.keys('q')
  T.check(vim.api.nvim_buf_get_name(0):find('okapi%.7%.gz$') and T.text():find('%.SH NAME'), 'what Neovim shows')
  T.equal(1, #opened, 'needs no other program')
  vim.g.memcache_pdf_viewer = { 'no-such-viewer', '--page={page}', '{file}' }
  passage('which parcel is given up, and its line in ledger 39', 'manual%.pdf p%. 2$')
  T.check(T.told('manual%.pdf could not be opened: ENOENT'), 'why')
  vim.g.memcache_pdf_viewer = { 'sh', '-c', 'printf "%s" "$1" > "$0"', disk .. '/viewed', 'p. {page} of {file}' }
  T.keys('o')
  T.wait('the viewer', function()
    local file = io.open(disk .. '/viewed')
    return file and file:read('a') == 'p. 2 of ' .. disk .. '/my papers/manual.pdf'
  end)
  vim.g.memcache_pdf_viewer = nil

  -- A location list leads to the passage, an answer's citation to page and passage.
  vim.api.nvim_set_current_win(origin)
  vim.cmd.buffer(source)
  vim.cmd('Memcache! search parcel is given up after five')
  T.wait('the location list', function()
    return #vim.fn.getloclist(origin) > 0
  end)
  local at = vim.iter(ipairs(vim.fn.getloclist(origin))):find(function(_, entry)
    return vim.api.nvim_buf_get_name(entry.bufnr):find('manual%.pdf p%. 2$')
  end)
  vim.cmd.lclose()
  vim.api.nvim_set_current_win(origin)
  vim.cmd(at .. 'll')
  T.check(T.text():find('given up') and vim.bo.buftype == 'nofile', T.text())
  vim.cmd.buffer(source)
  local answer, turn = T.ask('Memcache ask When is the parcel given up, after how many failures?')
  T.equal('extract', turn.state == 'done' and 'extract', 'state')
  local cited = T.check(
    vim.iter(turn.citations):find(function(each)
      return each.place.page == 2
    end),
    T.text()
  )
  T.check(T.text():find('manual%.pdf p%. 2`.*%(papers%)'), 'its label: ' .. T.text())
  T.check(vim.api.nvim_eval_statusline(vim.wo.winbar, { winid = 0 }).str:find('asks papers'), 'the winbar')
  T.on(('%%[%d%%]'):format(cited.n))
  opened = {}
  T.keys('<CR>')
  T.check(in_float() and T.text():find('given up'), T.text())
  T.check(#opened == 1 and opened[1]:find('#page=2$'), vim.inspect(opened))
  T.keys('q')
  T.choosing(function(items)
    return items[1]
  end)
  vim.api.nvim_buf_delete(answer, { force = true })
  vim.cmd('Memcache threads')
  T.wait('the thread', function()
    return vim.bo.filetype == 'memcache'
  end)
  T.on('manual%.pdf p%. 2`')
  T.keys('<CR>')
  T.check(#opened == 2 and T.text():find('given up'), T.text())
  T.keys('q')

  -- News of a reading folder, which open a page, ask about it and sum it up.
  typing(disk .. '/pages', 'reading')
  vim.cmd('Memcache caches reading')
  T.equal('dir', asked[1].completion, 'folders')
  ready(client, 'reading')
  T.check(told(client, 'reading').reading, 'it is a reading folder')
  local page = disk .. '/pages/jitter.html'
  vim.fn.writefile({
    '<html><head><title>Jitter</title></head><body><article><h1>Exponential jitter</h1>',
    '<p>Jitter spreads the retries of many clients, so that they do not come at once.</p></article></body></html>',
  }, page)
  T.wait('the news', function()
    return T.told('“Exponential jitter” is in reading; :Memcache news opens it')
  end)
  T.equal({ 'ask' }, complete('Memcache news a'), 'words')
  opened = {}
  vim.cmd('Memcache news')
  T.equal({ page }, opened, 'a browser')
  typing('What does jitter spread?')
  local _, about = T.ask('Memcache news ask')
  T.check(vim.uri_to_fname(about.sources[1].uri) == page, T.text())
  local _, summary = T.ask('Memcache news summarize')
  T.equal('Summarize Exponential jitter', summary.question, 'title')

  -- Both, by names; then one disk is away, and the search says so once.
  vim.cmd('Memcache scope reading workspace')
  T.wait('both', function()
    return require('memcache').scope() == 'reading and the project'
  end)
  vim.cmd('Memcache scope papers workspace')
  T.wait('both', function()
    return require('memcache').scope() == 'papers and the project'
  end)
  assert(vim.uv.fs_rename(disk .. '/my papers', disk .. '/away'))
  T.choosing(function() end)
  T.wait('a note', function()
    T.offered = nil
    vim.cmd('Memcache search retry')
    T.wait('hits', function()
      return T.offered
    end)
    return T.told('offline')
  end)
  assert(vim.uv.fs_rename(disk .. '/away', disk .. '/my papers'))

  -- Removed, one place and then all of it, once the user says yes; the scope forgets it.
  local kept = function(items)
    return items[1], 1
  end
  T.choosing(kept)
  vim.cmd('Memcache caches remove reading')
  T.wait('the question', function()
    return vim.deep_equal(T.offered, { 'Keep it', 'Forget it' })
  end)
  T.check(told(client, 'reading'), 'it is kept')
  local last = function(items)
    return items[#items], #items
  end
  T.choosing(last)
  vim.cmd('Memcache caches remove papers')
  T.wait('a place less', function()
    return #told(client, 'papers').places == 1
  end)
  vim.cmd('Memcache caches add ' .. disk .. '/other/zebu.md papers')
  T.wait('a second place again', function()
    return #told(client, 'papers').places == 2
  end)
  T.choosing(function(items)
    if items[1] == false then -- all of it
      T.equal('All of papers', T.offered[1], 'all of its places')
      return items[1], 1
    end
    return last(items)
  end)
  vim.cmd('Memcache caches remove papers')
  T.wait('its end', function()
    return T.told('^memcache: papers is forgotten')
  end)
  T.equal(nil, told(client, 'papers'), 'it is gone')
  T.equal('the project', require('memcache').scope(), 'and out of the scope')
  vim.cmd('Memcache caches remove papers')
  T.wait('a sentence', function()
    return T.told('There is no cache papers')
  end)
end)
