---Ask and search a project. Everything that `:Memcache` does, as functions for mappings and other plugins.

local client = require('memcache.client')
local input = require('memcache.input')
local scope = require('memcache.scope')

local M = {}

---@class memcache.About
---@field buf? integer The buffer that is meant; the current one where left out.
---@field first? integer First line of a range, counted from 1.
---@field last? integer Last line of it, inclusive.
---@field mods? table Modifiers of the command, for the window of the answer.
---@field new? boolean Whether a question in an answer's buffer opens a new thread.

---@class memcache.ResolvedAbout: memcache.About
---@field buf integer

---@param about? memcache.About
---@return memcache.ResolvedAbout
local function resolved(about)
  vim.validate('about', about, 'table', true)
  about = vim.tbl_extend('keep', about or {}, { buf = vim.api.nvim_get_current_buf() })
  vim.validate('about.first', about.first, 'number', true)
  vim.validate('about.last', about.last, 'number', true)
  return about
end

---Return what tells the server where the user is: the document, and the lines of a range.
---@param about memcache.ResolvedAbout
---@return { textDocument: memcache.TextDocumentIdentifier?, selection: memcache.Range? }
local function context(about)
  if not client.has_file(about.buf) then
    return {}
  end
  local params = { textDocument = { uri = vim.uri_from_bufnr(about.buf) } }
  if about.first then
    params.selection = {
      start = { line = about.first - 1, character = 0 },
      ['end'] = { line = about.last or about.first, character = 0 },
    }
  end
  return params
end

---Return how the lines of a range are called in a title.
---@param about memcache.ResolvedAbout
---@return string
local function named(about)
  local name = vim.fs.basename(vim.api.nvim_buf_get_name(about.buf))
  return about.first and ('%s:%d-%d'):format(name, about.first, about.last or about.first) or name
end

---@param intent "ask"|"explain"|"summarize"|"callers"
---@param question string
---@param about memcache.ResolvedAbout
---@param title? string
local function ask(intent, question, about, title)
  local params = vim.tbl_extend('error', { question = question, intent = intent }, context(about))
  params = intent == 'ask' and scope.apply(params) or params -- the others are about the file itself
  local options = { buf = about.buf, mods = about.mods, new = about.new }
  return require('memcache.answer').ask(params, title or question, options)
end

---Ask a question; without one the user is asked for it. In an answer's buffer its thread goes on.
---@param question? string
---@param about? memcache.About
function M.ask(question, about)
  vim.validate('question', question, 'string', true)
  about = resolved(about)
  if question and vim.trim(question) ~= '' then
    ask('ask', question, about)
  else
    input.line(scope.titled('Ask') .. ': ', function(text)
      ask('ask', text, about)
    end)
  end
end

---What is asked without a question of the user's, and what its answer is called.
---@type table<string, { question: string, title: string }>
local FIXED = {
  explain = { question = 'Explain this.', title = 'Explain %s' },
  summarize = { question = 'Summarize this.', title = 'Summarize %s' },
  callers = { question = 'What calls this?', title = 'What calls %s' },
}

---Ask what is fixed about the lines of a range or the whole file, in a new thread.
---@param intent "explain"|"summarize"|"callers"
---@param about? memcache.About
local function ask_fixed(intent, about)
  about = resolved(about)
  about.new = true
  if context(about).textDocument then
    ask(intent, FIXED[intent].question, about, FIXED[intent].title:format(named(about)))
  else
    client.notify('This buffer has no file to tell about.')
  end
end

---Have the lines of a range explained, or the whole file.
---@param about? memcache.About
function M.explain(about)
  ask_fixed('explain', about)
end

---Have the lines of a range summarized, or the whole file.
---@param about? memcache.About
function M.summarize(about)
  ask_fixed('summarize', about)
end

---Ask what calls what stands in the lines of a range, or in the cursor's line.
---@param about? memcache.About
function M.callers(about)
  about = resolved(about)
  about.first = about.first or vim.api.nvim_win_get_cursor(0)[1]
  ask_fixed('callers', about)
end

---Do what a code action of the server says: what is fixed, or what the user wants to know about it.
---@param params memcache.AskParams
---@param buf integer
function M.ask_by_action(params, buf)
  local function go(question, title)
    local full = vim.tbl_extend('force', params, { question = question })
    require('memcache.answer').ask(full, title or question, { buf = buf, new = true })
  end
  local fixed = FIXED[params.intent]
  if not fixed then
    params = scope.apply(params)
    input.line(scope.titled('Ask about this') .. ': ', go)
    return
  end
  local about = { buf = buf } ---@type memcache.ResolvedAbout
  local selected = params.selection
  if selected then
    local last = selected['end']
    about.first = selected.start.line + 1
    about.last = math.max(last.line + (last.character > 0 and 1 or 0), about.first)
  end
  go(fixed.question, fixed.title:format(named(about)))
end

---Search; without a query, while the user types it.
---@param query? string
---@param options? { loclist?: boolean } Whether hits go into the location list instead of being offered.
function M.search(query, options)
  vim.validate('query', query, 'string', true)
  local pickers = require('memcache.pickers')
  if not query or vim.trim(query) == '' then
    pickers.live()
    return
  end
  local window = vim.api.nvim_get_current_win()
  pickers.anew()
  pickers.search(vim.api.nvim_get_current_buf(), query, function(items, complete, err)
    local title = scope.titled(query) .. (complete and '' or ' (the index is incomplete)')
    local hits = vim.tbl_map(function(item)
      return item.hit
    end, items)
    if err then
      return
    elseif options and options.loclist then
      M.to_loclist(window, hits, title)
    else
      pickers.pick(hits, title)
    end
  end)
end

---Put hits into a window's location list, and open it.
---@param window integer
---@param hits memcache.Hit[]
---@param title string
function M.to_loclist(window, hits, title)
  local pickers = require('memcache.pickers')
  vim.fn.setloclist(window, {}, ' ', {
    title = 'memcache: ' .. title,
    items = vim.tbl_map(function(hit)
      return pickers.list_entry(pickers.item(hit))
    end, hits),
  })
  vim.api.nvim_win_call(window, function()
    vim.cmd.lopen()
  end)
end

---Search for what resembles the lines of a range, or the cursor's line.
---@param about? memcache.About
---@param options? { loclist?: boolean }
function M.similar(about, options)
  about = resolved(about)
  about.first = about.first or vim.api.nvim_win_get_cursor(0)[1]
  local params = context(about)
  if not params.textDocument then
    client.notify('This buffer has no file whose lines could be compared.')
    return
  end
  local window = vim.api.nvim_get_current_win()
  local wanted = scope.apply({ textDocument = params.textDocument, range = params.selection })
  local pickers = require('memcache.pickers')
  pickers.anew()
  client.request(about.buf, 'memcache/similar', wanted, function(_, result)
    local title = scope.titled('Similar to ' .. named(about))
    pickers.tell(result and result.notes or {})
    if result and options and options.loclist then
      M.to_loclist(window, result.hits, title)
    elseif result then
      pickers.pick(result.hits, title)
    end
  end)
end

---Stop the answer of the current buffer, or the one that was asked last.
function M.stop()
  if not require('memcache.answer').stop(vim.api.nvim_get_current_buf()) then
    vim.notify('memcache: Nothing is being answered.', vim.log.levels.INFO)
  end
end

---Choose what the next questions and searches ask, and return it in words; no names leave it as it is.
---@param names? string[] Names of caches; `workspace` is the project.
---@return string
function M.scope(names)
  vim.validate('names', names, 'table', true)
  if names then
    scope.set(names)
  end
  return scope.label()
end

---Return what a status line can show.
M.statusline = client.statusline

return M
