"""Settings: defaults, checks, and that no bad file stops the start."""

import os

import pytest

from memcache_lsp.config import (
    ProjectSettings,
    UserSettings,
    load_project_settings,
    load_user_settings,
    qdrant_api_key,
    size_limits,
)


def test_without_files_everything_has_its_default(tmp_path):
    assert load_project_settings(tmp_path) == (ProjectSettings(), ())
    assert load_user_settings(tmp_path / "config.toml") == (UserSettings(), ())
    assert load_user_settings() == (UserSettings(), ())


def test_what_the_files_say(tmp_path, home):
    (tmp_path / "memcache.toml").write_text('include = ["src/"]\nexclude = ["*.x", "y"]\nmax_file_size_bytes = 5\n')
    project, problems = load_project_settings(tmp_path)
    assert (project, problems) == (ProjectSettings(include=("src/",), exclude=("*.x", "y"), max_file_size_bytes=5), ())
    (home / "config").mkdir()
    (home / "config/config.toml").write_text('model = "m.gguf"\nqdrant_url = "https://q:6333"\nthreads = 3\n')
    assert load_user_settings() == (UserSettings(model="m.gguf", qdrant_url="https://q:6333", threads=3), ())
    assert size_limits(project, UserSettings()).text_bytes == 5
    limits = size_limits(ProjectSettings(max_document_size_bytes=9), UserSettings(max_file_size_bytes=7))
    assert [limits.of(path) for path in ("a.py", "b.md", "c.pdf", "d.csv", "e.1.gz")] == [7, 7, 9, 9, 9]


@pytest.mark.parametrize("name", ["model", "embedder", "qdrant_url", "command", "threads"])
def test_a_project_cannot_choose_what_runs_or_where_text_goes(tmp_path, name):
    (tmp_path / "memcache.toml").write_text(f'{name} = "x"\nexclude = ["a"]\n')
    project, problems = load_project_settings(tmp_path)
    assert project == ProjectSettings(exclude=("a",))
    assert len(problems) == 1
    assert name in problems[0]


@pytest.mark.parametrize(
    "line",
    [
        'include = "src"',
        "exclude = [1]",
        "max_file_size_bytes = 0",
        "max_file_size_bytes = true",
        'max_file_size_bytes = "1"',
        "max_file_size_bytes = 10_000_000_000",
    ],
)
def test_a_bad_value_is_told_and_its_default_used(tmp_path, line):
    (tmp_path / "memcache.toml").write_text(line)
    project, problems = load_project_settings(tmp_path)
    assert project == ProjectSettings()
    assert problems[0].startswith(f"memcache.toml: {line.partition(' ')[0]} must be ")


def make_pipe(path):
    os.mkfifo(path)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text("not toml ["),
        lambda path: path.write_bytes(b"\xff\xfe"),
        lambda path: path.write_text("x = " + "[" * 5000),
        lambda path: path.write_text("#" * 300_000),
        lambda path: path.mkdir(),
        make_pipe,
        lambda path: path.symlink_to("/etc/passwd"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(tmp_path, make):
    make(tmp_path / "memcache.toml")
    project, problems = load_project_settings(tmp_path)
    assert project == ProjectSettings()
    assert len(problems) == 1
    assert problems[0].startswith("memcache.toml is not used: ")


def test_the_key_comes_from_the_environment_only(tmp_path):
    assert qdrant_api_key({"QDRANT_API_KEY": "k"}) == "k"
    assert qdrant_api_key({}) == ""
    (tmp_path / "config.toml").write_text('qdrant_api_key = "k"\n')
    settings, problems = load_user_settings(tmp_path / "config.toml")
    assert settings == UserSettings()
    assert "qdrant_api_key" in problems[0]
