"""The registry of job kinds. It imports every workflow: the process that prints PDFs imports none of them."""

from __future__ import annotations

from workflows import daily_rollup, generation, refund
from workflows.kind import JobKinds, by_name
from workflows.report import workflow as report

KINDS: JobKinds = by_name(
    report.KIND,
    refund.KIND,
    generation.KIND,
    daily_rollup.KIND,
)
