---The way to the server: which client serves a buffer, requests that end exactly once, streams of partial results.
---
---Must not know windows or what is shown; `answer`, `search` and `command` do.

local M = {}

M.NAME = 'memcache'

local READY_POLL_MS = 20
local ROOT_MARKERS = { 'memcache.toml', '.memcacheignore', '.git', '.hg', '.svn', '.jj' }

---@type table<integer|string, fun(value: table)> by token
local streams = {}
---@type table<integer, table<table, true>> the requests that wait, by client
local pending = {}
---@type table<integer, memcache.DidChangeStatusParams> by client
local statuses = {}
local tokens = 0

---Say something to the user.
---@param message string
---@param level? integer
function M.notify(message, level)
  vim.notify('memcache: ' .. message, level or vim.log.levels.WARN) -- an error would look like one of the command
end

---Tell whether a buffer is that of a file.
---@param bufnr integer
---@return boolean
function M.has_file(bufnr)
  return vim.bo[bufnr].buftype == '' and vim.api.nvim_buf_get_name(bufnr) ~= ''
end

---Return the folder that is indexed for a buffer: that of its project, else the current one if the file lies below it.
---@param bufnr integer
---@return string?
function M.root(bufnr)
  local cwd = assert(vim.uv.cwd())
  if not M.has_file(bufnr) then
    return vim.fs.root(cwd, { ROOT_MARKERS }) or cwd
  end
  local root = vim.fs.root(bufnr, { ROOT_MARKERS })
  return root or (vim.fs.relpath(cwd, vim.api.nvim_buf_get_name(bufnr)) and cwd or nil)
end

---Take `$/progress`: what is on a token of ours is ours, the rest is Neovim's.
---@param err? lsp.ResponseError
---@param params lsp.ProgressParams
---@param context lsp.HandlerContext
function M.on_progress(err, params, context)
  local stream = params and streams[params.token]
  if not stream then
    return vim.lsp.handlers['$/progress'](err, params, context)
  end
  if type(params.value) == 'table' then
    stream(params.value)
  end
end

---Tell what the server says. Neovim ends such a message with a new line, so that it has to be acknowledged.
---@param params lsp.ShowMessageParams
function M.on_message(_, params)
  M.notify(params.message, params.type > 2 and vim.log.levels.INFO or nil)
  return params
end

---@param params memcache.DidChangeStatusParams
---@param context lsp.HandlerContext
function M.on_status(_, params, context)
  local before = statuses[context.client_id]
  statuses[context.client_id] = params
  if params.health ~= 'ok' and params.message and not (before and before.message == params.message) then
    M.notify(params.message)
  end
  vim.api.nvim_exec_autocmds('User', { pattern = 'MemcacheStatus', data = params, modeline = false })
end

---End what waits for a server whose process is gone.
---@param code integer
---@param signal integer
---@param client_id integer
function M.on_exit(code, signal, client_id)
  vim.schedule(function()
    local waiting = pending[client_id] or {}
    pending[client_id], statuses[client_id] = nil, nil
    for request in pairs(waiting) do
      request.fail(('The server ended (exit code %d, signal %d); ask again to start it anew.'):format(code, signal))
    end
  end)
end

---Return what a status line can show: nothing, `memcache: indexing` or what is wrong.
---@return string
function M.statusline()
  for id, status in pairs(statuses) do
    if vim.lsp.get_client_by_id(id) then
      if status.health ~= 'ok' then
        return 'memcache: ' .. (status.message or status.health)
      elseif not status.quiescent then
        return 'memcache: indexing'
      end
    end
  end
  return ''
end

---Return the client that serves a buffer, or one of the same project, or any; never a new one.
---@param bufnr integer
---@return vim.lsp.Client?
function M.find(bufnr)
  local answer = vim.b[bufnr].memcache_client
  local own = answer and vim.lsp.get_client_by_id(answer)
  if own and not own:is_stopped() then
    return own
  end
  local clients = vim.lsp.get_clients({ name = M.NAME })
  local root = M.root(bufnr)
  for _, matches in ipairs({
    function(client)
      return client.attached_buffers[bufnr]
    end,
    function(client)
      return client.root_dir == root
    end,
  }) do
    for _, client in ipairs(clients) do
      if not client:is_stopped() and matches(client) then
        return client
      end
    end
  end
end

---Tell whether a buffer shows a file of a root.
---@param bufnr integer
---@param root? string
---@return boolean
local function belongs(bufnr, root)
  local is_file = vim.bo[bufnr].buftype == '' and vim.api.nvim_buf_get_name(bufnr) ~= ''
  return is_file and vim.api.nvim_buf_is_loaded(bufnr) and M.root(bufnr) == root
end

---Return the client for a buffer, a new one where there is none; it knows the buffer's text.
---@param bufnr integer
---@return vim.lsp.Client?
function M.ensure(bufnr)
  local found = M.find(bufnr)
  if found then
    if not found.attached_buffers[bufnr] and belongs(bufnr, found.root_dir) then
      vim.lsp.buf_attach_client(bufnr, found.id) -- Neovim attaches it later, and not at all where it has no filetype
    end
    return found
  end
  local configs = vim.lsp.config --[[@as table<string, vim.lsp.ClientConfig>]]
  local config = vim.deepcopy(configs[M.NAME])
  config.root_dir = M.root(bufnr) or assert(vim.uv.cwd())
  local id = vim.lsp.start(config, { bufnr = bufnr, attach = belongs(bufnr, config.root_dir) })
  if id and vim.lsp.is_enabled(M.NAME) then -- the other buffers of a server that died
    for _, other in ipairs(vim.api.nvim_list_bufs()) do
      if belongs(other, config.root_dir) then
        vim.lsp.buf_attach_client(other, id)
      end
    end
  end
  return id and vim.lsp.get_client_by_id(id)
end

---Return the methods that the server of a buffer has, nil while that is not known.
---@param bufnr integer
---@return string[]?
function M.methods(bufnr)
  local client = M.find(bufnr)
  local told = client and vim.tbl_get(client, 'server_capabilities', 'experimental', 'memcache', 'methods')
  return told or nil
end

---Call back once a client has shaken hands; at once where it has.
---@param client vim.lsp.Client
---@param request table
---@param callback fun()
local function when_ready(client, request, callback)
  if request.ended then
    return
  elseif client.initialized then
    callback()
  elseif client:is_stopped() then
    vim.schedule(function() -- whoever asks has the way to cancel first
      request.fail('The server did not start; see :checkhealth memcache.')
    end)
  else -- a user's configuration may have its own on_init, so it is looked at
    vim.defer_fn(function()
      when_ready(client, request, callback)
    end, READY_POLL_MS)
  end
end

---@class memcache.RequestOptions
---@field stream? fun(value: table) Takes the partial results.
---@field quiet? boolean Whether errors are told to the callback only, not to the user.

---Send a request. The callback is called once, with an error for the user or a result, and not after a cancel.
---@param bufnr integer
---@param method string
---@param params table
---@param callback fun(error: string?, result: any, client: vim.lsp.Client?)
---@param options? memcache.RequestOptions
---@return fun() cancel
function M.request(bufnr, method, params, callback, options)
  options = options or {}
  local request = { ended = false } ---@type table
  local client = M.ensure(bufnr)
  local token ---@type string?
  local id ---@type integer?

  ---@return boolean whether it was still open
  local function close()
    if request.ended then
      return false
    end
    request.ended = true
    if token then
      streams[token] = nil
    end
    if client and pending[client.id] then
      pending[client.id][request] = nil
    end
    return true
  end

  function request.fail(message)
    if close() then
      if not options.quiet then
        M.notify(message)
      end
      callback(message, nil, client)
    end
  end

  if not client then
    vim.schedule(function()
      request.fail('The server does not start; see :checkhealth memcache.')
    end)
    return close
  end
  pending[client.id] = pending[client.id] or {}
  pending[client.id][request] = true
  if options.stream then
    tokens = tokens + 1
    token = ('memcache-%d-%d'):format(vim.uv.os_getpid(), tokens)
    streams[token] = options.stream
    params = vim.tbl_extend('force', params, { partialResultToken = token })
  end
  when_ready(client, request, function()
    local sent
    sent, id = client:request(method, params, function(err, result)
      if err then
        request.fail(err.message)
      elseif close() then
        callback(nil, result, client)
      end
    end, bufnr)
    if not sent then
      vim.schedule(function()
        request.fail('The server is gone; ask again to start it anew.')
      end)
    end
  end)
  return function()
    if close() and id and client and not client:is_stopped() then
      client:cancel_request(id)
    end
  end
end

return M
