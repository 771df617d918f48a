"""Which language a file is in: the table of languages, and the rules that read a path or a `#!` line.

Owns the language keys that documents, filters and the index use. Imports the standard library only, for the scan and
the command line read it on every start; what tree-sitter makes of a language lies in `chunking`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

TEXT: Final = "text"


@dataclass(frozen=True, slots=True)
class Language:
    """A language: how its files are named, and which grammar reads them.

    `names` are whole file names, `extensions` come with their dot, both lower-case; `interpreters` are what a `#!`
    line calls. `grammar` is the name in tree-sitter-language-pack, or None where the text is split by lines; it reads
    the content of `<script>` only where `in_script_tags` says so.
    """

    key: str
    extensions: tuple[str, ...]
    grammar: str | None
    names: tuple[str, ...] = ()
    interpreters: tuple[str, ...] = ()
    is_document: bool = False
    in_script_tags: bool = False
    line_comments: tuple[str, ...] = ()
    is_container: bool = False  # its text has to be read out of the file


def _code(
    key: str,
    extensions: str,
    *,
    grammar: str | None = "",
    names: str = "",
    interpreters: str = "",
    comments: str = "",
    is_document: bool = False,
    in_script_tags: bool = False,
) -> Language:
    """Make a row of the table from space-separated words; the grammar is named like the language unless told."""
    return Language(
        key=key,
        extensions=tuple(extensions.split()),
        grammar=key if grammar == "" else grammar,
        names=tuple(names.split()),
        interpreters=tuple(interpreters.split()),
        is_document=is_document,
        in_script_tags=in_script_tags,
        line_comments=tuple(comments.split()),
    )


def _document(key: str, extensions: str, *, grammar: str | None = None, names: str = "") -> Language:
    """Make a row for a language of prose, whose sections follow its headings."""
    return _code(key, extensions, grammar=grammar, names=names, is_document=True)


def _container(key: str, extensions: str) -> Language:
    """Make a row for a format of documents whose files are no text."""
    return replace(_document(key, extensions), is_container=True)


_TABLE: Final = (
    _code("python", ".py .pyi .pyw .pyx .pxd", names="sconstruct sconscript", interpreters="python", comments="#"),
    _code("javascript", ".js .mjs .cjs .jsx .es6", interpreters="node", comments="//"),
    _code("typescript", ".ts .mts .cts", interpreters="deno ts-node bun", comments="//"),
    _code("tsx", ".tsx", comments="//"),
    _code("go", ".go", comments="//"),
    _code("rust", ".rs", comments="//"),
    _code("c", ".c .h", comments="//"),
    _code("cpp", ".cc .cpp .cxx .c++ .hh .hpp .hxx .h++ .ipp .inl .tpp .cppm .ixx .cu .cuh", comments="//"),
    _code("csharp", ".cs .csx", comments="//"),
    _code("java", ".java", comments="//"),
    _code("kotlin", ".kt .kts", comments="//"),
    _code("scala", ".scala .sc .sbt", comments="//"),
    _code("swift", ".swift", interpreters="swift", comments="//"),
    _code(
        "ruby",
        ".rb .rake .gemspec .ru .rbi .podspec",
        names="gemfile rakefile podfile vagrantfile guardfile capfile brewfile fastfile",
        interpreters="ruby",
        comments="#",
    ),
    _code("php", ".php .phtml .php5 .php7", interpreters="php", comments="// #"),
    _code("elixir", ".ex .exs", interpreters="elixir", comments="#"),
    _code("haskell", ".hs .hsc .hs-boot", interpreters="runhaskell runghc stack", comments="--"),
    _code("lua", ".lua", interpreters="lua luajit", comments="--"),
    _code("zig", ".zig .zon", comments="//"),
    _code(
        "bash",
        ".sh .bash .zsh .ksh .bats .ebuild",
        names=".bashrc .bash_profile .bash_aliases .profile .zshrc .zshenv .zprofile pkgbuild apkbuild",
        interpreters="sh bash zsh dash ksh ash bats",
        comments="#",
    ),
    _code("elisp", ".el", names=".emacs .spacemacs cask", interpreters="emacs", comments=";"),
    _code("ocaml", ".ml", interpreters="ocaml"),
    _code("ocaml_interface", ".mli"),
    _code("sql", ".sql .ddl .dml .psql .pgsql .mysql", comments="--"),
    _document("html", ".html .htm .xhtml", grammar="html"),
    _code("css", ".css"),
    _code("scss", ".scss", comments="//"),
    _document("markdown", ".md .markdown .mdown .mkd .mdx .qmd .rmd"),
    _document("rst", ".rst .rest"),
    _document("org", ".org"),
    _document("asciidoc", ".adoc .asciidoc .asciidoctor"),
    _document("man", ".man .mdoc .roff .troff"),  # and `.1`, `.3pm`, which `_PAGE` knows
    _document("info", ".info"),
    _document("csv", ".csv .tsv"),
    _container("pdf", ".pdf"),
    _container("docx", ".docx .docm .dotx"),
    _container("epub", ".epub"),
    _container("notebook", ".ipynb"),
    _container("mail", ".mbox .eml .mbx"),
    _container("mhtml", ".mhtml .mht"),
    _document("latex", ".tex .ltx .sty .cls", grammar=None),
    _code("toml", ".toml", names="pipfile", comments="#"),
    _code("yaml", ".yaml .yml .cff", names=".clang-format .clang-tidy .clangd", comments="#"),
    _code(
        "json",
        ".json .jsonc .json5 .geojson .jsonld .webmanifest .code-workspace",
        names=".babelrc .eslintrc .jshintrc .prettierrc .swcrc",
        comments="//",
    ),
    _code("r", ".r", names=".rprofile", interpreters="rscript", comments="#"),
    _code("julia", ".jl", interpreters="julia", comments="#"),
    _code("perl", ".pl .pm .t .psgi", names="cpanfile", interpreters="perl", comments="#"),
    _code("clojure", ".clj .cljs .cljc .edn .bb", interpreters="bb clojure", comments=";"),
    _code("vue", ".vue", grammar="typescript", in_script_tags=True),
    _code("svelte", ".svelte", grammar="typescript", in_script_tags=True),
    _code("nix", ".nix", comments="#"),
    _code("dockerfile", ".dockerfile", names="dockerfile containerfile", comments="#"),
    _code("cmake", ".cmake", names="cmakelists.txt", comments="#"),
    _code("proto", ".proto", comments="//"),
    _code("graphql", ".graphql .gql .graphqls", comments="#"),
    _code("make", ".mk .mak", names="makefile gnumakefile bsdmakefile", interpreters="make", comments="#"),
    _code("vim", ".vim .vimrc", names=".vimrc _vimrc vimrc .gvimrc"),
    _code("dart", ".dart", interpreters="dart", comments="//"),
    _code("erlang", ".erl .hrl .escript", interpreters="escript", comments="%"),
    _code("powershell", ".ps1 .psm1 .psd1", interpreters="pwsh", comments="#"),
    _code("terraform", ".tf .tfvars .hcl", grammar="hcl", comments="# //"),
    _code("fish", ".fish", interpreters="fish", comments="#"),
    _code("ini", ".ini .cfg .conf .properties .editorconfig", grammar=None, names=".gitconfig .npmrc .editorconfig"),
    _code("xml", ".xml .xsd .xsl .xslt .svg .plist .csproj .props .targets .xaml .rss .wsdl", grammar=None),
    _document("text", ".txt .text .log", names="readme license copying changelog authors news todo install notice"),
)

LANGUAGES: Final[dict[str, Language]] = {language.key: language for language in _TABLE}

_BY_NAME: Final = {name: language.key for language in _TABLE for name in language.names}
_BY_EXTENSION: Final = {extension: language.key for language in _TABLE for extension in language.extensions}
_BY_INTERPRETER: Final = {name: language.key for language in _TABLE for name in language.interpreters}

_EMACS_MODE: Final = re.compile(r"-\*-\s*(?:.*?\bmode:\s*)?([\w+-]+)\b.*?-\*-")
_MODES: Final = {"emacs-lisp": "elisp", "shell-script": "bash", "sh": "bash", "c++": "cpp", "makefile": "make"}
_VERSION_SUFFIX: Final = re.compile(r"[-\d.]+$")  # python3.11, lua5.4, ruby-3


def language_of(path: str, first_line: str = "") -> str:
    """Tell a file's language by its name, else by the `#!` or `-*- mode -*-` of its first line; else "text"."""
    folders, _, name = path.rpartition("/")
    name = name.lower().removesuffix(_GZIP)
    if found := _BY_NAME.get(name):
        return found
    if _LETTER.match(name) and folders.rpartition("/")[2] in {"cur", "new"}:
        return "mail"
    stem, dot, suffix = name.rpartition(".")
    while dot:
        if found := _BY_EXTENSION.get(dot + suffix):
            return found
        if suffix not in _TEMPLATE_SUFFIXES:
            break
        stem, dot, suffix = stem.rpartition(".")
    if found := _by_stem(name):
        return found
    if (_PACKED_PAGE if path.lower().endswith(_GZIP) else _PAGE).search(name):
        return "man"
    return "info" if _INFO.search(name) else _by_first_line(first_line)


def is_container(path: str) -> bool:
    """Tell by a file's name alone whether its text has to be read out of it."""
    language = LANGUAGES.get(language_of(path))
    return language is not None and (language.is_container or is_packed(path))


def is_large(path: str) -> bool:
    """Tell by a file's name whether its size says little of how much text there is to be indexed."""
    return is_container(path) or language_of(path) == "csv"


def is_packed(path: str) -> bool:
    """Tell by a file's name whether it is a manual that lies on the disk packed."""
    name = path.lower()
    return name.endswith(_GZIP) and language_of(name) in {"man", "info", "pdf"}


_GZIP: Final = ".gz"
_PAGE: Final = re.compile(
    r"[^.\d](?<!\.so)\.[1-9](?:pm|perl|posix|ssl|tcl|curses|[glpx])?\Z"
)  # `ls.1`, `open.3posix`, and no version
_PACKED_PAGE: Final = re.compile(r".\.[1-9][a-z]{0,8}\Z")  # who packs `utf-8.7` means a manual
_INFO: Final = re.compile(r"\.info-\d+\Z")
_LETTER: Final = re.compile(r"\d{6,}\.[^/]+\.[^/]+\Z|\d{6,}\.[^/]+[:;!]2,")  # of a maildir

# `config.yaml.example` is YAML, `nginx.conf.in` is a configuration file
_TEMPLATE_SUFFIXES: Final = frozenset(("in", "example", "sample", "dist", "tmpl", "tpl", "template", "bak", "orig"))


def _by_stem(name: str) -> str | None:
    """Know `Dockerfile.dev`, `Makefile.am` and the like by what stands before the dot."""
    stem, dot, _ = name.partition(".")
    return _BY_NAME.get(stem) if dot and stem in {"dockerfile", "containerfile", "makefile", "gnumakefile"} else None


def _by_first_line(line: str) -> str:
    """Read `#! /usr/bin/env python3` or `-*- mode: ruby -*-`."""
    line = line[:500]
    if line.startswith("#!"):
        words = [word for word in line[2:].split() if not word.startswith("-") and "=" not in word]
        if words and words[0].rpartition("/")[2] == "env":
            words = words[1:]
        if words:
            program = words[0].rpartition("/")[2].lower()
            return _BY_INTERPRETER.get(program) or _BY_INTERPRETER.get(_VERSION_SUFFIX.sub("", program), TEXT)
    if mode := _EMACS_MODE.search(line):
        word = mode[1].lower()
        word = _MODES.get(word, word)
        return word if word in LANGUAGES else TEXT
    return TEXT
