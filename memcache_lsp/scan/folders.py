"""What holds for the entries of each folder of a project: which rules, in which order, in which git work tree.

Owns the order of rules, the first that speaks decides: version control's own files; .memcacheignore, exclude of
memcache.toml, .ignore (each from the deepest folder upwards); then, unless git tracks the entry, .gitignore,
info/exclude, the user's global ignore, and that a folder belongs to a saved page. Reads ignore files and git's index,
nothing else; follows no symbolic link below the root or in a project's `.git`. Must not import what reads documents.

All paths in here are bytes, relative to the top of the enclosing work tree (without one, to the root).
"""

# ruff: noqa: PTH118 - paths are bytes here, which pathlib does not know

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

from memcache_lsp.config import ProjectSettings
from memcache_lsp.paths import PROJECT_SETTINGS
from memcache_lsp.scan import gitfiles, saved
from memcache_lsp.scan.names import VCS_FOLDERS
from memcache_lsp.scan.rules import Rule, RuleList

MISSING = "missing: there is no such file"
BAD_NAME = "name: it is not UTF-8 or has control characters"
LINK = "link: symbolic links are not followed"
_VCS = frozenset(map(os.fsencode, VCS_FOLDERS))
_RULE_FILES = (b".gitignore", b".ignore", b".memcacheignore", b".git")
RULE_NAMES = frozenset((*_RULE_FILES, os.fsencode(PROJECT_SETTINGS)))  # what they say holds for what lies around them
_Rules = tuple[RuleList, ...]
_Stamps = tuple[tuple[int, int, int], ...]


class WorkTree:
    """What a git work tree ignores besides .gitignore, and what it tracks."""

    __slots__ = ("_base", "_folders", "_index", "_stamp", "_tracked", "rules", "sources")

    def __init__(self, top: bytes, *, base: bytes, global_rules: bytes, is_inside: bool) -> None:
        """Look at the work tree (or plain folder) at the real path `top`, which lies at `base`, inside the root or not."""
        own, common = gitfiles.git_folders(top) or (b"", b"")
        self._base = len(base)
        self._index = os.path.join(own, b"index") if own else b""
        self._stamp: tuple[int, int, int] | None = None
        self._tracked: frozenset[bytes] = frozenset()
        self._folders: frozenset[bytes] = frozenset()
        self.sources = (os.path.join(common, b"info/exclude"),) if common else ()
        is_own = is_inside and common == os.path.join(top, b".git")
        exclude = (common and gitfiles.read_exclude(common)) or b""
        lists = (
            RuleList(exclude, source=".git/info/exclude", base=base, is_quoted=is_own),
            RuleList(global_rules, source="the global git ignore file", base=base, is_quoted=False),
        )
        self.rules = tuple(rules for rules in lists if not rules.empty)

    def forget_index(self) -> None:
        """Let the next question read the index again if it is another one by then."""
        if self._index and self._stamp is not None and gitfiles.stamp(self._index) != self._stamp:
            self._stamp = None

    def tracks(self, path: bytes, *, is_folder: bool) -> bool:
        """Tell whether git tracks the file, or something in the folder."""
        if not self._index:
            return False
        if self._stamp is None:
            self._stamp = gitfiles.stamp(self._index)
            data = gitfiles.read_small(self._index, limit_bytes=gitfiles.MAX_INDEX_BYTES)
            self._tracked, self._folders = gitfiles.tracked_paths(data or b"")
        return path[self._base :] in (self._folders if is_folder else self._tracked)


@dataclass(frozen=True, slots=True)
class Folder:
    """What holds for the entries of one folder."""

    path: bytes  # with its slash at the end, or empty
    shown: str  # the same below the root
    tree: WorkTree
    memcache: _Rules = ()  # of .memcacheignore, the deepest first; likewise the next two
    plain: _Rules = ()
    git: _Rules = ()
    ours: _Rules = ()  # all our own, in their order
    theirs: _Rules = ()  # all of git's, in their order
    ignored: str = ""  # why git ignores this folder, which was entered for what git tracks in it
    included: bool = True
    stamps: _Stamps = ()
    children: dict[bytes, Folder] = field(default_factory=dict, compare=False)


class Folders:
    """The folders of one root, made when they are asked for. Not to be shared between threads."""

    def __init__(self, root: Path, settings: ProjectSettings) -> None:
        self._root = root
        self._settings = settings
        self._global_rules = b""
        self._known: Folder | None = None
        self._sources: tuple[bytes | Path, ...] = ()
        self._stamps: _Stamps = ()
        self._top = b""
        self._base = b""  # where the root lies below the top
        self._exclude: _Rules = ()
        self._include: _Rules = ()

    def real(self, path: bytes) -> bytes:
        """Return the path in the file system."""
        return os.path.join(self._top, path)

    def root(self) -> Folder:
        """Return the root's state, made anew where a file on which it depends has changed."""
        if self._known is None or self._stamps != tuple(map(gitfiles.stamp, self._sources)):
            self._known = self._make_root()
            self._stamps = tuple(map(gitfiles.stamp, self._sources))
        self._known.tree.forget_index()
        return self._known

    def forget(self) -> None:
        """Look at everything anew when next asked."""
        self._known = None

    def enter(self, parent: Folder, name: bytes) -> Folder | str:
        """Return the state of a folder, or say why it is not entered."""
        reason, ignored = self._verdict(parent, name, is_folder=True)
        if reason:
            return reason
        shown = printable_name(name)
        if shown is None:
            return BAD_NAME
        path = parent.path + name
        below = replace(
            parent,
            path=path + b"/",
            shown=f"{parent.shown}{shown}/",
            ignored=ignored,
            included=parent.included or self._is_included(path, name, is_folder=True),
            children={},
        )
        return self._with_own_rules(below)

    def enter_afresh(self, parent: Folder, name: bytes) -> Folder | str:
        """Return the state of a folder as `enter` does, after a look whether it is one and has changed."""
        real = self.real(parent.path + name)
        try:
            mode = os.lstat(real).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return MISSING
        except OSError as error:
            return unreadable(error)
        if not stat.S_ISDIR(mode):
            return LINK if stat.S_ISLNK(mode) else MISSING
        known = parent.children.get(name)
        stamps = _stamps(real)
        if known is None or known.stamps != stamps:
            entered = self.enter(parent, name)
            if isinstance(entered, str):
                return entered
            known = parent.children[name] = replace(entered, stamps=stamps)
        known.tree.forget_index()
        # what git tracks may have changed, and with it the answer for the folder itself
        return self._verdict(parent, name, is_folder=True)[0] or known

    def ignored(self, folder: Folder, name: bytes) -> str:
        """Say why a file of this name is ignored in the folder, or return an empty string."""
        return self._verdict(folder, name, is_folder=False)[0]

    def includes(self, folder: Folder, name: bytes) -> bool:
        """Tell whether the project's `include`, if it has one, matches the file."""
        return folder.included or self._is_included(folder.path + name, name, is_folder=False)

    def _is_included(self, path: bytes, name: bytes, *, is_folder: bool) -> bool:
        rule = _first(self._include, path, name, is_folder=is_folder)
        return rule is not None and not rule.negated

    def _verdict(self, folder: Folder, name: bytes, *, is_folder: bool) -> tuple[str, str]:
        """Return why an entry is left out, and why git ignores it although it is not left out."""
        if name in _VCS:
            return "version control: its own files are not the project's", ""
        path = folder.path + name
        rule = _first(folder.ours, path, name, is_folder=is_folder)
        if rule is not None:
            return ("", "") if rule.negated else (rule.reason, "")
        reason = folder.ignored
        if not reason:
            rule = _first(folder.theirs, path, name, is_folder=is_folder)
            if rule is None:
                reason = saved.REASON if is_folder and self._is_of_page(folder, name) else ""
            elif not rule.negated:
                reason = rule.reason
        if not reason:
            return "", ""
        return ("", reason) if folder.tree.tracks(path, is_folder=is_folder) else (reason, "")

    def _is_of_page(self, folder: Folder, name: bytes) -> bool:
        """Tell whether a folder is that of a saved page, which lies beside it."""
        return any(os.path.isfile(self.real(folder.path + page)) for page in saved.pages_of(name))  # noqa: PTH113 - bytes

    def _with_own_rules(self, folder: Folder, *, tree: WorkTree | None = None) -> Folder:
        """Add the rules of the ignore files that lie in the folder itself."""
        real = self.real(folder.path)
        own = [self._rules_in(folder, real, name) for name in (b".gitignore", b".ignore", b".memcacheignore")]
        if tree is None and gitfiles.git_folders(real):
            tree = self._tree(real, folder.path)
        if tree is not None:  # another repository: what lies above says nothing here
            folder = replace(folder, tree=tree, git=(), ignored="")
        elif not any(own):
            return folder
        git, plain, memcache = own[0] + folder.git, own[1] + folder.plain, own[2] + folder.memcache
        ours = memcache + self._exclude + plain
        return replace(folder, memcache=memcache, plain=plain, git=git, ours=ours, theirs=git + folder.tree.rules)

    def _tree(self, top: bytes, base: bytes) -> WorkTree:
        is_inside = base.startswith(self._base)
        return WorkTree(top, base=base, global_rules=self._global_rules, is_inside=is_inside)

    def _rules_in(self, folder: Folder, real: bytes, name: bytes) -> _Rules:
        text = gitfiles.read_small(os.path.join(real, name))
        if not text:
            return ()
        is_inside = folder.path.startswith(self._base)
        rules = RuleList(text, source=f"{folder.shown}{name.decode()}", base=folder.path, is_quoted=is_inside)
        return () if rules.empty else (rules,)

    def _make_root(self) -> Folder:
        root = os.fsencode(self._root)
        self._global_rules, sources = gitfiles.global_ignore(os.environ, Path(os.path.expanduser("~")))  # noqa: PTH111 - never raises
        above = [os.fsencode(folder) for folder in self._root.parents]
        top = next((folder for folder in (root, *above) if gitfiles.git_folders(folder)), root)
        self._top = top
        self._base = base = root[len(top) :].lstrip(b"/") + b"/" if top != root else b""
        self._exclude = self._include = ()
        folder = self._from_top(base)
        self._exclude = _rules_of_settings(self._settings.exclude, "exclude", base)
        self._include = _rules_of_settings(self._settings.include, "include", base)
        seen = [root, *(each for each in above if len(each) >= len(top))]
        self._sources = (
            *sources,
            *folder.tree.sources,
            *(os.path.join(each, b".git") for each in above),
            *(os.path.join(each, name) for each in seen for name in _RULE_FILES),
        )
        ours = folder.memcache + self._exclude + folder.plain
        return replace(folder, ours=ours, included=not self._settings.include, children={})

    def _from_top(self, base: bytes) -> Folder:
        """Go down from the top of the enclosing work tree to the root, which is at `base` and never ignored."""
        tree = self._tree(self._top, b"")
        folder = Folder(path=b"", shown="", tree=tree)
        entered = self._with_own_rules(folder, tree=tree)
        for part in base.split(b"/")[:-1]:
            below = self.enter(entered, part)
            if isinstance(below, str) or below.ignored:  # then what lies above does not count
                only_global = self._tree(self._top + b"\0", b"")
                return self._with_own_rules(replace(folder, path=base), tree=only_global)
            entered = below
        return replace(entered, shown="")


def unreadable(error: OSError) -> str:
    """Say why a file or folder could not be read."""
    return f"unreadable: {(error.strerror or str(error)).lower()}"


def printable_name(name: bytes) -> str | None:
    """Decode a name; None where it could not be shown or handed on as it is."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return None
    return text if (text.isascii() and text.isprintable()) or not _has_controls(text) else None


def _has_controls(text: str) -> bool:
    return any(char < " " or "\x7f" <= char <= "\x9f" or char in "\u2028\u2029" for char in text)


def _first(lists: _Rules, path: bytes, name: bytes, *, is_folder: bool) -> Rule | None:
    for rules in lists:
        rule = rules.match(path, name, is_folder=is_folder)
        if rule is not None:
            return rule
    return None


def _rules_of_settings(patterns: tuple[str, ...], key: str, base: bytes) -> _Rules:
    text = "\n".join(pattern.replace("\n", "?") for pattern in patterns).encode("utf-8", "surrogateescape")
    rules = RuleList(text, source=f"{PROJECT_SETTINGS}, {key}", base=base)
    return () if rules.empty else (rules,)


def _stamps(folder: bytes) -> _Stamps:
    return tuple(gitfiles.stamp(os.path.join(folder, name)) for name in _RULE_FILES)
