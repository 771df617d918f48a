---The adapters of telescope, fzf-lua and snacks, each held against a stand-in of the interface that it documents.
local calls = {}

---Run an adapter's finder as the picker would, in a coroutine that waits; return what it came to.
local function awaited(act)
  local result
  coroutine.wrap(function()
    result = act() or false
  end)()
  T.wait('the finder', function()
    return result ~= nil
  end)
  return result
end

package.preload['plenary.async.control'] = function()
  local function oneshot()
    local sent, waiting
    local function send(...)
      sent = { ... }
      if waiting then
        coroutine.resume(waiting)
      end
    end
    local function receive()
      if not sent then
        waiting = coroutine.running()
        coroutine.yield()
      end
      return unpack(sent)
    end
    return send, receive
  end
  return { channel = { oneshot = oneshot } }
end
package.preload['telescope.config'] = function()
  local function named(name)
    return function()
      return name
    end
  end
  return { values = { grep_previewer = named('previewer'), generic_sorter = named('sorter') } }
end
package.preload['telescope.sorters'] = function()
  return {
    highlighter_only = function()
      return 'highlighter'
    end,
  }
end
package.preload['telescope.finders'] = function()
  local function same(options)
    return options
  end
  return { new_table = same, new_dynamic = same }
end
package.preload['telescope.pickers'] = function()
  return {
    new = function(options, picker)
      return {
        find = function()
          table.insert(calls, { options = options, picker = picker })
        end,
      }
    end,
  }
end
package.preload['telescope'] = function()
  return {
    register_extension = function(extension)
      return extension
    end,
  }
end
package.preload['fzf-lua'] = function()
  local function called(name)
    return function(contents, options)
      table.insert(calls, { name = name, contents = contents, options = options })
    end
  end
  return {
    fzf_exec = called('exec'),
    fzf_live = called('live'),
    make_entry = {
      file = function(line)
        return line
      end,
    },
    defaults = { actions = { files = 'actions' } },
  }
end
package.preload['fzf-lua.utils'] = function()
  return { nbsp = '\226\128\130' }
end
package.preload['snacks'] = function()
  return {
    picker = {
      pick = function(options)
        table.insert(calls, options)
      end,
    },
  }
end
package.preload['snacks.picker.util.async'] = function()
  return {
    running = function()
      local thread = coroutine.running()
      return {
        on = function() end,
        suspend = function()
          coroutine.yield()
        end,
        resume = function()
          coroutine.resume(thread)
        end,
      }
    end,
  }
end

---Search with a picker, by the command; return what it was called with.
local function search(picker, query)
  vim.g.memcache_picker = picker
  local before = #calls
  vim.cmd('Memcache search ' .. (query or ''))
  T.wait(picker, function()
    return #calls > before
  end)
  return calls[#calls]
end

T.run(function()
  vim.cmd.edit('courier/retry.py')
  T.settled()

  local listed = search('telescope', 'dead letters')
  while listed.picker.prompt_title:find('incomplete', 1, true) do -- a look at what changed may have begun meanwhile
    T.settled()
    listed = search('telescope', 'dead letters')
  end
  T.equal('dead letters', listed.picker.prompt_title, 'title')
  T.equal('previewer', listed.picker.previewer, 'previewer')
  local entry = listed.picker.finder.entry_maker(listed.picker.finder.results[1])
  T.check(vim.uv.fs_stat(entry.filename) and entry.lnum > 0 and entry.display:find('dead', 1, true), vim.inspect(entry))
  local live = search('telescope').picker.finder
  T.equal(
    {},
    awaited(function()
      return live.fn('')
    end),
    'nothing is typed'
  )
  local results = awaited(function()
    return live.fn('webhook signature')
  end)
  T.check(live.entry_maker(results[1]).display:lower():find('webhook'), 'hits')
  local before = #calls
  require('telescope._extensions.memcache').exports.memcache({})
  T.equal(before + 1, #calls, ':Telescope memcache')

  listed = search('fzf-lua', 'dead letters')
  local path, line = listed.contents[1]:match('^(.-):(%d+):1:')
  T.check(vim.uv.fs_stat(path) and tonumber(line) > 0, listed.contents[1])
  T.equal('actions', listed.options.actions, 'actions on files')
  live = search('fzf-lua')
  for _, typed in ipairs({ { 'webhook signature' }, 'webhook signature' }) do -- a list since 0.7
    local emitted, ended = {}, false
    live.contents(typed)(function(text)
      table.insert(emitted, text)
      ended = ended or text == nil
    end)
    T.wait('the end', function()
      return ended
    end)
    T.check(emitted[1]:find('webhook'), 'hits')
  end

  listed = search('snacks', 'dead letters')
  T.check(vim.uv.fs_stat(listed.items[1].file) and listed.items[1].pos[1] > 0, vim.inspect(listed.items[1]))
  live = search('snacks')
  T.check(live.live and live.supports_live, 'live')
  T.equal({}, live.finder({}, { filter = { search = ' ' } }), 'nothing is typed')
  local found = awaited(function()
    local items = {}
    live.finder({}, { filter = { search = 'webhook signature' } })(function(item)
      table.insert(items, item)
    end)
    return items
  end)
  T.check(found[1].text:lower():find('webhook'), 'hits')

  -- What no editor shows lines of is offered as the buffer of its passage; titles tell the scope.
  require('memcache').scope({ 'papers' })
  local range = { start = { line = 40, character = 0 }, ['end'] = { line = 44, character = 0 } }
  local page = { uri = 'file:///tmp/manual.pdf#page=12', range = range, page = 12, extracted = true }
  local hits = { { location = page, symbol = 'Limits', snippet = 'At most five.', score = 1, cache = 'papers' } }
  local passage = require('memcache.passage').buffer(page, hits[1])
  T.equal({ 'Limits', '', 'At most five.' }, T.lines(passage), 'the passage')
  vim.g.memcache_picker = 'telescope'
  require('memcache.pickers').pick(hits, 'all')
  local finder = calls[#calls].picker.finder
  entry = finder.entry_maker(finder.results[1])
  T.equal({ passage, 1 }, { entry.bufnr, entry.lnum }, 'telescope')
  T.equal('/tmp/manual.pdf p. 12  Limits (papers)', entry.display, 'label')
  vim.g.memcache_picker = 'snacks'
  require('memcache.pickers').pick(hits, 'all')
  T.equal({ passage }, { calls[#calls].items[1].buf, calls[#calls].items[1].pos }, 'snacks')
  require('memcache.pickers').live()
  T.equal('memcache (papers)', calls[#calls].title, 'title')
  vim.g.memcache_picker = 'fzf-lua'
  require('memcache.pickers').pick(hits, 'all')
  T.check(
    calls[#calls].contents[1]:find('^%[' .. passage .. '%].*/tmp/manual%.pdf p%. 12:1:'),
    calls[#calls].contents[1]
  )
  require('memcache').scope({})

  vim.g.memcache_picker = 'snacks'
  package.preload.snacks, package.loaded.snacks = nil, nil
  T.choosing(function() end)
  vim.cmd('Memcache search dead letters')
  T.wait('a sentence about what is not there, and vim.ui.select', function()
    return T.told('memcache_picker is snacks, which is not there') and T.offered
  end)
  -- What `vim.ui.select` lists fits the screen.
  vim.g.memcache_picker = nil
  local lines, columns = vim.o.lines, vim.o.columns
  vim.o.lines, vim.o.columns = 12, 40
  local wide = vim.tbl_extend('force', hits[1], { symbol = ('幅が広い '):rep(20) })
  local prompt
  vim.ui.select = function(items, options)
    prompt, T.offered = options.prompt, vim.tbl_map(options.format_item, items)
  end
  require('memcache.pickers').pick(vim.fn['repeat']({ wide }, 30), 'all')
  T.equal({ 8, 'all (the first 8 of 30)' }, { #T.offered, prompt }, 'its height')
  local width = vim.fn.strdisplaywidth(T.offered[8])
  T.check(width <= 34 and width > 30 and T.offered[8]:find('…$'), T.offered[8])
  require('memcache.pickers').pick(hits, 'all')
  T.equal({ 1, 'all' }, { #T.offered, prompt }, 'all of a short list')
  vim.o.lines, vim.o.columns = lines, columns

  T.offered = nil
  vim.g.memcache_picker = 'nonsense'
  T.choosing(function() end)
  vim.cmd('Memcache search dead letters')
  T.wait('a sentence, and vim.ui.select', function()
    return T.told('must be one of select, telescope') and T.offered
  end)
end)
