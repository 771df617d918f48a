---The language server beside the user's others, for every file of a project: `vim.lsp.enable('memcache')`.
---
---Only what starts it and what it tells of its own; `memcache.client` does the rest.

local client = require('memcache.client')

---@type vim.lsp.Config
return {
  cmd = { 'memcache-lsp', 'serve' },
  root_dir = function(bufnr, on_dir)
    local root = client.root(bufnr)
    if root then
      on_dir(root)
    end
  end,
  capabilities = {
    -- What most servers count in: clients that count differently on one buffer confuse what asks all of them.
    general = { positionEncodings = { 'utf-16' } },
    experimental = { memcache = true },
  },
  handlers = {
    ['$/progress'] = client.on_progress,
    ['window/showMessage'] = client.on_message,
    ['memcache/didChangeStatus'] = client.on_status,
    ['memcache/didChangeThread'] = function(_, params)
      require('memcache.answer').thread_changed(params)
    end,
    ['memcache/didReadDocument'] = function(_, params)
      require('memcache.news').take(params)
    end,
  },
  commands = {
    ['memcache.ask'] = function(command, context)
      require('memcache').ask_by_action((command.arguments or {})[1] or {}, context.bufnr)
    end,
  },
  on_exit = client.on_exit,
}
