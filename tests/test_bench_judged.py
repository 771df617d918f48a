"""The command that asks questions and prints what was judged of their answers."""

import contextlib
import json

import judged
import pytest

from memcache_lsp.generator import Finished

QUESTIONS = [
    {"id": "a-1", "repo": "a", "kind": "how", "question": "How?", "expect": "So.", "paths": ["a.py"]},
    {"id": "a-2", "repo": "a", "kind": "none", "question": "Moon?", "expect": "No.", "paths": []},
    {"id": "b-1", "repo": "b", "kind": "how", "question": "When?", "expect": "Now.", "paths": ["b.py"]},
]


def answer(question, text, *, finish="stop", unsupported=()):
    return {
        "question": question, "answer": text, "finish": finish, "citations": [], "sources": [], "read": 2,
        "unsupported": [list(each) for each in unsupported], "promptTokens": 700, "answerTokens": 9,
        "firstTextSeconds": 8.0, "seconds": 9.0,
    }  # fmt: skip


ANSWERS = {
    "a-1": answer("How?", "It is so [1]. It flies. It sings.", unsupported=[(14, 23)]),
    "a-2": answer("Moon?", "Nothing here answers.", finish="no_answer"),
    "b-1": answer("When?", "Now [1]."),
}


def key(each):
    return judged.digest(each["question"], ANSWERS[each["id"]]["answer"])


VERDICTS = {
    key(QUESTIONS[0]): {"id": "a-1", "verdict": "partly", "why": "It neither flies nor sings.", "untrue": [1, 2]},
    key(QUESTIONS[1]): {"id": "a-2", "verdict": "refused"},
    key(QUESTIONS[2]): {"id": "b-1", "verdict": "right"},
}


@pytest.fixture
def files(tmp_path):
    def write(questions=QUESTIONS, answers=ANSWERS, verdicts=VERDICTS):
        held = {"questions": questions, "answers": {"answers": answers}, "verdicts": verdicts}
        for name, value in held.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(value))
        return [part for name in held for part in (f"--{name}", str(tmp_path / f"{name}.json"))]

    return write


def test_the_table_counts_verdicts_sentences_and_marks(files, capsys):
    assert judged.main(["table", *files()]) == 0
    out = capsys.readouterr().out
    assert "| a | 2 | 0 | 1 | 0 | 1 | 0 |" in out
    assert "| none | 1 | 0 | 0 | 0 | 1 | 0 |" in out
    assert "| **all** | 3 | 1 | 1 | 0 | 1 | 0 |" in out
    assert "4 sentences shown, 2 with a citation, 2 not so" in out
    assert "1 marked as not borne out, of which 1 are not so" in out
    assert "0 refused of 2 questions that have an answer" in out
    assert "1 refused of 1 questions that have none" in out


CHANGED = {
    "another answer": ({**ANSWERS, "b-1": answer("When?", "Later [1].")}, QUESTIONS),
    "no answer yet": ({"a-1": ANSWERS["a-1"], "a-2": ANSWERS["a-2"]}, QUESTIONS),
    "another question": (ANSWERS, [*QUESTIONS[:2], {**QUESTIONS[2], "question": "When then?"}]),
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_changed_since_it_was_judged_is_not_judged(name, files, capsys):
    answers, questions = CHANGED[name]
    assert judged.main(["table", *files(answers=answers, questions=questions)]) == 1
    told = capsys.readouterr()
    assert "| b | 1 | 0 | 0 | 0 | 0 | 1 |" in told.out
    assert "Not judged: b-1." in told.err


def test_a_repository_alone(files, capsys):
    assert judged.main(["table", "--repo", "b", *files()]) == 0
    assert "| **all** | 1 | 1 | 0 | 0 | 0 | 0 |" in capsys.readouterr().out


def test_the_sheet_shows_what_is_not_judged(files, capsys):
    del (verdicts := dict(VERDICTS))[key(QUESTIONS[0])]
    assert judged.main(["sheet", *files(verdicts=verdicts)]) == 0
    out = capsys.readouterr().out
    assert "a-1" in out
    assert "b-1" not in out
    assert "  0 It is so [1]." in out
    assert "  1 ? It flies." in out


def test_it_goes_on_where_it_was(files, tmp_path, monkeypatch):
    """What has an answer to the very question is not asked again, and each answer is written as it comes."""
    asked = []

    class House:
        folder, environment = tmp_path / "home", {}

        def __init__(self, _model):
            (self.folder / "config").mkdir(parents=True, exist_ok=True)

        __enter__ = lambda self: self  # noqa: E731
        __exit__ = lambda *_: None  # noqa: E731
        start = lambda *_: None  # noqa: E731

    def run(_home, command, *arguments):
        if command == "index":
            return []
        asked.append(arguments[-1])
        if len(asked) == 2:
            raise KeyboardInterrupt
        result = {
            "type": "result", "answer": "Yes.", "finishReason": "stop", "citations": [], "unsupported": [],
            "evidence": {"read": 1, "found": 1}, "usage": {"promptTokens": 1, "answerTokens": 1},
            "timings": {"firstTextSeconds": 1.0},
        }  # fmt: skip
        return [{"type": "sources", "items": []}, result]

    monkeypatch.setattr(judged, "Home", House)
    monkeypatch.setattr(judged, "run", run)
    monkeypatch.setattr(judged.models, "locate", lambda *_, **__: tmp_path / "model.gguf")
    monkeypatch.setattr(judged.signal, "signal", lambda *_: None)
    for name in "ab":
        (tmp_path / name).mkdir()
    given = files(answers={"a-1": ANSWERS["a-1"], "a-2": answer("Sun?", "Old.")})[:4]
    with contextlib.suppress(KeyboardInterrupt):
        judged.main(["ask", "--corpora", str(tmp_path), *given])
    judged.main(["ask", "--corpora", str(tmp_path), *given])
    assert asked == ["Moon?", "When?", "When?"]
    kept = json.loads((tmp_path / "answers.json").read_text())["answers"]
    assert kept["a-1"] == ANSWERS["a-1"]
    assert {kept["a-2"]["answer"], kept["b-1"]["answer"]} == {"Yes."}


def test_the_questions_are_whole():
    questions = json.loads((judged._HERE / "judged.json").read_text())
    assert len({each["id"] for each in questions}) == len(questions) >= 60
    assert len({each["repo"] for each in questions}) >= 6
    assert all(each["question"] and each["expect"] for each in questions)
    assert all(not path.startswith("/") for each in questions for path in each["paths"])


def test_what_the_readme_tells_is_what_was_judged(capsys):
    assert judged.main(["table"]) == 0
    whole = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| **all**"))
    readme = (judged._HERE.parent / "README.md").read_text()
    assert f"{whole.removesuffix(' 0 |')}\n" in readme


class Model:
    """Say one sentence to everything, and count how often."""

    name, context_tokens, thought_tokens, notes = "fake", 4096, 0, ()
    said = "`RetryPolicy` doubles its delay with each attempt."

    def __init__(self):
        self.asked = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def count_tokens(self, text):
        return len(text) // 4

    def prompt_tokens(self, messages):
        return sum(len(message.text) // 4 for message in messages)

    known_tokens = prompt_tokens

    def generate(self, messages, *, max_tokens, stop):
        self.asked += 1
        yield self.said
        yield Finished("stop", 1, 0, 1, 0.1, 0.1)


def test_files_are_summed_up_and_the_model_is_asked_once(tmp_path, monkeypatch, capsys):
    (tmp_path / "corpora" / "a").mkdir(parents=True)
    code = "class RetryPolicy:\n    def delay(self, attempt):\n        # doubles with each attempt\n        return 2**attempt\n"
    (tmp_path / "corpora" / "a" / "retry.py").write_text(code + "\n# padding" * 60)
    model = Model()
    monkeypatch.setattr(judged, "load", lambda *_, **__: model)
    monkeypatch.setattr(judged.models, "locate", lambda *_, **__: tmp_path)
    arguments = [
        "files", "--repo", "a", "--corpora", str(tmp_path / "corpora"), "--kept", str(tmp_path / "kept.json")
    ]  # fmt: skip
    assert judged.main(arguments) == 0
    out = capsys.readouterr().out
    assert "summaries: 1 of 1 cite something; 1 of 1 sentences cite, 0 marked" in out
    assert model.asked == 2  # a summary and an explanation
    assert judged.main(arguments) == 0
    assert model.asked == 2
    monkeypatch.setattr(Model, "said", "It is so.")
    (tmp_path / "kept.json").unlink()
    assert judged.main(arguments) == 1
    assert "a/retry.py cites nothing" in capsys.readouterr().out
