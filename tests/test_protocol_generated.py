"""What is generated from the specification is current, and the generator tells when it is not."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from memcache_lsp.protocol import generate
from memcache_lsp.protocol.codec import fields_of
from memcache_lsp.protocol.emit.order import every_type, sent_by_clients, sent_to_clients, words_of
from memcache_lsp.protocol.methods import METHODS

EDITORS = Path(__file__).parent.parent / "editors"


def test_the_generated_files_are_current():
    assert generate.outdated(EDITORS) == [], "run `python -m memcache_lsp.protocol.generate`"


def test_check_tells_which_file_is_not_current(tmp_path, capsys):
    assert generate.main(["--into", str(tmp_path)]) == 0
    assert generate.main(["--check", "--into", str(tmp_path)]) == 0
    page = tmp_path / "protocol.md"
    page.write_bytes(page.read_bytes().replace(b"memcache/ask", b"memcache/asq", 1))
    (tmp_path / "vscode/src/protocol.ts").unlink()
    capsys.readouterr()

    assert generate.main(["--check", "--into", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "protocol.md is not current" in told
    assert "protocol.ts is not current" in told
    assert "protocol.lua" not in told

    assert generate.write(tmp_path) == ["protocol.md", "vscode/src/protocol.ts"]
    assert generate.outdated(tmp_path) == []


def test_a_missing_folder_is_told(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        generate.main(["--into", str(tmp_path / "nowhere")])
    assert ended.value.code == 2
    assert "is not a folder" in capsys.readouterr().err


def test_the_output_does_not_depend_on_the_order_of_hashes(tmp_path):
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        command = [sys.executable, "-m", "memcache_lsp.protocol.generate", "--into", str(tmp_path / seed)]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed})
    assert generate.outdated(tmp_path / "1") == generate.outdated(tmp_path / "2") == []


@pytest.mark.parametrize("name", sorted(generate.FILES))
def test_every_method_is_in_every_file(name):
    text = generate.FILES[name]()
    for method in METHODS:
        assert re.search(rf"{re.escape(method.name)}\b", text)
        assert method.command is None or method.command in text or name == "protocol.md"


def test_every_field_is_in_the_definitions():
    typescript, lua, elisp = (generate.FILES[name]() for name in list(generate.FILES)[1:])
    for cls in every_type():
        interface = re.search(rf"export (?:interface|type) {cls.__name__} (.*?)\n\n", typescript, re.DOTALL)
        annotations = re.search(rf"---@class memcache\.{cls.__name__}\n(.*?)\n\n", lua + "\n", re.DOTALL)
        for field in fields_of(cls):
            mark = "" if field.required else "?"
            assert f"readonly {field.json_name}{mark}: " in interface[1]
            assert f"---@field {field.json_name}{mark} " in annotations[1]
            assert f":{field.json_name}" in elisp or field.name == "type"


def test_elisp_names_are_unique_and_parentheses_balance():
    elisp = generate.FILES["emacs/memcache-protocol.el"]()
    names = re.findall(r"^\((?:defconst|defun|defsubst|cl-defun) (\S+)", elisp, re.MULTILINE)
    assert len(names) == len(set(names))
    assert all(name.startswith("memcache-") for name in names)
    code = re.sub(r'"(?:\\.|[^"\\])*"|;[^\n]*', "", elisp)
    assert code.count("(") == code.count(")")
    accessors = sum(field.name != "type" for cls in sent_to_clients() for field in fields_of(cls))
    assert len(re.findall(r"^\(defsubst ", elisp, re.MULTILINE)) == accessors
    assert len(re.findall(r"^\(cl-defun ", elisp, re.MULTILINE)) == sum(bool(fields_of(c)) for c in sent_by_clients())


def test_elisp_lines_fit():
    elisp = generate.FILES["emacs/memcache-protocol.el"]()
    inside = [line for line in elisp.splitlines() if not line.startswith(("(def", "'", ";;;"))]
    assert [line for line in inside if len(line) > 80] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("didChangeStatus", ["did", "change", "status"]),
        ("AskParams", ["ask", "params"]),
        ("firstTextSeconds", ["first", "text", "seconds"]),
        ("n", ["n"]),
        ("URIList", ["uri", "list"]),
    ],
)
def test_names_are_split_into_words(name, words):
    assert words_of(name) == words
