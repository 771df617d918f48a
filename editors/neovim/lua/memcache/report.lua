---What the server is at, as lines of text: roots, caches, sizes.
---
---Pure.

local locations = require('memcache.locations')

local M = {}

---@param bytes integer?
---@return string
function M.size(bytes)
  if not bytes then
    return ''
  end
  return bytes < 1e6 and ('%d kB'):format(bytes / 1e3) or ('%.0f MB'):format(bytes / 1e6)
end

---Return what a root and a cache have in common: their counts, what is to say, and what failed.
---@param each memcache.RootStatus|memcache.Cache
---@return string[]
local function counts(each)
  local files = each.files
  local text = ('  %d of %d files, %d chunks'):format(files.done, files.total, each.chunks)
  text = text .. (each.sizeBytes and ', ' .. M.size(each.sizeBytes) or '')
  text = text .. (files.skipped > 0 and (', %d left out on purpose'):format(files.skipped) or '')
  text = text .. (files.failed > 0 and (', %d failed'):format(files.failed) or '')
  local lines = { text }
  if each.message then
    table.insert(lines, '  ' .. each.message)
  end
  for _, problem in ipairs(each.failed) do
    table.insert(lines, ('  %s: %s'):format(vim.fn.fnamemodify(problem.path, ':~'), problem.reason))
  end
  return lines
end

---@param root memcache.RootStatus
---@return string[]
function M.root(root)
  local name = vim.fn.fnamemodify(vim.uri_to_fname(root.uri), ':~')
  return vim.list_extend({ ('%s  %s'):format(name, root.state) }, counts(root))
end

---@param place memcache.CachePlace
---@return string
local function place_line(place)
  local since = place.offlineSince and (' since %s UTC'):format(place.offlineSince:gsub('T', ' '):gsub(':%d%dZ$', ''))
  local text = ('  %s  %s%s'):format(locations.path(place.uri), place.state, since or '')
  return text .. (place.message and ': ' .. place.message or '')
end

---@param cache memcache.Cache
---@return string[]
function M.cache(cache)
  local kind = cache.reading and '  reading folder' or ''
  local lines = { ('%s  %s%s'):format(cache.name, cache.state, kind) }
  vim.list_extend(lines, vim.tbl_map(place_line, cache.places))
  return vim.list_extend(lines, counts(cache))
end

---Return the lines for each of some things, none of which breaks a line.
---@generic T
---@param things T[]
---@param lines_of fun(thing: T): string[]
---@return string[]
function M.all(things, lines_of)
  local lines = {} ---@type string[]
  for _, thing in ipairs(things) do
    for _, line in ipairs(lines_of(thing)) do
      table.insert(lines, (line:gsub('\n', ' ')))
    end
  end
  return lines
end

return M
