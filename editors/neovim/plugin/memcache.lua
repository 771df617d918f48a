---The command, the `<Plug>` mappings and the default highlights. No key is mapped.

if vim.g.loaded_memcache then
  return
end
vim.g.loaded_memcache = true

vim.api.nvim_create_user_command('Memcache', function(call)
  require('memcache.command').run(call)
end, {
  nargs = '*',
  range = true,
  bang = true,
  desc = 'Ask and search the project (memcache-lsp)',
  complete = function(lead, line)
    return require('memcache.command').complete(lead, line)
  end,
})

for _, name in ipairs({ 'ask', 'explain', 'summarize', 'callers', 'similar' }) do
  vim.keymap.set('n', ('<Plug>(memcache-%s)'):format(name), ('<Cmd>Memcache %s<CR>'):format(name))
  vim.keymap.set('x', ('<Plug>(memcache-%s)'):format(name), (':Memcache %s<CR>'):format(name), { silent = true })
end
for _, name in ipairs({ 'search', 'threads', 'status', 'index', 'models', 'caches', 'scope', 'news', 'stop' }) do
  vim.keymap.set('n', ('<Plug>(memcache-%s)'):format(name), ('<Cmd>Memcache %s<CR>'):format(name))
end

for group, link in pairs({
  MemcacheCitation = 'Underlined',
  MemcacheMoved = 'DiagnosticInfo',
  MemcacheStale = 'DiagnosticWarn',
  MemcacheUnsupported = 'DiagnosticUnderlineWarn',
  MemcacheStage = 'Comment',
  MemcacheSource = 'DiagnosticSignInfo',
  MemcachePath = 'Directory',
  MemcacheSymbol = 'Function',
  MemcacheSelected = 'CursorLine',
}) do
  vim.api.nvim_set_hl(0, group, { link = link, default = true })
end
