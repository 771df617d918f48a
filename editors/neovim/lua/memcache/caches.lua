---Caches: folders and files that are searched beside the project.

local client = require('memcache.client')
local float = require('memcache.float')
local input = require('memcache.input')
local locations = require('memcache.locations')
local report = require('memcache.report')
local scope = require('memcache.scope')

local M = {}

---@param params memcache.CachesParams
---@param act fun(result: memcache.CachesResult)
local function request(params, act)
  client.request(vim.api.nvim_get_current_buf(), 'memcache/caches', params, function(_, result)
    if result then
      if result.message then
        client.notify(result.message)
      end
      act(result)
    end
  end)
end

---Show the caches: their places, what they are at, and what failed.
function M.list()
  request({ action = 'list' }, function(result)
    local lines = report.all(result.caches, report.cache)
    float.show('caches', #lines > 0 and lines or { 'There are none; :Memcache caches add makes one.' })
  end)
end

---Return the path that a user typed or completed, which may have escaped what is special.
---@param text string
---@return string
local function to_path(text)
  local path = vim.fs.abspath(vim.fs.normalize(text))
  local plain = vim.fs.abspath(vim.fs.normalize((text:gsub('\\(.)', '%1'))))
  path = not vim.uv.fs_stat(path) and vim.uv.fs_stat(plain) and plain or path
  return path ~= '/' and path:gsub('/$', '') or path
end

---@param path string
---@param name string
---@param reading boolean
local function add(path, name, reading)
  local params = { action = 'add', name = name, uris = { vim.uri_from_fname(path) }, reading = reading or nil }
  request(params, function(result)
    local made = vim.iter(result.caches):find(function(cache)
      return cache.name == name
    end)
    vim.notify(('memcache: %s is %s; :Memcache scope %s asks it.'):format(name, made and made.state or 'added', name))
  end)
end

---Add a folder or a file to a cache, a new one where there is none of the name; what is left out the user is asked for.
---@param path? string
---@param name? string That of the folder or file where left out beside a path.
---@param reading? boolean Whether it is a reading folder, whose new files are told of.
function M.add(path, name, reading)
  if path then
    path = to_path(path)
    add(path, name or vim.fs.basename(path), reading or false)
    return
  end
  local options = { completion = reading and 'dir' or 'file', default = vim.fn.fnamemodify(assert(vim.uv.cwd()), ':~') }
  options.default = options.default .. (options.default:find('/$') and '' or '/')
  input.line(reading and 'Reading folder: ' or 'Folder or file to search: ', function(text)
    local typed = to_path(text)
    input.line('Name of the cache: ', function(given)
      add(typed, given, reading or false)
    end, { default = vim.fs.basename(typed) })
  end, options)
end

---Let the user choose one of some things; a single one is taken.
---@generic T
---@param things T[]
---@param prompt string
---@param format_item fun(thing: T): string
---@param act fun(thing: T)
local function choose(things, prompt, format_item, act)
  if #things == 1 then
    act(things[1])
    return
  end
  vim.ui.select(things, { prompt = prompt, kind = 'memcache', format_item = format_item }, function(thing)
    if thing ~= nil then -- false is a choice
      act(thing)
    end
  end)
end

---Take a cache away, or one of its places, once the user has said yes.
---@param cache memcache.Cache
---@param place? memcache.CachePlace
local function remove(cache, place)
  local what = place and ('%s of %s'):format(locations.path(place.uri), cache.name) or cache.name
  local prompt = ('Forget what is kept of %s? No file is touched.'):format(what)
  vim.ui.select({ 'Keep it', 'Forget it' }, { prompt = prompt, kind = 'memcache' }, function(_, index)
    if index == 2 then
      local uris = place and { place.uri } or nil
      request({ action = 'remove', name = cache.name, uris = uris }, function(result)
        local left = vim.iter(result.caches):any(function(each)
          return each.name == cache.name
        end)
        if not left then
          scope.forget(cache.name)
        end
        vim.notify(('memcache: %s is forgotten.'):format(what))
      end)
    end
  end)
end

---Take a cache away, or one of its places; the user is asked which, and whether.
---@param name? string
function M.remove(name)
  request({ action = 'list' }, function(result)
    local caches = vim.tbl_filter(function(cache)
      return not name or cache.name == name
    end, result.caches)
    if #caches == 0 then
      client.notify(name and ('There is no cache %s.'):format(name) or 'There are no caches.')
      return
    end
    choose(caches, 'Which cache?', function(cache)
      return cache.name
    end, function(cache)
      local parts = { false } ---@type (memcache.CachePlace|false)[]
      vim.list_extend(parts, #cache.places > 1 and cache.places or {})
      ---@param place memcache.CachePlace|false
      ---@return string
      local function format_part(place)
        return place and locations.path(place.uri) or ('All of ' .. cache.name)
      end
      choose(parts, 'What of it?', format_part, function(place)
        remove(cache, place or nil)
      end)
    end)
  end)
end

return M
