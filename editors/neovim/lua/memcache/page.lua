---The page of an answer: its buffer, its window, and what is written where.
---
---Text only ever grows at the end of the last turn's answer, whose place an extmark keeps; sources stand below it. Must
---not know requests or the state of an answer.

local fit = require('memcache.fit')
local links = require('memcache.links')
local locations = require('memcache.locations')
local pickers = require('memcache.pickers')
local places = require('memcache.places')
local scope = require('memcache.scope')

local M = {}

local ns = vim.api.nvim_create_namespace('memcache.answer')
local rows_ns = vim.api.nvim_create_namespace('memcache.rows')
local STAGES = {
  waiting = 'waiting for the model',
  loading = 'loading the model',
  reading = 'reading the sources',
  thinking = 'thinking',
  writing = 'writing',
}

---@class memcache.AnswerTurn
---@field id? string
---@field question string
---@field scope? memcache.Scope What is asked; the project where left out.
---@field text string The answer so far.
---@field sources memcache.Place[] By `n`.
---@field citations memcache.Citation[]
---@field head integer Extmark where the answer begins.
---@field tail integer Extmark where it ends.
---@field stage? integer Extmark that shows what is going on.
---@field state "waiting"|"writing"|"done"|"stopped"|"failed"

---@class memcache.Answer
---@field buf integer
---@field origin integer The window that the user asked from.
---@field thread_id? string
---@field turns memcache.AnswerTurn[]
---@field rows table<integer, memcache.Place> What the rows of lists name, by their extmarks.
---@field cancel? fun() Stops the question that is open, or the wait to ask it again.
---@field look? fun() Ends the look, after an answer, whether it was early.

---@param buf integer
---@param first integer
---@param last integer
---@param lines string[]
local function set_lines(buf, first, last, lines)
  vim.bo[buf].modifiable = true
  vim.api.nvim_buf_set_lines(buf, first, last, false, lines)
  vim.bo[buf].modifiable = false
  vim.bo[buf].modified = false
end

---@param answer memcache.Answer
---@param id integer
---@return integer row
---@return integer column
function M.position(answer, id)
  local at = vim.api.nvim_buf_get_extmark_by_id(answer.buf, ns, id, {})
  return at[1], at[2]
end

---Return a window that shows an answer, one of the present tab page before others.
---@param answer memcache.Answer
---@return integer?
function M.window(answer)
  local here = vim.fn.bufwinid(answer.buf)
  return here ~= -1 and here or vim.fn.win_findbuf(answer.buf)[1]
end

---Show what is going on, or how it ended, below the text; at a line's end it could be out of sight.
---@param answer memcache.Answer
---@param turn memcache.AnswerTurn
---@param text string
---@param group? string
function M.stage(answer, turn, text, group)
  local row = M.position(answer, turn.tail)
  local window = M.window(answer)
  local width = window and vim.api.nvim_win_get_width(window) or vim.o.columns
  turn.stage = vim.api.nvim_buf_set_extmark(answer.buf, ns, row, 0, {
    id = turn.stage,
    virt_lines = fit.virtual_lines(text, width, group or 'MemcacheStage'),
  })
end

---@param value { stage: string, percent: number } What the server tells of it.
---@return string
function M.stage_text(value)
  local percent = value.percent > 0 and (' %d %%'):format(value.percent) or ''
  return (STAGES[value.stage] or value.stage) .. percent .. ' …'
end

---Make the buffer.
---@param title string
---@return integer
function M.create(title)
  local buf = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(buf, ('memcache://answer/%d/%s'):format(buf, title:gsub('%s+', ' '):sub(1, 60)))
  vim.bo[buf].bufhidden = 'hide'
  vim.bo[buf].swapfile = false
  vim.bo[buf].modifiable = false
  vim.bo[buf].undolevels = -1
  vim.bo[buf].filetype = 'memcache'
  pcall(vim.treesitter.start, buf, 'markdown') -- some builds come without the parser; :checkhealth says so
  return buf
end

---Return the window of this tab page that shows an answer.
---@return integer?
local function of_another()
  return vim.iter(vim.api.nvim_tabpage_list_wins(0)):find(function(window)
    return vim.bo[vim.api.nvim_win_get_buf(window)].filetype == 'memcache' and not vim.wo[window].winfixbuf
  end)
end

---Go to an answer's window, also in another tab page. Without one it gets one, with options that suit text; one answer
---takes the place of another.
---@param answer memcache.Answer
---@param mods? table Modifiers of the command, such as `vertical`, which ask for a window of its own.
function M.show(answer, mods)
  local window = M.window(answer)
  if window then
    vim.api.nvim_set_current_win(window)
    return
  end
  local former = vim.tbl_isempty(mods or {}) and of_another() or nil
  if former then
    vim.api.nvim_set_current_win(former)
  else
    vim.cmd.split({ mods = vim.tbl_extend('keep', mods or {}, { split = 'botright' }) })
  end
  vim.api.nvim_win_set_buf(0, answer.buf)
  local options = { wrap = true, linebreak = true, breakindent = true, number = false, relativenumber = false }
  options = vim.tbl_extend('force', options, { signcolumn = 'no', spell = false, list = false, winbar = scope.WINBAR })
  for name, value in pairs(options) do
    vim.api.nvim_set_option_value(name, value, { scope = 'local', win = 0 })
  end
end

---Return the window that files are opened in: the one asked from, another one with a file, or a new one.
---@param answer memcache.Answer
---@return integer
function M.target(answer)
  local here = vim.api.nvim_get_current_tabpage()
  local windows = vim.list_extend({ answer.origin }, vim.api.nvim_tabpage_list_wins(here))
  for _, window in ipairs(windows) do
    if
      vim.api.nvim_win_is_valid(window)
      and vim.api.nvim_win_get_tabpage(window) == here
      and vim.bo[vim.api.nvim_win_get_buf(window)].buftype == ''
      and vim.api.nvim_win_get_config(window).relative == ''
    then
      return window
    end
  end
  vim.cmd.split({ mods = { split = 'aboveleft' } })
  return vim.api.nvim_get_current_win()
end

---Add a question with room for its answer at the end of the buffer.
---@param answer memcache.Answer
---@param question string
---@return memcache.AnswerTurn
function M.add_turn(answer, question)
  local heading = { '# ' .. question:gsub('%s*\n%s*', ' '), '', '', '' }
  local first = #answer.turns > 0 and vim.api.nvim_buf_line_count(answer.buf) or 0
  set_lines(answer.buf, first, -1, heading)
  local function mark(right_gravity)
    return vim.api.nvim_buf_set_extmark(answer.buf, ns, first + 2, 0, { right_gravity = right_gravity })
  end
  local turn = {
    question = question,
    text = '',
    sources = {},
    citations = {},
    head = mark(false),
    tail = mark(true),
    state = 'waiting',
  }
  table.insert(answer.turns, turn)
  return turn
end

---Give what comes in a turn the windows to itself; whoever is elsewhere stays there.
---@param answer memcache.Answer
---@param turn memcache.AnswerTurn
function M.reveal(answer, turn)
  for _, window in ipairs(vim.fn.win_findbuf(answer.buf)) do
    vim.api.nvim_win_call(window, function()
      vim.api.nvim_win_set_cursor(0, { M.position(answer, turn.tail) + 1, 0 })
      vim.fn.winrestview({ topline = M.position(answer, turn.head) - 1 })
    end)
  end
end

---Write a list below the answer.
---@param answer memcache.Answer
---@param title string
---@param list { text: string, place: memcache.Place }[]
function M.add_below(answer, title, list)
  if #list == 0 then
    return
  end
  local lines = { ('**%s**'):format(title), '' }
  for _, each in ipairs(list) do
    table.insert(lines, '- ' .. each.text)
  end
  local first = vim.api.nvim_buf_line_count(answer.buf)
  set_lines(answer.buf, -1, -1, vim.list_extend(lines, { '' }))
  for index, each in ipairs(list) do
    answer.rows[vim.api.nvim_buf_set_extmark(answer.buf, rows_ns, first + 1 + index, 0, {})] = each.place
  end
  links.mark(answer.buf, first, first + 1 + #list, {})
end

---Return the place that a row of a list names.
---@param answer memcache.Answer
---@param row integer
---@return memcache.Place?
function M.listed(answer, row)
  local found = vim.api.nvim_buf_get_extmarks(answer.buf, rows_ns, { row, 0 }, { row, -1 }, { limit = 1 })[1]
  return found and answer.rows[found[1]]
end

---Return the turn that a row belongs to.
---@param answer memcache.Answer
---@param row integer
---@return memcache.AnswerTurn
function M.turn_at(answer, row)
  local found = answer.turns[1]
  for _, turn in ipairs(answer.turns) do
    found = M.position(answer, turn.head) - 2 <= row and turn or found
  end
  return found
end

---Return how far a place of the buffer is from where the answer begins, in bytes.
---@param answer memcache.Answer
---@param turn memcache.AnswerTurn
---@param row integer
---@param column integer
---@return integer
function M.offset(answer, turn, row, column)
  local function of_row(each)
    return vim.api.nvim_buf_get_offset(answer.buf, each)
  end
  return of_row(row) - of_row(M.position(answer, turn.head)) + column
end

---Write at the end of the answer.
---@param answer memcache.Answer
---@param turn memcache.AnswerTurn
---@param text string
function M.write(answer, turn, text)
  local row, column = M.position(answer, turn.tail)
  local at_end = {} ---@type integer[]
  for _, window in ipairs(vim.fn.win_findbuf(answer.buf)) do
    if vim.api.nvim_win_get_cursor(window)[1] - 1 == row then
      table.insert(at_end, window)
    end
  end
  vim.bo[answer.buf].modifiable = true
  vim.api.nvim_buf_set_text(answer.buf, row, column, row, column, vim.split(text, '\n', { plain = true }))
  vim.bo[answer.buf].modifiable = false
  vim.bo[answer.buf].modified = false
  local last = M.position(answer, turn.tail)
  for _, window in ipairs(at_end) do -- who reads at the end goes on reading at the end
    vim.api.nvim_win_set_cursor(window, { last + 1, 0 })
  end
  links.mark(answer.buf, row, last, turn.citations, M.offset(answer, turn, row, 0))
end

---@param answer memcache.Answer
---@param turn memcache.AnswerTurn
---@param items memcache.Hit[]
---@param number integer That of the first one.
function M.add_sources(answer, turn, items, number)
  local listed, list = {}, {}
  for index, hit in ipairs(items) do
    local n = number + index - 1
    local place = places.keep(hit.location, n < 100 and tostring(n) or nil, M.window(answer) ~= nil)
    place.hit = hit
    turn.sources[n] = place
    local first, last = places.lines(place)
    local symbol = hit.symbol ~= '' and ' ' .. hit.symbol:gsub('%s+', ' ') or ''
    local cache = hit.cache and (' (%s)'):format(hit.cache) or ''
    local text = ('[%d] `%s`%s%s'):format(n, locations.label(place, first, last), symbol, cache)
    table.insert(listed, { text = text, place = place })
    local item = pickers.item(hit)
    item.lnum, item.end_lnum, item.text = first, last, ('[%d] %s'):format(n, item.text)
    table.insert(list, pickers.list_entry(item))
  end
  if #items == 0 then
    return
  end
  M.add_below(answer, 'Sources', listed)
  for _, window in ipairs(vim.list_extend({ answer.origin }, vim.fn.win_findbuf(answer.buf))) do
    if vim.api.nvim_win_is_valid(window) then
      vim.fn.setloclist(window, {}, ' ', { title = 'memcache: ' .. turn.question, items = list })
    end
  end
end

---@param answer memcache.Answer
---@param turn memcache.AnswerTurn
---@param from integer
---@param to integer Both in the text so far, in UTF-16 units.
function M.add_unsupported(answer, turn, from, to)
  local head = M.position(answer, turn.head)
  ---@param offset integer
  local function place(offset)
    local before = turn.text:sub(1, vim.str_byteindex(turn.text, 'utf-16', offset, false))
    local _, breaks = before:gsub('\n', '')
    return head + breaks, #before:match('[^\n]*$')
  end
  local row, column = place(from)
  local end_row, end_column = place(to)
  vim.api.nvim_buf_set_extmark(answer.buf, ns, row, column, {
    end_row = end_row,
    end_col = end_column,
    hl_group = 'MemcacheUnsupported',
  })
end

---Mark the citations of an answer anew, after one came or changed.
---@param answer memcache.Answer
---@param turn memcache.AnswerTurn
function M.mark(answer, turn)
  links.mark(answer.buf, M.position(answer, turn.head), M.position(answer, turn.tail), turn.citations, 0)
end

return M
