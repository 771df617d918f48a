"""The background refinement: cards that follow the files, made while nobody waits, and searches that never wait for them."""

import asyncio
import contextlib
import importlib.util
import os
import signal
from pathlib import Path

import indexes
import numpy as np
import pytest
from lsp import run
from ranking import row
from test_embedding import tiny_transformer

from memcache_lsp import refining
from memcache_lsp.caches import Ground
from memcache_lsp.cards import card_text
from memcache_lsp.cli import run as cli
from memcache_lsp.config import UserSettings, load_project_settings
from memcache_lsp.errors import Stopped
from memcache_lsp.hub import Hub
from memcache_lsp.programs import command_for
from memcache_lsp.protocol.spec import IndexParams, SearchParams, StatusParams
from memcache_lsp.ranking import Cards
from memcache_lsp.ranking.cards import card_values
from memcache_lsp.scopes import Scope
from memcache_lsp.session.backend import SessionInfo
from memcache_lsp.session.settings import SessionSettings, parse_settings, unknown_settings
from memcache_lsp.workers import pace
from memcache_lsp.workers.refine import Refiner

TESTS = Path(__file__).parent
STEADY = command_for("memcache_lsp.workers.refine_child", "refine_standins:steady")
HAS_EXTRA = importlib.util.find_spec("sentence_transformers") is not None
QUESTION = "delay of a webhook"


@pytest.fixture
def model(tmp_path, monkeypatch):
    """Return the folder of a model for the stand-in, which needs no rests."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    monkeypatch.setattr(refining, "QUIET_S", 0.0)
    monkeypatch.setattr(pace, "_LONGEST_REST_S", 0.0)
    monkeypatch.setattr(refining, "_AGAIN_S", 0.0)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "id").write_text("one")
    return folder


class Engine:
    """A hub with one session in one root."""

    def __init__(self, root, name, *, command=STEADY, idle_s=60.0):
        self.root = root.resolve()
        self.refiner = Refiner(command=command)
        user = UserSettings(refine=str(name))
        self.hub = Hub(
            user=lambda: user,
            setup=lambda root: indexes.setup(root, refine=str(name)),
            mode="daemon",
            refiner=self.refiner,
            idle_s=idle_s,
        )

    @property
    def keeper(self):
        return self.hub._holding.keepers[Ground(self.root)]

    async def status(self):
        return (await self.hub.status(1, StatusParams())).roots[0]

    async def until(self, true):
        async with asyncio.timeout(240):
            while not true(status := await self.status()):
                await asyncio.sleep(0.01)
        return status

    async def refined(self):
        return await self.until(lambda root: root.refinement and 0 < root.refinement.total == root.refinement.done)

    async def signals(self, question=QUESTION):
        """Return which files the card brought forward."""
        hits = await self.keeper.search(question, scope=Scope(), limit=50)
        return {hit.path: dict(hit.signals).get("card", 0.0) for hit in hits}

    async def until_asked(self):
        """Search until the question's vector is in time: the model may have to be loaded again."""
        async with asyncio.timeout(240):
            while not any((found := await self.signals()).values()):
                await asyncio.sleep(0.01)
        return found


@contextlib.asynccontextmanager
async def engine(root, name, **options):
    one = Engine(root, name, **options)
    try:
        await one.hub.open_session(SessionInfo(1, "a test", (one.root,), SessionSettings()))
        yield one
    finally:
        await one.hub.close()


def texts(model):
    """Return of which files the model has made cards, by the first lines of their texts."""
    log = model / "texts"
    return [line.partition(" ")[2] for line in log.read_text("utf-8").splitlines()] if log.exists() else []


# The text of a card


def payload(text, symbol="", breadcrumb=(), kind="function"):
    return {"kind": kind, "symbol": symbol, "breadcrumb": list(breadcrumb), "text": text}


def test_a_card_of_a_file_without_a_name_before_its_dot():
    assert card_text(".gitignore", []) == "gitignore"
    assert card_text("src/.config.d/x.y.c", []) == "src config d x y"


def test_a_card_tells_path_names_and_first_comment():
    chunks = [
        payload(
            "# Copyright of somebody, under a licence\n\n# Wait longer after\n# every failure.\nimport x\n", "Retry"
        ),
        payload("def next_delay(): ...", "Retry.next_delay", ["Retry"]),
        payload("", kind="file"),
    ]
    assert card_text("src/http/RetryPolicy.py", chunks).splitlines() == [
        "src http retry policy",
        "Wait longer after every failure.",
        "retry, next delay",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '"""Own what waits for a parcel,\nand for how long."""\nx = 1',
            "Own what waits for a parcel, and for how long.",
        ),
        ("#include <stdio.h>\n// Reads frames from a socket.\nint x;", "Reads frames from a socket."),
        ("/*\n * Reads frames from a socket.\n */\nint x;", "Reads frames from a socket."),
        ("#!/bin/sh\n# Rotates the keys of all depots.\nset -e", "Rotates the keys of all depots."),
        ("x = 1", ""),
        ('"""', ""),
    ],
)
def test_the_first_comment(text, said):
    assert card_text("x", [payload(text)]).splitlines() == ["x", *filter(None, [said])]


# The cards of an index


def fill(project, model="m"):
    """Make the cards that are missing; return of which files."""
    project.cards.open(model)
    drafts = project.cards.drafts(project.cards.missing())
    project.cards.put(drafts, np.ones((len(drafts), 3), dtype=np.float32))
    return {draft.row.path for draft in drafts}


def test_cards_follow_their_files(example):
    with indexes.opened(example) as project, indexes.short_grain():
        project.update()
        every = fill(project)
        assert "courier/retry.py" in every
        (example / "courier/retry.py").write_text("def retry(): ...\n")
        (example / "courier/queue.py").unlink()
        project.update()
        assert fill(project) == {"courier/retry.py"}
        assert project.cards.counts() == (len(every) - 1, len(every) - 1)
    with indexes.opened(example) as project:
        assert fill(project) == set()
        assert fill(project, "another") == every - {"courier/queue.py"}
        assert project._manifest.count_cards() == (len(every) - 1, len(every) - 1)


def test_a_card_of_what_a_file_was_is_not_kept(example):
    with indexes.opened(example) as project, indexes.short_grain():
        project.update()
        project.cards.open("m")
        drafts = project.cards.drafts(project.cards.missing())
        (example / "courier/retry.py").write_text("def retry(): ...\n")
        project.update()
        project.cards.put(drafts, np.ones((len(drafts), 3), dtype=np.float32))
        assert [row.path for row in project.cards.missing()] == ["courier/retry.py"]
    with pytest.raises(Stopped):
        project.cards.missing()


# The signal


def test_the_nearest_card_comes_first():
    near, far, new = (row(f"src/{name}.py") for name in "abc")
    vectors = {near: np.array([100, 50], dtype=np.int8), far: np.array([0, 127], dtype=np.int8)}
    question = np.array([1.0, 0.0], dtype=np.float32)
    values = card_values([far, near, new], Cards(question, vectors))
    assert values.tolist() == pytest.approx([0.0, 1.0, 0.5])  # a file without a card is taken for average
    assert not card_values([far, near, new], None).any()
    assert not card_values([near, new, row("src/d.py")], Cards(question, vectors)).any()  # too few have one


# The daemon's part


@run
async def refine_follow_and_rank(root, model):
    async with engine(root, model) as one:
        status = await one.refined()
        assert status.refinement.model == str(model)
        assert status.refinement.message is None
        found = await one.until_asked()
        assert max(found, key=found.get) == "courier/webhooks.py"
        before = len(texts(model))
        worker = next(w for w in (await one.hub.status(1, StatusParams())).workers if w.name == "refine")
        assert worker.pid == one.refiner.pid
        (root / "web/brand_new.js").write_text("export function fresh() {}\n")
        await one.hub.index(1, IndexParams(action="start"))
        await one.until(lambda root: root.refinement.done > status.refinement.done)
        assert before == status.refinement.total
        assert texts(model)[before:] == ["web brand new"]  # of the others each has its card


def test_cards_are_made_and_change_the_order(example, model):
    refine_follow_and_rank(example, model)
    if hasattr(os, "nice"):
        assert {line.split()[0] for line in (model / "texts").read_text().splitlines()} == {"19"}


def test_a_search_never_waits_for_the_model(example, model):
    @run
    async def talk():
        async with engine(example, model) as one:
            await one.refined()
            await one.until_asked()
            (model / "stuck").touch()
            async with asyncio.timeout(60):  # the model would take for ever
                assert not any((await one.signals("another question, of status")).values())
                assert (model / "was stuck").exists() or one.refiner.busy
                for number in range(20):
                    assert not any((await one.signals(f"question {number}")).values())
                result = await one.hub.search(1, SearchParams(query="status", limit=3))
                assert result.hits
            assert any((await one.signals()).values())  # its vector was remembered

    talk()


def test_roots_that_are_searched_at_once_share_a_vector(example, model):
    @run
    async def talk():
        async with engine(example, model) as one:
            await one.refined()
            await one.until_asked()
            asked = [one.refiner.ask(str(model), "status", budget_s=60.0) for _ in range(3)]
            first, *others = await asyncio.gather(*asked)
            assert first is not None
            assert all(other is first for other in others)

    talk()


def test_a_slow_model_is_asked_and_not_waited_for(example, model):
    @run
    async def talk():
        async with engine(example, model) as one:
            await one.refined()
            await one.until_asked()
            one.refiner._took_s = 10.0
            assert await one.refiner.ask(str(model), "webhook", budget_s=5.0) is None
            async with asyncio.timeout(60):
                while await one.refiner.ask(str(model), "webhook") is None:
                    await asyncio.sleep(0.001)

    talk()


def test_off_by_default(example, model):
    @run
    async def talk():
        async with engine(example, "") as one:
            await one.until(lambda root: root.state == "ready" and one.keeper.quiescent)
            assert (await one.status()).refinement is None
            assert not any((await one.signals()).values())
            assert one.refiner.pid is None

    talk()


def test_what_is_missing_is_said_and_disturbs_no_search(example, model):
    @run
    async def talk():
        async with engine(example, "missing") as one:
            status = await one.until(lambda root: root.refinement and root.refinement.message)
            assert "needs sentence-transformers; install it" in status.refinement.message
            assert status.state == "ready"
            assert (await one.hub.status(1, StatusParams())).health == "ok"
            assert (await one.hub.search(1, SearchParams(query="status", limit=3))).hits
            assert one.refiner.pid is None

    talk()


def test_a_process_that_ends_is_started_again(example, model):
    @run
    async def talk():
        (model / "fatal").touch()
        async with engine(example, model) as one:
            await one.refined()
            os.kill(one.refiner.pid, signal.SIGKILL)
            await one.until_asked()

    talk()


def test_it_holds_back_for_an_answer_and_a_pause(example, model):
    @run
    async def talk():
        async with engine(example, model) as one:
            one.keeper.refining.hold("an answer")  # alone, for the index worker would wait as well
            status = await one.until(lambda root: root.refinement and root.refinement.message)
            assert status.refinement.message == "It waits until an answer is written."
            assert not texts(model)
            one.keeper.release("an answer")
            await one.refined()
            one.keeper.hold("another")
            assert one.keeper.refining._holds == {"another"}
            await one.hub.index(1, IndexParams(action="pause"))
            assert one.keeper.refining._task is None

    talk()


def test_the_process_leaves_when_idle_and_with_the_engine(example, model):
    @run
    async def talk():
        async with engine(example, model) as one:
            await one.refined()
            one.refiner._idle_s = 0.0
            one.refiner._rest()
            async with asyncio.timeout(60):
                while one.refiner.pid is not None:
                    await asyncio.sleep(0.01)
            one.refiner._idle_s = 300.0
            await one.until_asked()  # a question brings it back
            pid = one.refiner.pid
        assert not Path(f"/proc/{pid}").exists()

    talk()


def test_an_index_that_was_closed_when_idle_is_refined_again(example, model):
    @run
    async def talk():
        async with engine(example, model, idle_s=0.1) as one:
            await one.refined()  # which keeps it open
            made = len(texts(model))
            async with asyncio.timeout(60):
                while one.keeper._index.project is not None:
                    await asyncio.sleep(0.01)
            await one.until_asked()
            assert len(texts(model)) == made

    talk()


def test_only_the_user_names_the_model(tmp_path):
    (tmp_path / "memcache.toml").write_text('refine = "evil"\n')
    _, problems = load_project_settings(tmp_path)
    assert "'refine' is no setting here" in problems[0]
    assert parse_settings({"refine": "evil"}) == (SessionSettings(), ())
    assert "user's own config.toml" in unknown_settings({"refine": "evil"})[0]


def test_status_tells_of_it(example, home, capsys):
    (home / "config").mkdir()
    (home / "config" / "config.toml").write_text('refine = "some-model"\n')
    with indexes.opened(example) as project:
        project.update()
        done = len(fill(project))
    assert cli(["status", "--root", str(example)]) == 0
    assert f"refined       {done} of {done} files by some-model" in capsys.readouterr().out


if HAS_EXTRA:

    def test_a_real_model(example, tmp_path, model):
        folder = tiny_transformer(tmp_path / "tiny")

        @run
        async def talk():
            async with engine(example, folder, command=None) as one:
                await one.refined()
                await one.until_asked()

        talk()
