---Text that fits the width of a window or of the screen.
---
---Pure.

local M = {}

---Break a text between its words.
---@param text string
---@param width integer
---@return string[]
local function wrapped(text, width)
  local lines = { '' }
  for word in text:gmatch('%S+') do
    local longer = vim.trim(lines[#lines] .. ' ' .. word)
    if vim.fn.strdisplaywidth(longer) <= width or lines[#lines] == '' then
      lines[#lines] = longer
    else
      table.insert(lines, word)
    end
  end
  return lines
end

---Return a text as virtual lines of an extmark.
---@param text string
---@param width integer
---@param group string
---@return [string, string][][]
function M.virtual_lines(text, width, group)
  return vim.tbl_map(function(line)
    return { { line, group } }
  end, wrapped(text, width))
end

---Cut the end of a line that is too wide.
---@param line string
---@param width integer
---@return string
function M.cut(line, width)
  if vim.fn.strdisplaywidth(line) <= width then
    return line
  end
  local kept = vim.fn.strcharpart(line, 0, width - 1)
  while vim.fn.strdisplaywidth(kept) >= width do -- wide characters
    kept = vim.fn.strcharpart(kept, 0, vim.fn.strchars(kept) - 1)
  end
  return kept .. '…'
end

return M
