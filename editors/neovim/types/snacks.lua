---@meta

local snacks = {
  picker = {
    ---@param options table
    pick = function(options) end,
  },
}

return snacks
