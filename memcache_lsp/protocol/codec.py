"""Own the way from JSON to the typed values of the specification and back, and the sentence for what does not fit.

A type is a frozen dataclass whose fields have type hints, `Annotated` with a sentence on what the field means and, where
the hint alone says too little, a rule (`Between`, `NotBlank`, `AtMost`, `IsUri`). A type may have a method `problem` that tells
what is wrong between its fields. Must not import anything beyond the standard library and errors.

What is accepted, because editors' JSON libraries cannot do better: null for a field that may be left out, `[]` for an
empty object and `{}` for an empty list (Lua has one empty table), whole numbers written as 20.0, fields nobody knows.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from memcache_lsp.errors import UsageError

T = TypeVar("T")

LARGEST = 2**31 - 1  # of the language server protocol's `uinteger`
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:.+")  # a scheme of one letter is a Windows drive


class InvalidParams(UsageError):
    """Parameters do not fit their type; the sentence names the field."""


@dataclass(frozen=True, slots=True)
class Between:
    """The least and the greatest value of a whole number."""

    least: int
    most: int


class NotBlank:
    """Say of a text that it must hold more than blanks."""


@dataclass(frozen=True, slots=True)
class AtMost:
    """Say of a text how many characters it may have."""

    characters: int


class IsUri:
    """Say of a text that it is a URI."""


@dataclass(frozen=True, slots=True)
class Text:
    """A JSON string."""

    blank: bool = True
    uri: bool = False
    most: int | None = None

    @property
    def words(self) -> str:
        if self.uri:
            return "a URI such as file:///home/me/project/main.py"
        return "text" if self.blank else "text that is not blank"

    def read(self, value: Any, at: str) -> str:
        if not isinstance(value, str):
            raise _misfit(self, value, at)
        if self.most is not None and len(value) > self.most:
            raise InvalidParams(f"{at} is too long: it must be text of {self.most} characters at most.")
        if (self.uri and not _URI.fullmatch(value)) or not (self.blank or value.strip()):
            raise InvalidParams(f"{at} must be {self.words}.")
        return _unicode(value)


@dataclass(frozen=True, slots=True)
class Whole:
    """A JSON number without a fraction."""

    least: int = 0
    most: int = LARGEST

    @property
    def words(self) -> str:
        if self.most < LARGEST:
            return f"a whole number from {self.least} to {self.most}"
        return f"a whole number above {self.least - 1}" if self.least else "a whole number, 0 or above"

    def read(self, value: Any, at: str) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _misfit(self, value, at)
        if not self.least <= value <= self.most:
            raise InvalidParams(f"{at} must be {self.words}.")
        return value


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number."""

    words = "a number"

    def read(self, value: Any, at: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _misfit(self, value, at)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise InvalidParams(f"{at} must be {self.words}.")
        return number


@dataclass(frozen=True, slots=True)
class Flag:
    """A JSON boolean."""

    words = "true or false"

    def read(self, value: Any, at: str) -> bool:
        if not isinstance(value, bool):
            raise _misfit(self, value, at)
        return value


@dataclass(frozen=True, slots=True)
class Token:
    """A token of the client's, text or a whole number."""

    words = "text or a whole number"

    def read(self, value: Any, at: str) -> int | str:
        if isinstance(value, str):
            return _unicode(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _misfit(self, value, at)
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few texts; a choice of one is the tag that tells a union's members apart."""

    values: tuple[str, ...]

    @property
    def words(self) -> str:
        listed = ", ".join(f'"{value}"' for value in self.values)
        return listed if len(self.values) == 1 else f"one of {listed}"

    def read(self, value: Any, at: str) -> str:
        if not isinstance(value, str) or value not in self.values:
            raise InvalidParams(f"{at} must be {self.words}.")
        return value


@dataclass(frozen=True, slots=True)
class ListOf:
    """A JSON array."""

    item: Shape
    words = "a list"

    def read(self, value: Any, at: str) -> tuple[Any, ...]:
        value = [] if value == {} else value
        if not isinstance(value, list | tuple):
            raise _misfit(self, value, at)
        return tuple(self.item.read(item, f"{at}[{n}]") for n, item in enumerate(value))


@dataclass(frozen=True, slots=True)
class MapOf:
    """A JSON object whose names are data."""

    item: Shape
    words = "an object"

    def read(self, value: Any, at: str) -> dict[str, Any]:
        entries = _object(self, value, at)
        return {_unicode(name): self.item.read(item, f"{at}.{_shown(name)}") for name, item in entries.items()}


@dataclass(frozen=True, slots=True)
class Record:
    """A JSON object that is read into `cls`."""

    cls: type
    words = "an object"

    def read(self, value: Any, at: str) -> Any:
        entries = _object(self, value, at or "The parameters")
        values = {field.name: field.read(entries.get(field.json_name), at) for field in fields_of(self.cls)}
        record = self.cls(**values)
        check = getattr(record, "problem", None)
        problem = check() if check else ""
        if problem:
            raise InvalidParams(f"{at or 'The parameters'} {problem}.")
        return record


@dataclass(frozen=True, slots=True)
class OneOf:
    """A JSON object of one of several kinds, told apart by its `type`."""

    records: tuple[Record, ...]
    words = "an object with a type"

    def read(self, value: Any, at: str) -> Any:
        entries = _object(self, value, at or "The parameters")
        known = {tag_of(record.cls): record for record in self.records}
        where = f"{at}.type" if at else "type"
        kind = Choice(tuple(known)).read(entries.get("type"), where)
        return known[kind].read(value, at)


Shape = Text | Whole | Number | Flag | Token | Choice | ListOf | MapOf | Record | OneOf


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a type, as JSON has it and as Python has it."""

    name: str
    json_name: str
    shape: Shape
    required: bool  # in JSON
    default: Any  # what stands for a field that is not there; None where it is required
    doc: str

    def read(self, value: Any, at: str) -> Any:
        """Read the field's value, `at` being the place of the object it is in."""
        where = f"{at}.{self.json_name}" if at else self.json_name
        if value is not None:
            return self.shape.read(value, where)
        if self.required:
            raise InvalidParams(f"{where} is missing: it must be {self.shape.words}.")
        return self.default


def parse(cls: type[T], value: Any) -> T:
    """Read a JSON value as `cls`; null stands for an object without fields.

    Raises InvalidParams, and nothing else whatever the value is, with one sentence that names the field.
    """
    read: T = Record(cls).read({} if value is None else value, "")
    return read


def to_json(value: Any, *, defaults: bool = True) -> Any:
    """Give a value of the specification as JSON; what is None is left out, and on request what is the default."""
    if dataclasses.is_dataclass(value):
        named = ((field, getattr(value, field.name)) for field in fields_of(type(value)))  # type: ignore[arg-type]
        return {
            field.json_name: to_json(item, defaults=defaults)
            for field, item in named
            if item is not None and (defaults or field.required or item != field.default)
        }
    if isinstance(value, tuple):
        return [to_json(item, defaults=defaults) for item in value]
    return value


@cache
def fields_of(cls: type) -> tuple[Field, ...]:
    """Return the fields of a type of the specification, in order."""
    hints = get_type_hints(cls, include_extras=True)
    return tuple(_field(field, hints[field.name]) for field in dataclasses.fields(cls))


@cache
def tag_of(cls: type) -> str:
    """Return the value of `type` that a member of a union has."""
    return str(next(field.default for field in dataclasses.fields(cls) if field.name == "type"))


def shape_of(hint: Any, rules: tuple[Any, ...] = ()) -> Shape:
    """Return what a type hint says of JSON."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return shape_of(arguments[0], (*rules, *arguments[1:]))
    if origin is Literal:
        return Choice(arguments)
    if origin is tuple:
        return ListOf(shape_of(arguments[0]))
    if origin is dict:
        return MapOf(shape_of(arguments[1]))
    if origin in {types.UnionType, Union}:
        members = [member for member in arguments if member is not types.NoneType]
        if set(members) == {int, str}:
            return Token()
        if len(members) == 1:
            return shape_of(members[0], rules)
        return OneOf(tuple(Record(member) for member in members))
    return _plain(hint, rules) if hint in _PLAIN else Record(hint)


_PLAIN: dict[Any, Shape] = {str: Text(), int: Whole(), float: Number(), bool: Flag()}


def _plain(hint: Any, rules: tuple[Any, ...]) -> Shape:
    if hint is str:
        most = next((rule.characters for rule in rules if isinstance(rule, AtMost)), None)
        return Text(blank=NotBlank not in rules, uri=IsUri in rules, most=most)
    if hint is int:
        limits = next((rule for rule in rules if isinstance(rule, Between)), Between(0, LARGEST))
        return Whole(limits.least, limits.most)
    return _PLAIN[hint]


def _field(field: dataclasses.Field[Any], hint: Any) -> Field:
    shape = shape_of(hint)
    doc = next((rule for rule in get_args(hint)[1:] if isinstance(rule, str)), "")
    is_tag = isinstance(shape, Choice) and len(shape.values) == 1
    required = is_tag or field.default is dataclasses.MISSING
    default = None if required else field.default
    first, *others = field.name.split("_")
    json_name = first + "".join(word.capitalize() for word in others)
    return Field(field.name, json_name, shape, required=required, default=default, doc=doc)


def _object(shape: Shape, value: Any, at: str) -> dict[str, Any]:
    if value == []:
        return {}
    if not isinstance(value, dict):
        raise _misfit(shape, value, at)
    return value


def _misfit(shape: Shape, value: Any, at: str) -> InvalidParams:
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "text", dict: "an object"}
    return InvalidParams(f"{at} must be {shape.words}, not {kinds.get(type(value), 'a list')}.")


def _shown(name: str) -> str:
    """Return a name as a sentence may show it."""
    return name if re.fullmatch(r"[\w-]{1,40}", name) else "*"


def _unicode(text: str) -> str:
    """Replace what no encoding can write: JSON may escape half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
