"""Own what llama.cpp computes: `load` makes a `LlamaGenerator` of a GGUF file.

`library` is the only importer of llama_cpp; `context` is what a prompt is read into, `template` what puts messages into
words, `llama` the generator. Importing the package costs nothing. Knows nothing of questions, hits or citations; of
`prompt` it takes the `Message`. Must never import `answering` or anything that reads the project.
"""

from memcache_lsp.generation.context import BATCH_TOKENS
from memcache_lsp.generation.library import stdout_elsewhere
from memcache_lsp.generation.llama import LlamaGenerator, load

__all__ = ["BATCH_TOKENS", "LlamaGenerator", "load", "stdout_elsewhere"]
