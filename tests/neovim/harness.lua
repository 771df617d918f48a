---Waiting, asserting, typing; every wait is for a condition.
local T = {}

local PATIENCE_MS = tonumber(vim.env.TEST_PATIENCE_MS) or 60000
T.PATIENCE_MS = PATIENCE_MS

function T.wait(what, condition)
  if not vim.wait(PATIENCE_MS, condition, 10) then
    error(
      ('it did not happen: %s\n%s\ntold: %s'):format(
        what,
        table.concat(vim.api.nvim_buf_get_lines(0, 0, 40, false), '\n'),
        vim.inspect(T.messages)
      ),
      2
    )
  end
end

function T.equal(expected, actual, what)
  if not vim.deep_equal(expected, actual) then
    error(('%s: expected %s, got %s'):format(what or 'value', vim.inspect(expected), vim.inspect(actual)), 2)
  end
end

function T.check(condition, what)
  if not condition then
    error(what, 2)
  end
  return condition
end

function T.lines(buf)
  return vim.api.nvim_buf_get_lines(buf or 0, 0, -1, false)
end

function T.text(buf)
  return table.concat(T.lines(buf), '\n')
end

function T.keys(keys, mode)
  vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(keys, true, false, true), mode or 'tx', false)
end

---Wait until the server of the current buffer has indexed everything, and return its status.
function T.settled()
  local client
  T.wait('the server attaches', function()
    client = vim.lsp.get_clients({ bufnr = 0, name = 'memcache' })[1]
    return client and client.initialized
  end)
  local status
  T.wait('the root is ready', function() -- a look at what changed may have begun meanwhile
    status = T.status(client)
    return status and status.quiescent and status.roots[1] and status.roots[1].state == 'ready'
  end)
  return status, client
end

function T.status(client)
  local answer = client:request_sync('memcache/status', vim.empty_dict(), PATIENCE_MS)
  return answer and answer.result
end

---Return the answer shown now, and its last turn.
function T.answer()
  local buf = vim.api.nvim_get_current_buf()
  local turns = require('memcache.answer').turns(buf)
  return buf, turns[#turns]
end

---Ask, wait for the end, and return the buffer and the turn.
function T.ask(command)
  vim.cmd(command)
  local buf, turn = T.answer()
  T.wait('the answer ends', function()
    return turn.state == 'done' or turn.state == 'failed'
  end)
  T.equal('done', turn.state, 'state: ' .. T.text(buf))
  return buf, turn
end

---Wait until a command is completed by words, which the server is asked for and may be late with.
function T.completed(words, line)
  T.wait('the completion of ' .. line, function()
    return vim.deep_equal(words, vim.fn.getcompletion(line, 'cmdline'))
  end)
end

---Show a window of the server's state until it tells all that is expected; that it looks at files anew may be shown first.
function T.reported(command, ...)
  local patterns = { ... }
  T.wait(command, function()
    vim.cmd(command)
    T.wait('its window', function()
      return vim.api.nvim_win_get_config(0).relative ~= ''
    end)
    local text = T.text()
    T.keys('q')
    return vim.iter(patterns):all(function(pattern)
      return text:find(pattern) ~= nil
    end)
  end)
end

---Put the cursor on the first match in the current buffer.
function T.on(pattern)
  for row, line in ipairs(T.lines()) do
    local column = line:find(pattern)
    if column then
      vim.api.nvim_win_set_cursor(0, { row, column - 1 })
      return line
    end
  end
  error('not in the buffer: ' .. pattern .. '\n' .. T.text(), 2)
end

---Collect what is told to the user.
T.messages = {}
local notify = vim.notify
vim.notify = function(message, level, options)
  table.insert(T.messages, message)
  return notify(message, level, options)
end

function T.told(pattern)
  return vim.iter(T.messages):any(function(message)
    return message:find(pattern) ~= nil
  end)
end

---Answer what the user is asked next: a choice by a function of the items, an input by a text.
function T.choosing(choose)
  vim.ui.select = function(items, options, on_choice)
    T.offered = vim.tbl_map(options.format_item or tostring, items)
    on_choice(choose(items))
  end
end

---Run a script, and end Neovim with what came of it.
function T.run(script)
  local ok, problem = xpcall(script, debug.traceback)
  if not ok then
    io.stderr:write('FAILED: ' .. tostring(problem) .. '\n')
  end
  for _, client in ipairs(vim.lsp.get_clients()) do
    client:stop()
  end
  vim.wait(5000, function()
    return #vim.lsp.get_clients() == 0
  end, 10)
  vim.cmd(ok and 'qall!' or 'cquit! 1')
end

return T
