---`:Memcache`: its words, what completes them, and what they do.

local caches = require('memcache.caches')
local client = require('memcache.client')
local manage = require('memcache.manage')
local memcache = require('memcache')
local news = require('memcache.news')
local scope = require('memcache.scope')

local M = {}

local COMPLETION_MS = 300

---@param call vim.api.keyset.create_user_command.command_args
---@return memcache.About
local function about(call)
  return {
    buf = vim.api.nvim_get_current_buf(),
    first = call.range > 0 and call.line1 or nil,
    last = call.range > 0 and call.line2 or nil,
    mods = M.window_mods(call.smods),
    new = call.bang,
  }
end

---Return the modifiers that say where a window goes.
---@param mods table
---@return table
function M.window_mods(mods)
  local kept = {}
  if mods.split and mods.split ~= '' then
    kept.split = mods.split
  end
  for _, name in ipairs({ 'vertical', 'horizontal' }) do
    kept[name] = mods[name] or nil
  end
  if mods.tab and mods.tab >= 0 then
    kept.tab = mods.tab
  end
  return kept
end

---Return the names of what a list method of the server gives, for completion.
---@param method string
---@param field string
---@return string[]
local function names(method, field)
  local found = client.find(vim.api.nvim_get_current_buf())
  if not found or not found.initialized then
    return {}
  end
  local answer = found:request_sync(method, { action = 'list' }, COMPLETION_MS)
  return answer
      and answer.result
      and vim
        .iter(answer.result[field])
        :map(function(each)
          return each.name
        end)
        :totable()
    or {}
end

---Return the words of a command from one on, as one text; nil where there are none.
---@param call vim.api.keyset.create_user_command.command_args
---@param from integer
---@return string?
local function joined(call, from)
  return call.fargs[from] and table.concat(call.fargs, ' ', from) or nil
end

---@return string[]
local function cache_names()
  return names('memcache/caches', 'caches')
end

---@class memcache.Subcommand
---@field run fun(rest: string, call: vim.api.keyset.create_user_command.command_args) The call's words are `fargs`.
---@field words? string[] What may come first after it.
---@field more? table<string, fun(lead: string): string[]> What may come after those.
---@field any? fun(): string[] What may come anywhere after it.
---@field method? string Which method of the server it needs.

---@type table<string, memcache.Subcommand>
local subcommands = {
  ask = {
    method = 'memcache/ask',
    run = function(rest, call)
      memcache.ask(rest, about(call))
    end,
  },
  explain = {
    method = 'memcache/ask',
    run = function(_, call)
      memcache.explain(about(call))
    end,
  },
  summarize = {
    method = 'memcache/ask',
    run = function(_, call)
      memcache.summarize(about(call))
    end,
  },
  callers = {
    method = 'memcache/ask',
    run = function(_, call)
      memcache.callers(about(call))
    end,
  },
  search = {
    method = 'memcache/search',
    run = function(rest, call)
      memcache.search(rest, { loclist = call.bang })
    end,
  },
  similar = {
    method = 'memcache/similar',
    run = function(_, call)
      memcache.similar(about(call), { loclist = call.bang })
    end,
  },
  threads = {
    method = 'memcache/threads',
    words = { 'again', 'delete', 'list' },
    run = function(rest, call)
      manage.threads(rest, M.window_mods(call.smods))
    end,
  },
  caches = {
    method = 'memcache/caches',
    words = { 'add', 'list', 'reading', 'remove' },
    more = {
      add = function(lead)
        return vim.fn.getcompletion(lead:gsub('\\ ', ' '), 'file')
      end,
      reading = function(lead)
        return vim.fn.getcompletion(lead:gsub('\\ ', ' '), 'dir')
      end,
      remove = cache_names,
    },
    run = function(_, call)
      local word = call.fargs[2] or 'list'
      if word == 'list' then
        caches.list()
      elseif word == 'remove' then
        caches.remove(joined(call, 3))
      else
        caches.add(call.fargs[3], joined(call, 4), word == 'reading')
      end
    end,
  },
  scope = {
    method = 'memcache/caches',
    any = function()
      return vim.list_extend({ scope.WORKSPACE }, cache_names())
    end,
    run = function(_, call)
      scope.choose(vim.list_slice(call.fargs, 2))
    end,
  },
  news = {
    words = { 'ask', 'open', 'summarize' },
    run = function(rest)
      news.go(rest)
    end,
  },
  models = {
    method = 'memcache/models',
    words = { 'list', 'pull', 'remove', 'unload', 'use' },
    run = function(_, call)
      manage.models(call.fargs[2] or '', joined(call, 3))
    end,
  },
  index = {
    method = 'memcache/index',
    words = { 'cancel', 'drop', 'pause', 'rebuild', 'resume', 'start', 'why' },
    run = function(_, call)
      manage.index(call.fargs[2] or '', joined(call, 3))
    end,
  },
  status = {
    method = 'memcache/status',
    run = function()
      manage.status()
    end,
  },
  stop = {
    run = function()
      memcache.stop()
    end,
  },
}
local function models()
  return names('memcache/models', 'models')
end
subcommands.models.more = { pull = models, remove = models, use = models }
subcommands.index.more = {}
for _, word in ipairs(subcommands.index.words or {}) do
  subcommands.index.more[word] = word ~= 'why' and cache_names or nil
end

---@param call vim.api.keyset.create_user_command.command_args
function M.run(call)
  local word, rest = call.args:match('^(%S*)%s*(.-)%s*$')
  word, rest = word ~= '' and word or 'ask', rest or ''
  local subcommand = subcommands[word]
  if not subcommand then
    client.notify(('There is no :Memcache %s; <Tab> after :Memcache offers what there is.'):format(word))
    return
  end
  local next_word = rest:match('^%S*')
  local words = subcommand.words
  if words and next_word ~= '' and not vim.list_contains(words, next_word) then
    client.notify((':Memcache %s takes %s.'):format(word, table.concat(words, ', ')))
    return
  end
  subcommand.run(rest, call)
end

---Return the subcommands that can be used: those whose method the server has, as far as that is known.
---@return string[]
function M.words()
  local methods = client.methods(vim.api.nvim_get_current_buf())
  local words = {}
  for word, subcommand in pairs(subcommands) do
    if not methods or not subcommand.method or vim.list_contains(methods, subcommand.method) then
      table.insert(words, word)
    end
  end
  table.sort(words)
  return words
end

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local typed = line:match('Memcache!?%s+(.*)$') or ''
  local words = vim.split(typed:gsub('\\ ', '_'), '%s+') -- an escaped space is none between words
  local offered = {} ---@type string[]
  if #words == 1 then
    offered = M.words()
  elseif vim.list_contains(M.words(), words[1]) then
    local subcommand = subcommands[words[1]]
    if subcommand.any then
      offered = subcommand.any()
    elseif #words == 2 then
      offered = subcommand.words or {}
    elseif #words == 3 and subcommand.more and subcommand.more[words[2]] then
      offered = subcommand.more[words[2]](lead)
    end
  end
  offered = vim.tbl_map(function(word)
    return (word:gsub(' ', '\\ '))
  end, offered)
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, offered)
end

return M
