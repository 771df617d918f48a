---Hits in snacks.nvim's picker.

local pickers = require('memcache.pickers')
local scope = require('memcache.scope')

local M = {}

---@param item memcache.Item
local function entry(item)
  local buf = pickers.passage(item)
  if buf then
    return { text = pickers.format(item), file = item.label, buf = buf, line = item.text }
  end
  return {
    text = pickers.format(item),
    file = item.filename,
    pos = { item.lnum, 0 },
    end_pos = { item.end_lnum, 0 },
    line = item.text,
  }
end

---@param items memcache.Item[]
---@param title string
function M.pick(items, title)
  require('snacks').picker.pick({
    title = title,
    format = 'file',
    items = vim.tbl_map(entry, items),
  })
end

---@param query string
function M.live(query)
  local buf = vim.api.nvim_get_current_buf()
  require('snacks').picker.pick({
    title = scope.titled('memcache'),
    format = 'file',
    live = true,
    supports_live = true,
    search = query,
    finder = function(_, context)
      local prompt = context.filter.search
      if vim.trim(prompt) == '' then
        return {}
      end
      return function(emit)
        local async = require('snacks.picker.util.async').running()
        local found ---@type memcache.Item[]?
        local cancel = function() end
        vim.schedule(function()
          cancel = pickers.search(buf, prompt, function(items)
            found = items
            async:resume()
          end)
        end)
        async:on('abort', function()
          vim.schedule(cancel)
        end)
        while not found do
          async:suspend()
        end
        for _, item in ipairs(found or {}) do
          emit(entry(item))
        end
      end
    end,
  })
end

return M
