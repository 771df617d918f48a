---How hits are offered: `vim.ui.select` and a window of our own, or the picker that `vim.g.memcache_picker` names.
---
---Owns what a hit looks like in a list. What is special to a picker is in the module of its name.

local client = require('memcache.client')
local fit = require('memcache.fit')
local locations = require('memcache.locations')
local passage = require('memcache.passage')
local places = require('memcache.places')
local scope = require('memcache.scope')

local M = {}

M.NAMES = { 'select', 'telescope', 'fzf-lua', 'snacks' }
M.LIMIT = 50

---@class memcache.Item
---@field hit memcache.Hit
---@field filename string
---@field lnum integer Counted from 1.
---@field end_lnum integer
---@field label string The file and its first line, page or cell.
---@field text string

---@param hit memcache.Hit
---@return memcache.Item
function M.item(hit)
  local range = hit.location.range
  local first_line = vim.trim(vim.iter(vim.split(hit.snippet, '\n')):find(function(line)
    return line:find('%S')
  end) or '')
  return {
    hit = hit,
    filename = vim.uri_to_fname(hit.location.uri),
    lnum = range.start.line + 1,
    end_lnum = math.max(range['end'].line + (range['end'].character > 0 and 1 or 0), range.start.line + 1),
    label = locations.label(hit.location, range.start.line + 1),
    text = hit.symbol ~= '' and hit.symbol:gsub('%s+', ' ') or first_line,
  }
end

---@param item memcache.Item
---@return string
function M.format(item)
  local cache = item.hit.cache and (' (%s)'):format(item.hit.cache) or ''
  return ('%s  %s%s'):format(item.label, item.text, cache)
end

---Return the buffer of the passage where an item's lines are none of the file's: what lists and previews show of it.
---@param item memcache.Item
---@return integer?
function M.passage(item)
  return item.hit.location.extracted and passage.buffer(item.hit.location, item.hit) or nil
end

---Return an item as quickfix and location lists have it.
---@param item memcache.Item
---@return vim.quickfix.entry
function M.list_entry(item)
  local buf = M.passage(item)
  if buf then
    return { bufnr = buf, lnum = 1, text = item.text }
  end
  local filename = vim.fn.fnamemodify(item.filename, ':.') -- the list makes buffers, which are called so
  return { filename = filename, lnum = item.lnum, end_lnum = item.end_lnum, text = item.text }
end

---@param item memcache.Item
---@param window? integer
function M.open(item, window)
  window = window or vim.api.nvim_get_current_win()
  if item.hit.location.extracted then
    passage.open(window, item.hit.location, item.hit)
  else
    places.go(window, item.filename, item.lnum, item.end_lnum)
  end
end

---@type table<string, true> what was told since searching began
local told = {}

---Begin to search: what is to say of a search is said anew.
function M.anew()
  told = {}
end

---Tell the notes of a search, each once while the user types.
---@param notes string[]
function M.tell(notes)
  for _, note in ipairs(notes) do
    if not told[note] then
      told[note] = true
      client.notify(note)
    end
  end
end

---Search; the callback gets items, and whether there could be more of them soon. The notes of the search are told.
---@param buf integer
---@param query string
---@param callback fun(items: memcache.Item[], complete: boolean, error: string?)
---@param options? memcache.RequestOptions
---@return fun() cancel
function M.search(buf, query, callback, options)
  local params = { query = query, limit = M.LIMIT }
  if vim.bo[buf].buftype == '' and vim.api.nvim_buf_get_name(buf) ~= '' then
    params.textDocument = { uri = vim.uri_from_bufnr(buf) }
  end
  return client.request(buf, 'memcache/search', scope.apply(params), function(err, result)
    M.tell(result and result.notes or {})
    callback(err and {} or vim.tbl_map(M.item, result.hits), err ~= nil or result.complete, err)
  end, options)
end

---Return the module of the user's picker, nil where it is `vim.ui.select`.
---@return table?
local function chosen()
  local name = vim.g.memcache_picker or 'select'
  if not vim.list_contains(M.NAMES, name) then
    client.notify(('vim.g.memcache_picker must be one of %s.'):format(table.concat(M.NAMES, ', ')))
    return nil
  elseif name ~= 'select' and not pcall(require, name) then
    client.notify(('vim.g.memcache_picker is %s, which is not there.'):format(name))
    return nil
  end
  return name ~= 'select' and require('memcache.pickers.' .. name:gsub('-', '_')) or nil
end

---Let the user choose by `vim.ui.select`, whose own list has to fit the screen: a longer one waits at each page for a key.
---@param items memcache.Item[]
---@param title string
local function select(items, title)
  local height = math.max(vim.o.lines - 4, 1)
  if #items > height then
    title = ('%s (the first %d of %d)'):format(title, height, #items)
  end
  local options = { prompt = title, kind = 'memcache' }
  function options.format_item(item)
    return fit.cut(M.format(item), vim.o.columns - 6) -- it is numbered
  end
  vim.ui.select(vim.list_slice(items, 1, height), options, function(item)
    if item then
      M.open(item)
    end
  end)
end

---Let the user choose one of some hits, and go there.
---@param hits memcache.Hit[]
---@param title string
function M.pick(hits, title)
  local items = vim.tbl_map(M.item, hits)
  local picker = chosen()
  if #items == 0 then
    vim.notify('memcache: Nothing was found.', vim.log.levels.INFO)
  elseif picker then
    picker.pick(items, title)
  else
    select(items, title)
  end
end

---Let the user search while typing.
---@param query? string
function M.live(query)
  M.anew()
  local picker = chosen() or require('memcache.live')
  picker.live(query or '')
end

return M
