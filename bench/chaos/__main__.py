"""Replay a recorded season with injected faults, and verify every mail.

Worker, scheduler and web are killed (-9) in random order and restarted by `rollcall up`; Redis is killed and
restarted from its file, and flushed; the mail provider fails and loses responses; the scraper fails. Exits
with 1 if a mail is missing, unexpected or doubled, or a run does not end. The baseline runs concurrently,
on a separate server: plain Dramatiq workers with all defaults, killed while they process a message.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from bench.chaos.baseline import Baseline
from bench.chaos.experiment import BREAKER, Experiment, ExperimentResult, FaultPlan
from bench.chaos.fault_injector import FaultSchedule
from bench.chaos.figures import bounded, fault_figures, mail_figures
from bench.chaos.verification import assess
from bench.programs import Programs, end_on_sigterm
from bench.replay.driver import assign_watchers
from bench.replay.season import DAY_MS, Check, Season, first_midnight_ms, load, schedule
from bench.replay.system import DATA
from bench.report import Report, show
from bench.stack import temporary_home

HOURS = 24
Trials = Sequence[Future[float | None]]


def main() -> int:
    end_on_sigterm()
    options = _options()
    season = load(options.data)
    checks, watchers = _checks(season, options), assign_watchers(season, options.watchers)
    with temporary_home(keep=options.keep) as home, Programs(home / "logs") as programs:
        experiment = Experiment(programs, home, season, _faults(options))
        run = experiment.run_with_flushes if options.wipe else experiment.run
        with _baseline(programs, home, options) as trials:
            result = run(checks, watchers, run_seconds=options.run_seconds)
    assessment = assess(season, result.rounds, watchers, result.answers, result.sent)
    missing = len(checks) - len(result.rounds)
    violations = [*assessment.violations, *([f"{missing} checks were not run"] if missing else [])]
    report = {**mail_figures(assessment, result), **_fault_report(result, trials, options)}
    show(report, as_json=options.json)
    print(*violations, sep="\n", end="\n" if violations else "", file=sys.stderr)
    return 1 if violations else 0


def _checks(season: Season, options: argparse.Namespace) -> list[Check]:
    start_ms = first_midnight_ms(season) + round(options.skip_days * DAY_MS)
    days = options.days if options.hours is None else options.hours / HOURS
    return schedule(start_ms, days, options.cadence)


def _faults(options: argparse.Namespace) -> FaultPlan:
    intervals = (options.kill_every, options.calm, options.restart_every, options.wipe_every)
    schedule = FaultSchedule(*intervals, options.seed)
    if options.wipe:
        return FaultPlan(schedule, scraper_failures=0)
    return FaultPlan(schedule, options.scraper_failures, options.mail_failures, options.mail_lost)


def _baseline(programs: Programs, home: Path, options: argparse.Namespace) -> AbstractContextManager[Trials]:
    if options.wipe or not options.trials:
        return nullcontext([])
    baseline = Baseline(programs, home / "baseline", trials=options.trials, bound_seconds=options.bound)
    return baseline.running()


def _fault_report(result: ExperimentResult, trials: Trials, options: argparse.Namespace) -> Report:
    if options.wipe:
        return {}
    found = [trial.result() for trial in trials]
    return {
        **fault_figures(result),
        "settings": ", ".join(f"{name}={value}" for name, value in BREAKER.items()),
        "dramatiq_defaults_trials": len(found),
        "dramatiq_defaults_back_within_bound": sum(each is not None for each in found),
        **{f"dramatiq_defaults_{name}": text for name, text in bounded(found, options.bound).items()},
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=DATA, help="the recording, gzipped CSV")
    add("--days", type=float, default=2, help="days to replay")
    add("--hours", type=float, help="hours to replay, instead of days")
    add("--skip-days", type=float, default=42, help="days of the recording to skip")
    add("--watchers", type=int, default=2, help="people who watch each section")
    add("--cadence", type=int, default=90, help="minutes between two checks of one section")
    add("--kill-every", type=float, default=3, help="seconds between two kills of a burst; 0 for never")
    add("--calm", type=float, default=30, help="seconds between two bursts, each with one kill of every role")
    add("--restart-every", type=float, default=100, help="seconds between two kills of Redis; 0 for never")
    add("--wipe-every", type=float, default=70, help="seconds between two flushes of Redis; 0 for never")
    add("--scraper-failures", type=float, default=0.1, help="share of the scraper's responses that fail")
    add("--mail-failures", type=float, default=0.2, help="share of the provider's responses that fail")
    add("--mail-lost", type=float, default=0.2, help="share of its responses that are lost after acceptance")
    add("--seed", type=int, default=1, help="of all random choices")
    add("--run-seconds", type=float, default=300, help="the timeout of a run")
    add("--trials", type=int, default=6, help="plain Dramatiq workers to kill; 0 for none")
    add("--bound", type=float, default=240, help="the timeout of such a trial in seconds")
    add("--wipe", action="store_true", help="inject only this: Redis is flushed in the middle of each run")
    add("--json", action="store_true", help="print JSON")
    add("--keep", action="store_true", help="keep state and logs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
