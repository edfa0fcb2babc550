"""What is heavy stays out of the roles that do not need it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("dbos", "obstore", "plutoprint", "stripe")
_LOADED = "import sys, {role}; print([name for name in {heavy} if name in sys.modules])"


@pytest.mark.parametrize(
    "role", ["rollcall.roles.web", "rollcall.roles.worker", "rollcall.roles.scheduler", "rollcall.roles.jobs"]
)
def test_no_role_begins_with_what_only_some_jobs_need(role: str) -> None:
    assert loaded(role, HEAVY) == "[]\n"


def test_the_process_that_prints_pdfs_loads_no_workflow() -> None:
    assert loaded("workflows.report.pdf_process", ("sqlalchemy", "redis", "dramatiq")) == "[]\n"


def loaded(module: str, names: tuple[str, ...]) -> str:
    code = _LOADED.format(role=module, heavy=names)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
