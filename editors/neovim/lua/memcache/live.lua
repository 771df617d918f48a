---Search while typing, without a picker: a window whose first line is the query and whose other lines are the hits.
---
---Owns that window and its keys. Only the answer to the last query is shown; one that is overtaken is cancelled.

local pickers = require('memcache.pickers')
local scope = require('memcache.scope')

local M = {}

local ns = vim.api.nvim_create_namespace('memcache.live')
local HEIGHT = 14

---@class memcache.Live
---@field buf integer
---@field window integer
---@field origin integer The window that files are opened in.
---@field about integer Its buffer.
---@field query? string What is shown or asked for.
---@field items memcache.Item[]
---@field selected integer
---@field cancel? fun()

---@param live memcache.Live
---@return string
local function query_of(live)
  return vim.api.nvim_buf_get_lines(live.buf, 0, 1, false)[1] or ''
end

---@param live memcache.Live
---@param note? string
---@param group? string
local function draw(live, note, group)
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
  if note then
    vim.api.nvim_buf_set_extmark(live.buf, ns, 0, 0, {
      virt_text = { { note, group or 'MemcacheStage' } },
      virt_text_pos = 'right_align',
    })
  end
end

---@param live memcache.Live
local function close(live)
  if live.cancel then
    live.cancel()
    live.cancel = nil
  end
  vim.cmd.stopinsert()
  if vim.api.nvim_win_is_valid(live.window) then
    vim.api.nvim_win_close(live.window, true)
  end
  if vim.api.nvim_buf_is_valid(live.buf) then
    vim.api.nvim_buf_delete(live.buf, { force = true })
  end
  if vim.api.nvim_win_is_valid(live.origin) then
    vim.api.nvim_set_current_win(live.origin)
  end
end

---@param live memcache.Live
local function refresh(live)
  local query = query_of(live)
  if query == live.query then
    return
  end
  live.query = query
  if live.cancel then
    live.cancel()
    live.cancel = nil
  end
  if vim.trim(query) == '' then
    live.items = {}
    draw(live)
    return
  end
  live.cancel = pickers.search(live.about, query, function(items, complete, err)
    live.cancel = nil
    if vim.api.nvim_buf_is_valid(live.buf) then
      live.items, live.selected = items, 1
      draw(live, err or (not complete and 'still indexing' or ('%d found'):format(#items)), err and 'DiagnosticError')
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
  local live = { items = {}, selected = 1, origin = vim.api.nvim_get_current_win() }
  live.about = vim.api.nvim_get_current_buf()
  live.buf = vim.api.nvim_create_buf(false, true)
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
      if live.cancel then
        live.cancel()
        live.cancel = nil
      end
    end,
  })
  vim.cmd.startinsert({ bang = true })
  refresh(live)
  return live
end

return M
