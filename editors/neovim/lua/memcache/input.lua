---Ask the user for a line.

local M = {}

---Ask, and go on where there is an answer.
---@param prompt string
---@param act fun(text: string)
---@param options? table More of `vim.ui.input`.
function M.line(prompt, act, options)
  vim.ui.input(vim.tbl_extend('force', { prompt = prompt }, options or {}), function(text)
    if text and vim.trim(text) ~= '' then
      act(vim.trim(text))
    end
  end)
end

return M
