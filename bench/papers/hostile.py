"""Files that mean harm, or are broken: made here, indexed one by one, each with the seconds and megabytes that it costs.

Megabytes are the peak of the reader's process and what the indexing process takes above its size before, added up.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

MOST_S, MOST_MB = 10.0, 200.0
_LETTER = b"From: a@example.org\r\nSubject: hello\r\n"

# Indexes one folder in a process of its own and prints what it cost.
_RUN = """
import json, sys, threading, time
from pathlib import Path
from memcache_lsp.config import ProjectSettings, UserSettings
from memcache_lsp.embedding import open_embedder
from memcache_lsp.engine import Setup, open_project
from memcache_lsp.status import read_status
from memcache_lsp import paths
root = Path(sys.argv[1])
embedder = open_embedder(None)
embedder.embed(["warm"])
setup = Setup(root, UserSettings(), ProjectSettings(), embedder)
project = open_project(setup, purpose="bench")
def peak(pid="self"):
    return int(next(l for l in Path(f"/proc/{pid}/status").read_text().splitlines() if l.startswith("VmHWM")).split()[1]) / 1024
Path("/proc/self/clear_refs").write_text("5")
before = peak()
readers = {}
done = threading.Event()
def watch():
    while not done.wait(0.01):
        pid = project._preparer._reader and project._preparer._reader.pid
        try:
            readers[pid] = peak(pid)
        except (OSError, StopIteration):
            pass
watcher = threading.Thread(target=watch)
watcher.start()
began = time.perf_counter()
project.update(max_files=None)
took = time.perf_counter() - began
own = peak() - before
done.set()
watcher.join()
project.close()
status = read_status(root)
told = [[each.path, each.reason] for each in (*status.failed, *status.skipped, *status.notes)]
child = max(readers.values(), default=0)
print(json.dumps({"s": took, "own_mb": own, "child_mb": child, "told": told, "chunks": status.chunks}))
"""


def _pdf(content: bytes, *, pages: int = 1, extra: bytes = b"", encrypt: bytes = b"") -> bytes:
    """Return a PDF with the same content on each page."""
    objects = [b"<</Type/Catalog/Pages 2 0 R" + extra + b">>", b""]
    objects.append(b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    objects.append(b"<</Filter/FlateDecode/Length %d>>stream\n" % len(content) + content + b"\nendstream")
    first = len(objects) + 1
    kids = b" ".join(b"%d 0 R" % (first + n) for n in range(pages))
    objects[1] = b"<</Type/Pages/Kids[" + kids + b"]/Count %d>>" % pages
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F 3 0 R>>>>>>"
    objects += [page] * pages
    out = io.BytesIO(b"%PDF-1.7\n")
    out.seek(0, 2)
    places = []
    for number, each in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj" % number + each + b"endobj\n")
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % place for place in places)
    out.write(b"trailer<</Size %d/Root 1 0 R" % (len(objects) + 1) + encrypt + b">>\nstartxref\n%d\n%%%%EOF" % start)
    return out.getvalue()


def _text_pdf(text: bytes, **options: object) -> bytes:
    return _pdf(zlib.compress(b"BT /F 12 Tf 20 700 Td (" + text + b") Tj ET"), **options)  # type: ignore[arg-type]


def _zip(members: dict[str, bytes], *, flags: int = 0) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    data = out.getvalue()
    if flags:  # say that all members are encrypted
        data = data.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00")
    return data


_W = b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
_END = b"</w:body></w:document>"
_CONTAINER = b'<container><rootfiles><rootfile full-path="c.opf"/></rootfiles></container>'
_BOOK = b'<package><manifest><item id="a" href="a.xhtml"/></manifest><spine><itemref idref="a"/></spine></package>'


def _epub(chapter: bytes, **others: bytes) -> bytes:
    return _zip({"META-INF/container.xml": _CONTAINER, "c.opf": _BOOK, "a.xhtml": chapter, **others})


def _nested_pdf() -> bytes:
    deep = b"[" * 200_000 + b"]" * 200_000
    return _text_pdf(b"deep", extra=b"/Deep " + deep)


def _bomb_gz() -> bytes:
    return gzip.compress(bytes(300 * 1024 * 1024), 9)


def _letters(part: bytes, depth: int) -> bytes:
    head = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(depth))
    return _LETTER + head + part


def _cells(source: object) -> bytes:
    return json.dumps({"nbformat": 4, "cells": [{"cell_type": "code", "source": source, "outputs": []}]}).encode()


FILES: dict[str, Callable[[], bytes]] = {
    "cut.pdf": lambda: _text_pdf(b"cut" * 1000)[:300],
    "noise.pdf": lambda: b"%PDF-1.7\n" + bytes(range(256)) * 4000,
    "locked.pdf": lambda: _text_pdf(b"secret", encrypt=b"/Encrypt<</Filter/Standard/V 1/R 2/O(" + b"o" * 32 + b")/U(" + b"u" * 32 + b")/P -4>>/ID[(a)(b)]"),
    "picture.pdf": lambda: _pdf(zlib.compress(b"0 0 600 800 re f"), pages=3),
    "giant-page.pdf": lambda: _pdf(zlib.compress(b"BT /F 12 Tf 20 700 Td " + b"(word word word) Tj 0 -1 Td " * 3_000_000 + b"ET")),
    "stream-bomb.pdf": lambda: _pdf(zlib.compress(b" " * 1_000_000_000, 9)),
    "nested.pdf": _nested_pdf,
    "many-pages.pdf": lambda: _text_pdf(b"page of many", pages=150_000),
    "page-loop.pdf": lambda: _text_pdf(b"loop").replace(b"/Kids[5 0 R]", b"/Kids[2 0 R]"),
    "nothing.pdf": lambda: b"",
    "bomb.docx": lambda: _zip({"word/document.xml": _W + b"<w:p><w:r><w:t>" + b"a" * 400_000_000 + b"</w:t></w:r></w:p>" + _END}),
    "laughs.docx": lambda: _zip({"word/document.xml": b'<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">' + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)) + b"]>" + _W + b"&j;" + _END}),
    "nested.docx": lambda: _zip({"word/document.xml": _W + b"<w:p>" * 3_000_000}),
    "locked.docx": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096),
    "cut.docx": lambda: _zip({"word/document.xml": _W + b"<w:p/>" * 9999 + _END})[:-60],
    "wrong.docx": lambda: _zip({"hello.txt": b"hello"}),
    "paragraphs.docx": lambda: _zip({"word/document.xml": _W + b"<w:p><w:r><w:t>word</w:t></w:r></w:p>" * 1_700_000 + _END}),
    "bomb.epub": lambda: _epub(b"<p>" + b"word " * 90_000_000),
    "files.epub": lambda: _zip({f"f{n}": b"" for n in range(60_000)}),
    "nested.epub": lambda: _epub(b"<div>" * 1_500_000 + b"deep"),
    "locked.epub": lambda: _epub(b"<p>x</p>", **{"META-INF/rights.xml": b"<r/>"}),
    "lost.epub": lambda: _zip({"mimetype": b"application/epub+zip"}),
    "nested.ipynb": lambda: b'{"cells":' + b"[" * 5_000_000,
    "wrong.ipynb": lambda: b'{"cells": 7}',
    "giant.ipynb": lambda: _cells(["x = 1\n"] * 6_000_000),
    "bomb.1.gz": _bomb_gz,
    "cut.3.gz": lambda: gzip.compress(b".TH X 3\n" + os.urandom(100_000))[:5000],
    "nested.eml": lambda: _letters(b"deep", 30_000),
    "giant.mbox": lambda: b"".join(b"From a@b Mon Jan  1 00:00:00 2024\n" + _LETTER + b"\nword\n\n" for _ in range(700_000)),
    "nested.mht": lambda: _letters(b"deep", 30_000),
    "giant.mhtml": lambda: b"MIME-Version: 1.0\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(b"<p>word" * 6_000_000),
    "noise.mbox": lambda: bytes(range(256)) * 20_000,
    "open.html": lambda: b"<html><body>" + b"<div class=nav><p>" * 45_000 + b"word " * 20_000,
    "lines.csv": lambda: b"a,b,c\n" + b"1" * 50_000_000,
}  # fmt: skip


def measure(names: Sequence[str] = ()) -> int:
    """Index each file alone and print what it cost; 1 where a limit is broken or nothing is told of it."""
    broken = 0
    print("| file | KB | seconds | MB | what is told |\n|---|---|---|---|---|")
    for name, make in FILES.items():
        if names and name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            root, home = Path(folder) / "root", Path(folder) / "home"
            root.mkdir()
            home.mkdir()
            (root / name).write_bytes(make())
            size_kb = (root / name).stat().st_size / 1000
            environment = os.environ | {"MEMCACHE_HOME": str(home)}
            run = subprocess.run(
                [sys.executable, "-c", _RUN, root], env=environment, capture_output=True, text=True, check=True
            )
        cost = json.loads(run.stdout)
        megabytes = cost["own_mb"] + cost["child_mb"]
        told = next((reason for path, reason in cost["told"] if path == name), "")
        told = told or (f"{cost['chunks']} chunks" if cost["chunks"] else "")
        wrong = cost["s"] > MOST_S or megabytes > MOST_MB or not told
        broken += wrong
        mark = " **over**" if wrong else ""
        print(f"| {name} | {size_kb:,.0f} | {cost['s']:.1f} | {megabytes:.0f} | {told}{mark} |", flush=True)
    print(
        f"\n{len(FILES) if not names else len(names)} files, {broken} over a limit of {MOST_S:g} s and {MOST_MB:g} MB or not named"
    )
    return 1 if broken else 0
