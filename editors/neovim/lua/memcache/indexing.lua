---Whether what is asked is still being indexed, and the wait for the end of that.
---
---Of caches no notification tells, so the server is asked as long as somebody wants to know. Must not know what is shown.

local client = require('memcache.client')
local scope = require('memcache.scope')

local M = {}

M.LOOK_MS = 1000

---Return the names of the caches that a request asks, none for the project alone.
---@param params { scope: memcache.Scope? }
---@return string[]
function M.asked(params)
  return params.scope and params.scope.caches or {}
end

---@class memcache.Looked
---@field at_rest boolean Whether nothing of what is asked is being indexed.
---@field lacking boolean Whether the index of it is not whole, as far as is known: also where indexing is paused.

---@param status memcache.StatusResult
---@param caches string[]
---@return memcache.Looked
local function judged(status, caches)
  local asks_project = #caches == 0 or vim.list_contains(caches, scope.WORKSPACE)
  local asked = vim.tbl_filter(function(cache)
    return vim.list_contains(caches, cache.name)
  end, status.caches or {})
  local busy = vim.iter(asked):any(function(cache)
    return cache.state == 'indexing'
  end)
  local lacking = vim.iter(vim.list_extend(asked, asks_project and status.roots or {})):any(function(each)
    return each.state ~= 'ready' and (each.files.total == 0 or each.files.done < each.files.total)
  end)
  return { at_rest = not busy and (status.quiescent or not asks_project), lacking = lacking }
end

---Ask once.
---@param buf integer
---@param caches string[]
---@param callback fun(error: string?, looked: memcache.Looked?)
---@return fun() cancel
function M.look(buf, caches, callback)
  return client.request(buf, 'memcache/status', vim.empty_dict(), function(problem, status)
    callback(problem, status and judged(status, caches))
  end, { quiet = true })
end

---Look now and as long as it is not stopped; an error, such as that there is no server any more, is the last that is told.
---@param buf integer
---@param caches string[]
---@param told fun(error: string?, looked: memcache.Looked?)
---@return fun() stop
function M.watch(buf, caches, told)
  local on_status ---@type integer
  local cancel ---@type fun()?
  local looking, stopped = false, false

  local function stop()
    if not stopped then
      stopped = true
      vim.api.nvim_del_autocmd(on_status)
    end
    if cancel then
      cancel()
      cancel = nil
    end
  end

  local function look()
    if stopped or looking then
      return
    elseif not vim.api.nvim_buf_is_valid(buf) or not client.find(buf) then -- nothing is started in order to look
      stop()
      told('The server ended.')
      return
    end
    looking = true
    cancel = M.look(buf, caches, function(problem, looked)
      looking = false
      if problem then
        stop()
      end
      told(problem, looked)
    end)
  end

  local function look_on()
    if not stopped then
      look()
      vim.defer_fn(look_on, M.LOOK_MS)
    end
  end

  on_status = vim.api.nvim_create_autocmd('User', { pattern = 'MemcacheStatus', callback = vim.schedule_wrap(look) })
  vim.schedule(look_on)
  return stop
end

---Wait until nothing of what is asked is being indexed; the callback is called once, and not after a stop.
---@param buf integer
---@param caches string[]
---@param callback fun(error: string?)
---@return fun() stop
function M.wait(buf, caches, callback)
  local stop ---@type fun()
  stop = M.watch(buf, caches, function(problem, looked)
    if problem or looked and looked.at_rest then
      stop()
      callback(problem)
    end
  end)
  return stop
end

return M
