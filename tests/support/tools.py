"""Programs of the system that a test needs."""

from __future__ import annotations

import os
import shutil

import pytest


def require(tool: str, package: str) -> str:
    """The path of `tool`; where it is missing the test is skipped, or fails where nothing may be skipped."""
    found = shutil.which(tool)
    if found is not None:
        return found
    reason = f"no {tool} here (Debian: apt-get install {package})"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
