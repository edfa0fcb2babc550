"""Play a recorded season while everything is killed, and judge every mail.

Worker, scheduler and web are killed (-9) in turn of the dice and restarted by `rollcall up`; Redis is killed
and restarted from its file, and emptied; the provider fails and loses answers; the scraper fails. Exits with
1 when a mail is missing, unexpected or doubled, or a run does not come to an end. Beside it, on a server of
their own: bare Dramatiq workers with every default, killed with a message in hand.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from bench.chaos.artillery import Plan
from bench.chaos.battle import BREAKER, Battle, Fought, Trouble
from bench.chaos.figures import bounded, fire_figures, mail_figures
from bench.chaos.outcome import judge_rounds
from bench.chaos.rival import Rival
from bench.programs import Programs, end_on_sigterm
from bench.replay.play import assign_watchers
from bench.replay.scene import DATA
from bench.replay.season import DAY_MS, Check, Season, first_midnight_ms, load, schedule
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
        battle = Battle(programs, home, season, _trouble(options))
        fight = battle.wipe if options.wipe else battle.fight
        with _rival(programs, home, options) as trials:
            fought = fight(checks, watchers, run_seconds=options.run_seconds)
    judgement = judge_rounds(season, fought.rounds, watchers, fought.answers, fought.sent)
    unplayed = len(checks) - len(fought.rounds)
    faults = [*judgement.faults, *([f"{unplayed} checks were not played"] if unplayed else [])]
    report = {**mail_figures(judgement, fought), **_fire(fought, trials, options)}
    show(report, as_json=options.json)
    print(*faults, sep="\n", end="\n" if faults else "", file=sys.stderr)
    return 1 if faults else 0


def _checks(season: Season, options: argparse.Namespace) -> list[Check]:
    start_ms = first_midnight_ms(season) + round(options.skip_days * DAY_MS)
    days = options.days if options.hours is None else options.hours / HOURS
    return schedule(start_ms, days, options.cadence)


def _trouble(options: argparse.Namespace) -> Trouble:
    plan = Plan(options.kill_every, options.calm, options.restart_every, options.wipe_every, options.seed)
    if options.wipe:
        return Trouble(plan, scraper_failures=0)
    return Trouble(plan, options.scraper_failures, options.mail_failures, options.mail_lost)


def _rival(programs: Programs, home: Path, options: argparse.Namespace) -> AbstractContextManager[Trials]:
    if options.wipe or not options.trials:
        return nullcontext([])
    rival = Rival(programs, home / "rival", trials=options.trials, bound_seconds=options.bound)
    return rival.running()


def _fire(fought: Fought, trials: Trials, options: argparse.Namespace) -> Report:
    if options.wipe:
        return {}
    found = [trial.result() for trial in trials]
    return {
        **fire_figures(fought),
        "settings": ", ".join(f"{name}={value}" for name, value in BREAKER.items()),
        "dramatiq_defaults_trials": len(found),
        "dramatiq_defaults_back_within_bound": sum(each is not None for each in found),
        **{f"dramatiq_defaults_{name}": text for name, text in bounded(found, options.bound).items()},
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=DATA, help="the recording, gzipped CSV")
    add("--days", type=float, default=2, help="how many days to play")
    add("--hours", type=float, help="how many hours to play, instead of days")
    add("--skip-days", type=float, default=42, help="how many days of the recording to leave out first")
    add("--watchers", type=int, default=2, help="people who watch each section")
    add("--cadence", type=int, default=90, help="minutes between two checks of one section")
    add("--kill-every", type=float, default=3, help="seconds between two kills of a salvo; 0 for never")
    add("--calm", type=float, default=30, help="seconds between two salvos, each of one kill of every role")
    add("--restart-every", type=float, default=100, help="seconds between two kills of Redis; 0 for never")
    add("--wipe-every", type=float, default=70, help="seconds between two emptyings of Redis; 0 for never")
    add("--scraper-failures", type=float, default=0.1, help="share of the scraper's answers that fail")
    add("--mail-failures", type=float, default=0.2, help="share of the provider's answers that fail")
    add("--mail-lost", type=float, default=0.2, help="share of its answers that are lost after acceptance")
    add("--seed", type=int, default=1, help="of all dice")
    add("--run-seconds", type=float, default=300, help="how long a run may take")
    add("--trials", type=int, default=6, help="bare Dramatiq workers killed; 0 for none")
    add("--bound", type=float, default=240, help="seconds after which such a trial is given up")
    add("--wipe", action="store_true", help="only this: Redis is emptied in the middle of each run")
    add("--json", action="store_true", help="figures for machines")
    add("--keep", action="store_true", help="keep state and logs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
