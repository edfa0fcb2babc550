"""The idle cost of Rollcall: its start time, memory and CPU.

    python -m bench.idle [--settle SECONDS] [--json]

Starts `rollcall up` in an empty home (first start: secrets and schema are made) and again in the same one,
each timed from the start of the process until `/readyz` says 200.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.programs import Programs, end_on_sigterm
from bench.report import Figure, show
from bench.stack import Stack, temporary_home
from bench.usage import measure

SETTLE_SECONDS = 15.0


def main() -> None:
    end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--settle",
        type=float,
        default=SETTLE_SECONDS,
        metavar="SECONDS",
        help="before and during the measurement",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with temporary_home() as home:
        with started(home) as (_, first_start_seconds):
            pass
        with started(home) as (programs, start_seconds):
            report = at_rest(programs, options.settle)
    starts = {"first_start_seconds": first_start_seconds, "start_seconds": start_seconds}
    show(starts | report, as_json=options.json)


@contextmanager
def started(home: Path) -> Iterator[tuple[Programs, float]]:
    """The running stack, and the seconds until it was ready."""
    with Programs(home / "logs") as programs:
        stack = Stack(programs, home, {})
        begun = time.monotonic()
        stack.start("up")
        stack.wait_until_ready("up")
        start_seconds = time.monotonic() - begun
        stack.wait_for_worker()
        yield programs, start_seconds


def at_rest(programs: Programs, settle_seconds: float) -> dict[str, Figure]:
    """Its memory and CPU while nothing is due."""
    time.sleep(settle_seconds)
    before = measure(programs.processes())
    time.sleep(settle_seconds)
    usage = measure(programs.processes())
    return {
        "pss_mb": usage.total_pss_mb,
        "pss_mb_by_role": usage.pss_mb,
        "cpu_ms_per_second": usage.cpu_ms_since(before) / settle_seconds,
    }


if __name__ == "__main__":
    main()
