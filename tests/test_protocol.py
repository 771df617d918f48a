"""The specification: what is read and written is what the types say, and whatever does not fit gets one sentence."""

import functools
import json
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcache_lsp import errors
from memcache_lsp.protocol import codec, parts, spec
from memcache_lsp.protocol.codec import InvalidParams, fields_of, parse, shape_of, to_json
from memcache_lsp.protocol.emit.order import every_type
from memcache_lsp.protocol.examples import EXAMPLES
from memcache_lsp.protocol.methods import (
    BY_COMMAND,
    BY_NAME,
    ERRORS,
    METHODS,
    command_params,
    declares_capability,
    not_yet,
    server_capability,
)

SENTENCE = re.compile(r"[^\n]+\.")
WRONG = [
    None,
    True,
    0,
    -1,
    1.5,
    2**31,
    1e400,
    10**400,
    float("nan"),
    "",
    " ",
    "nothing of this",
    [],
    [None],
    [[]],
    {},
    {"a": 1},
]


# Strategies: any value of a type, by what its hints say


def values_of(shape):
    return {
        codec.Text: text_of,
        codec.Whole: lambda s: st.integers(s.least, s.most),
        codec.Number: lambda _: st.floats(allow_nan=False, allow_infinity=False),
        codec.Flag: lambda _: st.booleans(),
        codec.Token: lambda _: st.integers() | st.text(),
        codec.Choice: lambda s: st.sampled_from(s.values),
        codec.ListOf: lambda s: st.lists(values_of(s.item), max_size=2).map(tuple),
        codec.MapOf: lambda s: st.dictionaries(st.text(), values_of(s.item), max_size=2),
        codec.Record: lambda s: records_of(s.cls),
    }[type(shape)](shape)


def text_of(shape):
    if shape.uri:
        return st.text("abc/é%20", min_size=1).map("file:///{}".format)
    return st.text() if shape.blank else st.text(min_size=1).filter(str.strip)


@functools.cache
def records_of(cls):
    if cls is parts.Range:
        positions = st.tuples(records_of(parts.Position), records_of(parts.Position))
        ordered = positions.map(lambda pair: sorted(pair, key=lambda p: (p.line, p.character)))
        return ordered.map(lambda pair: parts.Range(start=pair[0], end=pair[1]))
    strategies = {
        field.name: values_of(field.shape) if field.required else st.just(field.default) | values_of(field.shape)
        for field in fields_of(cls)
    }
    built = st.builds(cls, **strategies)
    return built.filter(lambda value: not value.problem()) if hasattr(cls, "problem") else built


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def refusal(cls, value):
    """Return the sentence that a value is refused with, None where it is read; any other exception is a failure."""
    try:
        assert isinstance(parse(cls, value), cls)
    except InvalidParams as error:
        return str(error)
    return None


# Reading and writing


@pytest.mark.parametrize("cls", every_type(), ids=lambda cls: cls.__name__)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(data=st.data())
def test_what_is_written_is_read_again(cls, data):
    value = data.draw(records_of(cls))
    written = json.loads(json.dumps(to_json(value), allow_nan=False))
    assert parse(cls, written) == value
    assert parse(cls, to_json(value, defaults=False)) == value
    assert None not in written.values()


@pytest.mark.parametrize("cls", every_type(), ids=lambda cls: cls.__name__)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_json_is_read_or_refused_in_one_sentence(cls, data):
    names = st.sampled_from([field.json_name for field in fields_of(cls)] or ["x"])
    value = data.draw(JSON | st.dictionaries(names, JSON))
    refused = refusal(cls, value)
    assert refused is None or SENTENCE.fullmatch(refused)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_field_of_the_wrong_kind_is_named_in_one_sentence(method):
    for place in _places(method.params):
        told = [refusal(method.params, _with(to_json(_full(method.params)), place, wrong)) for wrong in WRONG]
        refused = [sentence for sentence in told if sentence is not None]
        assert refused, place
        for sentence in refused:
            assert SENTENCE.fullmatch(sentence)
            assert _named(place, sentence), (place, sentence)


def _full(cls):
    """Return a value in which every field is there that can be."""
    samples = {
        codec.Text: lambda s: "file:///a" if s.uri else "x",
        codec.Whole: lambda s: s.least,
        codec.Number: lambda _: 0.5,
        codec.Flag: lambda _: True,
        codec.Token: lambda _: "t",
        codec.Choice: lambda s: s.values[0],
        codec.ListOf: lambda s: (sample(s.item),),
        codec.MapOf: lambda s: {"a": sample(s.item)},
        codec.Record: lambda s: _full(s.cls),
    }

    def sample(shape):
        return samples[type(shape)](shape)

    without = {"text_document"} if cls is spec.ExplainParams else set()  # it excludes a hit
    return cls(**{field.name: sample(field.shape) for field in fields_of(cls) if field.name not in without})


def _places(cls, before=()):
    """Return the path of each field within a type, of nested ones too."""
    for field in fields_of(cls):
        if cls is spec.ExplainParams and field.name == "text_document":
            continue
        shape, place = field.shape, (*before, field.json_name)
        yield place
        if isinstance(shape, codec.ListOf):
            shape, place = shape.item, (*place, 0)
            yield place
        if isinstance(shape, codec.Record):
            yield from _places(shape.cls, place)


def _with(value, place, wrong):
    target = value
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = wrong
    return value


def _named(place, sentence):
    """Tell whether a sentence names a place, what is inside it, or what it is inside of."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".")
    subject = sentence.split(" must ")[0].split(" is missing")[0]
    return (
        subject.startswith(path) or (subject == "The parameters" and place[-1] in sentence) or path.startswith(subject)
    )


@pytest.mark.parametrize(
    ("cls", "value", "sentence"),
    [
        (spec.AskParams, None, "question is missing: it must be text that is not blank."),
        (spec.AskParams, {"question": None}, "question is missing: it must be text that is not blank."),
        (spec.AskParams, {"question": " \n"}, "question must be text that is not blank."),
        (spec.AskParams, {"question": 3}, "question must be text that is not blank, not a number."),
        (spec.AskParams, 3, "The parameters must be an object, not a number."),
        (spec.AskParams, ["q"], "The parameters must be an object, not a list."),
        (
            spec.AskParams,
            {"question": "q", "intent": "guess"},
            'intent must be one of "ask", "explain", "summarize", "callers".',
        ),
        (
            spec.AskParams,
            {"question": "q", "selection": {"start": {"line": 1, "character": 0}, "end": {"line": 2, "character": 0}}},
            "The parameters must name the textDocument that the selection is in.",
        ),
        (
            spec.SimilarParams,
            {
                "textDocument": {"uri": "file:///a"},
                "range": {"start": {"line": 3, "character": 0}, "end": {"line": 2, "character": 0}},
            },
            "range must not end before it starts.",
        ),
        (
            spec.SimilarParams,
            {"textDocument": {"uri": "C:\\a.py"}},
            "textDocument.uri must be a URI such as file:///home/me/project/main.py.",
        ),
        (spec.SearchParams, {"query": "q", "limit": 0}, "limit must be a whole number from 1 to 1000."),
        (
            spec.SearchParams,
            {"query": "q", "limit": True},
            "limit must be a whole number from 1 to 1000, not true or false.",
        ),
        (spec.SearchParams, {"query": "q", "explain": 1}, "explain must be true or false, not a number."),
        (spec.SearchParams, {"query": "q", "scope": {"globs": "*"}}, "scope.globs must be a list, not text."),
        (spec.SearchParams, {"query": "q", "scope": {"globs": ["*", 1]}}, "scope.globs[1] must be text, not a number."),
        (
            spec.AskParams,
            {"question": "q", "workDoneToken": 1.5},
            "workDoneToken must be text or a whole number, not a number.",
        ),
        (parts.Position, {"line": -1, "character": 0}, "line must be a whole number, 0 or above."),
        (
            spec.IndexParams,
            {},
            'action is missing: it must be one of "start", "pause", "resume", "cancel", "rebuild", "drop".',
        ),
        (spec.ThreadsParams, {"action": "get"}, "The parameters must name the threadId for the action get."),
        (spec.CachesParams, {"action": "remove"}, "The parameters must name the cache for the action remove."),
        (spec.CachesParams, {"action": "add", "name": "a"}, "The parameters must have the uris of what to add."),
        (spec.ModelsParams, {"action": "pull"}, "The parameters must name the model for the action pull."),
        (spec.ExplainParams, {}, "The parameters must name either a textDocument or a hit and its query."),
        (spec.ExplainParams, {"query": "q"}, "The parameters must name a hit together with its query."),
    ],
)
def test_the_sentence(cls, value, sentence):
    with pytest.raises(InvalidParams) as refused:
        parse(cls, value)
    assert str(refused.value) == sentence
    assert refused.value.rpc_code == -32602


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"query": "q", "unknown": {"deep": [1]}}, spec.SearchParams(query="q")),
        ({"query": "q", "limit": None, "scope": None}, spec.SearchParams(query="q")),
        ({"query": "q", "limit": 5.0}, spec.SearchParams(query="q", limit=5)),
        ({"query": "q", "scope": []}, spec.SearchParams(query="q", scope=parts.Scope())),
        ({"query": "q", "scope": {"globs": {}}}, spec.SearchParams(query="q", scope=parts.Scope())),
        ({"query": "q", "scope": {"globs": None}}, spec.SearchParams(query="q", scope=parts.Scope())),
        ({"query": "half \ud83d of a pair"}, spec.SearchParams(query="half \ufffd of a pair")),
        ({"query": "\ud83d\ude00"}, spec.SearchParams(query="\U0001f600")),
    ],
)
def test_what_editors_cannot_do_better_is_accepted(value, expected):
    assert parse(spec.SearchParams, value) == expected


def test_nothing_stands_for_no_parameters():
    assert (
        parse(spec.StatusParams, None)
        == parse(spec.StatusParams, [])
        == parse(spec.StatusParams, {})
        == spec.StatusParams()
    )


def test_whole_numbers_of_a_token_stay_numbers():
    asked = parse(spec.AskParams, {"question": "q", "partialResultToken": 7.0, "workDoneToken": "7"})
    assert (asked.partial_result_token, asked.work_done_token) == (7, "7")


def test_a_sentence_stays_one_line_whatever_a_name_is():
    hit = to_json(EXAMPLES["memcache/search"].result.hits[0])
    for name, told in (("text", "text"), ("a\nb", "*"), ("x" * 50, "*")):
        with pytest.raises(InvalidParams) as refused:
            parse(parts.Hit, hit | {"signals": {name: "much"}})
        assert str(refused.value) == f"signals.{told} must be a number, not text."


def test_partial_results_are_told_apart_by_their_type():
    with pytest.raises(InvalidParams, match="^type must be one of"):
        shape_of(spec.AskPartial).read({"type": "else"}, "")
    with pytest.raises(InvalidParams, match="^percent is missing"):
        shape_of(spec.AskPartial).read({"type": "stage", "stage": "reading"}, "")
    for partial in EXAMPLES["memcache/ask"].partials:
        assert shape_of(spec.AskPartial).read(to_json(partial), "") == partial


def test_types_are_frozen_slotted_and_documented():
    for cls in every_type():
        assert cls.__doc__.endswith(".")
        assert "__slots__" in vars(cls)
        assert cls.__dataclass_params__.frozen
        for field in fields_of(cls):
            assert field.doc.endswith("."), (cls, field.name)


# The table


def test_the_table_of_methods():
    assert set(EXAMPLES) == set(BY_NAME)
    for method in METHODS:
        example = EXAMPLES[method.name]
        assert isinstance(example.params, method.params)
        assert method.name == f"memcache/{method.short}"
        assert method.doc.endswith(".")
        if method.kind == "request":
            assert BY_COMMAND[f"memcache.{method.short}"] is method
            assert isinstance(example.result, method.result)
            assert parse(method.result, to_json(example.result)) == example.result
        else:
            assert method.command is None
            assert example.result is None
        assert {type(partial) for partial in example.partials} <= set(method.partials)


def test_what_is_not_there_yet_says_so():
    error = not_yet(METHODS[0])
    assert error.rpc_code == -32803
    assert SENTENCE.fullmatch(str(error))
    assert METHODS[0].name in str(error)


def test_what_is_there_is_announced():
    assert server_capability()["version"] == spec.VERSION
    assert {"memcache/ask", "memcache/search", "memcache/status", "memcache/index"} <= set(
        server_capability()["methods"]
    )


def test_arguments_of_a_command():
    search = BY_COMMAND["memcache.search"]
    assert command_params(search, [{"query": "q"}]) == spec.SearchParams(query="q")
    assert command_params(BY_COMMAND["memcache.status"], None) == spec.StatusParams()
    assert command_params(BY_COMMAND["memcache.status"], []) == spec.StatusParams()
    for wrong in ([{"query": "q"}, 1], {"query": "q"}, "q", 3):
        with pytest.raises(InvalidParams, match=r"^The arguments of memcache\.search must be a list of one object\.$"):
            command_params(search, wrong)
    with pytest.raises(InvalidParams, match="^query is missing"):
        command_params(search, [])


@pytest.mark.parametrize(
    ("capabilities", "declared"),
    [
        ({"experimental": {"memcache": True}}, True),
        ({"experimental": {"memcache": {}}}, True),
        ({"experimental": {"memcache": []}}, True),
        ({"experimental": {"memcache": {"version": 1}}}, True),
        ({"experimental": {"memcache": False}}, False),
        ({"experimental": {"memcache": None}}, False),
        ({"experimental": {"other": True}}, False),
        ({"experimental": True}, False),
        ({}, False),
        (None, False),
        ([], False),
    ],
)
def test_who_declared_the_capability(capabilities, declared):
    assert declares_capability(capabilities) is declared


def test_codes_are_those_that_errors_carry():
    codes = {error.code for error in ERRORS}
    assert len(codes) == len(ERRORS)
    for name in ("MemcacheError", "UsageError", "Stopped"):
        assert getattr(errors, name).rpc_code in codes


def test_the_specification_loads_nothing_heavy():
    heavy = [
        "numpy",
        "lsprotocol",
        "pygls",
        "Stemmer",
        "asyncio",
        "memcache_lsp.answering",
        "memcache_lsp.protocol.wire",
    ]
    code = (
        "import sys; from memcache_lsp.protocol import codec, methods, parts, spec;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(("kind", "field"), [(spec.AskParams, "question"), (spec.SearchParams, "query")])
def test_a_question_may_be_a_long_log_and_no_library(kind, field):
    assert parse(kind, {field: "x" * 1_000_000})
    with pytest.raises(InvalidParams, match=f"^{field} is too long: it must be text of 1000000 characters at most.$"):
        parse(kind, {field: "x" * 1_000_001})
