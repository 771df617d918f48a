"""Open buffers above an index: what a change costs, and that its points are those of the text as it is."""

import numpy as np

from memcache_lsp.embedding import open_embedder
from memcache_lsp.overlay import Overlay


class Counted:
    """The default embedder, and the texts it was given."""

    def __init__(self):
        self._inner = open_embedder(None)
        self.texts = []

    def embed(self, texts):
        self.texts += texts
        return self._inner.embed(texts)


def function(name):
    body = "".join(f"    {name}_{n} = deliver(parcel, to={n}, before=evening, after=morning)\n" for n in range(30))
    return f"def {name}(parcel):\n{body}    return {name}_1\n\n\n"


def layer(overlay, embedder):
    return overlay.read(embedder, indexed_hash=lambda _: "", may_enter=lambda *_: True)


def plain(point):
    return (point.id, dict(point.payload), dict(point.sparse))


def test_a_change_embeds_only_the_chunks_it_touches():
    names = [f"carry_{n}" for n in range(8)]
    before = "".join(map(function, names))
    after = "".join(map(function, [*names[:4], "zebra_crossing", *names[4:]])) + function(names[2])
    overlay, embedder = Overlay(), Counted()
    overlay.put("a/b.py", before)
    first = layer(overlay, embedder)
    told = len(embedder.texts)
    assert told == len(first.points) - 1 >= 8  # the last is the file
    overlay.put("a/b.py", before + "\n")  # never searched
    overlay.put("a/b.py", after)
    changed = layer(overlay, embedder)
    assert [text for text in embedder.texts[told:] if "zebra_crossing" in text]
    assert len(embedder.texts) - told <= 2

    anew = Overlay()
    anew.put("a/b.py", after)
    fresh = layer(anew, Counted())
    assert [plain(p) for p in changed.points] == [plain(p) for p in fresh.points]
    assert all(np.allclose(a.dense, b.dense) for a, b in zip(changed.points[:-1], fresh.points[:-1], strict=True))


def test_a_buffer_that_was_closed_is_forgotten():
    overlay, embedder = Overlay(), Counted()
    overlay.put("a.py", function("carry"))
    layer(overlay, embedder)
    overlay.put("a.py", None)
    overlay.put("a.py", function("carry"))
    layer(overlay, embedder)
    assert len(embedder.texts) == 2
