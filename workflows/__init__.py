"""Durable jobs of several steps, run by DBOS in the role `rollcall jobs`, and the registry of their kinds."""

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

__all__ = ["KINDS"]
