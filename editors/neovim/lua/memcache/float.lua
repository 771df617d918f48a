---Floating windows in the middle of the screen, which `q` and `<Esc>` close.

local M = {}

---@class memcache.FloatOptions
---@field title string
---@field footer? string

---Show a buffer.
---@param buf integer
---@param options memcache.FloatOptions
---@return integer window
function M.open(buf, options)
  local lines = vim.api.nvim_buf_get_lines(buf, 0, -1, false)
  local width = math.max(#options.title, #(options.footer or ''), 16) + 4
  for _, line in ipairs(lines) do
    width = math.max(width, vim.fn.strdisplaywidth(line) + 1)
  end
  width = math.min(width, vim.o.columns - 4)
  local height = 0
  for _, line in ipairs(lines) do
    height = height + math.max(1, math.ceil(vim.fn.strdisplaywidth(line) / width))
  end
  height = math.max(1, math.min(height, vim.o.lines - 6))
  local window = vim.api.nvim_open_win(buf, true, {
    relative = 'editor',
    row = math.max(0, math.floor((vim.o.lines - height) / 2) - 1),
    col = math.floor((vim.o.columns - width) / 2),
    width = width,
    height = height,
    border = 'rounded',
    style = 'minimal',
    title = (' %s '):format(options.title),
    footer = options.footer and (' %s '):format(options.footer) or nil,
  })
  for _, name in ipairs({ 'wrap', 'linebreak' }) do
    vim.api.nvim_set_option_value(name, true, { scope = 'local', win = window })
  end
  for _, keys in ipairs({ 'q', '<Esc>' }) do
    vim.keymap.set('n', keys, '<Cmd>close<CR>', { buffer = buf, nowait = true })
  end
  return window
end

---Show lines.
---@param title string
---@param lines string[]
function M.show(title, lines)
  local buf = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].bufhidden = 'wipe'
  vim.bo[buf].modifiable = false
  M.open(buf, { title = title })
end

return M
