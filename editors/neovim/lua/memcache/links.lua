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
---@field location memcache.Location Where its lines were first.
---@field at? integer Where the mark begins in the answer, in bytes; nil where that is not known.

---@param cited memcache.Cited
---@param text string The answer, as far as it is there.
---@return memcache.Citation
function M.citation(cited, text)
  local place = places.keep(cited.location)
  place.passage = cited.passage
  local at = cited.at and vim.str_byteindex(text, 'utf-16', cited.at, false)
  return { n = cited.n, place = place, status = cited.status, location = cited.location, at = at }
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

---Return the citations that a number stands for in the mark at an offset of the answer: those known to be there, else
---those of which no mark is known.
---@param citations memcache.Citation[]
---@param n integer
---@param offset integer
---@return memcache.Citation[]
local function meant(citations, n, offset)
  local there, anywhere = {}, {} ---@type memcache.Citation[], memcache.Citation[]
  for _, citation in ipairs(citations) do
    if citation.n == n and (citation.at or offset) == offset then
      table.insert(citation.at and there or anywhere, citation)
    end
  end
  return #there > 0 and there or anywhere
end

---Return the place that a number stands for in the mark at an offset of the answer.
---@param citations memcache.Citation[]
---@param n integer
---@param offset integer
---@return memcache.Place?
function M.find(citations, n, offset)
  local found = meant(citations, n, offset)[1]
  return found and found.place
end

---Return what is worst of the citations of a mark.
---@param mark { from: integer, numbers: { n: integer }[] }
---@param citations memcache.Citation[]
---@param offset integer
---@return "fresh"|"moved"|"stale"
local function worst(mark, citations, offset)
  local found = 'fresh' ---@type "fresh"|"moved"|"stale"
  for _, number in ipairs(mark.numbers) do
    for _, citation in ipairs(meant(citations, number.n, offset)) do
      found = (found == 'stale' or citation.status == 'fresh') and found or citation.status
    end
  end
  return found
end

---Mark the `[n]` of some lines, each by what is worst of its citations.
---@param buf integer
---@param first integer
---@param last integer Inclusive.
---@param citations memcache.Citation[]
---@param offset? integer Where the first line begins in the answer; 0 where left out.
function M.mark(buf, first, last, citations, offset)
  offset = offset or 0
  vim.api.nvim_buf_clear_namespace(buf, ns, first, last + 1)
  for index, line in ipairs(vim.api.nvim_buf_get_lines(buf, first, last + 1, false)) do
    for _, mark in ipairs(marks(line)) do
      local status = worst(mark, citations, offset + mark.from)
      vim.api.nvim_buf_set_extmark(buf, ns, first + index - 1, mark.from, {
        end_col = mark.to,
        hl_group = GROUPS[status],
        virt_text = NOTES[status] and { { NOTES[status], GROUPS[status] } } or nil,
        virt_text_pos = 'inline',
      })
    end
    offset = offset + #line + 1
  end
end

---Return citations as a list, with the places that its lines name.
---@param citations memcache.Citation[]
---@return { text: string, place: memcache.Place }[]
function M.list(citations)
  local list, seen = {}, {} ---@type { text: string, place: memcache.Place }[], table<string, true>
  for _, citation in ipairs(citations) do
    local first, last = places.lines(citation.place)
    local text = ('[%d] `%s`'):format(citation.n, locations.label(citation.place, first, last))
    if not seen[text] then -- several marks may stand for one place
      seen[text] = true
      table.insert(list, { text = text, place = citation.place })
    end
  end
  return list
end

---Take what the server tells of citations: all that do not hold as they were read. Of several with one number the nearest
---are meant, all that stand for its lines.
---@param citations memcache.Citation[]
---@param changed memcache.Cited[]
function M.update(citations, changed)
  local told = {} ---@type table<memcache.Citation, true>
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
        citation.status, told[citation] = cited.status, true
        places.move(place, cited.location)
      end
    end
  end
  for _, citation in ipairs(citations) do
    if citation.status ~= 'fresh' and not told[citation] then -- it stands again where it was read
      citation.status = 'fresh'
      places.move(citation.place, citation.location)
    end
  end
end

return M
