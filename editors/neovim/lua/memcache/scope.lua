---What the next questions and searches ask: the project, caches, or both. It holds until Neovim ends.

local client = require('memcache.client')

local M = {}

---What the server calls the project among caches.
M.WORKSPACE = 'workspace'

---@type string[] none for the project alone
local chosen = {}

---Choose; no names choose the project alone.
---@param names string[]
function M.set(names)
  chosen = {}
  for _, name in ipairs(vim.deep_equal(names, { M.WORKSPACE }) and {} or names) do
    if not vim.list_contains(chosen, name) then
      table.insert(chosen, name)
    end
  end
  vim.cmd.redrawstatus({ bang = true })
end

---Take a cache out that is no more.
---@param name string
function M.forget(name)
  M.set(vim.tbl_filter(function(each)
    return each ~= name
  end, chosen))
end

---Return the parameters of a request, with the scope.
---@generic T: table
---@param params T
---@return T
function M.apply(params)
  return #chosen > 0 and vim.tbl_extend('force', params, { scope = { caches = chosen } }) or params
end

---@param names string[]
---@return string
local function called(names)
  local caches = vim.tbl_filter(function(name)
    return name ~= M.WORKSPACE
  end, names)
  if #caches == 0 then
    return 'the project'
  end
  return table.concat(caches, ', ') .. (#caches < #names and ' and the project' or '')
end

---Return what is asked, for the user.
---@return string
function M.label()
  return called(chosen)
end

---Return a title or prompt that tells what is asked, where that is not the project alone.
---@param title string
---@return string
function M.titled(title)
  return #chosen > 0 and ('%s (%s)'):format(title, M.label()) or title
end

---What the windows show in which questions are asked and answered.
M.WINBAR = "%{%v:lua.require'memcache.scope'.winbar()%}"

---@return string
function M.winbar()
  return '%#MemcacheStage# asks ' .. M.label():gsub('%%', '%%%%')
end

---Return all that can be chosen, the project first.
---@param caches string[]
---@return string[][]
local function choices(caches)
  local offered = { { M.WORKSPACE } }
  local function offer(names)
    table.insert(offered, names)
    table.insert(offered, vim.list_extend(vim.deepcopy(names), { M.WORKSPACE }))
  end
  for _, name in ipairs(caches) do
    offer({ name })
  end
  if #caches > 1 then
    offer(caches)
  end
  return offered
end

---@param caches string[]
local function select(caches)
  local options = {
    prompt = 'Questions and searches ask',
    kind = 'memcache',
    format_item = function(names)
      return (called(names) == M.label() and '* ' or '  ') .. called(names)
    end,
  }
  vim.ui.select(choices(caches), options, function(names)
    if names then
      M.set(names)
    end
  end)
end

---Choose what is asked by the names of caches; without any the user is offered them.
---@param names string[]
function M.choose(names)
  client.request(vim.api.nvim_get_current_buf(), 'memcache/caches', { action = 'list' }, function(_, result)
    if not result then
      return
    end
    local caches = vim.tbl_map(function(cache)
      return cache.name
    end, result.caches)
    local unknown = vim.iter(names):find(function(name)
      return name ~= M.WORKSPACE and not vim.list_contains(caches, name)
    end)
    if unknown then
      local there = #caches > 0 and 'there are ' .. table.concat(caches, ', ') or ':Memcache caches add makes one'
      client.notify(('There is no cache %s; %s.'):format(unknown, there))
    elseif #names > 0 then
      M.set(names)
      vim.notify('memcache: Questions and searches ask ' .. M.label() .. '.')
    elseif #caches == 0 then
      vim.notify('memcache: There is only the project; :Memcache caches add adds folders and files.')
    else
      select(caches)
    end
  end)
end

return M
