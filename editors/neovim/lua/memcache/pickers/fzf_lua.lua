---Hits in fzf-lua.

local pickers = require('memcache.pickers')
local scope = require('memcache.scope')

local M = {}

---@param item memcache.Item
---@return string as fzf-lua reads files (path, line, column, text) or buffers, which have their number before it
local function line(item)
  local buf = pickers.passage(item)
  if buf then
    return ('[%d]%s%s:1:1:%s'):format(buf, require('fzf-lua.utils').nbsp, item.label, item.text)
  end
  local path = vim.fn.fnamemodify(item.filename, ':.')
  return require('fzf-lua').make_entry.file(('%s:%d:1:%s'):format(path, item.lnum, item.text), {
    file_icons = false,
    color_icons = false,
  })
end

---@param title string
local function options(title)
  return {
    prompt = title .. '> ',
    previewer = 'builtin',
    actions = require('fzf-lua').defaults.actions.files,
    fzf_opts = { ['--no-sort'] = true, ['--delimiter'] = ':' },
  }
end

---@param items memcache.Item[]
---@param title string
function M.pick(items, title)
  require('fzf-lua').fzf_exec(vim.tbl_map(line, items), options(title))
end

---@param query string
function M.live(query)
  local buf = vim.api.nvim_get_current_buf()
  local cancel = function() end
  require('fzf-lua').fzf_live(function(typed)
    local prompt = type(typed) == 'table' and typed[1] or typed -- a list since fzf-lua 0.7
    return function(emit)
      cancel()
      if vim.trim(prompt or '') == '' then
        return emit(nil)
      end
      cancel = pickers.search(buf, prompt, function(items)
        for _, item in ipairs(items) do
          emit(line(item))
        end
        emit(nil)
      end)
    end
  end, vim.tbl_extend('force', options(scope.titled('memcache')), { query = query, exec_empty_query = false }))
end

return M
