"""What comes along with an excerpt, and which documents stand beside which code."""

from memcache_lsp.evidence import chosen, definition_of, gathered, joined_by, told_names
from memcache_lsp.prompt import pack
from memcache_lsp.values import Hit, Span

CODE = "    def next_delay(self):\n        return random.uniform(0, self.limit)\n"
FILE = f"import random\nimport socket\nfrom x import (\n    y,\n)\n\n\nclass Retry(Policy):\n    '''Wait.'''\n\n{CODE}"


def hit(path, text, *, line=1, kind="method", symbol="", language="python", breadcrumb=()):
    span = Span(line * 1000, line * 1000 + len(text), line, line + text.count("\n") - 1)
    return Hit(path, span, text, kind, symbol, language, breadcrumb, 1.0)


RETRY = hit("retry.py", CODE, line=11, symbol="Retry.next_delay", breadcrumb=("Retry",))
GUIDE = hit("guide.md", "Each `next_delay` is random.\n", kind="section", symbol="Delays", language="markdown")


def test_what_encloses_and_what_is_imported_comes_along():
    (excerpt,) = gathered([RETRY], {"retry.py": FILE.split("\n")}.get)
    assert excerpt.context == "import random\nclass Retry(Policy):"
    shown = pack("Why?", [excerpt], count=len, budget_tokens=5000).messages[1].text
    assert "import random\nclass Retry(Policy):\n…\n    def next_delay" in shown


def test_it_stays_behind_where_there_is_no_room():
    (excerpt,) = gathered([RETRY], {"retry.py": FILE.split("\n")}.get)
    whole = len(pack("Why?", [excerpt], count=len, budget_tokens=5000).messages[1].text)
    bare = len(pack("Why?", gathered([RETRY]), count=len, budget_tokens=5000).messages[1].text)
    assert bare < whole
    (used,) = pack("Why?", [excerpt], count=lambda text: len(text) // 4, budget_tokens=bare // 4 + 120).used
    assert (used.start_line, used.end_line) == (11, 12)


def test_a_document_stands_behind_the_code_that_it_names():
    other = hit("other.py", "def other():\n    pass\n", symbol="other_name", kind="function")
    assert [e.path for e in gathered([RETRY, other, GUIDE])] == ["retry.py", "guide.md", "other.py"]
    assert [e.n for e in gathered([RETRY, other, GUIDE])] == [1, 3, 2]


def test_a_document_that_names_the_best_code_is_brought_in():
    code = [hit(f"f{n}.py", f"def f{n}():\n    pass\n", symbol=f"f{n}", kind="function") for n in range(20)]
    taken = chosen([RETRY, *code, GUIDE], 12)
    assert len(taken) == 12
    assert taken[0] == RETRY
    assert GUIDE in taken
    assert GUIDE not in chosen([*code, GUIDE], 12)


def test_the_parts_of_a_file_stay_apart_and_each_has_its_share():
    parts = [hit("a.py", f"part {n} " + "word " * 200 + "\n", line=n) for n in range(1, 9)]
    excerpts = gathered(parts, parted=True)
    assert [e.n for e in excerpts] == list(range(1, 9))
    lines = [hit("a.py", "".join(f"part {n} line {k}\n" for k in range(40)), line=40 * n + 1) for n in range(8)]
    packed = pack("Sum up.", gathered(lines, parted=True), count=lambda text: len(text.split()), budget_tokens=700)
    assert len(packed.used) == 8
    assert max(map(len, (e.text for e in packed.used))) < 3 * min(map(len, (e.text for e in packed.used)))


def of(hit):
    return hit


def test_a_document_brings_the_definition_of_what_it_names():
    told = hit(
        "manual.md",
        "Call `Retry.next_delay()` or send_parcel, not jitter() nor Retry.\n",
        kind="section",
        language="markdown",
    )
    other = hit("other.py", "def other():\n    pass\n", symbol="other_name", kind="function")
    assert told_names([told, other]) == ("next_delay", "send_parcel", "jitter")
    assert told_names([told, RETRY]) == ("send_parcel", "jitter")  # it is among the best already
    assert told_names([other, other, other, told]) == ()  # it answers too little for that
    assert definition_of("next_delay", [other, GUIDE, RETRY], of) == RETRY
    assert definition_of("jitter", [other, GUIDE, RETRY], of) is None
    assert joined_by([told, other], {"next_delay": RETRY}, of) == [told, RETRY, other]
    assert joined_by([other, told], {"next_delay": RETRY}, of) == [other, told, RETRY]


def test_prose_names_no_code():
    prose = hit(
        "a.md", "The Retry of a USA-wide URL is well-known, e.g. in May (or so).\n", kind="section", language="markdown"
    )
    assert told_names([prose]) == ()
