"""The Neovim client: a real Neovim, headless, drives the real server."""

import neovims
import papers
import pytest


@pytest.fixture
def run(short_home, example, tmp_path):
    """Return what runs a script in a project that is indexed."""
    neovims.index(example)
    folder = tmp_path / "nvim"
    folder.mkdir()

    def run_script(script, **options):
        return neovims.run(script, cwd=example, folder=folder, **options)

    return run_script


def test_ask_follow_up_and_go_to_the_sources(run):
    run("ask.lua")


def test_an_answer_streams_and_stops(run, short_home, smollm2):
    neovims.configure(short_home, smollm2)
    run("stop.lua")


def test_places_follow_edits(run):
    run("edited.lua")


def test_live_search_lists_and_ranges(run):
    run("live.lua")


def test_a_daemon_and_a_server_that_die_are_replaced(run, short_home, smollm2):
    neovims.configure(short_home, smollm2)
    run("death.lua")


def test_commands_completion_health_help_and_another_server(run):
    run("command.lua")


def test_all_of_the_protocol(run):
    run("standin.lua")


def test_the_adapters_of_pickers(run):
    run("pickers.lua")


@pytest.fixture
def disk(tmp_path):
    """Return a folder with documents beside the project."""
    folder = tmp_path / "disk"
    delays = [f"The delay after failure {n} is twice the delay before it, up to a limit." for n in range(40)]
    ends = [f"After five failures the parcel is given up, and its line in ledger {n} is closed." for n in range(40)]
    for name, data in {
        "my papers/walrus.md": b"# The walrus\n\nThe walrus dives for molluscs.\n",
        "my papers/manual.pdf": papers.pdf(delays, ends),
        "my papers/notes.ipynb": papers.notebook(("markdown", "# Numbers"), ("code", "walrus_dives = 7 * 12\n")),
        "my papers/okapi.7.gz": papers.packed(".TH okapi 7\n.SH NAME\nokapi \\- browses leaves at dusk\n"),
        "my papers/torn.docx": b"PK no archive",
        "other/zebu.md": b"# The zebu\n\nA zebu has a hump.\n",
        "pages/old.md": b"# Old\n\nIt was there.\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_caches_scope_pages_and_news_of_reading(run, disk):
    run("caches.lua", variables={"TEST_DISK": str(disk)})
