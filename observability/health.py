"""Health: probes are asked one by one, and what cannot be read says so instead of looking well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How bad a finding is; the worst one speaks for the whole."""

    HEALTHY = 0
    DEGRADED = 1
    UNHEALTHY = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe read, and how bad it is."""

    value: object
    severity: Severity = Severity.HEALTHY


@dataclass(frozen=True, slots=True)
class Probe:
    """How to read one thing, and how bad it is when it cannot be read."""

    read: Callable[[], Finding]
    when_unreadable: Severity = Severity.DEGRADED


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The status in one word, and each check's value by its name."""

    status: str
    checks: dict[str, object]


def examine(probes: Mapping[str, Probe]) -> HealthReport:
    """Ask every probe. A probe that raises is reported as `{"error": …}`, never as zero or healthy."""
    findings = {name: _ask(probe) for name, probe in probes.items()}
    worst = max((finding.severity for finding in findings.values()), default=Severity.HEALTHY)
    return HealthReport(worst.name.lower(), {name: finding.value for name, finding in findings.items()})


def _ask(probe: Probe) -> Finding:
    try:
        return probe.read()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
        return Finding({"error": f"{type(error).__name__}: {error}"}, probe.when_unreadable)
