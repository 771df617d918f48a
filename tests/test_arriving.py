"""Files that arrive in a reading folder: those that still grow are waited for."""

import asyncio

from lsp import run

from memcache_lsp.arriving import Arriving, settled


def test_what_is_as_it_was_has_settled():
    before = {"a": (1, 1), "b": (1, 1), "new": "", "gone": (1, 1)}
    now = {"a": (1, 1), "b": (2, 2), "new": (3, 3), "gone": None}
    assert settled(before, now) == {"a", "gone"}


def test_a_file_that_grows_is_told_when_it_does_no_more(tmp_path):
    @run
    async def talk():
        told, looks = [], asyncio.Event()
        arriving = Arriving(tmp_path, told=told.append, still_s=0.01)
        page = tmp_path / "page.html"
        page.write_text("a")
        real, times = asyncio.sleep, 0

        async def grow(seconds):
            nonlocal times
            times += 1
            if times < 5:
                page.write_text("a" * (times + 1))
            elif times == 5:
                looks.set()
            await real(seconds)

        asyncio.sleep = grow
        try:
            arriving.changed({"page.html"})
            await looks.wait()
            assert told == []
            async with asyncio.timeout(20):
                while not told:
                    await real(0.005)
        finally:
            asyncio.sleep = real
        assert told == [{"page.html"}]
        arriving.changed(None)
        assert told[1:] == [None]
        arriving.changed({"gone.html"})
        async with asyncio.timeout(20):
            while len(told) < 3:
                await real(0.005)
        assert told[2] == {"gone.html"}
        arriving.close()

    talk()
