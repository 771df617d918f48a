---Citations: `[n]` in text, what it stands for, and how it is marked.
---
---Owns the text and the marks of `[n]`. Must not know windows or requests.

local locations = require('memcache.locations')
local places = require('memcache.places')

local M = {}

local ns = vim.api.nvim_create_namespace('memcache.citations')
local GROUPS = { fresh = 'MemcacheCitation', moved = 'MemcacheMoved', stale = 'MemcacheStale' }
local NOTES = { moved = ' moved', stale = ' changed' }

---@class memcache.Citation
---@field n integer
---@field place memcache.Place
---@field status "fresh"|"moved"|"stale"
---@field at integer How much of the answer was there when it came, in bytes.

---@param cited memcache.Cited
---@param at? integer
---@return memcache.Citation
function M.citation(cited, at)
  return { n = cited.n, place = places.keep(cited.location), status = cited.status, at = at or math.huge }
end

---Return the `[…]` of a line that hold numbers: from byte to byte, and the numbers with their bytes, counted from 0.
---@param line string
---@return { from: integer, to: integer, numbers: { n: integer, from: integer, to: integer }[] }[]
local function marks(line)
  local found = {}
  for from, inner, to in line:gmatch('()%[([%d%s,;–%-]+)%]()') do
    local numbers = {}
    for start, digits, stop in inner:gmatch('()(%d+)()') do
      table.insert(numbers, { n = tonumber(digits), from = from + start - 1, to = from + stop - 1 })
    end
    if #numbers > 0 then
      table.insert(found, { from = from - 1, to = to - 1, numbers = numbers })
    end
  end
  return found
end

---Return the number that is meant at a column: that under it, else the next one of the line, else the last one.
---@param line string
---@param column integer Byte, counted from 0.
---@return integer? n
---@return integer at Where its brackets begin.
function M.number_at(line, column)
  local found = marks(line)
  for _, mark in ipairs(found) do
    if column < mark.to then
      for _, number in ipairs(mark.numbers) do
        if column < number.to then
          return number.n, mark.from
        end
      end
      return mark.numbers[#mark.numbers].n, mark.from
    end
  end
  local last = found[#found]
  return last and last.numbers[#last.numbers].n, last and last.from or 0
end

---Return the place that a number stands for at an offset of the answer: the first that was told after it.
---@param citations memcache.Citation[]
---@param n integer
---@param offset integer
---@return memcache.Place?
function M.find(citations, n, offset)
  local found ---@type memcache.Citation?
  for _, citation in ipairs(citations) do
    if citation.n == n and not (found and found.at > offset) then
      found = citation
    end
  end
  return found and found.place
end

---Mark the `[n]` of some lines, each by what is worst of its citations.
---@param buf integer
---@param first integer
---@param last integer Inclusive.
---@param citations memcache.Citation[]
function M.mark(buf, first, last, citations)
  local statuses = {} ---@type table<integer, string>
  for _, citation in ipairs(citations) do
    if statuses[citation.n] ~= 'stale' then
      statuses[citation.n] = citation.status ~= 'fresh' and citation.status or statuses[citation.n] or 'fresh'
    end
  end
  vim.api.nvim_buf_clear_namespace(buf, ns, first, last + 1)
  for index, line in ipairs(vim.api.nvim_buf_get_lines(buf, first, last + 1, false)) do
    for _, mark in ipairs(marks(line)) do
      local worst = 'fresh'
      for _, number in ipairs(mark.numbers) do
        local status = statuses[number.n] or 'fresh'
        worst = (worst == 'stale' or status == 'fresh') and worst or status
      end
      vim.api.nvim_buf_set_extmark(buf, ns, first + index - 1, mark.from, {
        end_col = mark.to,
        hl_group = GROUPS[worst],
        virt_text = NOTES[worst] and { { NOTES[worst], GROUPS[worst] } } or nil,
        virt_text_pos = 'inline',
      })
    end
  end
end

---Return citations as lines of Markdown.
---@param citations memcache.Citation[]
---@return string[]
function M.list(citations)
  if #citations == 0 then
    return {}
  end
  local lines = { '**Cited**', '' }
  for _, citation in ipairs(citations) do
    local first, last = places.lines(citation.place)
    table.insert(lines, ('- [%d] `%s`'):format(citation.n, locations.label(citation.place, first, last)))
  end
  table.insert(lines, '')
  return lines
end

---Take what the server tells of citations; of several with one number the nearest is meant.
---@param citations memcache.Citation[]
---@param changed memcache.Cited[]
function M.update(citations, changed)
  for _, cited in ipairs(changed) do
    local best, least ---@type memcache.Citation?, number?
    for _, citation in ipairs(citations) do
      local distance = math.abs(citation.place.first - cited.location.range.start.line)
      if citation.n == cited.n and (not least or distance < least) then
        best, least = citation, distance
      end
    end
    if best then
      best.status = cited.status
      places.move(best.place, cited.location)
    end
  end
end

return M
