"""The Emacs client where Emacs shows something: in a terminal and in a window of an X server."""

import re
import shutil
from pathlib import Path

import emacsen
import needs
import pytest

FOUND = emacsen.found()
PDF_TOOLS = Path("/usr/share/emacs/site-lisp/elpa")
# The tests, what they told, and the end of Emacs, whose code tells whether one of them failed.
RUN = """(let ((message-log-max t) (failed 1))
  (unwind-protect
      (setq failed (ert-stats-completed-unexpected (ert-run-tests-batch)))
    (with-current-buffer "*Messages*" (write-region nil nil "{told}" nil 'silent))
    (kill-emacs (if (eql failed 0) 0 1))))"""


@pytest.fixture(params=FOUND or [None])
def program(request):
    """Return the path of an Emacs."""
    if request.param is None:
        needs.missing("there is no Emacs: install Debian's emacs-gtk")
    return FOUND[request.param]


@pytest.fixture
def windows():
    """Return the path of an Emacs that has windows, and a display for it."""
    can = "(kill-emacs (if (featurep 'x) 0 1))"
    programs = [program for program in FOUND.values() if emacsen.succeeds(program, "--batch", "--eval", can)]
    if not programs or not shutil.which("Xvfb"):
        needs.missing("there is no Emacs with windows, or no Xvfb: install Debian's emacs-gtk and xvfb")
    with emacsen.window_system() as display:
        yield programs[-1], display


@pytest.fixture
def project(short_home):
    return emacsen.make_home(short_home)


def ert(name, told):
    """Return the arguments that have an Emacs run the tests of a file."""
    paths = ("-L", emacsen.CLIENT, "-L", emacsen.CLIENT / "test")
    return (*paths, "-l", f"{name}.el", "--eval", RUN.format(told=told))


def passed(told):
    """Hold what was told against what is told where all went well; return how many were skipped."""
    text = told.read_text()
    ran = re.search(
        r"^Ran (\d+) tests, (\d+) results as expected(?:, 0 unexpected)?(?:, (\d+) skipped)?", text, re.MULTILINE
    )
    assert ran is not None, text[-4000:]
    assert int(ran[1]) == int(ran[2]) + int(ran[3] or 0) > 0, text[-4000:]
    return int(ran[3] or 0)


@pytest.mark.timeout(120)
def test_two_frames_of_a_terminal(program, project, tmp_path):
    terminal = emacsen.terminal(program, *ert("memcache-frames-test", tmp_path / "told"), project=project)
    assert terminal.wait_for_end() in {0, 1}
    assert passed(tmp_path / "told") == 0


@pytest.mark.timeout(120)
def test_two_frames_of_a_window_system(windows, project, tmp_path):
    program, display = windows
    printed = emacsen.window(program, *ert("memcache-frames-test", tmp_path / "told"), project=project, display=display)
    assert (tmp_path / "told").exists(), printed
    assert passed(tmp_path / "told") == 0


@pytest.mark.timeout(120)
def test_pages_are_shown_by_the_real_viewers(windows, project, tmp_path):
    program, display = windows
    if not any(map(shutil.which, ("gs", "mutool"))) or not list(PDF_TOOLS.glob("pdf-tools-*")):
        needs.missing("there is nothing that draws pages: install Debian's ghostscript and elpa-pdf-tools")
    printed = emacsen.window(
        program,
        *ert("memcache-pages-test", tmp_path / "told"),
        project=project,
        display=display,
        MEMCACHE_TEST_PDF_TOOLS=str(PDF_TOOLS),
    )
    assert (tmp_path / "told").exists(), printed
    assert passed(tmp_path / "told") == 0
