"""Train the static table of memcache_lsp/data. `python -m bench.training` does all of it; see `__main__`.

Never imported by the package; of the package it uses the chunker, the table of languages and, to measure, the reader of
documents and the embedder.
"""
