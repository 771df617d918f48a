"""Ignore rules, held against git itself."""

import os
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memcache_lsp.scan.rules import RuleList

PIECES = st.sampled_from(
    [
        *(
            "a",
            "b",
            "c",
            "foo",
            "*",
            "**",
            "***",
            "?",
            "/",
            "/a",
            "a/",
            "**/",
            "/**",
            "\\",
            "\\*",
            "!",
            "#",
            " ",
            "-",
            "]",
        ),
        *(
            "[ab]",
            "[!a]",
            "[^b]",
            "[a-c]",
            "[[:alpha:]]",
            "[[:upper:]a]",
            "[[:x:]]",
            "[]a]",
            "[a",
            "[\\]a]",
            "[a-]",
            "[c-a]",
            ".",
            "*.a",
        ),
    ]
)
PATTERN = st.lists(PIECES, min_size=1, max_size=6).map("".join)
NAME = st.sampled_from(
    ["a", "b", "c", "ab", "foo", "foob", "a b", "*", "]", "#a", "!a", "é", "-", "a ", "\\a", "cc", "x.a", "B"]
)
PATH = st.lists(NAME, min_size=1, max_size=4).map("/".join)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


def git_ignores(repository, text, paths):
    (repository / ".gitignore").write_bytes(text)
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(repository)}
    command = ["git", "-C", str(repository), "check-ignore", "--no-index", "-z", "--stdin"]
    done = subprocess.run(
        command, input=b"".join(p.encode() + b"\0" for p in paths), capture_output=True, env=environment, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return {path.decode() for path in done.stdout.split(b"\0") if path}


def rules_ignore(text, paths):
    rules = RuleList(text, source=".gitignore")
    ignored = set()
    for path in paths:
        parts = path.encode().split(b"/")
        for depth in range(1, len(parts) + 1):  # what lies above goes first and cannot be undone
            rule = rules.match(b"/".join(parts[:depth]), parts[depth - 1], is_folder=depth < len(parts))
            if rule and not rule.negated:
                ignored.add(path)
                break
    return ignored


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(patterns=st.lists(PATTERN, min_size=1, max_size=4), paths=st.lists(PATH, min_size=1, max_size=12, unique=True))
def test_rules_decide_as_git_does(repository, patterns, paths):
    text = "\n".join(patterns).encode()
    assert rules_ignore(text, paths) == git_ignores(repository, text, paths)


@pytest.mark.parametrize(
    ("text", "ignored", "kept"),
    [
        ("*.log\n!keep.log", ["a.log", "x/b.log"], ["keep.log", "x/keep.log"]),
        ("/build", ["build", "build/x"], ["src/build"]),
        ("build/", ["build/x", "src/build/x"], ["build"]),
        ("doc/*.txt", ["doc/a.txt"], ["doc/sub/a.txt", "x/doc/a.txt"]),
        ("**/logs/*.x", ["logs/a.x", "a/b/logs/c.x"], ["logs/a/b.x"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["b", "x/a/b"]),
        ("abc/**", ["abc/x", "abc/x/y"], ["abc"]),
        ("logs/\n!logs/keep", ["logs/keep"], []),
        ("foo**/bar", ["foo/bar", "foo1/bar", "foo1/2/bar"], ["foo"]),
        ("trailing \nescaped\\ ", ["trailing", "escaped "], ["trailing ", "escaped"]),
        ("\\#hash\n\\!bang\n#comment", ["#hash", "!bang"], ["#comment"]),
        ("windows\r\n", ["windows"], []),
        ("\ufeffmarked", ["marked"], []),
        ("[[:digit:]]x\n[z-a]y\nunclosed[", ["1x", "zy"], ["ax", "by", "unclosed["]),
        ("", [], ["a"]),
        ("/\n//\n!\n*\\", [], ["a", "a/b"]),
    ],
)
def test_known_corners(repository, text, ignored, kept):
    data = text.encode()
    assert rules_ignore(data, ignored + kept) == set(ignored)
    assert git_ignores(repository, data, ignored + kept) == set(ignored)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("pattern", ["*a" * 60 + "b", "**/a*/" * 30 + "b", "a*" * 100, "?*" * 60 + "[b]"])
def test_a_hostile_pattern_takes_no_time(pattern):
    path = b"/".join([b"a" * 250] * 12)
    rules = RuleList(pattern.encode(), source=".gitignore")
    for _ in range(10):
        rules.match(path, b"a" * 250 + b"c", is_folder=False)


def test_the_reason_names_the_file_the_line_and_the_pattern():
    rules = RuleList(b"# first\n*.log\n\x1b[31m]\n", source="sub/.gitignore", base=b"sub/")
    assert rules.match(b"sub/a.log", b"a.log", is_folder=False).reason == "ignored: sub/.gitignore line 2, *.log"
    assert rules.match(b"sub/\x1bm", b"\x1bm", is_folder=False).reason == "ignored: sub/.gitignore line 3, \\x1b[31m]"
