"""How a file's language is told."""

from __future__ import annotations

import pytest

from memcache_lsp.languages import LANGUAGES, language_of


@pytest.mark.parametrize(
    ("path", "first_line", "expected"),
    [
        ("src/app.py", "", "python"),
        ("src/App.PY", "", "python"),
        ("a/b.tsx", "", "tsx"),
        ("lib/account.mli", "", "ocaml_interface"),
        ("Dockerfile", "", "dockerfile"),
        ("deploy/Dockerfile.dev", "", "dockerfile"),
        ("CMakeLists.txt", "", "cmake"),
        ("Makefile.am", "", "make"),
        ("config.yaml.example", "", "yaml"),
        (".bashrc", "", "bash"),
        ("Gemfile", "", "ruby"),
        ("bin/run", "#!/usr/bin/env python3.11", "python"),
        ("bin/run", "#!/bin/sh -e", "bash"),
        ("bin/run", "#! /usr/bin/env -S FOO=1 ruby --yjit", "ruby"),
        ("bin/run", "#!", "text"),
        ("bin/run", "#!/usr/bin/env", "text"),
        ("bin/run", "# -*- mode: ruby -*-", "ruby"),
        ("bin/run", ";; -*- emacs-lisp -*-", "elisp"),
        ("bin/run", "# -*- coding: utf-8 -*-", "text"),
        ("README", "", "text"),
        ("notes.unknown", "", "text"),
        ("", "", "text"),
        ("weird.", "", "text"),
        ("\udcff.rs", "", "rust"),
    ],
)
def test_language_of(path, first_line, expected):
    assert language_of(path, first_line) == expected


def test_no_name_belongs_to_two_languages():
    for kind in ("extensions", "names", "interpreters"):
        owners = [name for language in LANGUAGES.values() for name in getattr(language, kind)]
        assert len(owners) == len(set(owners))
        assert owners == [name.lower() for name in owners]
