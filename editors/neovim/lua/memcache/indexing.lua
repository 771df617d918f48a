---How far the index is of what is asked, and the wait for the end of its indexing.
---
---Of caches no notification tells, so the server is asked as long as they are being indexed. Must not know what is shown.

local client = require('memcache.client')

local M = {}

M.LOOK_MS = 1000

---Ask once.
---@param buf integer
---@param scope memcache.Scope? What is asked; the project where left out.
---@param callback fun(error: string?, status: memcache.ScopeStatus?)
---@return fun() cancel
function M.look(buf, scope, callback)
  local params = { scope = scope or vim.empty_dict() } ---@type memcache.StatusParams
  return client.request(buf, 'memcache/status', params, function(problem, result)
    callback(problem, result and result.scope)
  end, { quiet = true })
end

---Look now, again while it is being indexed, and whenever the server tells of a change, as long as it is not stopped; an
---error, such as that there is no server any more, is the last that is told.
---@param buf integer
---@param scope memcache.Scope?
---@param told fun(error: string?, status: memcache.ScopeStatus?)
---@return fun() stop
function M.watch(buf, scope, told)
  local on_status ---@type integer
  local cancel ---@type fun()?
  local looks, looking, stopped = 0, false, false

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
    looks, looking = looks + 1, true
    local this = looks
    cancel = M.look(buf, scope, function(problem, status)
      looking = false
      if not status then
        stop()
      elseif status.indexing then
        vim.defer_fn(function()
          if looks == this then
            look()
          end
        end, M.LOOK_MS)
      end
      told(problem, status)
    end)
  end

  on_status = vim.api.nvim_create_autocmd('User', { pattern = 'MemcacheStatus', callback = vim.schedule_wrap(look) })
  vim.schedule(look)
  return stop
end

---Wait until nothing of what is asked is being indexed; the callback is called once, and not after a stop.
---@param buf integer
---@param scope memcache.Scope?
---@param callback fun(error: string?)
---@return fun() stop
function M.wait(buf, scope, callback)
  local stop ---@type fun()
  stop = M.watch(buf, scope, function(problem, status)
    if not (status and status.indexing) then
      stop()
      callback(problem)
    end
  end)
  return stop
end

return M
