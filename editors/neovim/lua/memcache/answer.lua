---The answer buffer: a thread of questions, each with its sources and its answer as it streams in.
---
---Owns the state of an answer (waiting, writing, done, stopped, failed), its request, and the keys of its buffer.

local client = require('memcache.client')
local indexing = require('memcache.indexing')
local links = require('memcache.links')
local page = require('memcache.page')
local places = require('memcache.places')

local M = {}

---@type table<integer, memcache.Answer> by buffer
local answers = {}
---@type memcache.Answer?
local latest

---@param answer memcache.Answer
---@param shown boolean
local function show_sources(answer, shown)
  for index, turn in ipairs(answer.turns) do
    for _, place in pairs(turn.sources) do
      places.show(place, shown and index == #answer.turns)
    end
  end
end

---End what is under way for an answer.
---@param answer memcache.Answer
local function halt(answer)
  for _, name in ipairs({ 'cancel', 'look' }) do
    if answer[name] then
      answer[name]()
      answer[name] = nil
    end
  end
end

---Forget everything about an answer whose buffer is gone.
---@param buf integer
local function close(buf)
  local answer = answers[buf]
  answers[buf] = nil
  if not answer then
    return
  end
  halt(answer)
  for _, turn in ipairs(answer.turns) do
    for _, place in pairs(turn.sources) do
      places.drop(place)
    end
    for _, citation in ipairs(turn.citations) do
      places.drop(citation.place)
    end
  end
  latest = latest ~= answer and latest or nil
end

---@param buf integer
local function watch(buf)
  vim.api.nvim_create_autocmd({ 'BufWinEnter', 'BufWinLeave' }, {
    buffer = buf,
    callback = function(event)
      if answers[buf] then
        show_sources(answers[buf], event.event == 'BufWinEnter')
      end
    end,
  })
  vim.api.nvim_create_autocmd('BufUnload', {
    buffer = buf,
    callback = function()
      close(buf)
    end,
  })
end

---@param buf integer
local function map(buf)
  local function set(keys, act, desc)
    vim.keymap.set('n', keys, act, { buffer = buf, desc = desc, nowait = true })
  end
  set('<CR>', function()
    M.open_at_cursor()
  end, 'Open the lines of [n]')
  set('gf', function()
    M.open_at_cursor()
  end, 'Open the lines of [n]')
  set('<C-c>', function()
    M.stop(buf)
  end, 'Stop the answer')
end

---@param title string
---@return memcache.Answer
local function create(title)
  local buf = page.create(title)
  local answer = { buf = buf, origin = vim.api.nvim_get_current_win(), turns = {}, rows = {} }
  answers[buf] = answer
  map(buf)
  watch(buf)
  return answer
end

---@param answer memcache.Answer
---@param mods? table
local function show(answer, mods)
  latest = answer
  page.show(answer, mods)
end

---@param answer memcache.Answer
---@param question string
---@return memcache.AnswerTurn
local function add_turn(answer, question)
  show_sources(answer, false)
  return page.add_turn(answer, question)
end

---@param answer memcache.Answer
---@param turn memcache.AnswerTurn
---@param text string
local function add_text(answer, turn, text)
  turn.text, turn.state = turn.text .. text, 'writing'
  page.write(answer, turn, text)
end

---Take a partial result.
---@param answer memcache.Answer
---@param turn memcache.AnswerTurn
---@param value table
local function take(answer, turn, value)
  if not vim.api.nvim_buf_is_valid(answer.buf) then
    return
  elseif value.type == 'sources' then
    page.add_sources(answer, turn, value.items, value.first or 1)
  elseif value.type == 'stage' then
    page.stage(answer, turn, page.stage_text(value))
  elseif value.type == 'delta' then
    add_text(answer, turn, value.text)
    page.stage(answer, turn, 'writing …')
  elseif value.type == 'citation' then
    table.insert(turn.citations, links.citation(value, turn.text))
    page.mark(answer, turn)
  elseif value.type == 'unsupported' then
    page.add_unsupported(answer, turn, value.start, value['end'])
  end
end

---Take how an answer ended.
---@param answer memcache.Answer
---@param turn memcache.AnswerTurn
---@param err? string
---@param result? memcache.AskResult
---@param early? boolean Whether what is asked was still being indexed.
local function finish(answer, turn, err, result, early)
  answer.cancel = nil
  if not vim.api.nvim_buf_is_valid(answer.buf) then
    return
  end
  if err then
    turn.state = 'failed'
    page.stage(answer, turn, err, 'DiagnosticError')
    return
  end
  assert(result)
  turn.state, turn.id = 'done', result.turnId
  if result.threadId ~= '' then -- it was kept
    answer.thread_id = result.threadId
  end
  local seconds = ('%d of %d places read, %.1f s'):format(
    result.evidence.read,
    result.evidence.found,
    result.timings.totalSeconds
  )
  seconds = seconds .. (early and ', before all was indexed' or '')
  local endings = { length = 'cut at its limit', extract = 'quotations, no model', no_answer = 'no answer' }
  local ending = endings[result.finishReason]
  local message = result.message or (turn.text == '' and 'Nothing in the index answers this.' or nil)
  if message then
    local apart = turn.text == '' and '' or turn.text:find('\n$') and '\n' or '\n\n'
    page.write(answer, turn, apart .. '*' .. message .. '*')
  end
  page.stage(answer, turn, (ending and ending .. ', ' or '') .. seconds)
  vim.api.nvim_exec_autocmds('User', { pattern = 'MemcacheAnswer', data = { buf = answer.buf }, modeline = false })
end

---Ask once more when all is indexed, unless the answer is stopped or closed before. Whoever is elsewhere stays there.
---@param answer memcache.Answer
---@param turn memcache.AnswerTurn
---@param scope memcache.Scope?
---@param again fun()
local function ask_when_indexed(answer, turn, scope, again)
  page.stage(answer, turn, 'it is asked again when all is indexed')
  answer.cancel = indexing.wait(answer.buf, scope, function(err)
    answer.cancel = nil
    if err or not page.window(answer) then
      page.stage(answer, turn, err or 'all is indexed by now; ask again', err and 'DiagnosticError')
    else
      page.stage(answer, turn, 'no answer before all was indexed; asked again below')
      again()
    end
  end)
end

---Return the answer that a buffer shows.
---@param buf integer
---@return memcache.Answer?
function M.of(buf)
  return answers[buf]
end

---@class memcache.AskOptions
---@field buf integer The buffer that the question is about, or an answer that it goes on with.
---@field method? string `memcache/ask` where left out.
---@field scope? memcache.Scope What is asked, where the parameters do not tell it.
---@field mods? table Modifiers of the command.
---@field new? boolean Whether a new thread is opened even in an answer.
---@field stay? boolean Whether the user stays where he is, while the answer comes in the windows that show it.

---Send a question. What is not found while indexing goes on is asked again at its end.
---@param answer memcache.Answer
---@param turn memcache.AnswerTurn
---@param params table
---@param options memcache.AskOptions
---@param early boolean Whether what is asked is still being indexed.
local function send(answer, turn, params, options, early)
  answer.cancel = client.request(options.buf, options.method or 'memcache/ask', params, function(err, result, server)
    if result and server and vim.api.nvim_buf_is_valid(answer.buf) then
      vim.b[answer.buf].memcache_client = server.id
    end
    result = result and (result.asked or result)
    finish(answer, turn, err, result, early)
    if not result or result.finishReason ~= 'no_answer' or not vim.api.nvim_buf_is_valid(answer.buf) then
      return
    end
    local function wait()
      ask_when_indexed(answer, turn, turn.scope, function()
        local more = { buf = answer.buf, method = options.method, scope = turn.scope, stay = true }
        M.ask(params, turn.question, more)
      end)
    end
    if early then
      wait()
    else -- it may have begun just after the question, as when the server starts
      answer.look = indexing.look(answer.buf, turn.scope, function(_, now)
        answer.look = nil
        if now and now.indexing then
          wait()
        end
      end)
    end
  end, {
    quiet = true,
    stream = function(value)
      take(answer, turn, value)
    end,
  })
end

---Ask, and show the answer while it comes. In an answer's buffer, its thread goes on.
---@param params table of `memcache/ask`, or of `memcache/threads` to ask again
---@param title string
---@param options memcache.AskOptions
---@return memcache.Answer
function M.ask(params, title, options)
  local answer = not options.new and answers[options.buf] or nil
  if answer and answer.cancel then
    M.stop(answer.buf)
  end
  answer = answer or create(title)
  halt(answer)
  params = vim.tbl_extend('keep', params, { threadId = answer.thread_id })
  if not options.stay then
    show(answer, options.mods)
  end
  local turn = add_turn(answer, title)
  turn.scope = options.scope or params.scope
  page.reveal(answer, turn)
  page.stage(answer, turn, 'asking …')
  answer.cancel = indexing.look(options.buf, turn.scope, function(err, now)
    if now then
      send(answer, turn, params, options, now.indexing)
    else
      finish(answer, turn, err)
    end
  end)
  return answer
end

---Show a thread of earlier.
---@param thread memcache.Thread
---@param server vim.lsp.Client
---@param mods? table
function M.show_thread(thread, server, mods)
  for _, answer in pairs(answers) do
    if answer.thread_id == thread.threadId then
      show(answer, mods)
      return
    end
  end
  local answer = create(thread.title)
  answer.thread_id = thread.threadId
  vim.b[answer.buf].memcache_client = server.id
  show(answer, mods)
  for _, past in ipairs(thread.turns or {}) do
    local turn = add_turn(answer, past.question)
    turn.citations = vim.tbl_map(function(cited)
      return links.citation(cited, past.answer)
    end, past.citations)
    add_text(answer, turn, past.answer)
    turn.id, turn.state = past.turnId, 'done'
    page.add_below(answer, 'Cited', links.list(turn.citations))
  end
end

---Stop an answer, or the one that was asked last.
---@param buf? integer
---@return boolean whether one was open
function M.stop(buf)
  local answer = buf and answers[buf] or latest
  local cancel = answer and answer.cancel
  if not answer or not cancel then
    return false
  end
  cancel()
  answer.cancel = nil
  local turn = answer.turns[#answer.turns]
  turn.state = 'stopped'
  page.stage(answer, turn, 'stopped')
  return true
end

---Return the source of a number: the turn's own, else that of the latest turn before it.
---@param answer memcache.Answer
---@param turn memcache.AnswerTurn
---@param n integer
---@return memcache.Place?
local function source_of(answer, turn, n)
  local found ---@type memcache.Place?
  for _, each in ipairs(answer.turns) do
    found = each.sources[n] or found
    if each == turn then
      return found
    end
  end
end

---Go to the lines of the `[n]` under the cursor, or of the first one after it in the line; in a list to those of the line.
function M.open_at_cursor()
  local answer = answers[vim.api.nvim_get_current_buf()]
  if not answer or #answer.turns == 0 then
    return
  end
  local cursor = vim.api.nvim_win_get_cursor(0)
  local row = cursor[1] - 1
  local place = page.listed(answer, row)
  if not place then
    local n, at = links.number_at(vim.api.nvim_get_current_line(), cursor[2])
    if not n then
      vim.notify('memcache: There is no [n] here.', vim.log.levels.INFO)
      return
    end
    local turn = page.turn_at(answer, row)
    local source = source_of(answer, turn, n)
    place = links.find(turn.citations, n, page.offset(answer, turn, row, at)) or source
    if not place then
      vim.notify(('memcache: [%d] is none of the sources.'):format(n), vim.log.levels.WARN)
      return
    end
    place.hit = place.hit or source and source.hit
  end
  places.open(page.target(answer), place)
end

---Take that citations of an answer no longer hold.
---@param params memcache.DidChangeThreadParams
function M.thread_changed(params)
  for _, answer in pairs(answers) do
    for _, turn in ipairs(answer.thread_id == params.threadId and answer.turns or {}) do
      if turn.id == params.turnId then
        links.update(turn.citations, params.stale)
        page.mark(answer, turn)
      end
    end
  end
end

---Return what there is of an answer, for those who look on.
---@param buf integer
---@return memcache.AnswerTurn[]
function M.turns(buf)
  return answers[buf] and answers[buf].turns or {}
end

return M
