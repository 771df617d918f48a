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
