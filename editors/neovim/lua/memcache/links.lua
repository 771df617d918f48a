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
---@field at? integer Where the mark begins in the answer, in bytes; nil where that is not known.

---@param cited memcache.Cited
---@param text string The answer, as far as it is there.
---@return memcache.Citation
function M.citation(cited, text)
  local place = places.keep(cited.location)
  place.passage = cited.passage
  local at = cited.at and vim.str_byteindex(text, 'utf-16', cited.at, false)
  return { n = cited.n, place = place, status = cited.status, at = at }
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

---Return the place that a number stands for in the mark at an offset of the answer; of marks that are not known the first.
---@param citations memcache.Citation[]
---@param n integer
---@param offset? integer Nil for what is below the answer: the first one then.
---@return memcache.Place?
function M.find(citations, n, offset)
  local found ---@type memcache.Citation?
  for _, citation in ipairs(citations) do
    if citation.n == n and offset and citation.at == offset then
      return citation.place
    elseif citation.n == n and not (citation.at and offset) then
      found = found or citation
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

---@param citation memcache.Citation
---@return string
local function listed(citation)
  local first, last = places.lines(citation.place)
  return ('- [%d] `%s`'):format(citation.n, locations.label(citation.place, first, last))
end

---Return the place that a line of `M.list` names.
---@param citations memcache.Citation[]
---@param line string
---@return memcache.Place?
function M.listed(citations, line)
  for _, citation in ipairs(citations) do
    if listed(citation) == line then
      return citation.place
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
    local line = listed(citation)
    if not vim.list_contains(lines, line) then -- several marks may stand for one place
      table.insert(lines, line)
    end
  end
  table.insert(lines, '')
  return lines
end

---Take what the server tells of citations; of several with one number the nearest are meant, all that stand for its lines.
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
    local was = best and { uri = best.place.uri, first = best.place.first, last = best.place.last }
    for _, citation in ipairs(was and citations or {}) do
      local place = citation.place
      if citation.n == cited.n and place.uri == was.uri and place.first == was.first and place.last == was.last then
        citation.status = cited.status
        places.move(place, cited.location)
      end
    end
  end
end

return M
