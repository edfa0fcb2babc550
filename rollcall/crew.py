"""Several worker processes under one supervisor."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from threading import Event

from rollcall.supervisor import Supervisor, role_child


def run(processes: int, threads: int, queues: Sequence[str]) -> int:
    """Run `processes` workers until SIGTERM; the exit code."""
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    arguments = ["--processes", "1", "--threads", str(threads)]
    arguments += ["--queues", ",".join(queues)] if queues else []
    workers = [role_child("worker", *arguments, environment=os.environ) for _ in range(processes)]
    return Supervisor(workers, stopped).run(lambda: False, lambda: None)
