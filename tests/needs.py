"""What a test needs and may not be there: a named skip, and a failure where every test has to run."""

import os

import pytest


def missing(what):
    """Skip the test, or fail it where all of them have to run."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
