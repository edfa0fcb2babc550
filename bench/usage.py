"""CPU time and memory of processes, by the role in their title."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

_TITLE = re.compile(r"rollcall: (\w+)")
MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Usage:
    """The CPU seconds used so far, and the memory held now, by role.

    Shape: `pss_mb` in MiB, proportional set size: memory shared by several processes is divided among them.
    """

    cpu_seconds: dict[str, float]
    pss_mb: dict[str, float]

    def cpu_ms_since(self, earlier: Usage, *roles: str) -> float:
        """CPU milliseconds since `earlier` in `roles`, or in all of them."""
        return 1000 * sum(
            self.cpu_seconds.get(role, 0.0) - earlier.cpu_seconds.get(role, 0.0)
            for role in roles or self.cpu_seconds
        )

    @property
    def total_pss_mb(self) -> float:
        """The memory of all roles together, in MiB."""
        return sum(self.pss_mb.values())


def measure(processes: Iterable[psutil.Process]) -> Usage:
    """The present usage of `processes`; those that end meanwhile are left out."""
    usage = Usage({}, {})
    for process in processes:
        try:
            _add(usage, process)
        except psutil.NoSuchProcess:
            continue
    return usage


def _add(usage: Usage, process: psutil.Process) -> None:
    role, times, memory = _role(process), process.cpu_times(), process.memory_full_info()
    usage.cpu_seconds[role] = usage.cpu_seconds.get(role, 0.0) + times.user + times.system
    usage.pss_mb[role] = usage.pss_mb.get(role, 0.0) + getattr(memory, "pss", memory.uss) / MEBIBYTE


def _role(process: psutil.Process) -> str:
    title = _TITLE.match(" ".join(process.cmdline()))
    return title.group(1) if title else process.name()
