"""The Neovim client: a real Neovim, headless, drives the real server."""

import neovims
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
