"""Compare schedules of section checks on a recorded season, at an equal budget of requests.

An opening is caught if a check finds seats where the section's previous check found none. The parameters of
the budgeted schedule are tuned on the first half of the season. `--variants` adds seasons that nothing was
tuned to: sections drawn with replacement, and each section shifted by up to a day, which removes the common
busy hours. The figures of each schedule are means over `--seeds` seeds of its jitter.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import mean, median

from bench.detection.recording import Recording, Replay, read
from bench.detection.schedules import Schedule, batch, budgeted, stagger, uniform
from bench.replay.system import DATA
from domain.check_schedule import DEFAULT_PARAMETERS

SCHEDULES: dict[str, Schedule] = {
    "stagger": stagger,
    "uniform": uniform,
    "rollcall": budgeted(DEFAULT_PARAMETERS),
    "batch, 60 s": batch,
}
COMPARED = ("stagger", "rollcall")
HOURS_PER_DAY = 24
_HEADING = (
    f"{'season':<14}{'openings of':<13}{'schedule':<13}{'openings':>8}{'caught':>10}{'range':>14}"
    f"{'median':>11}{'p90':>11}{'requests':>10}{'interval':>12}"
)


@dataclass(frozen=True, slots=True)
class Row:
    """The result of one schedule for the openings of one period; delays are in minutes.

    Shape: means over the seeds; `lowest_percent` and `highest_percent` are of one seed.
    """

    season: str
    period: str
    schedule: str
    openings: int
    caught_percent: float
    lowest_percent: float
    highest_percent: float
    median_minutes: float
    p90_minutes: float
    requests: int
    max_interval_hours: float


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    rows = list(
        _rows(read(options.data), range(options.seed, options.seed + options.seeds), options.variants)
    )
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        print(_HEADING, *map(_line, rows), sep="\n")


def _line(row: Row) -> str:
    names = f"{row.season:<14}{row.period:<13}{row.schedule:<13}"
    caught = f"{row.openings:>8,}{row.caught_percent:>8.1f} %"
    spread = f"{f'{row.lowest_percent:.1f} to {row.highest_percent:.1f}':>14}"
    delays = f"{row.median_minutes:>7.1f} min{row.p90_minutes:>7.1f} min"
    return f"{names}{caught}{spread}{delays}{row.requests:>10,}{row.max_interval_hours:>10.2f} h"


def _rows(recorded: Recording, seeds: Sequence[int], variants: int) -> Iterator[Row]:
    replays = {name: [_replay(name, recorded, seed) for seed in seeds] for name in SCHEDULES}
    for period, since in (("second half", recorded.middle), ("whole", recorded.start)):
        yield from (_row("recorded", period, name, each, since) for name, each in replays.items())
    for variant in range(variants):
        random = _random(seeds[0] + 1 + variant)
        seasons = {
            f"resampled {variant + 1}": recorded.resampled(random),
            f"shifted {variant + 1}": recorded.shifted(random, HOURS_PER_DAY),
        }
        for season, recording in seasons.items():
            for name in COMPARED:
                each = [_replay(name, recording, seed) for seed in seeds]
                yield _row(season, "second half", name, each, recording.middle)


def _replay(name: str, recording: Recording, seed: int) -> Replay:
    return SCHEDULES[name](recording, _random(seed))


def _random(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - reproducible


def _row(season: str, period: str, schedule: str, replays: Sequence[Replay], since: float) -> Row:
    """The figures for the openings from `since` on; requests count the whole season."""
    timelines = replays[0].recording.sections.values()
    openings = sum(opened_at >= since for timeline in timelines for opened_at in timeline.openings())
    delays = [_delays(replay, since) for replay in replays]
    caught = [100 * len(each) / openings for each in delays]
    return Row(
        season,
        period,
        schedule,
        openings,
        mean(caught),
        min(caught),
        max(caught),
        mean(map(median, delays)),
        mean(each[int(0.9 * len(each))] for each in delays),
        max(replay.requests for replay in replays),
        max(replay.max_interval for replay in replays),
    )


def _delays(replay: Replay, since: float) -> list[float]:
    return sorted(60 * each.delay for each in replay.detections if each.opened_at >= since)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.detection", description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=DATA, help="the recording, gzipped CSV")
    add("--seed", type=int, default=0, help="the first seed of jitter and variants")
    add("--seeds", type=int, default=8, help="how many seeds")
    add("--variants", type=int, default=0, help="how many perturbed seasons of each kind to add")
    add("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
