"""The README's commands do what they say, its settings are settings, its links lead somewhere."""

import dataclasses
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from told import sentences

from memcache_lsp.cli import make_parser
from memcache_lsp.config import ProjectSettings, UserSettings
from memcache_lsp.session.settings import SessionSettings, parse_settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^\$ memcache-lsp (.+)$", README, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_is_understood(command):
    make_parser().parse_args(shlex.split(command))


def run(command, root):
    """Run a command of the README in a project, where a user would."""
    arguments = [sys.executable, "-m", "memcache_lsp", *shlex.split(command)]
    done = subprocess.run(arguments, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert done.returncode in {0, 3}, f"{command}: {done.stderr}{done.stdout}"
    assert "Traceback" not in done.stderr
    return done


def needs_nothing(command):
    """Tell whether a command needs no network, no model, no editor and no project but the current folder's."""
    return "--root" not in command and command.split()[0] not in {"serve", "stop"} and "models pull" not in command


def test_the_commands_of_the_readme_work(example):
    (example / ".git").mkdir()  # where a project begins
    commands = sorted(filter(needs_nothing, COMMANDS), key=lambda command: "--drop" in command or " remove" in command)
    commands.sort(key=lambda command: "caches add" not in command)
    assert len(commands) > 5
    for command in commands:
        done = run(command, example)
        assert done.stdout or done.returncode == 3, command
        assert len(sentences(done.stderr)) <= 2, done.stderr


def test_the_session_of_the_readme_has_the_form_of_a_real_one(example):
    shown = re.search(r"^\$ memcache-lsp index .*\n(.+)$", README, re.MULTILINE)[1]
    assert re.sub(r"[\d.]+", "0", run("index", example).stdout.strip()) == re.sub(r"[\d.]+", "0", shown)
    shown = re.search(r"^\$ memcache-lsp ask (?:.*\n)+?```", README, re.MULTILINE)[0]
    real = run("ask --no-model what happens to a parcel that fails too often", example).stdout
    for text in (shown, real):
        assert re.search(r"^Sources\n(  \[\d+\] \S+:\d+-\d+( .*)?\n)+", text, re.MULTILINE), text
        assert re.search(r"^Cited\n(  \[\d+\] \S+:\d+-\d+( .*)?\n)+", text, re.MULTILINE), text


def test_the_readme_shows_every_command():
    shown = {command.split()[0] for command in COMMANDS}
    actions = next(a for a in make_parser()._actions if a.dest == "command")
    assert shown == set(actions.choices)


def test_every_setting_is_told():
    for setting in (*dataclasses.fields(UserSettings), *dataclasses.fields(ProjectSettings)):
        assert f"`{setting.name}`" in README, setting.name


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "examples/README.md"])
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\((?!http)([^)#]+)", (ROOT / document).read_text()):
        assert ((ROOT / document).parent / target).exists(), target


def test_every_invariant_names_tests_that_exist():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    blocks = re.findall(r"^- \*\*Invariant:\*\*((?:.|\n  )+)", text, re.MULTILINE)
    assert len(blocks) > 15
    for block in blocks:
        names = re.findall(r"`(?:tests/)?(test_\w+\.py)?(?:::)?(test_\w+)?`", block)
        named = [(file, test) for file, test in names if file or test]
        assert named, block
        sources = {file: (ROOT / "tests" / file).read_text() for file, _ in named if file}
        for file, test in named:
            if test:
                assert any(f"def {test}(" in text for text in ([sources[file]] if file else sources.values())), test


def test_the_editors_settings_are_all_told_with_their_defaults():
    table = re.search(r"^\| editor setting .*\n\|[-|]+\n((?:\|.*\n)+)", README, re.MULTILINE)[1]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()]
    told = {name.strip("`"): json.loads(default) for name, _, default in rows}
    assert list(told) == [field.metadata["name"] for field in dataclasses.fields(SessionSettings)]
    assert parse_settings(told) == (SessionSettings(), ())
