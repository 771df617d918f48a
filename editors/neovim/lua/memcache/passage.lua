---Passages: text that was read out of a file whose lines no editor shows, such as a page of a PDF or a notebook's cell.
---
---Owns the buffers that show them, and the ways to the whole file. Must not know answers or searches.

local client = require('memcache.client')
local float = require('memcache.float')
local locations = require('memcache.locations')

local M = {}

local FOOTER = 'o open the file  e edit it as it is  q close'
local HEAD_BYTES = 8192

---@type table<string, integer> buffers by what they show
local buffers = {}

---Tell whether Neovim shows a file as the text that it is.
---@param path string
---@return boolean
local function is_text(path)
  if path:lower():find('%.[xm]?html?$') then -- a browser shows it better
    return false
  elseif vim.list_contains({ 'gz', 'bz2', 'xz', 'zst' }, vim.fn.fnamemodify(path, ':e')) then
    return vim.fn.exists('#gzip') == 1
  end
  local file = io.open(path, 'rb')
  local head = file and file:read(HEAD_BYTES) or ''
  if file then
    file:close()
  end
  return not head:find('^%%PDF') and not head:find('[%z\1-\8\14-\26]')
end

---Have the system's program, or the user's viewer of PDFs, open a file, at its page.
---@param location memcache.Location|memcache.Place
function M.launch(location)
  local path, page = vim.uri_to_fname(location.uri), location.page
  local viewer = page and vim.g.memcache_pdf_viewer
  local started, problem ---@type any, any
  if viewer then
    local told = { file = path, page = tostring(page) }
    local command = vim.tbl_map(function(word)
      return (word:gsub('{(%a+)}', told))
    end, viewer)
    started, problem = pcall(vim.system, command, { detach = true })
  else
    started, problem = vim.ui.open(page and ('%s#page=%d'):format(vim.uri_from_fname(path), page) or path)
  end
  if not started then
    local reason = tostring(problem):gsub('^.-:%d+: ', '')
    client.notify(('%s could not be opened: %s'):format(locations.path(location.uri), reason))
  end
end

---Open a whole file: in a window where Neovim shows it, else by the system's program.
---@param window integer
---@param location memcache.Location|memcache.Place
function M.open_file(window, location)
  local path = vim.uri_to_fname(location.uri)
  if not vim.uv.fs_stat(path) then
    client.notify(locations.path(location.uri) .. ' is not there.')
  elseif location.page or not is_text(path) then
    M.launch(location)
  else
    vim.api.nvim_set_current_win(window)
    vim.cmd.edit({ vim.fn.fnamemodify(path, ':.'), magic = { file = false, bar = false } })
  end
end

---@param location memcache.Location|memcache.Place
---@param hit? memcache.Hit
---@return string[]
local function lines(location, hit)
  if not hit then
    if location.passage then
      return vim.split(location.passage, '\n')
    end
    return { 'The answer was kept without this passage: open its file.' }
  end
  local above = vim.list_extend({}, hit.breadcrumb or {})
  if hit.symbol ~= '' and hit.symbol ~= above[#above] then
    table.insert(above, hit.symbol)
  end
  local told = #above > 0 and { (table.concat(above, ' › '):gsub('%s+', ' ')), '' } or {}
  return vim.list_extend(told, vim.split(hit.snippet, '\n'))
end

---@param buf integer
---@param location memcache.Location|memcache.Place
local function map(buf, location)
  local function set(keys, desc, act)
    vim.keymap.set('n', keys, function()
      if vim.api.nvim_win_get_config(0).relative ~= '' then
        vim.cmd.close()
      end
      act()
    end, { buffer = buf, nowait = true, desc = desc })
  end
  set('o', 'Open the file', function()
    M.launch(location)
  end)
  set('e', 'Edit the file as it is', function()
    vim.cmd.edit({ vim.fn.fnamemodify(vim.uri_to_fname(location.uri), ':.'), magic = { file = false, bar = false } })
  end)
end

---Return the buffer that shows a passage, for lists and previews too.
---@param location memcache.Location|memcache.Place
---@param hit? memcache.Hit
---@return integer
function M.buffer(location, hit)
  local text = lines(location, hit)
  local label = locations.label(location, 1)
  local key = label .. '\n' .. table.concat(text, '\n')
  local buf = buffers[key]
  if buf and vim.api.nvim_buf_is_loaded(buf) then
    return buf
  end
  buf = vim.api.nvim_create_buf(false, true)
  buffers[key] = buf
  vim.api.nvim_buf_set_name(buf, ('memcache://passage/%d/%s'):format(buf, label))
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, text)
  vim.bo[buf].modifiable = false
  vim.bo[buf].bufhidden = 'hide'
  map(buf, location)
  return buf
end

---Show a passage, and open its file unless that is a notebook, which would be its source.
---@param window integer Where the file is opened that Neovim can show.
---@param location memcache.Location|memcache.Place
---@param hit? memcache.Hit
function M.open(window, location, hit)
  if location.cell then
    vim.api.nvim_set_current_win(window)
  else
    M.open_file(window, location)
  end
  float.open(M.buffer(location, hit), { title = locations.label(location, 1), footer = FOOTER })
end

return M
