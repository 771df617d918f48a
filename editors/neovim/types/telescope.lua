---@meta

local telescope = {}

---@param extension table
---@return table
function telescope.register_extension(extension) end

return telescope
