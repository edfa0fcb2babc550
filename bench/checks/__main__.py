"""The throughput of one worker process with 100 checks in flight against its limit, and the cost of a check.

The scraper stand-in takes 200 ms to answer; the limit is concurrency / latency. A plain aiohttp client sends
the same requests as a baseline. Exits with 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from bench.checks.baseline import measure_baseline
from bench.checks.figures import add_up, missed_goals
from bench.checks.system import TERM, CheckSystem
from bench.programs import Programs, end_on_sigterm
from bench.report import show
from bench.stack import SCRAPER_TOKEN, temporary_home

FIRST_SECTION = 10_000


def main() -> int:
    end_on_sigterm()
    options = _options()
    sections = [str(FIRST_SECTION + index) for index in range(options.sections)]
    with temporary_home(keep=options.keep) as home, Programs(home / "logs") as programs:
        system = CheckSystem(
            programs,
            home,
            threads=options.threads,
            concurrency=options.concurrency,
            latency_ms=options.latency_ms,
        )
        system.watch(sections)
        system.check_all()  # the baseline, and the warm-up
        measured = [system.check_all() for _ in range(options.runs)]
        baseline = measure_baseline(system.scraper_url, SCRAPER_TOKEN, TERM, sections, options.concurrency)
    figures = add_up(measured, baseline, 1000 * options.concurrency / options.latency_ms)
    missed = missed_goals(figures, measured, options.sections)
    show({**asdict(figures), "missed": "; ".join(missed) or "nothing"}, as_json=options.json)
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.checks", description=__doc__)
    parser.add_argument(
        "--sections", type=int, default=5000, help="watched sections, each checked once a run"
    )
    parser.add_argument("--runs", type=int, default=2, help="measured runs, after one warm-up run")
    parser.add_argument("--threads", type=int, default=4, help="threads of the worker process")
    parser.add_argument("--concurrency", type=int, default=100, help="checks in flight in the worker process")
    parser.add_argument("--latency-ms", type=int, default=200, help="how long the scraper takes to answer")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--keep", action="store_true", help="keep state and logs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
