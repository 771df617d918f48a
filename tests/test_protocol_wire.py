"""The JSON of hits and answers: the command line's and the editors' say the same, and are what the specification says."""

import json

import pytest

from memcache_lsp import events
from memcache_lsp.cli.printed import event_to_json
from memcache_lsp.events import Citation, Delta, Result, Sources, Stage, Timings, Unsupported, Usage
from memcache_lsp.lines import SNIPPET_LINES, snippet
from memcache_lsp.protocol import parts, spec, wire
from memcache_lsp.protocol.codec import parse, shape_of, to_json
from memcache_lsp.values import Hit, Span

TEXT = "".join(f"line {n}\n" for n in range(1, 21))
HIT = Hit("src/a.py", Span(0, len(TEXT), 11, 30), TEXT, "function", "send", "python", ("Outer",), 1.25)
CITATION = Citation(1, "src/a.py", 12, 14, "moved")
DOUBTFUL = Unsupported(0, 9)
RESULT = Result(
    "Sent [1].",
    (CITATION,),
    "stop",
    1,
    3,
    Usage(100, 20, 7),
    Timings(0.12345, 1.5),
    unsupported=(DOUBTFUL,),
    thread_id="t",
    turn_id="t.1",
)
EVENTS = [Sources((HIT,)), Sources(()), Stage("reading", 40), Stage("writing", 0), Delta(0, "Sent"), CITATION, DOUBTFUL]


def uri_of(path):
    return f"file:///home/me/project/{path}"


def placed(value):
    """Put the editors' locations where the command line has paths and lines."""
    if isinstance(value, list):
        return [placed(item) for item in value]
    if not isinstance(value, dict):
        return value
    fields = {name: placed(item) for name, item in value.items() if name not in {"path", "startLine", "endLine"}}
    if "startLine" in value:
        start = {"line": value["startLine"] - 1, "character": 0}
        end = {"line": value["endLine"], "character": 0}
        fields["location"] = {"uri": uri_of(value["path"]), "range": {"start": start, "end": end}}
    if "snippet" in value:
        fields |= {"path": value["path"], "origin": "index"}
    return fields


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_is_the_same_for_the_command_line_and_for_editors(event):
    printed = json.loads(json.dumps(event_to_json(event)))
    partial = wire.event_to_partial(event, uri_of=uri_of)
    assert shape_of(spec.AskPartial).read(placed(printed), "") == partial
    assert placed(printed) == to_json(partial)


def test_the_end_is_the_same_for_the_command_line_and_for_editors():
    printed = event_to_json(RESULT)
    assert printed.pop("type") == "result"
    result = wire.result_to_spec(RESULT, streamed=False, uri_of=uri_of)
    assert placed(printed) == to_json(result)
    assert parse(spec.AskResult, to_json(result)) == result


def test_who_had_the_answer_streamed_does_not_get_it_again():
    whole = to_json(wire.result_to_spec(RESULT, streamed=False, uri_of=uri_of))
    streamed = to_json(wire.result_to_spec(RESULT, streamed=True, uri_of=uri_of))
    assert whole.keys() - streamed.keys() == {"answer", "citations", "unsupported"}
    assert streamed.items() <= whole.items()


@pytest.mark.parametrize("reason", events.FinishReason.__args__)
def test_every_end_is_in_the_specification(reason):
    ended = Result("", (), reason, 0, 0, Usage(), Timings(0.0, 0.0))
    result = wire.result_to_spec(ended, streamed=True, uri_of=uri_of)
    assert parse(spec.AskResult, to_json(result)).finish_reason == reason


def test_every_event_has_its_partial_result():
    kinds = {event.__dataclass_fields__["type"].default for event in events.Event.__args__}
    assert kinds == {event.type for event in (*EVENTS, RESULT)}


def test_a_hit_in_a_buffer_with_its_signals():
    hit = wire.hit_to_spec(HIT, uri=uri_of(HIT.path), origin="buffer", signals={"text": 0.5})
    written = to_json(hit)
    assert (written["origin"], written["signals"]) == ("buffer", {"text": 0.5})
    assert parse(parts.Hit, json.loads(json.dumps(written))) == hit
    events = wire.event_to_partial(Sources((HIT,)), uri_of=uri_of, origin_of=lambda _: "cache")
    assert [item.origin for item in events.items] == ["cache"]


def test_a_snippet_is_short():
    assert snippet(HIT.text).splitlines() == TEXT.splitlines()[:SNIPPET_LINES]


@pytest.mark.parametrize(("first", "last"), [(1, 1), (3, 9)])
def test_whole_lines_end_where_the_next_line_begins(first, last):
    location = wire.whole_lines("file:///a", first, last)
    assert (location.range.start.line, location.range.start.character) == (first - 1, 0)
    assert (location.range.end.line, location.range.end.character) == (last, 0)
