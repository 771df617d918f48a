"""Chat templates are programs of the model's file: one that comes to no end is refused in time."""

import sys
import time

import pytest

from memcache_lsp.errors import ModelError
from memcache_lsp.generation.template import Template
from memcache_lsp.prompt import Message

pytest.importorskip("llama_cpp")
GOOD = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
ASKED = (Message("system", "S"), Message("user", "U"))


class Api:
    """What a template asks of llama.cpp."""

    def __init__(self, template):
        self._template = template

    def llama_model_chat_template(self, *_):
        return self._template.encode()

    def llama_vocab_eos(self, _):
        return -1

    llama_vocab_bos = llama_vocab_eos


@pytest.mark.parametrize(
    "loop",
    [
        "{% for i in range(10**9) %}{% endfor %}",
        "{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}",
        "{% for i in range(90000) %}{% for j in range(90000) %}{{ i * j }}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{% for i in range(9) %}{{ f(n + 1) }}{% endfor %}{% endmacro %}{{ f(0) }}",
    ],
)
def test_a_template_without_end_is_refused_in_time(loop):
    template = Template(Api(loop + GOOD), None, None)
    before, began = sys.gettrace(), time.monotonic()
    with pytest.raises(ModelError, match="chat template of the model tiny cannot be used"):
        template.check("tiny")
    template.render(ASKED)
    assert time.monotonic() - began < 20
    assert sys.gettrace() is before


def test_one_that_ends_is_not_disturbed():
    template = Template(Api(GOOD), None, None)
    template.check("tiny")
    assert "".join(text for text, _ in template.render(ASKED)) == "<system>S<user>U<assistant>"
