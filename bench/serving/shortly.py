"""Be the program's own daemon, but for the time after which it leaves when nobody is there: its one argument."""

from __future__ import annotations

import asyncio
import sys

from memcache_lsp import daemon
from memcache_lsp.rendezvous import Listener


def main() -> None:
    daemon.log_to_stderr()
    with Listener() as listener:
        asyncio.run(daemon.run_daemon(listener, idle_s=float(sys.argv[1])))


if __name__ == "__main__":
    main()
