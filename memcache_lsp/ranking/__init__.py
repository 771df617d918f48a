"""The order of hits: what is asked, what is known of each file, its signals with their weights, the places that are shown.

Pure but for the table of files, which is kept in memory. Must not import the store's implementations, the manifest or
anything that reads files.
"""

from __future__ import annotations

from memcache_lsp.ranking.cards import Cards
from memcache_lsp.ranking.facts import Facts, make_facts
from memcache_lsp.ranking.joining import comparable, tops_of
from memcache_lsp.ranking.order import Ranked, Scored, completed, rank, score
from memcache_lsp.ranking.question import Question
from memcache_lsp.ranking.table import Above, FileTable, Row
from memcache_lsp.ranking.weights import WEIGHTS

__all__ = [
    "WEIGHTS",
    "Above",
    "Cards",
    "Facts",
    "FileTable",
    "Question",
    "Ranked",
    "Row",
    "Scored",
    "comparable",
    "completed",
    "make_facts",
    "rank",
    "score",
    "tops_of",
]
