"""The README's commands are commands, its settings are settings, its links lead somewhere."""

import dataclasses
import re
import shlex
from pathlib import Path

import pytest

from memcache_lsp.cli import make_parser
from memcache_lsp.config import ProjectSettings, UserSettings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^\$ memcache-lsp (.+)$", README, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_is_understood(command):
    make_parser().parse_args(shlex.split(command))


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
