---`:checkhealth memcache`: whether Neovim, the program and the server are as they must be.

local M = {}

local PATIENCE_MS = 5000

---@return boolean
local function check_neovim()
  vim.health.start('Neovim')
  if vim.fn.has('nvim-0.11') ~= 1 then
    vim.health.error('Neovim 0.11 or newer is needed.')
    return false
  end
  local version = vim.version --[[@as fun(): vim.Version]]
  vim.health.ok('Neovim ' .. tostring(version()))
  if pcall(vim.treesitter.language.inspect, 'markdown') then
    vim.health.ok('The Markdown parser is there: answers are highlighted.')
  else
    vim.health.warn('There is no Markdown parser: answers are not highlighted.')
  end
  return true
end

---@return boolean
local function check_program()
  vim.health.start('memcache-lsp')
  local configs = vim.lsp.config --[[@as table<string, vim.lsp.Config?>]]
  local command = configs.memcache and configs.memcache.cmd
  if type(command) ~= 'table' then
    vim.health.error('There is no LSP configuration memcache.', 'Put editors/neovim into the runtimepath.')
    return false
  elseif vim.fn.executable(command[1]) ~= 1 then
    vim.health.error(command[1] .. ' cannot be run.', {
      'Install it, for instance by `pipx install memcache-lsp`, or name it in full:',
      "vim.lsp.config('memcache', { cmd = { '/path/to/memcache-lsp', 'serve' } })",
    })
    return false
  end
  vim.health.ok(vim.fn.exepath(command[1]))
  if vim.lsp.is_enabled('memcache') then
    vim.health.ok("vim.lsp.enable('memcache') was called.")
  else
    vim.health.warn('The server is not enabled: it starts with the first question only.', "vim.lsp.enable('memcache')")
  end
  return true
end

local function check_server()
  vim.health.start('The server')
  local status, failure ---@type memcache.StatusResult?, string?
  local client = require('memcache.client')
  local buf = vim.fn.bufnr('#') >= 0 and vim.fn.bufnr('#') or vim.api.nvim_get_current_buf()
  local cancel = client.request(buf, 'memcache/status', vim.empty_dict(), function(err, result)
    status, failure = result, err
  end, { quiet = true })
  local came = vim.wait(PATIENCE_MS, function()
    return status ~= nil or failure ~= nil
  end)
  if not came then
    cancel()
    vim.health.error(
      ('It did not answer within %d s.'):format(PATIENCE_MS / 1000),
      'See :LspLog, or run `memcache-lsp doctor`.'
    )
  elseif not status then
    vim.health.error(failure or 'It does not answer.', 'See :LspLog, or run `memcache-lsp doctor`.')
  else
    local report = status.health == 'ok' and vim.health.ok or vim.health.warn
    report(table.concat(require('memcache.manage').status_lines(status), '\n'))
    if not status.model then
      vim.health.info(
        'There is no model: answers are quotations. `memcache-lsp models` lists those that can be fetched.'
      )
    end
  end
end

local function check_picker()
  vim.health.start('Pickers')
  local name = vim.g.memcache_picker or 'select'
  if name == 'select' then
    vim.health.ok('vim.ui.select and the window of :Memcache search (vim.g.memcache_picker is not set)')
  elseif vim.list_contains(require('memcache.pickers').NAMES, name) and pcall(require, name) then
    vim.health.ok(name)
  else
    vim.health.error(('vim.g.memcache_picker is %s, which is not there.'):format(vim.inspect(name)))
  end
end

function M.check()
  if check_neovim() and check_program() then
    check_server()
  end
  check_picker()
end

return M
