"""How the command line shows an answer as it comes."""

import argparse

import pytest

from memcache_lsp.cli import ask
from memcache_lsp.errors import ServerError
from memcache_lsp.events import Delta


@pytest.mark.parametrize("last", ["twice", "twice\n"])
def test_what_is_said_of_an_error_stands_below_the_half_of_an_answer(capsys, last):
    def cut_off():
        yield Delta(0, "It waits ")
        yield Delta(1, last)
        raise ServerError("The server hung up.")

    with pytest.raises(ServerError):
        ask.show(cut_off(), argparse.Namespace(json=False))
    assert capsys.readouterr().out == "It waits twice\n"
