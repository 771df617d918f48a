"""The Emacs client, in every Emacs found: by itself, against the real server, and in a terminal."""

import re
import shutil
import subprocess
from pathlib import Path

import emacsen
import needs
import pytest

FOUND = emacsen.found()
EXAMPLE = emacsen.ROOT / "examples" / "emacs-init.el"
SOURCES = sorted(path for path in emacsen.CLIENT.glob("*.el"))
# What package-lint finds and is let pass: the whole finding, at its place, and nothing else.
LET_PASS = {
    # The project has no home page yet.
    "memcache.el:1: error: Package should have a Homepage or URL header.",
    # Debian's package-lint 0.16 is older than Emacs 28.1, and takes whatever needs it for unreleased.
    "memcache.el:7: warning: This makes the package uninstallable in all released Emacs versions.",
}
PACKAGE_LINT = sorted(Path("/usr/share/emacs/site-lisp/elpa-src").glob("package-lint-*"))


@pytest.fixture(params=FOUND or [None])
def program(request):
    """Return the path of an Emacs."""
    if request.param is None:
        needs.missing("there is no Emacs: install Debian's emacs-gtk")
    return FOUND[request.param]


@pytest.fixture(params=[version for version in FOUND if int(version.split(".")[0]) >= 29] or [None])
def newer(request):
    """Return the path of an Emacs that has package-vc and use-package."""
    if request.param is None:
        pytest.skip("there is no Emacs 29 or newer")
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


def test_package_lint_finds_only_what_is_let_pass(program):
    if not PACKAGE_LINT:
        needs.missing("there is no package-lint: install Debian's elpa-package-lint")
    lint = (
        '(progn (require \'package-lint) (setq package-lint-main-file "memcache.el")'
        " (package-initialize) (dolist (file command-line-args-left) (with-temp-buffer"
        " (insert-file-contents file t) (emacs-lisp-mode)"
        ' (pcase-dolist (`(,line ,_ ,type ,text) (package-lint-buffer)) (princ (format "%s:%s: %s: %s\\n" file line type text)))'
        " (set-buffer-modified-p nil))) (setq command-line-args-left nil))"
    )
    told = emacsen.batch(program, "-L", PACKAGE_LINT[-1], "--eval", lint, *SOURCES)
    findings = re.findall(rf"^{re.escape(str(emacsen.CLIENT))}/(\S+\.el:\d+: .*)", told, re.MULTILINE)
    assert set(findings) == LET_PASS, told


def test_it_is_a_package_that_can_be_installed(program, tmp_path):
    here = f'(progn (require \'package) (setq package-user-dir "{tmp_path}/elpa" package-archives nil) (package-initialize)'
    emacsen.batch(program, "--eval", f'{here} (package-install-file "{emacsen.CLIENT}"))', folder=tmp_path, path=())
    use = "(unless (autoloadp (symbol-function 'memcache-ask)) (error \"It is not there\")) (memcache-mode) (require 'memcache-menu)"
    emacsen.batch(program, "--eval", f"{here} {use})", folder=tmp_path, path=())


def example(begins, clone):
    """Return a form of the example, with a folder for the clone's."""
    found = re.search(rf"^\({begins}.*?(?=\n\n)", EXAMPLE.read_text(), re.MULTILINE | re.DOTALL)
    return found[0].replace("CLONE", str(clone))


SET_UP = """(unless (and (equal (car memcache-command) "{clone}/.venv/bin/memcache-lsp") global-memcache-mode
              (eq (key-binding (kbd "C-c m a")) 'memcache-ask))
  (error "It is not set up: %S %S" memcache-command (key-binding (kbd "C-c m"))))"""
PRESSED = '(execute-kbd-macro (kbd "C-c m"))'  # which has use-package put the keymap there


def test_the_example_sets_it_up_where_it_lies(program, tmp_path):
    clone = emacsen.ROOT
    form = f"(progn {example('add-to-list', clone)} {SET_UP.format(clone=clone)})"
    emacsen.batch(program, "--eval", form, folder=tmp_path, path=())


def test_the_example_installs_it_from_its_repository(newer, tmp_path):
    clone = tmp_path / "clone"  # a repository of its own, for this one may be a worktree
    shutil.copytree(emacsen.CLIENT, clone / "editors" / "emacs")
    identity = ("-c", "user.name=A", "-c", "user.email=a@b.invalid")
    for command in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", "All")):
        subprocess.run(["git", *command], cwd=clone, check=True)
    here = f'(progn (require \'package) (setq package-user-dir "{tmp_path}/elpa" package-archives nil) (package-initialize)'
    emacsen.batch(newer, "--eval", f"{here} {example('package-vc-install', clone)})", folder=tmp_path, path=())
    use = f"{example('use-package', clone)} {PRESSED} {SET_UP.format(clone=clone)} (require 'memcache-menu)"
    emacsen.batch(newer, "--eval", f"{here} {use})", folder=tmp_path, path=())


@pytest.mark.timeout(300)
def test_a_terminal_asks_moves_searches_and_leaves(program, project):
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
    terminal.wait(lambda text: "Search courier:" not in text and "(XREF" in text)
    terminal.type("\x181\x03mj")
    terminal.wait(lambda text: "Jump in courier:" in text)
    terminal.type("retry delay")
    terminal.wait(lambda text: re.findall(r"^\S+:\d+  ", text, re.MULTILINE)[:1] == ["courier/retry.py:32  "])
    terminal.type("\r")
    terminal.wait(lambda text: re.search(r"retry\.py +\d+% +L32", text))  # the class RetryPolicy
    terminal.type("\x1bxmemcache-status\r")
    terminal.wait(lambda text: "one daemon for all editors" in text)
    terminal.type("\x18\x03")
    assert terminal.wait_for_end() == 0
