--- Sessions of the web server.
local M = {}

local MAX_AGE = 3600
timeout = 30

--- Make a random key.
-- @param length how many characters
local function new_key(length)
  local out = {}
  for i = 1, length do
    out[i] = string.char(math.random(97, 122))
  end
  return table.concat(out)
end

-- Open a session.
function M.open(store, user)
  local session = { user = user, key = new_key(32) }
  store[session.key] = session
  if store.count then
    store.count = store.count + 1
  else
    store.count = 1
  end
  session.expires = os.time() + MAX_AGE
  session.created = os.time()
  return session
end

function M:close(key)
  self[key] = nil
end

M.touch = function(session)
  session.expires = os.time() + MAX_AGE
end

local expire = function(store)
  for key, session in pairs(store) do
    if session.expires < os.time() then
      store[key] = nil
    end
  end
end

M.handlers = {
  on_open = function() end,
}

function setup(opts)
  expire(opts.store)
end

return M
