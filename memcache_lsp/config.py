"""Settings: the user's own file, which is trusted, and a project's memcache.toml, which is not.

Owns names, defaults and checks of every setting. A project may include, exclude and set a size limit; what could
run something or send text somewhere comes from the user's file alone. Bad settings are told, their defaults used:
nothing in here stops the start. Must not import the engine.
"""

from __future__ import annotations

import os
import stat
import tomllib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from memcache_lsp.languages import is_large
from memcache_lsp.paths import PROJECT_SETTINGS, USER_SETTINGS, config_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

DEFAULT_MAX_FILE_SIZE_BYTES = 1024 * 1024
DEFAULT_MAX_DOCUMENT_SIZE_BYTES = 64 * 1024 * 1024
DEFAULT_CACHE_LIMIT_BYTES = 1024**3  # two million vectors of 256 dimensions
MAX_SETTINGS_BYTES = 256 * 1024
PROJECT_SIZE_LIMIT_BYTES = 64 * 1024 * 1024  # a project that is not trusted may not ask for more

Problems = tuple[str, ...]


def _number(least: int, most: int = 2**62) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        right = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return "" if right else f"must be a whole number from {least} to {most}"

    return check


def _none_or(check: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "" if value == 0 and not isinstance(value, bool) else check(value)


def _truth(value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _text(value: Any) -> str:
    return "" if isinstance(value, str) else "must be a text in quotes"


def _url(value: Any) -> str:
    right = isinstance(value, str) and (not value or value.startswith(("http://", "https://")))
    return "" if right else "must be a URL that starts with http:// or https://"


def _globs(value: Any) -> str:
    right = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return "" if right else 'must be a list of patterns such as ["docs/", "*.md"]'


def _texts(value: Any) -> str:
    right = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return "" if right else 'must be a list of texts such as ["-m", "model.gguf"]'


def _setting(default: Any, check: Callable[[Any], str], *, secret: bool = False) -> Any:
    return field(default=default, metadata={"check": check}, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSettings:
    """What a project may say about itself; patterns are those of gitignore, seen from the root.

    With `include`, only files that match it (or lie in a folder that does) are indexed.
    """

    include: tuple[str, ...] = _setting((), _globs)
    exclude: tuple[str, ...] = _setting((), _globs)
    max_file_size_bytes: int | None = _setting(None, _number(1, PROJECT_SIZE_LIMIT_BYTES))
    max_document_size_bytes: int | None = _setting(None, _number(1, PROJECT_SIZE_LIMIT_BYTES))


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSettings:
    """What the user chose; an empty text or 0 means the program's own choice."""

    embedder: str = _setting("", _text)  # a name, or a folder in full or from ~
    refine: str = _setting("", _text)  # as embedder, for the background refinement
    model: str = _setting("", _text)  # a GGUF file or a llamafile in full or from ~, or a name in the models folder
    model_arguments: tuple[str, ...] = _setting((), _texts)  # of a llamafile or llama-server
    endpoint: str = _setting("", _url)  # a server that speaks OpenAI's protocol; it goes before `model`
    endpoint_model: str = _setting("", _text)  # where it serves several
    endpoint_key: str = _setting("", _text, secret=True)
    context_tokens: int = _setting(0, _none_or(_number(256, 1_000_000)))  # fewer hold no question and answer
    threads: int = _setting(0, _number(0, 1024))
    gpu_layers: int = _setting(-1, _number(-1, 1000))  # -1: all where there is a GPU with room, else none
    qdrant_url: str = _setting("", _url)
    qdrant_collection: str = _setting("", _text)
    qdrant_read_only: bool = _setting(False, _truth)  # search what somebody else indexes
    max_file_size_bytes: int = _setting(DEFAULT_MAX_FILE_SIZE_BYTES, _number(1))
    max_document_size_bytes: int = _setting(DEFAULT_MAX_DOCUMENT_SIZE_BYTES, _number(1))  # PDF, EPUB, mail, CSV, …
    cache_limit_bytes: int = _setting(DEFAULT_CACHE_LIMIT_BYTES, _number(0))


def load_project_settings(root: Path) -> tuple[ProjectSettings, Problems]:
    """Read `<root>/memcache.toml`."""
    values, problems = _read(root / PROJECT_SETTINGS, ProjectSettings, follow=False)
    return ProjectSettings(**values), problems


def load_user_settings(path: Path | None = None) -> tuple[UserSettings, Problems]:
    """Read the user's config.toml, or the file at `path`."""
    values, problems = _read(path or config_dir() / USER_SETTINGS, UserSettings, follow=True)
    return UserSettings(**values), problems


def qdrant_api_key(environment: Mapping[str, str] = os.environ) -> str:
    """Return the key for a Qdrant server: from the environment only, never from a file."""
    return environment.get("QDRANT_API_KEY", "")


def endpoint_key(user: UserSettings, environment: Mapping[str, str] = os.environ) -> str:
    """Return the key for the endpoint: from the environment, else from the user's file; empty for none."""
    return environment.get("MEMCACHE_ENDPOINT_KEY", "") or user.endpoint_key


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """The sizes above which a file of a project is not indexed."""

    text_bytes: int = DEFAULT_MAX_FILE_SIZE_BYTES
    document_bytes: int = DEFAULT_MAX_DOCUMENT_SIZE_BYTES  # of files whose text is a part of them only

    def of(self, path: str) -> int:
        """Return the limit of a file, which its name decides."""
        return max(self.text_bytes, self.document_bytes) if is_large(path) else self.text_bytes


def size_limits(project: ProjectSettings, user: UserSettings) -> SizeLimits:
    """Return the limits of a project; its own word goes first."""
    return SizeLimits(
        project.max_file_size_bytes or user.max_file_size_bytes,
        project.max_document_size_bytes or user.max_document_size_bytes,
    )


def _read(path: Path, kind: type[ProjectSettings | UserSettings], *, follow: bool) -> tuple[dict[str, Any], Problems]:
    try:
        table = tomllib.loads(_text_of(path, follow=follow))
    except FileNotFoundError:
        return {}, ()
    except (OSError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, or not TOML
        return {}, (f"{path.name} is not used: {error or type(error).__name__}.",)
    known = {each.name: each for each in fields(kind)}
    values: dict[str, Any] = {}
    problems = []
    for name, value in table.items():
        if name not in known:
            problems.append(f"{path.name}: {name!r} is no setting here and is ignored (there are {', '.join(known)}).")
            continue
        wrong = known[name].metadata["check"](value)
        if wrong:
            problems.append(f"{path.name}: {name} {wrong}; its default is used.")
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return values, tuple(problems)


def _text_of(path: Path, *, follow: bool) -> str:
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | (0 if follow else getattr(os, "O_NOFOLLOW", 0))
    handle = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):  # a pipe would be waited for
            raise ValueError("it is not a regular file")
        data = b""
        while len(data) <= MAX_SETTINGS_BYTES and (part := os.read(handle, MAX_SETTINGS_BYTES + 1)):
            data += part
    finally:
        os.close(handle)
    if len(data) > MAX_SETTINGS_BYTES:
        raise ValueError(f"it is larger than {MAX_SETTINGS_BYTES} bytes")
    return data.decode("utf-8-sig")
