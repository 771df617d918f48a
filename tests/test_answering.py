"""The stream of events: sources at once, then text and citations that hold, one result at the end."""

import itertools
import json
from dataclasses import replace

import pytest

from memcache_lsp import answering
from memcache_lsp.answering import answer, refusal, refused
from memcache_lsp.cli.printed import event_to_json
from memcache_lsp.errors import ModelError, Stopped
from memcache_lsp.events import NO_EVIDENCE, Citation, Delta, Result, Sources, Stage, Unsupported
from memcache_lsp.generation import BATCH_TOKENS, load
from memcache_lsp.generator import Finished, Reading, StopFlag, Thinking
from memcache_lsp.prompt import LEAST_TOKENS, SYSTEM
from memcache_lsp.values import Hit, Span

TEXTS = [
    "def send(message):\n    attempts = max_attempts\n    return deliver(message)\n",
    "class Session:\n    timeout = 30\n",
    "The guide tells how a message is sent.\n",
]
HITS = [
    Hit(f"src/file{n}.py", Span(0, len(text), 10, 9 + text.count("\n")), text, "function", "send", "python", (), 1 / n)
    for n, text in enumerate(TEXTS, start=1)
]


class FakeGenerator:
    """Says what it is told to say, and remembers what it was asked."""

    name = "fake"
    context_tokens = 2048

    def __init__(self, pieces=(), *, speed=1000.0, reason="stop", thought_tokens=0):
        self.pieces = pieces
        self.prompt_speed = speed
        self.reason = reason
        self.thought_tokens = thought_tokens
        self.asked = []

    def count_tokens(self, text):
        return len(text.split())

    def known_tokens(self, messages):
        return self.prompt_tokens(messages)

    def prompt_tokens(self, messages):
        return sum(self.count_tokens(message.text) for message in messages) + 8

    def generate(self, messages, *, max_tokens, stop):
        self.asked.append((messages, max_tokens))
        total = self.prompt_tokens(messages)
        for done in (total // 2, total):
            yield Reading(done, total)
        if max_tokens:
            for piece in self.pieces:
                if stop.is_set():
                    raise Stopped("Stopped.")
                yield piece
        yield Finished(self.reason, total, 3, len(self.pieces), 0.5, 0.25)

    def close(self):
        pass


def events_of(question="how is a message sent?", hits=HITS, generator=None, stop=None, **options):
    options.setdefault("found", len(hits))
    return list(answer(question, hits, generator=generator, stop=stop or StopFlag(), **options))


def only(events, kind):
    return [event for event in events if isinstance(event, kind)]


def test_sources_then_stages_then_text_then_one_result():
    generator = FakeGenerator(["It is ", "sent [", "1]", "."])
    events = events_of(generator=generator, found=40)
    assert events[0] == Sources(tuple(HITS))
    assert [event.percent for event in only(events, Stage)] == sorted(event.percent for event in only(events, Stage))
    assert events.index(only(events, Stage)[-1]) < events.index(only(events, Delta)[0])
    assert [(delta.seq, delta.text) for delta in only(events, Delta)] == [
        (0, "It is"),
        (1, " sent"),
        (2, " [1]"),  # whole, or not at all
        (3, "."),
    ]
    (result,) = only(events, Result)
    assert events[-1] is result
    assert result.answer == "It is sent [1]."
    assert result.finish_reason == "stop"
    assert (result.evidence_read, result.evidence_found) == (3, 40)
    assert (result.usage.reused_tokens, result.usage.answer_tokens) == (3, 4)


def test_sources_come_before_the_model_is_asked():
    generator = FakeGenerator(["Yes."])
    stream = answer("sent?", HITS, found=3, generator=generator, stop=StopFlag())
    assert isinstance(next(stream), Sources)
    assert generator.asked == []


def test_citations_are_lines_of_the_evidence_and_come_at_once():
    events = events_of(generator=FakeGenerator(["It makes max_attempts attempts [1]", ". See [2][9]."]))
    first = Citation(1, "src/file1.py", 11, 11, at=31)
    assert events[events.index(Delta(0, "It makes max_attempts attempts [1]")) + 1] == first
    assert only(events, Citation) == [first, Citation(2, "src/file2.py", 10, 11, at=40)]
    assert events[-1].citations == tuple(only(events, Citation))


def test_what_a_model_thinks_is_a_stage_and_no_answer():
    pieces = ["<thi", "nk>\nThe first [1] or", " the second.</think>", "\n\nIt is sent [2]."]
    events = events_of(generator=FakeGenerator(pieces, thought_tokens=256))
    assert [event.stage for event in only(events, Stage)].count("thinking") == 1
    assert events[-1].answer == "It is sent [2]." == "".join(delta.text for delta in only(events, Delta))
    assert [citation.n for citation in events[-1].citations] == [2]
    assert events[-1].told.said == "".join(pieces)


@pytest.mark.parametrize(
    ("pieces", "reason", "match"),
    [
        ([], "stop", "empty answer"),
        ([" ", "\n"], "stop", "empty answer"),
        (["<think>First,"], "length", "reasoned until its length was used up"),
        (["<think>First,</think>\n"], "stop", "reasoned and gave no answer"),
        ([Thinking(), Thinking()], "length", "reasoned until its length was used up"),
    ],
)
def test_an_answer_without_words_is_a_failure(pieces, reason, match):
    with pytest.raises(ModelError, match=match) as caught:
        events_of(generator=FakeGenerator(pieces, reason=reason, thought_tokens=256))
    assert str(caught.value).count(".") == 1


def test_a_model_that_does_not_think_may_speak_of_the_tags_of_thoughts():
    said = "<think> and </think> stand around a thought [1]."
    events = events_of(generator=FakeGenerator([said]))
    assert events[-1].answer == said
    assert "thinking" not in [event.stage for event in only(events, Stage)]


def test_thoughts_have_room_of_their_own_beside_the_answer():
    long = [replace(HITS[0], text=f"word{n} " * 60 + "\n", span=Span(0, 400, n, n), path=f"a{n}") for n in range(1, 40)]
    thinking = FakeGenerator(["It is."], thought_tokens=512, speed=1e6)
    plain = FakeGenerator(["It is."], speed=1e6)
    for generator in (thinking, plain):
        events_of(hits=long, generator=generator, max_tokens=256)
    sizes = [FakeGenerator().prompt_tokens(generator.asked[0][0]) for generator in (thinking, plain)]
    assert sizes[0] <= 2048 - 256 - 512 < sizes[1] <= 2048 - 256
    assert thinking.asked[0][1] == plain.asked[0][1] == 256


def test_the_number_of_a_citation_is_the_number_of_its_source():
    second = HITS[1]
    touching = [
        HITS[0],
        Hit(HITS[0].path, Span(len(TEXTS[0]), 99, 13, 13), "more()\n", "block", "", "python", (), 0.9),
        second,
    ]
    (citation,) = only(events_of(hits=touching, generator=FakeGenerator(["So [3]."])), Citation)
    assert citation.path == second.path


def test_an_answer_without_a_citation_gets_the_one_it_is_taken_from():
    events = events_of(generator=FakeGenerator(["A session has a timeout of 30."]))
    assert events[-1].answer == "A session has a timeout of 30. [2]"
    assert [citation.n for citation in events[-1].citations] == [2]


def test_an_invented_answer_gets_no_citation():
    events = events_of(generator=FakeGenerator(["Configure the broker and its credentials."]))
    assert events[-1].answer == "Configure the broker and its credentials."
    assert events[-1].citations == ()


def test_leading_space_and_empty_pieces_are_no_text():
    events = events_of(generator=FakeGenerator([" ", "", "\n", " Yes", " it is"]))
    assert [delta.text for delta in only(events, Delta)] == ["Yes", " it is"]


def test_a_mark_that_names_no_excerpt_is_not_shown():
    events = events_of(generator=FakeGenerator(["[9] It is", " sent [", "9", "9] by it [1, 8", "8]. [7]"]), found=40)
    assert events[-1].answer == "It is sent by it [1]."
    assert "".join(delta.text for delta in only(events, Delta)) == events[-1].answer
    assert {citation.n for citation in events[-1].citations} == {1}
    assert events[-1].told.said == "[9] It is sent [99] by it [1, 88]. [7]"  # as the model's prefix cache has it


def test_a_cut_answer_says_so():
    assert events_of(generator=FakeGenerator(["Yes"], reason="length"))[-1].finish_reason == "length"


def test_no_evidence_means_no_answer_and_the_model_is_not_asked():
    generator = FakeGenerator(["Invented [1]."])
    events = events_of(generator=generator, hits=[])
    assert [type(event) for event in events] == [Sources, Result]
    assert events[-1].finish_reason == "no_answer"
    assert events[-1].answer
    assert generator.asked == []


def test_without_a_model_the_extract_answers():
    events = events_of("what is the timeout of a session?")
    result = events[-1]
    assert events[0] == Sources(tuple(HITS))
    assert result.finish_reason == "extract"
    assert result.answer == "".join(delta.text for delta in only(events, Delta))
    assert "timeout = 30" in result.answer
    assert "[2]" in result.answer
    for citation in result.citations:
        source = HITS[citation.n - 1]
        assert citation.path == source.path
        assert source.span.start_line <= citation.start_line <= citation.end_line <= source.span.end_line


def test_a_stop_ends_the_extract():
    stop = StopFlag()
    stream = answer("sent?", HITS, found=3, generator=None, stop=stop)
    next(stream)
    stop.set()
    with pytest.raises(Stopped):
        list(stream)


def test_a_stop_ends_the_model():
    stop = StopFlag()
    stream = answer("sent?", HITS, found=3, generator=FakeGenerator(["a", "b", "c"]), stop=stop)
    assert next(event for event in stream if isinstance(event, Delta))
    stop.set()
    with pytest.raises(Stopped):
        list(stream)


def test_an_unmeasured_model_first_reads_what_every_prompt_begins_with():
    generator = FakeGenerator(["Yes"], speed=None)
    events_of(generator=generator)
    (first, asked_for), (second, _) = generator.asked
    assert asked_for == 0
    assert first[0].text == second[0].text == SYSTEM


def test_a_slow_machine_reads_less_and_a_fast_one_no_more_than_the_context_holds():
    long = ["".join(f"word {n} of many\n" for n in range(600))] * 3
    hits = [
        Hit(f"{n}.py", Span(0, len(text), 1, 600), text, "function", "f", "python", (), 1.0)
        for n, text in enumerate(long)
    ]
    read = {}
    for speed in (1.0, 120.0, 1e6):
        generator = FakeGenerator(["Yes"], speed=speed)
        events_of(hits=hits, generator=generator)
        ((messages, max_tokens),) = generator.asked
        read[speed] = generator.prompt_tokens(messages)
        assert read[speed] + max_tokens <= generator.context_tokens
    assert 0 < read[1.0] <= 512 < read[120.0] <= 960 < read[1e6]


@pytest.mark.parametrize("context", [512, 1024, 4096, 32_768, 131_072])
@pytest.mark.parametrize("speed", [5.0, 60.0, 1e5])
def test_any_context_at_any_speed_is_kept_to(context, speed):
    texts = ["".join(f"word {n} of many in file {at}\n" for n in range(800)) for at in range(12)]
    hits = [
        Hit(f"{at}.py", Span(0, len(text), 1, 800), text, "function", "f", "python", (), 1.0)
        for at, text in enumerate(texts)
    ]
    generator = FakeGenerator(["Yes"], speed=speed)
    generator.context_tokens = context
    result = events_of(hits=hits, generator=generator)[-1]
    ((messages, max_tokens),) = generator.asked
    read = generator.prompt_tokens(messages)
    assert read + max_tokens <= context
    assert read <= max(LEAST_TOKENS, 8 * speed)
    assert 0 < result.evidence_read <= 12
    if speed == 1e5:
        assert read > 0.6 * min(context - max_tokens, 12 * 800 * 7)


def test_what_is_not_borne_out_is_told_in_the_stream_and_in_the_result():
    said = ["It makes max_attempts attempts [1]. ", "It asks the kafka_broker", " [1]. A session has a timeout [2]."]
    events = events_of(generator=FakeGenerator(said))
    (told,) = only(events, Unsupported)
    assert events[-1].answer[told.start : told.end] == "It asks the kafka_broker [1]."
    assert events.index(told) < len(events) - 1
    assert events[-1].unsupported == (told,)


def test_a_refusal_asks_no_model_and_says_what_is_not_indexed():
    why = refusal(misses=True, skipped=3, failed=1, going_on=(40, 212))
    events = list(refused([*HITS, *HITS], found=40, why=why))
    assert [type(event) for event in events] == [Sources, Delta, Result]
    assert len(events[0].items) == 5
    assert events[-1].finish_reason == "no_answer"
    assert events[-1].answer == events[1].text == why
    assert "3 left out by rule and 1 that failed" in why
    assert "40 of 212" in why
    assert refusal(misses=False, skipped=0, failed=0, going_on=None) == NO_EVIDENCE


def test_json_has_the_documented_shape():
    events = [event_to_json(event) for event in events_of(generator=FakeGenerator(["It makes max_attempts [1]."]))]
    json.dumps(events)
    assert events[0]["items"][0] == {
        "path": "src/file1.py",
        "startLine": 10,
        "endLine": 12,
        "score": 1.0,
        "symbol": "send",
        "kind": "function",
        "language": "python",
        "breadcrumb": [],
        "snippet": TEXTS[0].rstrip("\n"),
    }
    assert [event["type"] for event, _ in itertools.groupby(events, key=lambda event: event)][-1] == "result"
    place = {"n": 1, "path": "src/file1.py", "startLine": 11, "endLine": 11, "status": "fresh", "at": 22}
    assert {"type": "citation", **place} in events
    assert {"type": "delta", "seq": 0, "text": "It makes max_attempts [1]."} in events
    assert {"type": "stage", "stage": "reading", "percent": 100} in events
    result = events[-1]
    assert result["citations"] == [place]
    assert result["finishReason"] == "stop"
    assert result["evidence"] == {"read": 3, "found": 3}
    assert set(result["usage"]) == {"promptTokens", "reusedTokens", "answerTokens"}
    assert set(result["timings"]) == {"firstTextSeconds", "totalSeconds"}


def test_timings_are_those_of_the_clock():
    ticks = itertools.count()
    result = events_of(generator=FakeGenerator(["a", "b"]), clock=lambda: float(next(ticks)))[-1]
    assert (result.timings.first_text_s, result.timings.total_s) == (1.0, 2.0)


def test_with_a_real_model(smollm2):
    with load(smollm2, context_tokens=1024) as model:
        events = events_of(generator=model)
        again = events_of(generator=model)
    assert events[-1].answer == "".join(delta.text for delta in only(events, Delta))
    assert events[-1].finish_reason in {"stop", "length"}
    assert events[-1].usage.prompt_tokens <= 1024 - answering.ANSWER_TOKENS
    assert again[-1].usage.reused_tokens >= again[-1].usage.prompt_tokens - BATCH_TOKENS
    by_number = dict(enumerate(HITS, start=1))
    for citation in events[-1].citations:
        assert citation.path == by_number[citation.n].path
