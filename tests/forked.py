"""Preloaded by the process that forks those which are to be killed, so that each has everything at hand at once."""

import indexes

indexes.embedder()
