"""Any sentence-transformers model as an embedder, where the `transformers` extra is installed.

The one module that imports sentence_transformers. Downloads only a model of the hub that the user named, and
runs no code that comes with a model.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memcache_lsp import models, vouching
from memcache_lsp.errors import MemcacheError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_METHOD = 1  # raised whenever the code below changes a vector
_MAX_CHARS = 16_384  # far beyond what these models read
_BATCH = 32
_SAMPLED_BYTES = 1 << 20  # larger files are fingerprinted by samples: two models do not differ in a few places only
_SAMPLES = 64
# Not part of what computes the vectors, and other copies of the weights for other runtimes.
_OTHER_RUNTIMES = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.bin"]
_HUB_S = 5.0  # for the hub to answer
_IGNORED_FOLDERS = {"onnx", "openvino", ".git", ".cache"}
_IGNORED_SUFFIXES = {".md", ".txt~", ".gitattributes", ".lock"}


class SentenceTransformerEmbedder:
    """Embed by the model that `name` means: a folder, a curated model that was pulled, or a name of the hub.

    The id is made of the model's files alone, so that one which lies on this machine is not loaded before it is needed.
    """

    def __init__(self, name: str) -> None:
        if importlib.util.find_spec("sentence_transformers") is None:
            raise ModelError(
                f"The embedder {name} needs sentence-transformers; install it with pip install 'memcache-lsp[transformers]'."
            )
        self._name = name
        self._model: Any = None
        self._dimension = 0
        self._folder = _local_folder(name) or _hub_folder(name)
        self.id = f"sentence-transformers:{_METHOD}:{fingerprint(self._folder)}"

    @property
    def dimension(self) -> int:
        """Tell the length of a vector; loads the model."""
        self._load()
        return self._dimension

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the model's own embedding of each text, of unit length."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return self._encode(texts, "encode_document")

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a question, with the model's own prompt for questions where it has one."""
        row: NDArray[np.float32] = self._encode([text], "encode_query")[0]
        return row

    def _encode(self, texts: Sequence[str], method: str) -> NDArray[np.float32]:
        model = self._load()
        clean = [t[:_MAX_CHARS].encode("utf-8", "replace").decode("utf-8") for t in texts]
        encoded = getattr(model, method)(clean, batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True)
        vectors: NDArray[np.float32] = np.nan_to_num(np.asarray(encoded, dtype=np.float32))
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(lengths > 0, lengths, 1)
        return vectors

    def _load(self) -> Any:
        """Load the model once."""
        if self._model is None:
            try:
                _refuse_foreign_code(self._folder)
                from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - takes seconds

                self._model = SentenceTransformer(str(self._folder), device="cpu", trust_remote_code=False)
                self._dimension = int(self._model.encode(["a"], show_progress_bar=False).shape[1])
            except MemcacheError:  # ours, or a stop
                raise
            except Exception as error:  # whatever a model's files, the hub or torch raise, the user named this model
                raise _cannot_be_loaded(self._name, error) from error
        return self._model


def _local_folder(name: str) -> Path | None:
    """Return the folder that `name` means on this machine; None where only the hub can know it."""
    if models.curated(name) is not None:
        path = models.locate(name)  # raises where it was not pulled, and says how to
        if path is not None:
            vouching.check(path)
        return path
    path = models.spelled_path(name)
    if path is None:
        return None
    with suppress(OSError, ValueError):  # too long, a NUL
        if path.is_dir():
            return path.resolve()
    raise ModelError(f"There is no folder {name} to load an embedder from; check the path.")


def _refuse_foreign_code(folder: Path) -> None:
    """Refuse a model whose parts are not the library's own: it would import them from the model's folder."""
    try:
        modules = json.loads((folder / "modules.json").read_text("utf-8"))
        kinds = [str(module["type"]) for module in modules]
    except FileNotFoundError:
        return  # then the library puts parts of its own around the weights
    for kind in kinds:
        if not kind.startswith("sentence_transformers."):
            raise ModelError(f"The embedder in {folder} would run code of its own ({kind}); name another one.")


def _hub_folder(name: str) -> Path:
    """Return where a model of the hub lies on this machine, fetched if it does not yet.

    The hub is asked once before anything is fetched: where it cannot be reached its client would try for minutes.
    """
    from huggingface_hub import HfApi, snapshot_download  # noqa: PLC0415 - comes with sentence-transformers

    repository = name if "/" in name else f"sentence-transformers/{name}"
    with suppress(Exception):  # it was not fetched, or not wholly
        return Path(snapshot_download(repository, local_files_only=True, ignore_patterns=_OTHER_RUNTIMES))
    try:
        HfApi().model_info(repository, timeout=_HUB_S)
        return Path(snapshot_download(repository, ignore_patterns=_OTHER_RUNTIMES))
    except Exception as error:  # whatever the hub or the network raise, the user named this model
        raise _cannot_be_loaded(name, error) from error


def _cannot_be_loaded(name: str, error: Exception) -> ModelError:
    return ModelError(
        f"The embedder {name} cannot be loaded ({_first_line(error)}); "
        "name a folder with a sentence-transformers model, or a model of the hub while it can be reached."
    )


def fingerprint(folder: Path) -> str:
    """Return a digest of the files that make a model, large ones by samples of their content."""
    digest = hashlib.blake2b(digest_size=12)
    for path in _model_files(folder):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode("utf-8", "surrogateescape"))
        with path.open("rb") as file:
            if size <= _SAMPLED_BYTES:
                digest.update(file.read())
                continue
            for sample in range(_SAMPLES):
                file.seek(sample * (size - 4096) // (_SAMPLES - 1))
                digest.update(file.read(4096))
    return digest.hexdigest()


def _model_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and not _IGNORED_FOLDERS & set(relative.parts) and path.suffix not in _IGNORED_SUFFIXES:
            yield path


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
