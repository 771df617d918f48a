"""Small documents of each format, made here: what tests of readers read."""

import base64
import email.policy
import gzip
import io
import json
import quopri
import zipfile
import zlib
from email.message import Message
from email.mime.multipart import MIMEMultipart


def pdf(*pages: list[str | tuple[str, float]], marks: list[tuple[str, int]] = (), extra: bytes = b"") -> bytes:
    """Return a PDF with lines of text on each page, some with their size; `marks` are an outline's titles with pages from 0."""
    objects = [b"", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids = []
    for lines in pages:
        sized = [(line, 12) if isinstance(line, str) else line for line in lines]
        said = b"".join(
            b"0 -%g Td /F %g Tf (%s) Tj " % (size + 2, size, line.encode("latin-1")) for line, size in sized
        )
        content = zlib.compress(b"BT 50 700 Td " + said + b"ET" if lines else b"0 0 9 9 re f")
        objects.append(b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(content), content))
        kids.append(len(objects) + 1)
        box = b"/MediaBox[0 0 600 800]/Resources<</Font<</F 3 0 R>>>>"
        objects.append(b"<</Type/Page/Parent 2 0 R%s/Contents %d 0 R>>" % (box, len(objects)))
    outline = b""
    if marks:
        first = len(objects) + 2
        outline = b"/Outlines %d 0 R" % (first - 1)
        last = first + len(marks) - 1
        objects.append(b"<</Type/Outlines/First %d 0 R/Last %d 0 R/Count %d>>" % (first, last, len(marks)))
        for number, (title, page) in enumerate(marks, first):
            after = b"/Next %d 0 R" % (number + 1) if number < last else b""
            dest = b"/Dest[%d 0 R/Fit]" % kids[page]
            objects.append(b"<</Title(%s)/Parent %d 0 R%s%s>>" % (title.encode(), first - 1, after, dest))
    objects[0] = b"<</Type/Catalog/Pages 2 0 R" + outline + extra + b">>"
    every = b" ".join(b"%d 0 R" % kid for kid in kids)
    objects[1] = b"<</Type/Pages/Kids[%s]/Count %d>>" % (every, len(kids))
    return _file(objects)


def _file(objects: list[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%sendobj\n" % (number, each)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(out + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start))


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def docx(*paragraphs: tuple[str, str], more: str = "") -> bytes:
    """Return a document of paragraphs, each a style's id and a text, and of `more` XML behind them."""
    word = b'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    body = b"".join(
        b'<w:p><w:pPr><w:pStyle w:val="%s"/></w:pPr><w:r><w:t>%s</w:t></w:r></w:p>' % (style.encode(), text.encode())
        for style, text in paragraphs
    )
    styles = b'<w:styles %s><w:style w:styleId="Ueberschrift2"><w:name w:val="heading 2"/></w:style></w:styles>' % word
    document = b"<w:document %s><w:body>%s%s</w:body></w:document>" % (word, body, more.encode())
    return zipped({"word/document.xml": document, "word/styles.xml": styles})


def mhtml(page: str, *, charset="utf-8", encoding="quoted-printable", subject="The tapir", start="<page@x>") -> bytes:
    """Return a page as a browser saves it in one file: with a frame, a style and a picture behind it."""
    saved = MIMEMultipart("related", boundary="----Boundary", type="text/html", start=start)
    saved["From"], saved["Subject"] = "<Saved by Blink>", subject
    encode = {"quoted-printable": quopri.encodestring, "base64": base64.encodebytes}[encoding]
    for name, kind, content in (
        ("page", f'text/html; charset="{charset}"', page.encode(charset)),
        ("frame", "text/html", b"<p>An advertisement.</p>"),
        ("style", "text/css", b"p { margin: 1em }"),
        ("picture", "image/png", b"\x89PNG\r\n" * 40),
    ):
        part = Message()
        part["Content-Type"], part["Content-ID"] = kind, f"<{name}@x>"
        part["Content-Location"] = f"https://tapirs.example/{name}"
        part["Content-Transfer-Encoding"] = encoding
        part.set_payload(encode(content).decode("ascii"))
        saved.attach(part)
    return saved.as_bytes(policy=email.policy.SMTP)


def epub(*chapters: str) -> bytes:
    """Return a book of chapters in HTML; the archive has them in another order than the book."""
    items = "".join(f'<item id="c{n}" href="text/c{n}.xhtml"/>' for n in range(len(chapters)))
    order = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    members = {f"OPS/text/c{n}.xhtml": text.encode() for n, text in reversed(list(enumerate(chapters)))}
    told = '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
    book = f"<package><manifest>{items}</manifest><spine>{order}</spine></package>"
    return zipped({"META-INF/container.xml": told.encode(), "OPS/book.opf": book.encode(), **members})


def notebook(*cells: tuple[str, str]) -> bytes:
    made = [
        {"cell_type": kind, "source": text.splitlines(keepends=True), "outputs": [{"text": ["printed\n"]}]}
        for kind, text in cells
    ]
    return json.dumps({"nbformat": 4, "cells": made}).encode()


def packed(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)
