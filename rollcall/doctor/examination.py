"""Runs checks concurrently, each with a time limit, so that none delays the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from rollcall.doctor.case import InspectedSettings
from rollcall.doctor.finding import Finding, Status, Verdict, failure, warning

LIMIT_SECONDS = 10.0
Answer = SimpleQueue[Verdict]


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    `remedy` is the hint when the check raises or exceeds `limit_seconds`. When one of `needs` (ids of other
    findings) has failed, the check is skipped, and its finding says so.
    """

    id: str
    look: Callable[[InspectedSettings], Verdict]
    remedy: str
    needs: tuple[str, ...] = ()
    limit_seconds: float = LIMIT_SECONDS


def examine(checks: Sequence[Check], case: InspectedSettings, known: Sequence[Finding] = ()) -> list[Finding]:
    """Return the findings in `known`, then one for each of `checks`, in order."""
    found = {finding.id: finding for finding in known}
    while waiting := [check for check in checks if check.id not in found]:
        names = {check.id for check in waiting}
        ready = [check for check in waiting if names.isdisjoint(check.needs)]
        found |= {finding.id: finding for finding in _side_by_side(ready, case, found)}
    return [*known, *(found[check.id] for check in checks)]


def _side_by_side(
    checks: Sequence[Check], case: InspectedSettings, found: Mapping[str, Finding]
) -> list[Finding]:
    begun = time.monotonic()
    answers = [(check, _asked(check, case, found)) for check in checks]
    return [_finding(check, answer, case, begun) for check, answer in answers]


def _asked(check: Check, case: InspectedSettings, found: Mapping[str, Finding]) -> Answer:
    answer: Answer = SimpleQueue()
    failed = [name for name in check.needs if name in found and found[name].status is Status.FAILURE]
    if failed:
        answer.put(warning(f"not examined, for {failed[0]} failed", f"mend {failed[0]} first"))
    else:
        # A daemon: a hanging check must not block the exit of the command.
        Thread(target=lambda: answer.put(_look(check, case)), name=check.id, daemon=True).start()
    return answer


def _look(check: Check, case: InspectedSettings) -> Verdict:
    try:
        return check.look(case)
    except Exception as error:  # noqa: BLE001 - reported as a finding
        return failure(f"{type(error).__name__}: {error}", check.remedy)


def _finding(check: Check, answer: Answer, case: InspectedSettings, begun: float) -> Finding:
    try:
        verdict = answer.get(timeout=max(0.0, begun + check.limit_seconds - time.monotonic()))
    except Empty:
        verdict = failure(f"no answer within {check.limit_seconds:g} s", check.remedy)
    return Finding(check.id, verdict.status, case.redact(verdict.seen), case.redact(verdict.hint))
