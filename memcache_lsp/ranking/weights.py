"""The signals of the ranking: each has a name, a weight and a reason.

The weights are those that `python bench/fit.py` prints. Must not import anything.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signal:
    """What one signal brings to a file's score, times its value, which is 0 to 1.

    What is a matter of names fades as questions get longer: who describes behaviour in thirty words names no file.
    """

    weight: float
    reason: str
    fades: bool = False


WEIGHTS: dict[str, Signal] = {
    "text": Signal(1.19, "its best chunk has the words of the question (BM25)"),
    "file": Signal(1.58, "the whole file has them"),
    "names": Signal(0.88, "what it defines is called so"),
    "dense": Signal(2.03, "its best chunk means what is asked"),
    "gist": Signal(1.19, "the whole file does"),
    "card": Signal(1.00, "its path, names and first comment mean what is asked, to a larger model (`refine`)"),
    "cluster": Signal(0.86, "many of the best chunks are its"),
    "path": Signal(0.86, "its path has words of the question", fades=True),
    "folders": Signal(1.13, "its folders do", fades=True),
    "stem": Signal(0.88, "its own name shares rare words with the question", fades=True),
    "whole_stem": Signal(1.56, "every word of its name is asked for", fades=True),
    "subject": Signal(0.87, "the question's first word is in its name", fades=True),
    "joined": Signal(1.10, "its name joins words of the question, or splits one", fades=True),
    "sense": Signal(1.08, "its name says the same in another word", fades=True),
    "path_sense": Signal(0.78, "its path does"),
    "symbol": Signal(2.54, "it defines the identifier that is asked for"),
    "mentioned": Signal(0.78, "it defines names that the question mentions"),
    "named": Signal(6.00, "the question names this file"),
    "neighbours": Signal(0.60, "a file beside it answers well", fades=True),
    "references": Signal(0.94, "files that answer well use what it defines"),
    "size": Signal(1.26, "more of what is asked is in large files", fades=True),
    "depth": Signal(-2.49, "what lies deep is rather a detail", fades=True),
    "test": Signal(-3.24, "a test shows the use of a thing, seldom the thing", fades=True),
    "aside": Signal(-1.09, "examples, benchmarks and other people's code stand beside the project"),
    "header": Signal(-2.52, "a header declares what the source beside it does"),
    "older": Signal(-5.20, "another version of the same lies beside it, newer or the one that is asked for"),
    "document": Signal(-3.10, "a document tells about the code"),
}

# Inside a file, and between places of several files where one may have more than one.
DENSE_OF_CHUNK = 0.6  # beside 1 for the words
DEFINES = 1.0  # a name that the question mentions is defined in the chunk
AT_LINE = 2.0  # the chunk holds a line that the question names
PLACE = 2.0  # how much a place behind the best one of its file loses
