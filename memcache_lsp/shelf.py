"""What is done with the models on this machine, by command and by request: listed, chosen, removed.

Must not fetch or load a model.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

from memcache_lsp import fetching, machine, models, vouching
from memcache_lsp.config import UserSettings
from memcache_lsp.errors import ModelError, UserError
from memcache_lsp.paths import USER_SETTINGS

_WRONG = "another file than its name promises: remove it, then pull it"
_WORK_BYTES = 300_000_000  # of a process with llama.cpp and a context, beside the model's file


@dataclass(frozen=True, slots=True)
class Shelved:
    """A model that is known or here."""

    name: str
    use: str  # "answer" or "embed"
    size_bytes: int
    fetched: bool
    used: bool
    licence: str = ""
    sha256: str = ""
    worth: str = ""
    sources: tuple[str, ...] = ()
    fits: bool = True  # into the memory that is free

    @property
    def memory_bytes(self) -> int:
        """Tell how much memory it takes while it answers."""
        return self.size_bytes + _WORK_BYTES


def listed(user: UserSettings) -> list[Shelved]:
    """List the curated models, smallest first, then what else lies in the models folder."""
    here = {model.name: model for model in models.installed()}
    in_use = _in_use(user)
    free = machine.free_memory_bytes()
    rows = [
        Shelved(
            model.name,
            model.use,
            model.size_bytes,
            model.name in here,
            model.path() == in_use,
            model.licence,
            model.files[0].sha256 if len(model.files) == 1 else "",
            model.worth if model.name not in here or vouching.has_its_size(model) else _WRONG,
            model.sources,
            free is None or model.size_bytes + _WORK_BYTES < free,
        )
        for model in sorted(models.CURATED, key=lambda model: (model.use, model.size_bytes))
    ]
    rows += [
        Shelved(
            found.name, "answer", found.size_bytes, fetched=True, used=found.path == in_use,
            fits=free is None or found.size_bytes + _WORK_BYTES < free,
        )
        for found in here.values()
        if found.curated is None
    ]  # fmt: skip
    return rows


def _in_use(user: UserSettings) -> object:
    try:
        chosen = models.chosen(user)
    except ModelError:
        return None
    return chosen.path if isinstance(chosen, models.Program) else chosen


def use(name: str, user: UserSettings, *, paths: bool) -> None:
    """Choose the model that answers from now on; with `paths` it may be one of a file, which might be a program.

    UserError where the user's config.toml decides, for that file is theirs alone.
    """
    for setting in ("endpoint", "model"):
        if getattr(user, setting):
            raise UserError(
                f"{USER_SETTINGS} sets {setting}, which goes before: change it there, or take the line out."
            )
    if name == "default":
        models.remember_used(None)
        return
    if models.spelled_path(name, relative=True) is not None and not paths:
        raise UserError("Only a fetched model can be chosen from here: give a path to memcache-lsp models use.")
    known = models.curated(name)
    if known is not None and known.use != "answer":
        raise UserError(f"{known.name} writes no answers: name it as embedder or refine in {USER_SETTINGS}.")
    path = models.locate(name, relative=True)
    assert path is not None  # it was asked for by name
    vouching.check(path)
    by_name = path.parent == models.models_dir()
    models.remember_used(name.lower() if known else name if by_name else str(path.resolve()))


def remove(name: str) -> None:
    """Remove a fetched model, and what an unfinished fetch of it left; UserError where there is neither."""
    known = models.curated(name)
    stem = known.name if known else name.removesuffix(".gguf")
    is_a_name = re.fullmatch(r"\w[\w.-]*", stem) is not None
    was_begun = is_a_name and fetching.discard(stem)
    found = next((model for model in models.installed() if model.name == stem), None)
    if found is None:
        if was_begun:
            return
        raise UserError(f"There is no fetched model {name[:80]}: see memcache-lsp models list.")
    if found.path.is_dir():
        shutil.rmtree(found.path)
    else:
        found.path.unlink()
    vouching.forget(found.name)
    if models.used() == found.name:
        models.remember_used(None)
