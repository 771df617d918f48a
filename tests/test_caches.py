"""The registry of named caches: names, places, what is away, what is to be forgotten, and who writes it when."""

import json
import multiprocessing
import os
import signal
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from memcache_lsp import caches
from memcache_lsp.caches import Cache, Ground, Place, Registered, Registry, checked_name, seen
from memcache_lsp.cli import make_parser
from memcache_lsp.errors import UserError


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def folders(tmp_path):
    made = {name: tmp_path / name for name in ("papers", "notes", "papers/old")}
    for folder in made.values():
        folder.mkdir()
    (tmp_path / "notes" / "one.md").write_text("# One\n")
    (tmp_path / "notes" / "two.md").write_text("# Two\n")
    return made


@pytest.mark.parametrize("name", ["papers", "RFC 9110", "c-- notes", "Größen", "論文", "a.b_c-d"])
def test_names_that_are_taken(name):
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", ".hidden", "a/b", "a\0b", "a\nb", "-x", "x" * 65, "workspace", "Workspace", "*", "\u202ea"],
)
def test_names_that_are_refused_in_one_sentence(name):
    with pytest.raises(UserError, match=r"^[^\n]+[.]$"):
        checked_name(name)


def test_what_is_added_is_there_for_another_process(registry, folders):
    cache = registry.add("papers", [folders["papers"], folders["notes"] / "one.md"])
    assert Registry().read().caches == (cache,)
    assert cache.grounds == (Ground(folders["papers"]), Ground(folders["notes"], "papers"))
    assert cache.files_in(folders["notes"]) == {"one.md"}
    assert stat.S_IMODE(registry.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(registry.path.parent.stat().st_mode) == 0o700
    assert {each.name for each in registry.path.parent.iterdir()} == {registry.path.name, "lock"}


def test_a_folder_within_another_one_is_indexed_once(registry, folders):
    registry.add("papers", [folders["papers/old"]])
    cache = registry.add("papers", [folders["papers"]])
    assert [place.path for place in cache.places] == [folders["papers"]]
    assert registry.read().leaving == (Ground(folders["papers/old"]),)


def test_names_alike_are_refused(registry, folders):
    registry.add("papers", [folders["papers"]])
    with pytest.raises(UserError, match="differs in its letters' case"):
        registry.add("Papers", [folders["notes"]])


def test_a_link_is_followed_to_what_it_names(registry, folders, tmp_path):
    (tmp_path / "link").symlink_to(folders["papers"])
    assert [place.path for place in registry.add("p", [tmp_path / "link"]).places] == [folders["papers"]]


def test_absurd_places_are_refused_in_one_sentence(registry, folders, tmp_path, monkeypatch, home):
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    (tmp_path / "me").mkdir()
    (home / "data").mkdir(parents=True, exist_ok=True)
    os.mkfifo(tmp_path / "pipe")
    for path, why in (
        ("/", "everything that you have"),
        (tmp_path / "me", "everything that you have"),
        (tmp_path, "everything that you have"),
        ("/proc/self", "made by the system"),
        ("/run", "made by the system"),
        (home / "data", "memcache-lsp's own"),
        (tmp_path / "pipe", "neither a folder nor a file"),
        (tmp_path / "nothing", "no folder or file"),
        ("a\0b", "cannot be opened"),
    ):
        with pytest.raises(UserError, match=why) as error:
            registry.add("x", [Path(path)])
        assert "\n" not in str(error.value)
    assert registry.read() == Registered()


def test_a_reading_folder_is_a_folder(registry, folders):
    with pytest.raises(UserError, match="reading folder is a folder"):
        registry.add("r", [folders["notes"] / "one.md"], reading=True)


def test_what_is_removed_is_to_be_forgotten_until_it_is(registry, folders):
    registry.add("papers", [folders["papers"], folders["notes"]])
    registry.add("notes", [folders["notes"]])
    assert registry.remove("papers") == (Ground(folders["papers"]),)  # the other one belongs to a cache still
    assert Registry().read().leaving == (Ground(folders["papers"]),)
    registry.forgotten(Ground(folders["notes"]))  # which was not to be
    assert [cache.name for cache in Registry().read().caches] == ["notes"]
    assert Registry().read().leaving == (Ground(folders["papers"]),)
    registry.forgotten(Ground(folders["papers"]))
    assert Registry().read().leaving == ()
    with pytest.raises(UserError, match="There is no cache 'papers': there are notes"):
        registry.remove("papers")


def test_a_place_is_removed_also_when_it_is_gone(registry, folders):
    registry.add("papers", [folders["papers"], folders["notes"]])
    (folders["papers"] / "old").rmdir()
    folders["papers"].rmdir()
    assert registry.remove("papers", [folders["papers"]]) == (Ground(folders["papers"]),)
    assert [place.path for place in registry.read().named("papers").places] == [folders["notes"]]
    with pytest.raises(UserError, match="no place of the cache"):
        registry.remove("papers", [folders["papers"]])


def test_what_comes_back_is_not_forgotten_after_all(registry, folders):
    registry.add("papers", [folders["papers"]])
    registry.remove("papers")
    registry.add("again", [folders["papers"]])
    assert registry.read().leaving == ()


def test_a_list_that_cannot_be_read_is_one_sentence_and_is_not_overwritten(registry, folders):
    registry.add("papers", [folders["papers"]])
    assert registry.read().caches
    places = (
        '{"caches": [{"name": "a", "reading": false, "places": [{"path": "/a", "folder": true, "device": Infinity}]}]}'
    )
    for text in ("{", "[]", '{"caches": 3}', '{"caches": [{}], "leaving": []}', "[" * 100_000, places):
        registry.path.write_text(text)
        known = registry.read()
        assert [cache.name for cache in known.caches] == ["papers"]  # whoever works with it goes on
        assert "mend or delete that file" in known.problem
        assert "mend or delete that file" in Registry().read().problem
        with pytest.raises(UserError, match="mend or delete that file"):
            Registry().add("notes", [folders["notes"]])
        assert registry.path.read_text() == text
    registry.path.unlink()
    assert registry.read() == Registered()


def test_a_folder_that_is_gone_is_away_since_it_was_missed_first(tmp_path):
    place = Place(tmp_path / "disk", True)
    missed = seen(place, now=100.0)
    assert missed.away_since == 100.0
    assert seen(missed, now=200.0).away_since == 100.0
    (tmp_path / "disk").mkdir()
    back = seen(missed)
    assert (back.away_since, back.device) == (None, tmp_path.stat().st_dev)


def test_an_empty_folder_on_another_device_is_a_disk_that_was_unmounted(tmp_path):
    place = seen(Place(tmp_path, True))
    assert seen(place).away_since is None  # empty, but it was so on this device
    elsewhere = replace(place, device=place.device + 1)
    assert seen(elsewhere, now=7.0).away_since == 7.0
    (tmp_path / "a.md").write_text("# A\n")
    assert seen(elsewhere).away_since is None  # a disk that has another number today
    assert seen(elsewhere).device == place.device


def test_how_places_were_found_is_noted(registry, folders):
    cache = registry.add("papers", [folders["papers"]])
    registry.note([replace(cache.places[0], away_since=5.0)])
    assert Registry().read().named("papers").places[0].away_since == 5.0


def _add(home, number, folder):
    os.environ["MEMCACHE_HOME"] = home
    Registry().add(f"cache {number}", [Path(folder)])


def test_many_processes_add_at_once(registry, folders, home):
    context = multiprocessing.get_context("spawn")
    some = [context.Process(target=_add, args=(str(home), n, str(folders["papers"]))) for n in range(4)]
    for each in some:
        each.start()
    for each in some:
        each.join()
    assert [cache.name for cache in registry.read().caches] == [f"cache {n}" for n in range(4)]


def _add_and_die(home, folder, name):
    """Be killed just before a step of the write."""
    os.environ["MEMCACHE_HOME"] = home
    owner, step = {"fsync": (os, "fsync"), "replace": (Path, "replace"), "dumps": (json, "dumps")}[name]
    setattr(owner, step, lambda *_args, **_options: os.kill(os.getpid(), signal.SIGKILL))
    Registry().add("second", [Path(folder)])


@pytest.mark.parametrize("step", ["dumps", "fsync", "replace"])
def test_a_kill_in_the_midst_of_adding_leaves_all_as_it_was(registry, folders, home, step):
    before = registry.add("papers", [folders["papers"]])
    killed = multiprocessing.get_context("spawn").Process(
        target=_add_and_die, args=(str(home), str(folders["notes"]), step)
    )
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert Registry().read().caches == (before,)
    registry.add("second", [folders["notes"]])  # the lock went with its holder
    assert len(registry.read().caches) == 2


def test_room_is_limited(registry, folders, tmp_path, monkeypatch):
    monkeypatch.setattr(caches, "MOST_CACHES", 1)
    monkeypatch.setattr(caches, "MOST_FILES", 1)
    registry.add("papers", [folders["papers"]])
    with pytest.raises(UserError, match="1 caches already"):
        registry.add("notes", [folders["notes"]])
    with pytest.raises(UserError, match="takes 1 single files"):
        registry.add("papers", [folders["notes"] / "one.md", folders["notes"] / "two.md"])
    assert Cache("papers", ()).grounds == ()


@pytest.mark.parametrize("words", ["add r --reading /x", "add --reading r /x", "add r /x --reading"])
def test_options_of_a_cache_stand_anywhere(words):
    parsed = make_parser("caches").parse_args(["caches", *words.split()])
    assert (parsed.name, parsed.paths, parsed.reading) == ("r", ["/x"], True)


def test_a_path_may_look_like_an_option():
    assert make_parser("caches").parse_args(["caches", "add", "r", "--", "-x"]).paths == ["-x"]
