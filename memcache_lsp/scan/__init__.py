"""Find what a project holds for the index, and say of everything else why it is left out.

Owns the rules by which a path may enter: `Scanner.should_index` is the one gate for the scan, the file watcher and
open buffers. Never opens a file that is offered to the index, never follows a symbolic link and never runs git,
since a hostile project's git configuration runs commands.
"""

from __future__ import annotations

from memcache_lsp.scan.rules import select
from memcache_lsp.scan.saved import is_beside_page, with_folders
from memcache_lsp.scan.walk import Scanner, ScanResult, changes_rules, outermost

__all__ = ["ScanResult", "Scanner", "changes_rules", "is_beside_page", "outermost", "select", "with_folders"]
