"""Words by what they mean to a programmer: classes of words with one root, and groups of words with one sense.

Pure. Must not import anything of this package but `tokens`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache

from memcache_lsp.tokens import STOP_WORDS, parts_of, stem, words

_LEAST_ROOT = 4  # letters that stay when an ending is cut
_ENDINGS = tuple("ation ition ator izer iz ion or er ment abl ibl at it ut iv ist ism al ic ed ing i e y v".split())
_AFTER_R = ("str", "ntr")  # registr(y), administr(ation): the r belongs to no root

# What one programmer calls by one word, and another by the next; abbreviations beside what they stand for.
_SENSES = """
auth authentication authenticate authorization authorize login
db database
config configuration configure settings options preferences
init initialize initialization setup bootstrap startup
ctx context
req request
resp res response reply
msg message
err error exception failure fault
util utils utility helper helpers
doc docs documentation
dir directory folder
env environment
param params parameter arg args argument arguments
attr attribute prop props property properties
func function fn
var variable
num number numeric
str string text
int integer
bool boolean
char character
regex regexp pattern
iter iterator iterate iteration
conn connection connect
async asynchronous
sync synchronous synchronize
temp tmp temporary
len length size
max maximum
min minimum
prev previous
src source
dst dest destination
cmd command
exec execute execution run
repo repository
pkg package
lib library
app application
cert certificate
impl implementation
spec specification
ref reference
ptr pointer
addr address
buf buffer
alloc allocate allocation allocator
del delete remove removal
fmt format formatting
gen generate generation generator
calc calculate compute
eval evaluate evaluation
expr expression
stmt statement
decl declaration
def definition define
seq sequence
vec vector
img image
pos position
rand random
stats statistics metrics
proc process
mem memory
idx index
info information
ver version
perm permission
tls ssl
ws websocket
i18n internationalization localization locale translation
lex lexer tokenizer scanner
deps dependency dependencies
sub subscribe subscription
pub publish
ser serialize serialization encode encoding marshal
de deserialize deserialization decode decoding unmarshal
log logging logger
cache caching memoize
hook callback listener
event signal notification
route router routing url
view template render rendering
test testing
type schema
query select
schedule scheduler timer
task job
thread concurrency parallel
compress compression gzip deflate
upload multipart
form
mock stub fake
cli command terminal console
net network networking socket
fs filesystem file
op operation operator
opt option
val value
elem element
obj object
dict dictionary map
arr array list
convert conversion cast coerce transform
validate validation check verify constraint
merge combine
install installation
update upgrade
"""


@lru_cache(maxsize=100_000)
def class_of(word: str) -> str:
    """Return the root of a lower-case word: its stem without up to two endings (resolver, resolution → resol)."""
    root = stem(word)
    if not root.isascii():
        return root
    for _ in range(2):
        shorter = _cut(root)
        if shorter == root:
            break
        root = shorter
    return root


def _cut(root: str) -> str:
    for ending in _ENDINGS:
        if root.endswith(ending) and len(root) - len(ending) >= _LEAST_ROOT:
            return root[: -len(ending)]
    return root[:-1] if root.endswith(_AFTER_R) and len(root) > _LEAST_ROOT else root


@lru_cache(maxsize=100_000)
def classes_of(word: str) -> tuple[str, ...]:
    """Return the classes of an identifier's parts."""
    return tuple(class_of(part) for part in parts_of(word))


def classes(text: str) -> list[str]:
    """Return the classes of all words of a text, in order."""
    return [each for word in words(text) for each in classes_of(word)]


def content_words(text: str) -> list[str]:
    """Return the words of a question that carry meaning, as written; all its words where none does."""
    every = words(text)
    return [word for word in every if word.lower() not in STOP_WORDS] or every


@cache
def _senses() -> dict[str, frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for line in _SENSES.split("\n"):
        group = {class_of(word) for word in line.split()}
        for each in group:
            groups.setdefault(each, set()).update(group)
    return {each: frozenset(group - {each}) for each, group in groups.items()}


def senses(asked: Iterable[str]) -> frozenset[str]:
    """Return the classes that mean what some of those asked for mean, without those asked for."""
    known = _senses()
    given = frozenset(asked)
    return frozenset().union(*(known.get(each, frozenset()) for each in given)) - given
