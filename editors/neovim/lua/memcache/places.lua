---Places in files that stay what they are while the user edits: extmarks in loaded buffers, lines elsewhere.
---
---Owns these extmarks and going to a place; a place whose lines no editor shows has none. Must not know answers.

local passage = require('memcache.passage')

local M = {}

local ns = vim.api.nvim_create_namespace('memcache.places')
local flash_ns = vim.api.nvim_create_namespace('memcache.flash')
local FLASH_MS = 800

---@class memcache.Place
---@field uri string
---@field page? integer
---@field cell? integer
---@field extracted? boolean Whether its lines are not those of the file.
---@field hit? memcache.Hit What was found there.
---@field passage? string What an earlier answer read there.
---@field first integer First line in the file as it was last read or written, counted from 0.
---@field last integer Line after the last one.
---@field sign? string What the sign column shows while the place is shown.
---@field shown boolean
---@field buf? integer The buffer that the extmark is in.
---@field mark? integer
---@field sign_mark? integer

---@type table<memcache.Place, true>
local places = {}

---Return the loaded buffer of a file.
---@param uri string
---@return integer?
local function loaded(uri)
  local name = vim.uri_to_fname(uri)
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buf) and vim.api.nvim_buf_get_name(buf) == name then
      return buf
    end
  end
end

---Return the buffer of a file, loaded or not, under the name that `:edit` would give it.
---@param path string
---@return integer
local function buffer(path)
  return vim.fn.bufadd(vim.fn.fnamemodify(path, ':.'))
end

---Return where a place is now, from line to line (exclusive), and whether its lines are still there.
---@param place memcache.Place
---@return integer first
---@return integer last
---@return boolean is_there
local function where(place)
  if place.buf and place.mark and vim.api.nvim_buf_is_loaded(place.buf) then
    local at = vim.api.nvim_buf_get_extmark_by_id(place.buf, ns, place.mark, { details = true })
    local row, details = at[1], at[3]
    if row and details.invalid then
      return row, row + 1, false
    elseif row then
      return row, math.max(details.end_row or row, row) + 1, true
    end
  end
  return place.first, place.last, true
end

---Take the extmark away.
---@param place memcache.Place
local function release(place)
  if place.buf and place.mark and vim.api.nvim_buf_is_valid(place.buf) then
    vim.api.nvim_buf_del_extmark(place.buf, ns, place.mark)
    if place.sign_mark then
      vim.api.nvim_buf_del_extmark(place.buf, ns, place.sign_mark)
    end
  end
  place.buf, place.mark, place.sign_mark = nil, nil, nil
end

---Put the extmark on lines of the place's file, where that is loaded.
---@param place memcache.Place
---@param first integer
---@param last integer
local function anchor(place, first, last)
  if place.extracted then
    return
  end
  local buf = loaded(place.uri)
  if buf ~= place.buf then
    place.buf, place.mark, place.sign_mark = buf, nil, nil
  end
  if not buf then
    return
  end
  local count = vim.api.nvim_buf_line_count(buf)
  first = math.min(first, count - 1)
  local end_row = math.max(math.min(last, count) - 1, first)
  place.mark = vim.api.nvim_buf_set_extmark(buf, ns, first, 0, {
    id = place.mark,
    end_row = end_row, -- the end of the last line, and not the next line: what deletes all of it is told by that
    end_col = #vim.api.nvim_buf_get_lines(buf, end_row, end_row + 1, false)[1],
    invalidate = true,
    undo_restore = true,
  })
  if place.shown and place.sign then -- one of its own: that of a range shows on all of its lines
    local sign = { id = place.sign_mark, sign_text = place.sign, sign_hl_group = 'MemcacheSource', priority = 1 }
    place.sign_mark = vim.api.nvim_buf_set_extmark(buf, ns, first, 0, sign)
  elseif place.sign_mark then
    vim.api.nvim_buf_del_extmark(buf, ns, place.sign_mark)
    place.sign_mark = nil
  end
end

---Keep a place from now on; `shown` ones have a sign.
---@param location memcache.Location
---@param sign? string
---@param shown? boolean
---@return memcache.Place
function M.keep(location, sign, shown)
  local range = location.range
  local place = { uri = location.uri, sign = sign, shown = shown or false }
  place.page, place.cell, place.extracted = location.page, location.cell, location.extracted
  place.first = range.start.line
  place.last = math.max(range['end'].line + (range['end'].character > 0 and 1 or 0), range.start.line + 1)
  places[place] = true
  anchor(place, place.first, place.last)
  return place
end

---Put a place elsewhere, as the server has it now; in a buffer with unsaved changes the extmark knows better.
---@param place memcache.Place
---@param location memcache.Location
function M.move(place, location)
  local _, _, is_there = where(place)
  if place.uri == location.uri and place.buf and is_there and vim.bo[place.buf].modified then
    return
  end
  if place.extracted then -- it is told that it changed, not what page it is on now
    return
  end
  M.drop(place)
  local moved = M.keep(location, place.sign, place.shown)
  places[moved], places[place] = nil, true
  for key, value in pairs(moved) do
    place[key] = value
  end
end

---Show or hide the sign.
---@param place memcache.Place
---@param shown boolean
function M.show(place, shown)
  if place.shown ~= shown and places[place] then
    place.shown = shown
    local first, last, is_there = where(place)
    if is_there then
      anchor(place, first, last)
    end
  end
end

---Forget a place.
---@param place memcache.Place
function M.drop(place)
  places[place] = nil
  release(place)
end

---Return the lines where a place is now, counted from 1, the last one inclusive, and whether they are still there.
---@param place memcache.Place
---@return integer first
---@return integer last
---@return boolean is_there
function M.lines(place)
  local first, last, is_there = where(place)
  return first + 1, math.max(last, first + 1), is_there
end

---Return the buffer of a file, which is read if need be; nil where that cannot be, which is told.
---@param path string
---@return integer?
local function read(path)
  local buf = buffer(path)
  local ok, problem = pcall(vim.fn.bufload, buf)
  if ok then
    return buf
  end
  local why = tostring(problem):find('E325') and 'it is being edited elsewhere, or was when that ended' or problem
  local name = vim.fn.fnamemodify(path, ':~:.')
  vim.notify(('memcache: %s was not opened: %s; :edit it.'):format(name, why), vim.log.levels.WARN)
end

---Go to lines of a file in a window, with a mark in the jump list, and show them for a moment. Where the window has to
---keep what it shows, as by 'winfixbuf' or unsaved text without 'hidden', another one is opened.
---@param window integer
---@param path string
---@param first integer Counted from 1.
---@param last integer
function M.go(window, path, first, last)
  local buf = read(path)
  if not buf then
    return
  end
  vim.api.nvim_set_current_win(window)
  vim.cmd.normal({ "m'", bang = true })
  vim.bo[buf].buflisted = true
  if vim.api.nvim_win_get_buf(window) ~= buf and not pcall(vim.cmd.buffer, buf) then
    vim.cmd.sbuffer(buf)
    window = vim.api.nvim_get_current_win()
  end
  local count = vim.api.nvim_buf_line_count(buf)
  first, last = math.min(first, count), math.min(last, count)
  vim.api.nvim_win_set_cursor(window, { first, 0 })
  vim.cmd.normal({ '^zv', bang = true })
  if first < vim.fn.line('w0') or last > vim.fn.line('w$') then
    vim.cmd.normal({ 'zz', bang = true })
  end
  vim.hl.range(buf, flash_ns, 'Visual', { first - 1, 0 }, { last - 1, -1 }, { regtype = 'V', timeout = FLASH_MS })
end

---Go to a place.
---@param window integer
---@param place memcache.Place
function M.open(window, place)
  if place.extracted then
    passage.open(window, place, place.hit)
    return
  end
  local path = vim.uri_to_fname(place.uri)
  if not loaded(place.uri) and not read(path) then -- the lines are those of the file, which reading it may place anew
    return
  end
  local first, last, is_there = M.lines(place)
  M.go(window, path, first, last)
  if not is_there then
    vim.notify('memcache: These lines are no longer there.', vim.log.levels.WARN)
  end
end

---Run something for each place in a buffer.
---@param buf integer
---@param act fun(place: memcache.Place)
local function each(buf, act)
  local name = vim.api.nvim_buf_get_name(buf)
  for place in pairs(places) do
    if place.buf == buf or not place.extracted and vim.uri_to_fname(place.uri) == name then
      act(place)
    end
  end
end

---Remember where places are by now.
---@param place memcache.Place
local function settle(place)
  local first, last, is_there = where(place)
  if is_there then
    place.first, place.last = first, last
  end
end

local group = vim.api.nvim_create_augroup('memcache.places', {})
vim.api.nvim_create_autocmd('BufReadPost', {
  group = group,
  callback = function(event)
    each(event.buf, function(place)
      anchor(place, place.first, place.last)
    end)
  end,
})
vim.api.nvim_create_autocmd('BufWritePost', { -- what is on disk is what reading it again goes back to
  group = group,
  callback = function(event)
    each(event.buf, settle)
  end,
})
vim.api.nvim_create_autocmd('BufUnload', { -- reading a file again leaves extmarks where they were
  group = group,
  callback = function(event)
    each(event.buf, release)
  end,
})

return M
