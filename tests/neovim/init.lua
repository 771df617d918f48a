---What the tests of the Neovim client share: the set-up of the README, and what a script waits and asserts with.
local top = vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2))))
vim.opt.runtimepath:prepend(top .. '/editors/neovim')
vim.lsp.config('memcache', { cmd = { vim.env.TEST_PYTHON, '-m', 'memcache_lsp', 'serve' } })
vim.lsp.enable('memcache')
vim.o.swapfile = false
vim.o.shortmess = vim.o.shortmess .. 'I'
_G.T = dofile(top .. '/tests/neovim/harness.lua')
