"""Each format: the text, its headings, its pages or cells, and what is said of files that hold none."""

import papers
import pytest

from memcache_lsp.chunking.chunker import chunk
from memcache_lsp.documents import make_document, shown_text
from memcache_lsp.languages import is_container, language_of
from memcache_lsp.reading import page, roff
from memcache_lsp.reading.archive import Archive, unzipped
from memcache_lsp.reading.encoding import decoded
from memcache_lsp.reading.formats import read_container
from memcache_lsp.reading.result import MOST_CHARACTERS, Pages, UnreadableError, reading_of
from memcache_lsp.values import Document, Spot, spot_at


def read(path, data, *, spent=lambda: False):
    return read_container(path, data, spent)


def headings(reading):
    lines = reading.text.split("\n")
    return [(each.level, each.title, lines[each.line]) for each in reading.headings]


def line_of(reading, words):
    return next(n for n, line in enumerate(reading.text.split("\n"), 1) if words in line)


def test_a_pdf_has_pages_and_the_headings_of_its_outline():
    data = papers.pdf(
        ["Contents", "First part . . . . . . . . 2", "Second part . . . . . . . . 3"],
        ["First part", "It says one thing,", "and another one."],
        ["of page two", "Second part", "The rest of it."],
        marks=[("First part", 1), ("Second part", 2)],
    )
    found = read("a.pdf", data)
    assert headings(found) == [(1, "First part", "First part"), (1, "Second part", "Second part")]
    assert spot_at(found.spots, line_of(found, "another one")) == Spot(page=2)
    assert spot_at(found.spots, line_of(found, "The rest")) == Spot(page=3)
    assert ". . ." not in found.text  # a table of contents is found for everything and explains nothing
    chunks = chunk(Document("a.pdf", found.text, "pdf", found.headings, found.spots)).chunks
    assert {each.symbol for each in chunks} >= {"First part"}


def test_a_pdf_without_an_outline_has_the_headings_of_its_large_letters():
    body = ["Some words that are of no size at all, and go on and on", "until the page is full of them."] * 3
    cover = [("The Great Manual", 30), ("of everything", 28), ("Edition two", 26), ("Printed somewhere", 24)]
    pages = [
        [*cover, *body],
        [("Chapter One", 18), *body, ("Sections are named by their size", 14), ("and some are long", 14), *body],
        [("Chapter Two", 17.9), *body, ("label of a figure", 14), *body, ("Another one", 14), *body],
    ]
    found = [(each.level, each.title) for each in read("a.pdf", papers.pdf(*pages)).headings]
    assert found == [
        (1, "The Great Manual"),
        (2, "Chapter One"),
        (3, "Sections are named by their size and some are long"),
        (2, "Chapter Two"),
        (3, "Another one"),
    ]


def test_of_a_pdf_of_one_page_each_size_is_a_level():
    page = [
        ("A Note", 24),
        "with some words that are of no size, and many.",
        ("On Rain", 16),
        "It falls, and falls. " * 5,
    ]
    assert [(each.level, each.title) for each in read("a.pdf", papers.pdf(page)).headings] == [
        (1, "A Note"),
        (2, "On Rain"),
    ]


def test_running_heads_and_page_numbers_are_left_out():
    pages = [[f"My Manual {n}", f"Line {word} of the text", str(n)] for n, word in enumerate("abcdefgh", 1)]
    found = read("a.pdf", papers.pdf(*pages))
    assert found.text.split() == [word for letter in "abcdefgh" for word in ["Line", letter, "of", "the", "text"]]


def test_scanned_pages_are_told():
    text = ["A page with text, which is long enough."]
    assert "scanned: 2 of its 3 pages hold no text" in read("a.pdf", papers.pdf(text, [], [])).problems
    with pytest.raises(UnreadableError, match="^scanned: none of its 2 pages holds text, only pictures$"):
        read("a.pdf", papers.pdf([], []))


def test_of_scanned_pages_the_ones_that_were_not_read_are_no_part():
    looks = iter([False, False, True])
    told = "^scanned: 2 of its 3 pages hold no text, only pictures; only its first 2 of 3 pages were read$"
    with pytest.raises(UnreadableError, match=told):
        read("a.pdf", papers.pdf([], [], ["page number three"]), spent=lambda: next(looks))


def test_a_pdf_that_takes_too_long_is_read_in_part():
    looks = iter([False, False, True])
    found = read("a.pdf", papers.pdf(["page number one"], ["page number two"], ["three"]), spent=lambda: next(looks))
    assert "number two" in found.text
    assert found.problems == ("only its first 2 of 3 pages were read",)


def test_a_docx_has_headings_by_its_styles():
    data = papers.docx(("Heading1", "Top"), ("Normal", "Some words."), ("Ueberschrift2", "Below"), ("Normal", "More."))
    found = read("a.docx", data)
    assert headings(found) == [(1, "Top", "Top"), (2, "Below", "Below")]
    assert found.text == "Top\n\nSome words.\n\nBelow\n\nMore.\n"
    assert spot_at(found.spots, 3) == Spot()


def test_a_docx_has_text_boxes_once_and_the_paragraph_around_them():
    def box(kind, text):
        return f"<mc:{kind}><w:pict><w:txbxContent><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:txbxContent></w:pict></mc:{kind}>"

    both = f"<mc:AlternateContent>{box('Choice', 'In the box.')}{box('Fallback', 'In the box.')}</mc:AlternateContent>"
    more = f"<w:p><w:r><w:t>Before it, </w:t>{both}</w:r><w:r><w:t>behind it.</w:t></w:r></w:p>"
    more += "<w:p><w:moveFrom><w:r><w:t>Moved.</w:t></w:r></w:moveFrom></w:p><w:p><w:r><w:t>Moved.</w:t></w:r></w:p>"
    found = read("a.docx", papers.docx(("Heading1", "Top"), more=more))
    assert [line for line in found.text.split("\n") if line] == [
        "Top",
        "In the box.",
        "Before it, behind it.",
        "Moved.",
    ]


def test_a_docx_has_tables_within_tables():
    def cell(content):
        return f"<w:tc>{content}</w:tc>"

    def say(text):
        return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"

    inner = "".join(f"<w:tr>{cell(say(one))}{cell(say(two))}</w:tr>" for one, two in (("a", "b"), ("c", "d")))
    row = f"<w:tr>{cell(say('left'))}{cell(say('above') + f'<w:tbl>{inner}</w:tbl>' + say('below'))}</w:tr>"
    more = f"<w:tbl>{row}<w:tr>{cell(say('last'))}</w:tr></w:tbl>{say('Behind the table.')}"
    found = read("a.docx", papers.docx(more=more))
    said = [line for line in found.text.split("\n") if line]
    assert said == ["left | above | a | b | c | d | below", "last", "Behind the table."]


TAPIR = """<!DOCTYPE html><html><head><title>No text</title><style>p { margin: 0 }</style></head><body>
<nav><a href="/">Home</a></nav><h1>Der Tapir</h1><p>Ein Tapir watet nachts durch den Fluß = ruhig.</p>
<h2>Nahrung</h2><p>Er frisst Blätter.</p></body></html>"""


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64"])
@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
def test_a_page_saved_as_one_file_is_read_like_a_page(encoding, charset):
    found = read("a.mhtml", papers.mhtml(TAPIR, charset=charset, encoding=encoding))
    assert headings(found) == [(1, "Der Tapir", "Der Tapir"), (2, "Nahrung", "Nahrung")]
    assert "Ein Tapir watet nachts durch den Fluß = ruhig." in found.text
    for words in ("Home", "margin", "advertisement", "iVBOR"):
        assert words not in found.text
    assert spot_at(found.spots, 1) == Spot()  # its lines are not those of the file


def test_a_page_saved_as_one_file_is_found_wherever_it_is_in_it():
    alone = b"MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>Just a page.</p>"
    assert read("a.mht", alone).text.strip() == "Just a page."
    named = papers.mhtml(TAPIR, start="<frame@x>")
    assert read("a.mht", named).text.strip() == "The tapir\n\nAn advertisement."  # by its title, for it has no heading
    nothing = papers.mhtml(TAPIR).replace(b"text/html", b"text/css")
    with pytest.raises(UnreadableError, match="^broken: there is no page in it$"):
        read("a.mht", nothing)


def test_an_epub_is_read_in_the_order_of_the_book():
    one = "<html><body><nav><a href='x'>Contents of it all</a></nav><h1>One &amp; only</h1><p>First.</p></body></html>"
    two = "<html><body><h2>Two</h2><p>Second <i>of</i>\nthem.</p><script>no()</script></body></html>"
    found = read("a.epub", papers.epub(one, two))
    assert headings(found) == [(1, "One & only", "One & only"), (2, "Two", "Two")]
    assert [line for line in found.text.split("\n") if line] == ["One & only", "First.", "Two", "Second of them."]


def test_a_notebook_has_cells_and_code_is_no_heading():
    data = papers.notebook(
        ("markdown", "# Title\nWords"), ("code", "# no heading\nx = 1"), ("markdown", "## Below\nEnd")
    )
    found = read("a.ipynb", data)
    assert "```python\n# no heading\nx = 1\n```\n```\nprinted\n```" in found.text
    assert [spot.cell for _, spot in found.spots] == [1, 2, 3]
    chunks = chunk(Document("a.ipynb", found.text, "notebook", found.headings, found.spots)).chunks
    assert [d.name for each in chunks for d in each.definitions] == ["Title", "Below"]


LETTER = """\
From: =?utf-8?q?Andr=C3=A9?= <a@example.org>
Subject: How to retry
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

A long l=
ine with an =E9.
"""


@pytest.mark.parametrize("path", ["a.eml", "box/cur/1699999999.M1P2.host:2,S"])
def test_a_letter(path):
    found = read(path, LETTER.encode())
    assert headings(found) == [(1, "How to retry", "How to retry")]
    assert "From: André <a@example.org>" in found.text
    assert "A long line with an é." in found.text


def test_a_box_of_letters_and_their_html():
    second = (
        LETTER.replace("How to retry", "Re: it").replace("text/plain", "text/html").replace("A long", "<b>A</b> long")
    )
    box = f"From a@b Mon Jan  1 00:00:00 2024\n{LETTER}\nFrom a@b Mon Jan  1 00:00:01 2024\n{second}"
    found = read("a.mbox", box.encode())
    assert [title for _, title, _ in headings(found)] == ["How to retry", "Re: it"]
    assert found.text.count("long line with an é.") == 2
    assert "<b>" not in found.text


PAGE = r""".\" a remark
.TH LS 1
.SH NAME
ls \- list \fIfolders\fR
.SH "SEE ALSO"
.BR chmod (1),
\(bufile
"""


def test_a_manual_keeps_its_lines():
    found = roff.read(PAGE)
    assert found.text.split("\n") == ["", "", "NAME", "ls - list folders", "SEE ALSO", "chmod(1),", "•file", ""]
    assert headings(found) == [(1, "NAME", "NAME"), (1, "SEE ALSO", "SEE ALSO")]
    assert roff.read("version 1\nof something else\n") is None
    packed = read("ls.1.gz", papers.packed(PAGE))
    assert (packed.text, packed.headings, packed.spots) == (found.text, found.headings, ((1, Spot()),))


def test_info_pages_have_the_headings_of_their_nodes():
    text = "This is x.info\n\n\x1f\nFile: x.info,  Node: A\n\n1 Alpha\n*******\n\nWords.\n\n1.1 Beta\n========\n\nMore words.\n"
    found = read("x.info.gz", papers.packed(text))
    chunks = chunk(Document("x.info.gz", found.text, "info", found.headings, found.spots)).chunks
    assert [d.name for each in chunks for d in each.definitions] == ["1 Alpha", "1.1 Beta"]


def test_asciidoc_headings():
    text = "= Guide\n\n== Use\n\nText.\n\n----\n== no heading\n----\n\n=== Deep\n\nMore.\n"
    chunks = chunk(Document("a.adoc", text, "asciidoc")).chunks
    assert [d.name for each in chunks for d in each.definitions] == ["Use", "Guide", "Deep"]


BODY = "<p>This paragraph is what the page is about, and says so in a good many words.</p>\n" * 6
SAVED = f"""<!DOCTYPE html>
<html><head><title>T</title><style>p {{ }}</style></head><body>
<nav><ul><li><a href="/">Home</a></li></ul></nav>
<div class="sidebar"><p>Other pages that are linked from everywhere</p></div>
<h1>Retry <em>delays</em><a class="headerlink" href="#x">¶</a></h1>
{BODY}<pre>
x = 1
    y = 2
</pre>
<footer>Copyright</footer></body></html>
"""


def test_a_saved_page_keeps_its_lines_and_loses_what_is_around_it():
    found = page.read(SAVED)
    lines = SAVED.split("\n")
    assert len(found.text.split("\n")) == len(lines)
    assert headings(found) == [(1, "Retry delays", "Retry delays")]
    assert found.text.split("\n").index("    y = 2") == lines.index("    y = 2")
    assert not any(word in found.text for word in ("Home", "Other pages", "Copyright", "¶", "<"))
    document = make_document("a.html", SAVED)
    assert document.text == shown_text("a.html", SAVED) == found.text


def test_a_page_in_one_line_gets_lines_of_its_own():
    found = page.read(SAVED.replace("\n", " ") + " " * 3000)
    assert found.spots == ((1, Spot()),)
    assert "Retry delays\n\nThis paragraph" in found.text


@pytest.mark.parametrize(
    "text", ["<p>part of a page</p>" * 99, SAVED.replace("<head>", "<head>{% block x %}"), "<html>"]
)
def test_templates_and_parts_are_indexed_as_they_stand(text):
    assert page.read(text) is None
    assert make_document("a.html", text).text == text


def test_a_table_is_its_headers_and_a_few_rows():
    text = "name,delay\n" + "".join(f"row{n},{n}\n" for n in range(500))
    assert make_document("a.csv", text).text.split("\n")[:2] == ["name,delay", "row0,0"]
    assert len(make_document("a.csv", text).text.split("\n")) < 30


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Мы повторяем запрос, пока сервер не ответит." * 3, "cp1251"),
        ("Größe – „groß“ – 5 €", "cp1252"),
        ("naïve", "utf-8"),
    ],
)
def test_encodings(text, encoding):
    assert decoded(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("path", "data", "reason"),
    [
        ("a.pdf", b"", "broken: it is no PDF that can be read"),
        ("a.docx", b"\xd0\xcf\x11\xe0" + bytes(99), "encrypted: it opens with a password only"),
        ("a.docx", b"PK\3\4 no archive", "broken: it is no archive that can be opened"),
        ("a.docx", papers.zipped({"a": b""}), "broken: there is no document in it"),
        ("a.epub", papers.zipped({"META-INF/rights.xml": b""}), "encrypted: it is protected against reading"),
        ("a.epub", papers.zipped({"a": b""}), "broken: META-INF/container.xml is not in it"),
        ("a.ipynb", b"[" * 100_000, "broken: it is no notebook that can be read"),
        ("a.mbox", bytes(range(256)), "broken: it is no mail"),
        ("a.mht", bytes(range(256)), "broken: it is no saved page"),
        ("a.mht", papers.mhtml("<html><script>x()</script></html>", subject=""), "empty: there is no text in it"),
        ("a.1.gz", papers.packed(PAGE)[:-9], "broken: it ends in the middle"),
    ],
)
def test_what_cannot_be_read_says_why(path, data, reason):
    with pytest.raises(UnreadableError) as told:
        read(path, data)
    assert str(told.value) == reason


def test_nothing_is_unpacked_beyond_its_limit():
    archive = Archive(papers.zipped({"a": bytes(5_000_000)}), limit_bytes=1_000_000)
    with pytest.raises(UnreadableError, match="^too large inside"):
        list(archive.pieces("a"))
    with pytest.raises(UnreadableError, match="^too large inside"):
        unzipped(papers.packed("a" * 5_000_000), limit_bytes=1_000_000)


def test_entities_are_not_expanded():
    bomb = b'<!DOCTYPE d [<!ENTITY a "aaaa">]><w:document>&a;</w:document>'
    with pytest.raises(UnreadableError, match="declares entities"):
        read("a.docx", papers.zipped({"word/document.xml": bomb}))


def test_a_text_has_a_limit_and_says_so():
    out = Pages()
    while not out.full:
        out.write("words " * 1000)
    found = out.reading()
    assert len(found.text) <= MOST_CHARACTERS + 1
    assert found.problems == (f"only its first {MOST_CHARACTERS:,} characters are indexed",)


def test_a_reading_goes_through_json():
    found = read("a.pdf", papers.pdf(["Some text on a page"], ["and more"], marks=[("Some", 0)]))
    assert reading_of(found.plain()) == found


@pytest.mark.parametrize(
    ("path", "language", "container"),
    [
        ("a/b.PDF", "pdf", True),
        ("ls.1", "man", False),
        ("ls.1.gz", "man", True),
        ("open.3posix", "man", False),
        ("utf-8.7.gz", "man", True),
        ("book.pdf.gz", "pdf", True),
        ("x.info-2.gz", "info", True),
        ("data.csv.gz", "csv", False),
        ("box/new/1699999999.M1P2.host", "mail", True),
        ("cur/readme", "text", False),
        ("lib.so.6", "text", False),
        ("a.ipynb", "notebook", True),
        ("v1.2", "text", False),
    ],
)
def test_names(path, language, container):
    assert (language_of(path), is_container(path)) == (language, container)


def test_a_secret_in_a_title_is_as_unreadable_as_in_the_text():
    secret = "ghp_" + "A1b2C3d4E5f6" * 3
    page = f"<!doctype html><html><head><title>t</title></head><body><h1>token {secret}</h1><p>{'word ' * 120}</p></body></html>"
    document = make_document("page.html", page)
    assert document.headings
    assert secret not in document.text + repr(document.headings)
