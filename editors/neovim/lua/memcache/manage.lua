---What is not a question: threads, index, models and the status.

local client = require('memcache.client')
local float = require('memcache.float')
local report = require('memcache.report')

local M = {}

---Return a status as lines.
---@param status memcache.StatusResult
---@return string[]
function M.status_lines(status)
  local mode = status.mode == 'daemon' and 'the daemon' or 'in its own process'
  local lines = { ('memcache-lsp %s, %s, process %d'):format(status.version, mode, status.pid) }
  if status.message then
    table.insert(lines, status.message)
  end
  vim.list_extend(lines, report.all(status.roots, report.root))
  vim.list_extend(lines, report.all(status.caches or {}, report.cache))
  local model = status.model
  table.insert(
    lines,
    'model     ' .. (model and ('%s, %s'):format(model.name, model.state) or 'none: answers are quotations')
  )
  table.insert(lines, 'embedder  ' .. status.embedder)
  table.insert(lines, ('memory    %s'):format(report.size(status.memoryBytes)))
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
      float.show('memcache', M.status_lines(result))
    end
  end)
end

---Tell why the current file is in the index or not.
---@param buf integer
local function why(buf)
  if not client.has_file(buf) then
    client.notify('This buffer has no file to tell about.')
    return
  end
  local params = { textDocument = { uri = vim.uri_from_bufnr(buf) } }
  client.request(buf, 'memcache/explain', params, function(_, result)
    if result then
      vim.notify('memcache: ' .. result.reason)
    end
  end)
end

---Steer the indexing; without a word it is started.
---@param word string
---@param cache? string The cache that is meant, in place of the project.
function M.index(word, cache)
  word = word ~= '' and word or 'start'
  local buf = vim.api.nvim_get_current_buf()
  if word == 'why' then
    why(buf)
    return
  end
  client.request(buf, 'memcache/index', { action = word, cache = cache }, function(_, result)
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
        act(thread, assert(server))
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
  answer.ask(params, turn.question, { buf = buf, method = 'memcache/threads', scope = turn.scope, mods = mods })
end

---Offer earlier questions; delete one, or ask again.
---@param word string
---@param mods table
function M.threads(word, mods)
  local buf = vim.api.nvim_get_current_buf()
  if word == 'again' then
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
          require('memcache.answer').show_thread(result.threads[1], assert(server), mods)
        end
      end)
    end)
  end
end

---@param model memcache.Model
---@return string
local function format_model(model)
  local fetched = model.fetched and 'fetched' or 'not fetched'
  return ('%s%s  %s, %s'):format(model.used and '* ' or '  ', model.name, report.size(model.sizeBytes), fetched)
end

---List the models, or fetch, choose, unload or remove one.
---@param word string
---@param name? string
function M.models(word, name)
  local buf = vim.api.nvim_get_current_buf()
  local params = { action = word ~= '' and word or 'list', name = name }
  client.request(buf, 'memcache/models', params, function(_, result)
    if result then
      float.show('models', #result.models > 0 and vim.tbl_map(format_model, result.models) or { 'There are none.' })
    end
  end)
end

return M
