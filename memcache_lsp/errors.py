"""Every error this program raises on purpose.

    MemcacheError          has the exit code of the command line and the code of JSON-RPC
    └── UserError          one sentence that says what to do; shown as it is, never with a traceback
        ├── UsageError     the command line was called wrongly
        ├── LockedError    another process holds the index
        ├── ModelError     a named model cannot be loaded or fetched
        │   └── ServerError  a model's server failed; the next question meets it anew
        └── Stopped        the user stopped the work

Anything else that is raised is a bug and may show a traceback. This module imports nothing.
"""

from __future__ import annotations


class MemcacheError(Exception):
    """Carry what the two edges (command line, JSON-RPC) need to report an error."""

    exit_code = 1
    rpc_code = -32803  # RequestFailed of the language server protocol


class UserError(MemcacheError):
    """Tell the user in one sentence what is wrong and what to do."""


class UsageError(UserError):
    """The command line was called wrongly."""

    exit_code = 2
    rpc_code = -32602  # InvalidParams


class LockedError(UserError):
    """Another process holds the index."""


class ModelError(UserError):
    """A named model cannot be loaded or fetched."""


class ServerError(ModelError):
    """A server that runs a model failed."""


class Stopped(UserError):
    """The user stopped the work."""

    exit_code = 130
    rpc_code = -32800  # RequestCancelled
