"""`memcache-lsp serve` and `stop`: be an editor's language server, end the daemon."""

from __future__ import annotations

import argparse


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.command == "stop":
        from memcache_lsp import rendezvous  # noqa: PLC0415 - each branch loads what it needs and no more

        print("Ended the daemon." if rendezvous.stop() else "There is no daemon.")
        return 0
    if not options.no_daemon:
        from memcache_lsp import front  # noqa: PLC0415

        return front.main([])
    import asyncio  # noqa: PLC0415

    from memcache_lsp import daemon  # noqa: PLC0415

    daemon.log_to_stderr()
    return asyncio.run(daemon.serve_stdio())
