---A gate between Neovim and the real server, which a script shuts: what comes of an answer is held back until it opens.
---
---So what is done at something that is shown comes before anything else is, however slow the machine.
local Gate = { cancels = 0 }

local awaited ---@type string? the partial result after which it shuts
local held ---@type fun()[]? what waits for its opening; nil while it is open

---Let partial results through as far as the first of a type, and hold back what comes after it.
function Gate.shut_after(kind)
  awaited = kind
end

function Gate.open()
  local waiting = held or {}
  awaited, held = nil, nil
  for _, go in ipairs(waiting) do
    go()
  end
end

local function pass(go)
  if held then
    table.insert(held, go)
  else
    go()
  end
end

---Return what starts a server behind the gate, for the `cmd` of its configuration.
function Gate.before(command)
  return function(dispatchers)
    local behind = vim.tbl_extend('force', dispatchers, {
      notification = function(method, params)
        if method ~= '$/progress' then
          dispatchers.notification(method, params)
          return
        end
        pass(function()
          dispatchers.notification(method, params)
        end)
        held = held or awaited and params.value.type == awaited and {} or nil
      end,
    })
    local server = vim.lsp.rpc.start(command, behind)
    local request, notify = server.request, server.notify
    server.request = function(method, params, callback, on_reply)
      local function answered(err, result)
        pass(function()
          callback(err, result)
        end)
      end
      return request(method, params, method == 'memcache/ask' and answered or callback, on_reply)
    end
    server.notify = function(method, params)
      Gate.cancels = Gate.cancels + (method == '$/cancelRequest' and 1 or 0)
      return notify(method, params)
    end
    return server
  end
end

return Gate
