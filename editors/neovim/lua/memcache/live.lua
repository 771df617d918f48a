---Search while typing, without a picker: a window whose first line is the query and whose other lines are the hits.
---
---Owns that window and its keys. Only the answer to the last query is shown; one that is overtaken is cancelled.

local fit = require('memcache.fit')
local indexing = require('memcache.indexing')
local pickers = require('memcache.pickers')
local scope = require('memcache.scope')

local M = {}

local ns = vim.api.nvim_create_namespace('memcache.live')
local HEIGHT = 14

---@type table<integer, memcache.Live> by buffer
local open = {}

---@class memcache.Live
---@field buf integer
---@field window integer
---@field tab integer The tab page that it was opened in.
---@field origin integer The window that files are opened in.
---@field about integer Its buffer.
---@field query? string What is shown or asked for.
---@field items memcache.Item[]
---@field selected integer
---@field note? string What is told beside the query.
---@field problem? string What is told below it.
---@field incomplete? boolean Whether there may be more hits when all is indexed.
---@field version? integer That of the index, at least, in which was searched; nil where it is not known.
---@field cancel? fun()
---@field unwatch? fun()

---@param live memcache.Live
---@return string
local function query_of(live)
  return vim.api.nvim_buf_get_lines(live.buf, 0, 1, false)[1] or ''
end

---@param live memcache.Live
local function draw(live)
  vim.api.nvim_buf_clear_namespace(live.buf, ns, 0, -1)
  local lines = vim.tbl_map(pickers.format, live.items)
  vim.api.nvim_buf_set_lines(live.buf, 1, -1, false, lines)
  for index, line in ipairs(lines) do
    local options = { end_col = math.min(#live.items[index].label, #line), hl_group = 'MemcachePath' }
    vim.api.nvim_buf_set_extmark(live.buf, ns, index, 0, options)
  end
  if live.items[live.selected] then
    local options = { line_hl_group = 'MemcacheSelected', sign_text = '>' }
    vim.api.nvim_buf_set_extmark(live.buf, ns, live.selected, 0, options)
  end
  if live.note then
    local options = { virt_text = { { live.note, 'MemcacheStage' } }, virt_text_pos = 'right_align' }
    vim.api.nvim_buf_set_extmark(live.buf, ns, 0, 0, options)
  end
  if live.problem then
    local width = vim.api.nvim_win_get_width(vim.fn.win_findbuf(live.buf)[1] or 0) - 2 -- that of the signs
    local options = { virt_lines = fit.virtual_lines(live.problem, width, 'DiagnosticError') }
    vim.api.nvim_buf_set_extmark(live.buf, ns, 0, 0, options)
  end
end

---End what is under way for the present query.
---@param live memcache.Live
local function halt(live)
  for _, name in ipairs({ 'cancel', 'unwatch' }) do
    if live[name] then
      live[name]()
      live[name] = nil
    end
  end
end

---Tell whether the window is all that is left of the tab page that it was opened in, which would end with it.
---@param live memcache.Live
---@return boolean
local function carries(live)
  local tab = vim.api.nvim_win_get_tabpage(live.window)
  local others = vim.iter(vim.api.nvim_tabpage_list_wins(tab)):any(function(window)
    return window ~= live.window and vim.api.nvim_win_get_config(window).relative == ''
  end)
  return tab == live.tab and not others
end

---@param live memcache.Live
local function dismiss(live)
  halt(live)
  local is_open = vim.api.nvim_win_is_valid(live.window)
  if is_open and (carries(live) or not pcall(vim.api.nvim_win_close, live.window, true)) then
    local shown = vim.api.nvim_buf_is_valid(live.about) and live.about or vim.api.nvim_create_buf(true, false)
    vim.api.nvim_win_set_buf(live.window, shown) -- it stays, and keeps no option of the search
    vim.wo[live.window].winfixheight = false -- which goes with the window, not with what it shows
    live.origin = live.window
  end
  if vim.api.nvim_buf_is_valid(live.buf) then
    vim.api.nvim_buf_delete(live.buf, { force = true })
  end
  if vim.api.nvim_win_is_valid(live.origin) then
    vim.api.nvim_set_current_win(live.origin)
  end
end

---@param live memcache.Live
local function close(live)
  vim.cmd.stopinsert()
  dismiss(live)
end

local refresh ---@type fun(live: memcache.Live, chosen?: string, version?: integer)

---Search again when all is indexed that was being indexed; a choice stays. What is incomplete for good, as where indexing
---is paused, is searched again only when it changed.
---@param live memcache.Live
local function follow(live)
  live.unwatch = indexing.watch(live.about, scope.apply({}).scope, function(_, status)
    if not status or not vim.api.nvim_buf_is_valid(live.buf) then
      halt(live)
    elseif not status.indexing and status.version ~= live.version then
      local item = live.items[live.selected]
      live.query = nil
      refresh(live, live.selected > 1 and item and item.label or nil, status.version)
    end
  end)
end

---Search for what is typed, where that is not what is shown.
---@param live memcache.Live
---@param chosen? string The label of the hit that stays chosen.
---@param version? integer
refresh = function(live, chosen, version)
  local query = query_of(live)
  if query == live.query then
    return
  end
  live.query, live.version = query, version
  live.note, live.problem = nil, nil
  halt(live)
  if vim.trim(query) == '' then
    live.items, live.incomplete = {}, false
    draw(live)
    return
  end
  live.note = 'searching …'
  draw(live)
  live.about = vim.api.nvim_buf_is_valid(live.about) and live.about or live.buf
  live.cancel = pickers.search(live.about, query, function(items, complete, err)
    live.cancel = nil
    if vim.api.nvim_buf_is_valid(live.buf) then
      live.items, live.selected, live.incomplete = items, 1, not complete
      for index, item in ipairs(items) do
        live.selected = item.label == chosen and index or live.selected
      end
      local found = complete and ('%d found'):format(#items) or 'the index is incomplete'
      live.note, live.problem = not err and found or nil, err
      draw(live)
      if live.incomplete then
        follow(live)
      end
    end
  end, { quiet = true })
end

---@param live memcache.Live
---@param by integer
local function move(live, by)
  live.selected = math.max(1, math.min(#live.items, live.selected + by))
  draw(live)
  if live.items[live.selected] then -- the line stays in view, the cursor in the query
    local top = vim.fn.getwininfo(live.window)[1].topline
    local lowest = top + vim.api.nvim_win_get_height(live.window) - 2
    if live.selected + 1 > lowest or live.selected + 1 < top then
      vim.api.nvim_win_call(live.window, function()
        vim.fn.winrestview({ topline = math.max(1, live.selected + 3 - vim.api.nvim_win_get_height(0)) })
      end)
    end
  end
end

---@param live memcache.Live
local function choose(live)
  local row = vim.api.nvim_win_get_cursor(live.window)[1]
  local item = live.items[row > 1 and row - 1 or live.selected]
  if item then
    close(live)
    pickers.open(item, vim.api.nvim_win_is_valid(live.origin) and live.origin or nil)
  end
end

---@param live memcache.Live
local function map(live)
  local function set(modes, keys, act, ...)
    local arguments = { ... }
    for _, key in ipairs(keys) do
      vim.keymap.set(modes, key, function()
        live.window = vim.api.nvim_get_current_win() -- it may have gone to a tab page of its own
        act(live, unpack(arguments))
      end, { buffer = live.buf, nowait = true })
    end
  end
  set({ 'i', 'n' }, { '<CR>' }, choose)
  set({ 'i', 'n' }, { '<C-c>' }, close)
  set('n', { '<Esc>', 'q' }, close)
  set('i', { '<C-n>', '<Down>' }, move, 1)
  set('i', { '<C-p>', '<Up>' }, move, -1)
end

---Open the window.
---@param query string What stands in it at first.
---@return memcache.Live
function M.live(query)
  local former = open[vim.api.nvim_get_current_buf()]
  if former then
    dismiss(former) -- one search takes the place of another
  end
  local live = { items = {}, selected = 1, origin = vim.api.nvim_get_current_win() }
  live.about, live.tab = vim.api.nvim_get_current_buf(), vim.api.nvim_get_current_tabpage()
  live.buf = vim.api.nvim_create_buf(false, true)
  open[live.buf] = live
  vim.bo[live.buf].bufhidden = 'wipe'
  vim.bo[live.buf].filetype = 'memcache-search'
  vim.cmd.split({ mods = { split = 'botright' }, range = { math.min(HEIGHT, math.floor(vim.o.lines / 2)) } })
  live.window = vim.api.nvim_get_current_win()
  vim.api.nvim_win_set_buf(live.window, live.buf)
  local options = { number = false, relativenumber = false, wrap = false, signcolumn = 'yes', winfixheight = true }
  options.winbar = scope.WINBAR
  for name, value in pairs(options) do
    vim.api.nvim_set_option_value(name, value, { scope = 'local', win = live.window })
  end
  vim.api.nvim_buf_set_name(live.buf, ('memcache://search/%d'):format(live.buf))
  map(live)
  vim.api.nvim_buf_set_lines(live.buf, 0, -1, false, { query })
  vim.api.nvim_create_autocmd({ 'TextChangedI', 'TextChanged', 'TextChangedP' }, {
    buffer = live.buf,
    callback = function()
      refresh(live)
    end,
  })
  vim.api.nvim_create_autocmd('BufWipeout', {
    buffer = live.buf,
    callback = function()
      halt(live)
      open[live.buf] = nil
    end,
  })
  vim.cmd.startinsert({ bang = true })
  refresh(live)
  return live
end

return M
