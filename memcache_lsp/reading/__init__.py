"""Read the text out of files that are no plain text: PDF, EPUB, DOCX, notebooks, mail, manuals, saved pages.

One module a format; `child` runs those that need a process of their own, `owner` starts it. The package itself is empty
but for the version, so that a run that meets no such file loads none of it.
"""

from __future__ import annotations

from typing import Final

# A part of index keys: raise it with every change of what is read out of any file.
READER_VERSION: Final = "3"
