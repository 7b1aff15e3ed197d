"""What the tests share."""

import os

import pytest


@pytest.fixture
def missing():
    """missing(reason): skip for want of a tool, a browser or a network, but fail in continuous integration."""
    return pytest.fail if os.environ.get("CI") == "true" else pytest.skip
