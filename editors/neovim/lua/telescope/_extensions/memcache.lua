---`:Telescope memcache`: search the project while typing.

local function live(options)
  require('memcache.pickers.telescope').live('', options)
end

return require('telescope').register_extension({ exports = { memcache = live, search = live } })
