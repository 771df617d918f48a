---What a location is called: its path, and its lines, its page or its cell.
---
---Pure. A location is one of the server, or a place, which has the same fields.

local M = {}

---Return a file as it is shown to the user: relative to the current folder, or to the home folder.
---@param uri string
---@return string
function M.path(uri)
  return vim.fn.fnamemodify(vim.uri_to_fname(uri), ':~:.')
end

---Return what a location is called; only lines of the file itself are told as lines.
---@param location memcache.Location|memcache.Place
---@param first integer Counted from 1.
---@param last? integer
---@return string
function M.label(location, first, last)
  local path = M.path(location.uri)
  if location.page then
    return ('%s p. %d'):format(path, location.page)
  elseif location.cell then
    return ('%s cell %d'):format(path, location.cell)
  elseif location.extracted then
    return path
  end
  return last and ('%s:%d-%d'):format(path, first, last) or ('%s:%d'):format(path, first)
end

return M
