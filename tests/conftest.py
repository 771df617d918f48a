"""What all tests share: folders of their own, and the models that `make test` fetched."""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import lsp
import needs
import pytest

from memcache_lsp import models, rendezvous

# Started in the background, a shell has us ignore SIGINT, and every process that a test interrupts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

TEST_HOME = Path(os.environ.get("MEMCACHE_TEST_HOME", Path(__file__).parent.parent / ".venv" / "test-home"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that are allowed the most time, so that nobody waits for one of them alone in the end."""
    items.sort(key=lambda item: -next((mark.args[0] for mark in item.iter_markers("timeout")), 0))


def pytest_unconfigure() -> None:
    """Close what llama_cpp opens when it is imported and never closes: each would be a warning at the end."""
    if module := sys.modules.get("llama_cpp._utils"):
        module.outnull_file.close()
        module.errnull_file.close()


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """Keep every test's caches, settings and models in a folder of its own, and end the daemon that it left there."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("MEMCACHE_HOME", str(folder))
    for name in ("GIT_CONFIG_GLOBAL", "QDRANT_API_KEY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    yield folder
    monkeypatch.undo()  # what the test pretended is not so any more
    if (folder / "runtime").is_dir():
        monkeypatch.setenv("MEMCACHE_HOME", str(folder))
        rendezvous.stop()


@pytest.fixture
def short_home(monkeypatch):
    """A home whose path leaves room for a socket's; its daemon is ended with the test."""
    folder = tempfile.mkdtemp(prefix="mc-", dir="/dev/shm" if Path("/dev/shm").is_dir() else "/tmp")
    monkeypatch.setenv("MEMCACHE_HOME", folder)
    monkeypatch.setattr(lsp, "TIMEOUT_S", 60)
    yield Path(folder)
    rendezvous.stop()
    shutil.rmtree(folder)


def _model(name, monkeypatch):
    with monkeypatch.context() as context:
        context.setenv("MEMCACHE_HOME", str(TEST_HOME))
        path = models.curated(name).path()
    if not path.exists():
        needs.missing(f"{name} is not in {TEST_HOME}: run the tests by `make test`")
    return path


@pytest.fixture(scope="session")
def smollm2():
    """Return the path of a small llama model."""
    return _model("smollm2-135m-instruct", pytest.MonkeyPatch())


@pytest.fixture(scope="session")
def minilm():
    """Return the folder of a sentence-transformers model."""
    return _model("all-minilm-l6-v2", pytest.MonkeyPatch())


@pytest.fixture
def example(tmp_path):
    """Return a copy of the example project."""
    return Path(shutil.copytree(Path(__file__).parent.parent / "examples" / "courier", tmp_path / "courier"))
