---@meta

---@class memcache.Uv
---@field cwd fun(): string?
---@field fs_stat fun(path: string): table?
---@field os_getpid fun(): integer

---@type memcache.Uv
vim.uv = {}
