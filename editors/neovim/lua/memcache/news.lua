---News of reading folders: pages that were saved and can be found by now.

local client = require('memcache.client')
local input = require('memcache.input')
local passage = require('memcache.passage')

local M = {}

---@type memcache.DidReadDocumentParams[] latest first
local pages = {}
local MOST = 50

---@param page memcache.DidReadDocumentParams
---@return string
local function title(page)
  return page.title or vim.fs.basename(vim.uri_to_fname(page.uri))
end

---Take that a reading folder took a page in.
---@param page memcache.DidReadDocumentParams
function M.take(page)
  pages = vim.tbl_filter(function(each)
    return each.uri ~= page.uri
  end, pages)
  table.insert(pages, 1, page)
  pages[MOST + 1] = nil
  vim.notify(('memcache: “%s” is in %s; :Memcache news opens it.'):format(title(page), page.cache))
  vim.api.nvim_exec_autocmds('User', { pattern = 'MemcacheRead', data = page, modeline = false })
end

---@param page memcache.DidReadDocumentParams
---@param intent "ask"|"summarize"
---@param question string
---@param heading? string
local function ask(page, intent, question, heading)
  local params = { question = question, intent = intent, textDocument = { uri = page.uri } }
  local scope = { caches = { page.cache } }
  params.scope = intent == 'ask' and scope or nil -- the others are about the page itself
  local options = { buf = vim.api.nvim_get_current_buf(), scope = scope, new = true }
  require('memcache.answer').ask(params, heading or question, options)
end

local ACTS = {
  open = function(page)
    passage.open_file(vim.api.nvim_get_current_win(), page)
  end,
  ask = function(page)
    input.line(('Ask about “%s”: '):format(title(page)), function(text)
      ask(page, 'ask', text)
    end)
  end,
  summarize = function(page)
    ask(page, 'summarize', 'Summarize this.', 'Summarize ' .. title(page))
  end,
}

---Open a page that was read since Neovim started, ask about it, or have it summarized.
---@param word string
function M.go(word)
  local act = ACTS[word ~= '' and word or 'open']
  if #pages == 0 then
    client.notify('No page was read yet; :Memcache caches reading adds a folder.', vim.log.levels.INFO)
  elseif #pages == 1 then
    act(pages[1])
  else
    vim.ui.select(pages, { prompt = 'Pages', kind = 'memcache', format_item = title }, function(page)
      if page then
        act(page)
      end
    end)
  end
end

return M
