"""One editor connection: frames, messages, requests answered exactly once, open buffers, and the LSP vocabulary.

The same code serves a socket of the daemon and the standard streams of `serve --no-daemon`; everything of the engine
is behind `backend.Backend`. Must not import the engine, a store or a model, and holds no state between connections.
"""
