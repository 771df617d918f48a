"""Own what is known of the files in the models folder: where each came from, and that one under a curated name is that model.

A hash is made once for each state of a file and kept beside the models. Must not fetch or load a model.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from memcache_lsp import models, paths
from memcache_lsp.errors import ModelError
from memcache_lsp.models import CuratedModel


def check(path: Path) -> None:
    """Raise a ModelError where a path has the name of a curated model and is another file."""
    model = models.curated(path.stem if path.suffix == ".gguf" else path.name)
    if model is not None and model.path() == path:
        check_is(model)


def check_is(model: CuratedModel) -> None:
    """Raise a ModelError where what lies under a model's name is not that model, or cannot be read."""
    try:
        is_it = has_its_size(model) and all(sha256_of(path) == wanted for path, wanted, _ in _files(model))
    except OSError as error:
        raise ModelError(
            f"{model.path()} cannot be read ({error.strerror or error}): check its permissions and its disk."
        ) from error
    if not is_it:
        raise ModelError(
            f"{model.path()} is not the {model.name} that its name promises: memcache-lsp models remove {model.name}, "
            f"then memcache-lsp models pull {model.name}."
        )


def has_its_size(model: CuratedModel) -> bool:
    """Tell whether what lies under a model's name may be that model: a glance, without a hash."""
    with suppress(OSError):
        return all(path.stat().st_size == size for path, _, size in _files(model))
    return False


def _files(model: CuratedModel) -> list[tuple[Path, str, int]]:
    path = model.path()
    return [(path / f.name if model.use == "embed" else path, f.sha256, f.size_bytes) for f in model.files]


def sha256_of(path: Path) -> str:
    """Return the hash of a file in the models folder."""
    state = state_of(path)
    known = _known(path)
    if known.get("state") == state and isinstance(known.get("sha256"), str):
        return str(known["sha256"])
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    remember(path, state, sha256=digest)
    return digest


def source_of(path: Path) -> str | None:
    """Return where a file was fetched from, None where it is not the file that was fetched."""
    known = _known(path)
    return str(known["source"]) if known.get("state") == state_of(path) and known.get("source") else None


def state_of(path: Path) -> list[int]:
    """Return what tells one state of a file from the next; a rename leaves it as it is."""
    status = path.stat()
    return [status.st_ino, status.st_size, status.st_mtime_ns]


def remember(path: Path, state: list[int], **told: str) -> None:
    """Keep the `sha256` or the `source` of a file that was in this state; nothing where it is in another by now."""
    with suppress(OSError):  # it is worked out again
        if state_of(path) != state:  # it is being written
            return
        known = _known(path)
        kept = known if known.get("state") == state else {}
        note = _note(path)
        note.parent.mkdir(exist_ok=True, mode=0o700)
        partial = note.with_suffix(".new")
        partial.write_text(json.dumps({**kept, "state": state, **told}), "utf-8")
        partial.replace(note)


def forget(name: str) -> None:
    """Forget what is known of a model that is removed."""
    for path in (models.models_dir() / f"{name}.gguf", models.models_dir() / name):
        _note(path).unlink(missing_ok=True)


def _note(path: Path) -> Path:
    folder = paths.data_dir() / "model-notes"
    relative = path.relative_to(models.models_dir()) if path.is_relative_to(models.models_dir()) else path
    return folder / hashlib.sha256(str(relative).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _known(path: Path) -> dict[str, object]:
    with suppress(OSError, ValueError):
        known = json.loads(_note(path).read_text("utf-8"))
        return known if isinstance(known, dict) else {}
    return {}
