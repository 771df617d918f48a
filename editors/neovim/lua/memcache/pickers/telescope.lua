---Hits in telescope.nvim; also there as `:Telescope memcache`.

local pickers = require('memcache.pickers')
local scope = require('memcache.scope')

local M = {}

---@param item memcache.Item
local function entry(item)
  local buf = pickers.passage(item)
  return {
    value = item,
    display = pickers.format(item),
    ordinal = pickers.format(item),
    bufnr = buf,
    filename = buf and vim.api.nvim_buf_get_name(buf) or item.filename,
    lnum = buf and 1 or item.lnum,
    col = 1,
  }
end

---@param title string
---@param finder table
---@param sorter table
---@param options? table
local function find(title, finder, sorter, options)
  local config = require('telescope.config').values
  options = options or {}
  require('telescope.pickers')
    .new(options, {
      prompt_title = title,
      finder = finder,
      sorter = sorter,
      previewer = config.grep_previewer(options),
    })
    :find()
end

---@param items memcache.Item[]
---@param title string
function M.pick(items, title)
  local finder = require('telescope.finders').new_table({ results = items, entry_maker = entry })
  find(title, finder, require('telescope.config').values.generic_sorter({}))
end

---@param query string
---@param options? table of telescope
function M.live(query, options)
  local channel = require('plenary.async.control').channel
  local buf = vim.api.nvim_get_current_buf()
  local cancel = function() end
  local finder = require('telescope.finders').new_dynamic({
    entry_maker = entry,
    fn = function(prompt)
      cancel()
      if vim.trim(prompt or '') == '' then
        return {}
      end
      local send, receive = channel.oneshot()
      cancel = pickers.search(buf, prompt, send)
      return (receive())
    end,
  })
  options = vim.tbl_extend('force', options or {}, { default_text = query })
  find(scope.titled('memcache'), finder, require('telescope.sorters').highlighter_only(options), options)
end

return M
