---What is not a question: threads, index, models, caches and the status.

local client = require('memcache.client')

local M = {}

---@param title string
---@param lines string[]
local function show(title, lines)
  local buf = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].bufhidden = 'wipe'
  vim.bo[buf].modifiable = false
  local width = math.max(#title + 4, 20)
  for _, line in ipairs(lines) do
    width = math.max(width, vim.fn.strdisplaywidth(line) + 1)
  end
  width = math.min(width, vim.o.columns - 4)
  local height = math.max(1, math.min(#lines, vim.o.lines - 6))
  vim.api.nvim_open_win(buf, true, {
    relative = 'editor',
    row = math.max(0, math.floor((vim.o.lines - height) / 2) - 1),
    col = math.floor((vim.o.columns - width) / 2),
    width = width,
    height = height,
    border = 'rounded',
    style = 'minimal',
    title = ' ' .. title .. ' ',
  })
  for _, keys in ipairs({ 'q', '<Esc>' }) do
    vim.keymap.set('n', keys, '<Cmd>close<CR>', { buffer = buf, nowait = true })
  end
end

---@param bytes integer?
---@return string
local function size(bytes)
  if not bytes then
    return ''
  end
  return bytes < 1e6 and ('%d kB'):format(bytes / 1e3) or ('%.0f MB'):format(bytes / 1e6)
end

---@param word string
---@param words string[]
---@param command string
---@return boolean
local function known(word, words, command)
  if vim.list_contains(words, word) then
    return true
  end
  client.notify((':Memcache %s takes %s.'):format(command, table.concat(words, ', ')))
  return false
end

---@param root memcache.RootStatus
---@return string[]
local function root_lines(root)
  local files = root.files
  local text = ('%s  %s'):format(vim.fn.fnamemodify(vim.uri_to_fname(root.uri), ':~'), root.state)
  local counts = ('  %d of %d files, %d chunks'):format(files.done, files.total, root.chunks)
  counts = counts .. (root.sizeBytes and ', ' .. size(root.sizeBytes) or '')
  counts = counts .. (files.skipped > 0 and (', %d left out on purpose'):format(files.skipped) or '')
  local lines = { text, counts }
  if root.message then
    table.insert(lines, '  ' .. root.message)
  end
  for _, problem in ipairs(root.failed) do
    table.insert(lines, ('  %s: %s'):format(problem.path, problem.reason))
  end
  return lines
end

---Return a status as lines.
---@param status memcache.StatusResult
---@return string[]
function M.status_lines(status)
  local mode = status.mode == 'daemon' and 'the daemon' or 'in its own process'
  local lines = { ('memcache-lsp %s, %s, process %d'):format(status.version, mode, status.pid) }
  if status.message then
    table.insert(lines, status.message)
  end
  for _, root in ipairs(status.roots) do
    vim.list_extend(lines, root_lines(root))
  end
  local model = status.model
  table.insert(
    lines,
    'model     ' .. (model and ('%s, %s'):format(model.name, model.state) or 'none: answers are quotations')
  )
  table.insert(lines, 'embedder  ' .. status.embedder)
  table.insert(lines, ('memory    %s'):format(size(status.memoryBytes)))
  for _, session in ipairs(status.sessions) do
    table.insert(lines, ('editor    %s'):format(session.client ~= '' and session.client or 'unnamed'))
  end
  for _, sentence in ipairs(status.outside or {}) do
    table.insert(lines, 'outside   ' .. sentence)
  end
  return vim
    .iter(lines)
    :map(function(line)
      return (line:gsub('\n', ' '))
    end)
    :totable()
end

---Show what the server is at.
function M.status()
  client.request(vim.api.nvim_get_current_buf(), 'memcache/status', vim.empty_dict(), function(_, result)
    if result then
      show('memcache', M.status_lines(result))
    end
  end)
end

---Tell why the current file is in the index or not.
---@param buf integer
local function why(buf)
  local params = { textDocument = { uri = vim.uri_from_bufnr(buf) } }
  client.request(buf, 'memcache/explain', params, function(_, result)
    if result then
      vim.notify('memcache: ' .. result.reason)
    end
  end)
end

---Steer the indexing; without a word it is started.
---@param word string
function M.index(word)
  word = word ~= '' and word or 'start'
  local buf = vim.api.nvim_get_current_buf()
  if not known(word, { 'start', 'pause', 'resume', 'cancel', 'rebuild', 'drop', 'why' }, 'index') then
    return
  elseif word == 'why' then
    why(buf)
    return
  end
  client.request(buf, 'memcache/index', { action = word }, function(_, result)
    for _, root in ipairs(result and result.roots or {}) do
      vim.notify(('memcache: %s is %s.'):format(vim.uri_to_fname(root.uri), root.state))
    end
  end)
end

---@param thread memcache.Thread
local function format_thread(thread)
  return ('%s  %s'):format(thread.updated:gsub('[TZ]', ' '), thread.title)
end

---@param buf integer
---@param act fun(thread: memcache.Thread, server: vim.lsp.Client)
local function choose_thread(buf, act)
  client.request(buf, 'memcache/threads', { action = 'list' }, function(_, result, server)
    if not result then
      return
    elseif #result.threads == 0 then
      vim.notify('memcache: Nothing was asked yet.')
      return
    end
    local options = { prompt = 'Threads', kind = 'memcache', format_item = format_thread }
    vim.ui.select(result.threads, options, function(thread)
      if thread then
        act(thread, server)
      end
    end)
  end)
end

---Ask the last question of the thread in a buffer again.
---@param buf integer
---@param mods table
local function again(buf, mods)
  local answer = require('memcache.answer')
  local current = answer.of(buf)
  local turn = current and current.turns[#current.turns]
  if not (current and turn and current.thread_id) then
    client.notify('Ask again in the buffer of an answer.')
    return
  end
  local params = { action = 'askAgain', threadId = current.thread_id, turnId = turn.id }
  answer.ask(params, turn.question, { buf = buf, method = 'memcache/threads', mods = mods })
end

---Offer earlier questions; delete one, or ask again.
---@param word string
---@param mods table
function M.threads(word, mods)
  word = word ~= '' and word or 'list'
  local buf = vim.api.nvim_get_current_buf()
  if not known(word, { 'list', 'delete', 'again' }, 'threads') then
    return
  elseif word == 'again' then
    again(buf, mods)
  elseif word == 'delete' then
    choose_thread(buf, function(thread)
      client.request(buf, 'memcache/threads', { action = 'delete', threadId = thread.threadId }, function(_, result)
        if result then
          vim.notify(('memcache: “%s” is deleted.'):format(thread.title))
        end
      end)
    end)
  else
    choose_thread(buf, function(thread)
      local params = { action = 'get', threadId = thread.threadId }
      client.request(buf, 'memcache/threads', params, function(_, result, server)
        if result and result.threads[1] then
          require('memcache.answer').show_thread(result.threads[1], server, mods)
        end
      end)
    end)
  end
end

---@param model memcache.Model
---@return string
local function format_model(model)
  local fetched = model.fetched and 'fetched' or 'not fetched'
  return ('%s%s  %s, %s'):format(model.used and '* ' or '  ', model.name, size(model.sizeBytes), fetched)
end

---List the models, or fetch, choose, unload or remove one.
---@param rest string
function M.models(rest)
  local word, name = (rest ~= '' and rest or 'list'):match('^(%S+)%s*(.-)$')
  if not known(word, { 'list', 'pull', 'use', 'unload', 'remove' }, 'models') then
    return
  end
  local buf = vim.api.nvim_get_current_buf()
  local params = { action = word, name = name ~= '' and name or nil }
  client.request(buf, 'memcache/models', params, function(_, result)
    if result then
      show('models', #result.models > 0 and vim.tbl_map(format_model, result.models) or { 'There are none.' })
    end
  end)
end

---@param cache memcache.Cache
---@return string
local function format_cache(cache)
  return ('%s  %s, %d files'):format(cache.name, vim.fn.fnamemodify(vim.uri_to_fname(cache.uri), ':~'), cache.files)
end

---List the folders that are searched beside the project, or add one (`add DIR [NAME]`) or remove one.
---@param rest string
function M.caches(rest)
  local word, more = (rest ~= '' and rest or 'list'):match('^(%S+)%s*(.-)$')
  if not known(word, { 'list', 'add', 'remove' }, 'caches') then
    return
  end
  local params = { action = word } ---@type memcache.CachesParams
  if word == 'remove' then
    params.name = more
  elseif word == 'add' then
    local folder, name = more:match('^(%S+)%s*(%S*)$')
    if not folder then
      client.notify(':Memcache caches add takes a folder, and a name for it.')
      return
    end
    folder = vim.fs.normalize(vim.fn.fnamemodify(folder, ':p'))
    params.uri = vim.uri_from_fname(folder)
    params.name = name ~= '' and name or vim.fs.basename(folder)
  end
  client.request(vim.api.nvim_get_current_buf(), 'memcache/caches', params, function(_, result)
    if result then
      show('caches', #result.caches > 0 and vim.tbl_map(format_cache, result.caches) or { 'There are none.' })
    end
  end)
end

return M
