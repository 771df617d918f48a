"""The Emacs client, in every Emacs found: by itself, against the real server, and in a terminal."""

import re
import time
from pathlib import Path

import emacsen
import needs
import pytest

FOUND = emacsen.found()
SOURCES = sorted(path for path in emacsen.CLIENT.glob("*.el"))
NO_HOME_PAGE = "Package should have a Homepage or URL header."  # the project has none yet
PACKAGE_LINT = sorted(Path("/usr/share/emacs/site-lisp/elpa-src").glob("package-lint-*"))


@pytest.fixture(params=FOUND or [None])
def program(request):
    """Return the path of an Emacs."""
    if request.param is None:
        needs.missing("there is no Emacs: install Debian's emacs-nox")
    return FOUND[request.param]


@pytest.fixture
def project(short_home):
    return emacsen.make_home(short_home)


@pytest.fixture
def project_with_model(short_home, smollm2):
    (short_home / "data" / "models").mkdir(parents=True)
    (short_home / "data" / "models" / smollm2.name).symlink_to(smollm2)
    return emacsen.make_home(short_home, model="smollm2-135m-instruct")


def run_ert(program, name, project):
    told = emacsen.batch(program, "-l", f"{name}.el", "-f", "ert-run-tests-batch-and-exit", project=project)
    ran = re.search(r"^Ran (\d+) tests, (\d+) results as expected, 0 unexpected", told, re.MULTILINE)
    assert ran is not None, told[-4000:]
    assert ran[1] == ran[2] != "0", told[-4000:]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["memcache-unit-test", "memcache-server-test", "memcache-caches-test"])
def test_its_own_tests_pass(program, name, project):
    run_ert(program, name, project)


@pytest.mark.timeout(300)
def test_it_streams_from_a_model(program, project_with_model):
    run_ert(program, "memcache-model-test", project_with_model)


def test_it_compiles_without_a_warning(program, tmp_path):
    there = f'(setq byte-compile-error-on-warn t byte-compile-dest-file-function (lambda (f) (concat "{tmp_path}/" (file-name-nondirectory f) "c")))'
    emacsen.batch(program, "--eval", there, "-f", "batch-byte-compile", *SOURCES)
    assert len(list(tmp_path.glob("*.elc"))) == len(SOURCES)


def test_checkdoc_has_nothing_to_say(program):
    check = "(progn (require 'checkdoc) (dolist (file command-line-args-left) (checkdoc-file file)) (setq command-line-args-left nil))"
    told = emacsen.batch(program, "--eval", check, *SOURCES)
    assert not [line for line in told.splitlines() if re.match(r"\S+\.el:\d+:", line)], told


def test_package_lint_has_nothing_to_say(program):
    if not PACKAGE_LINT:
        needs.missing("there is no package-lint: install Debian's elpa-package-lint")
    lint = (
        '(progn (require \'package-lint) (setq package-lint-main-file "memcache.el")'
        " (package-initialize) (dolist (file command-line-args-left) (with-temp-buffer"
        " (insert-file-contents file t) (emacs-lisp-mode)"
        ' (pcase-dolist (`(,line ,_ ,type ,text) (package-lint-buffer)) (princ (format "%s:%s: %s: %s\\n" file line type text)))'
        " (set-buffer-modified-p nil))) (setq command-line-args-left nil))"
    )
    # The archives cannot be asked, so that no released Emacs is known to it.
    known = (NO_HOME_PAGE, "uninstallable in all released Emacs versions")
    told = emacsen.batch(program, "-L", PACKAGE_LINT[-1], "--eval", lint, *SOURCES)
    findings = [line for line in told.splitlines() if re.match(r"\S+\.el:\d+: ", line)]
    assert not [line for line in findings if not any(each in line for each in known)], told


def test_it_is_a_package_that_can_be_installed(program, tmp_path):
    here = f'(progn (require \'package) (setq package-user-dir "{tmp_path}/elpa" package-archives nil) (package-initialize)'
    emacsen.batch(program, "--eval", f'{here} (package-install-file "{emacsen.CLIENT}"))', folder=tmp_path, path=())
    use = "(unless (autoloadp (symbol-function 'memcache-ask)) (error \"It is not there\")) (memcache-mode) (require 'memcache-menu)"
    emacsen.batch(program, "--eval", f"{here} {use})", folder=tmp_path, path=())


@pytest.mark.timeout(300)
def test_a_terminal_asks_moves_searches_and_leaves_at_once(program, project):
    setup = (
        '(progn (setq memcache-command (split-string (getenv "MEMCACHE_TEST_SERVER") "\\n"))'
        ' (global-memcache-mode) (global-set-key (kbd "C-c m") \'memcache-command-map))'
    )
    terminal = emacsen.terminal(
        program,
        "-L",
        emacsen.CLIENT,
        "-l",
        "memcache",
        "--eval",
        setup,
        project / "courier" / "retry.py",
        project=project,
    )
    terminal.wait(lambda text: "retry.py" in text)
    terminal.type("\x03ma")
    terminal.wait(lambda text: "Ask about courier:" in text)
    terminal.type("what happens to a parcel that fails too often?\r")
    terminal.wait(lambda text: "places read" in text)
    terminal.type("\x1b<n")  # the first source, whose lines are shown in the other window
    terminal.wait(lambda text: "def _failed(self" in text or "Dead letters" in text)
    terminal.type("q\x03ms")
    terminal.wait(lambda text: "Search courier:" in text)
    terminal.type("webhook signature")  # no RET: it is shown while one types
    terminal.wait(lambda text: "*xref*" in text and "webhooks.py" in text)
    terminal.type("\r")
    terminal.wait(lambda text: "Search courier:" not in text and "(XREF)" in text)
    terminal.type("\x181\x03mj")
    terminal.wait(lambda text: "Jump in courier:" in text)
    terminal.type("retry delay")
    terminal.wait(lambda text: len(re.findall(r"^\S+:\d+  ", text, re.MULTILINE)) > 3)
    terminal.type("\r")
    terminal.wait(lambda text: re.search(r"retry\.py +\d+% L32", text))  # the class RetryPolicy
    terminal.type("\x1bxmemcache-status\r")
    terminal.wait(lambda text: "one daemon for all editors" in text)
    terminal.type("\x18\x03")
    began = time.monotonic()
    assert terminal.wait_for_end() == 0
    assert time.monotonic() - began < 3
