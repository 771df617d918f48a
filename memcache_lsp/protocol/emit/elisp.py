"""Write the elisp definitions, for plists as jsonrpc.el gives and takes them. Imports the specification.

What a client sends gets a constructor with keywords, what it reads gets an accessor a field: lists for jsonrpc.el's
vectors, t and nil for its t and `:json-false`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from memcache_lsp.protocol import spec
from memcache_lsp.protocol.codec import Choice, Field, Flag, ListOf, Record, fields_of
from memcache_lsp.protocol.emit.order import NOTICE, sent_by_clients, sent_to_clients, words_of
from memcache_lsp.protocol.methods import CAPABILITY, ERRORS, METHODS

_HEAD = f"""\
;;; memcache-protocol.el --- Methods and types of memcache-lsp  -*- lexical-binding: t; -*-

;;; Commentary:

;; {NOTICE}
;;
;; Accessors read the plists that jsonrpc.el gives, constructors make those it
;; takes: a keyword that is nil is left out.

;;; Code:

(require 'cl-lib)

(defun memcache--plist (&rest pairs)
  "Return the plist PAIRS without the keys whose value is nil."
  (cl-loop for (key value) on pairs by #'cddr
           when value append (list key value)))

(defun memcache-partial-type (partial)
  "Return the `type' of PARTIAL, a partial result, as a string."
  (plist-get partial :type))
"""
_TAIL = """
(provide 'memcache-protocol)
;;; memcache-protocol.el ends here
"""


def render() -> str:
    """Return the whole file."""
    parts = [*_constants(), *(_constructor(cls) for cls in sent_by_clients() if fields_of(cls))]
    for cls in sent_to_clients():
        parts += [_accessor(cls, field) for field in fields_of(cls) if not _is_tag(field)]
    return _HEAD + "".join(f"\n{part}\n" for part in parts) + _TAIL


def _constants() -> Iterator[str]:
    yield _constant("protocol-version", str(spec.VERSION), "Version of these methods.")
    yield _constant("capability", f":{CAPABILITY}", "The key under `experimental' in the capabilities.")
    for method in METHODS:
        yield _constant(f"method-{_dashed(method.short)}", f":{method.name}", f"Method `{method.name}'.", method.doc)
    for method in METHODS:
        if method.command:
            yield _constant(f"command-{_dashed(method.short)}", f'"{method.command}"', f"Command of `{method.name}'.")
    later = " ".join(f":{method.name}" for method in METHODS if method.later)
    yield _constant("methods-not-yet", f"'({later})", "Methods that are specified and not there yet.")
    for error in ERRORS:
        yield _constant(
            f"error-{_dashed(error.name.removesuffix('Error'))}", str(error.code), f"Code of {error.name}.", error.doc
        )


def _constant(name: str, value: str, *docs: str) -> str:
    return f"(defconst memcache-{name} {value}\n{_docstring(*docs)})"


def _constructor(cls: type) -> str:
    fields = fields_of(cls)
    names = " ".join(_dashed(field.json_name) for field in fields)
    arguments = "\n".join(textwrap.wrap(names, 60, subsequent_indent=" " * 10, break_on_hyphens=False))
    docs = [f"{_dashed(field.json_name).upper()}: {field.doc}{_demand(field)}" for field in fields]
    pairs = "\n   ".join(f":{field.json_name} {_taken(field)}" for field in fields)
    doc = _docstring(f"Make `{cls.__name__}'.", cls.__doc__ or "", *docs)
    return (
        f"(cl-defun memcache-make-{_dashed(cls.__name__)}\n    (&key {arguments})\n{doc}\n"
        f"  (memcache--plist\n   {pairs}))"
    )


def _demand(field: Field) -> str:
    words = f" One of {', '.join(field.shape.values)}." if isinstance(field.shape, Choice) else ""
    return f"{words} Needed." if field.required else words


def _taken(field: Field) -> str:
    name = _dashed(field.json_name)
    match field.shape:
        case ListOf():
            return f"(and {name} (vconcat {name}))"
        case Flag():
            return f"(and {name} t)"
        case _:
            return name


def _accessor(cls: type, field: Field) -> str:
    subject = _dashed(cls.__name__)
    value = f"(plist-get {subject} :{field.json_name})"
    what = f"`:{field.json_name}'"
    match field.shape:
        case ListOf(item=Record(cls=item)):
            value, what = f"(append {value} nil)", f"the list of `{item.__name__}'"
        case ListOf():
            value = f"(append {value} nil)"
        case Flag():
            value = f"(eq {value} t)"
        case _:
            pass
    doc = _docstring(f"Return {what} of {subject.upper()}.", field.doc)
    return f"(defsubst memcache-{subject}-{_dashed(field.json_name)} ({subject})\n{doc}\n  {value})"


def _is_tag(field: Field) -> bool:
    return isinstance(field.shape, Choice) and len(field.shape.values) == 1


def _dashed(name: str) -> str:
    return "-".join(words_of(name))


def _docstring(*paragraphs: str) -> str:
    """Return a docstring as Emacs wants it: one whole sentence first, two blanks between sentences."""
    text = "\n".join(textwrap.fill(paragraph, 76, break_on_hyphens=False) for paragraph in paragraphs)
    text = re.sub(r"`([^`']+)`", r"`\1'", text)
    text = re.sub(r"([.;]) (?=[A-Z])", r"\1  ", text)
    return '  "' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
