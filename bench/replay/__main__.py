"""Replay days of a recorded season through the running system over HTTP, and verify every mail.

Starts a catalog that replays the season, a stand-in for Resend and `rollcall up`, checks every section
as in production, and compares the sent mails with those that the recording requires. Exits with 1
when a mail is missing, unexpected or doubled, when a check fails, or when a run does not finish.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.programs import Programs, end_on_sigterm
from bench.replay.driver import assign_watchers, collect, register_watches, run_checks
from bench.replay.oracle import expected
from bench.replay.outcome import Outcome, ReplayResult
from bench.replay.season import DAY_MS, Check, Season, first_midnight_ms, load, schedule
from bench.replay.server import ReplayServer
from bench.replay.system import DATA, ReplaySystem
from bench.report import show
from bench.stack import SCRAPER_TOKEN, temporary_home
from bench.usage import measure


def main() -> int:
    end_on_sigterm()
    options = _options()
    season = load(options.data)
    start_ms = first_midnight_ms(season) + options.skip_days * DAY_MS
    checks = schedule(start_ms, options.days, options.cadence)
    watchers = assign_watchers(season, options.watchers)
    result = _replay(season, checks, watchers, options)
    outcome = Outcome(checks, expected(season, checks, watchers), result)
    show(outcome.report(), as_json=options.json)
    print(*outcome.violations, sep="\n", end="", file=sys.stderr)
    return 1 if outcome.violations else 0


def _replay(
    season: Season, checks: Sequence[Check], watchers: dict[str, list[str]], options: argparse.Namespace
) -> ReplayResult:
    with (
        temporary_home(keep=options.keep) as home,
        ReplayServer(season, SCRAPER_TOKEN) as server,
        Programs(home / "logs") as programs,
    ):
        system = ReplaySystem(programs, home, _settings(server.url, options))
        system.start()
        api = system.stack.api
        register_watches(api, watchers)
        before, start = measure(programs.processes("up")), time.perf_counter()
        runs = run_checks(api, server, checks)
        seconds = time.perf_counter() - start
        sent = collect(api, system.mailbox)
        after = measure(programs.processes("up"))
    error_responses = server.answers.total() - server.answers[200]
    return ReplayResult(runs, seconds, sent, before, after, server.answers.total(), error_responses)


def _settings(scraper_url: str, options: argparse.Namespace) -> dict[str, str]:
    return {
        "SCRAPER_URL": scraper_url,
        "WORKER_THREADS": str(options.threads),
        "SCRAPER_MAX_CONCURRENCY": str(options.concurrency),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.replay", description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=DATA, help="the recording, gzipped CSV")
    add("--days", type=int, default=3, help="days to replay")
    add("--skip-days", type=int, default=42, help="days of the recording to skip")
    add("--watchers", type=int, default=2, help="people who watch each section")
    add("--cadence", type=int, default=60, help="minutes between two checks of one section")
    add("--threads", type=int, default=4, help="threads of the worker process")
    add("--concurrency", type=int, default=25, help="checks in flight in the worker process")
    add("--json", action="store_true", help="print JSON")
    add("--keep", action="store_true", help="keep state and logs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
