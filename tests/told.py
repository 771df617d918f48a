"""What a command told on stderr."""

import re

_PROGRESS = re.compile(r"[A-Z][\w ]*: [\d,]+ of [\d,]+ ")


def sentences(stderr):
    """Return the lines that tell something, without the progress that is shown where work takes long."""
    return [line for line in stderr.splitlines() if not _PROGRESS.match(line)]
