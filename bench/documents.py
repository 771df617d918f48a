"""Measure how documents are read and found: real ones, questions over them, and files that mean harm.

    python bench/documents.py fetch FOLDER                          some 270 real documents of all formats
    python bench/documents.py questions --corpus FOLDER [--questions FILE] [--worst 5] [--beside PROJECT]
    python bench/documents.py hostile                               30 hostile and broken files, each with what it costs
    python bench/documents.py stopping FOLDER                       progress, cancel and kill while PDFs are indexed

`questions` prints the share of questions that find a passage on the right page or under the right heading within the
first 5 hits, and ends with 1 below 90 %; with `--beside` the documents are asked together with the code of PROJECT. The form of FILE is told in `papers/judging.py`. `hostile` ends with 1 where a
file costs more than 10 s or 200 MB, or is not named with a reason.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

QUESTIONS = Path(__file__).parent / "papers" / "questions.json"
LEAST_SHARE = 0.9


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch").add_argument("folder", type=Path)
    asking = commands.add_parser("questions")
    asking.add_argument("--corpus", type=Path, required=True)
    asking.add_argument("--questions", type=Path, default=QUESTIONS)
    asking.add_argument("--worst", type=int, default=5)
    asking.add_argument("--beside", type=Path, help="a project that is asked with the documents")
    commands.add_parser("hostile").add_argument("names", nargs="*", help="only these")
    commands.add_parser("stopping").add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.command == "stopping":
        from papers.stopping import measure as stopped

        return stopped(options.folder)
    if options.command == "fetch":
        from papers.corpus import fetch

        print(f"{fetch(options.folder)} documents in {options.folder}")
        return 0
    with tempfile.TemporaryDirectory() as home:
        os.environ["MEMCACHE_HOME"] = home
        if options.command == "hostile":
            from papers.hostile import measure

            return measure(options.names)
        from papers.judging import judge, load, tell

        outcome = judge(options.corpus, load(options.questions), Path(home), beside=options.beside)
        tell(outcome, worst=options.worst)
    return 0 if outcome.share >= LEAST_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
