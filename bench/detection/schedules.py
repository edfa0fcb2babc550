"""The schedules that `bench.detection` compares. Each replays a season and returns what it has detected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, takewhile
from random import Random

from bench.detection.recording import Recording, Replay
from bench.replay.season import is_even
from domain.check_schedule import CheckSchedule, ScheduleParameters, SectionActivity

TICK = 1 / 60

Schedule = Callable[[Recording, Random], Replay]


def stagger(recording: Recording, _: Random) -> Replay:
    """Check each section once an hour: even ones from the first poll on, odd ones half an hour later."""
    return _hourly(recording, lambda section: 0.0 if is_even(section) else 0.5)


def uniform(recording: Recording, random: Random) -> Replay:
    """Check each section once an hour, at a random minute of its own."""
    offsets = {section: random.random() for section in recording.sections}
    return _hourly(recording, offsets.__getitem__)


def batch(recording: Recording, random: Random) -> Replay:
    """Request the whole term every minute, in one request.

    Only rows that have changed since the last request are checked: the others detect nothing.
    """
    replay, first = Replay(recording), recording.start + random.random() * TICK
    for section, timeline in recording.sections.items():
        for polled in sorted({int((time - first) / TICK) + 1 for time in timeline.times}):
            replay.check(section, first + polled * TICK)
    replay.requests, replay.max_interval = int((recording.end - recording.start) / TICK), TICK
    return replay


def budgeted(parameters: ScheduleParameters) -> Schedule:
    """The schedule of `domain.check_schedule`: a tick every minute, with the stagger's requests."""

    def run(recording: Recording, random: Random) -> Replay:
        replay, schedule = Replay(recording), CheckSchedule(parameters=parameters)
        sections = {section: SectionActivity() for section in recording.sections}
        numbers = {id(activity): section for section, activity in sections.items()}
        for now in _ticks(recording, random):
            for activity in schedule.choose(sections.values(), now, now + 2 * TICK):
                schedule.record(activity, replay.check(numbers[id(activity)], now), now)
        return replay

    return run


def _hourly(recording: Recording, offset: Callable[[str], float]) -> Replay:
    replay = Replay(recording)
    for hour in range(int(recording.end - recording.start) + 1):
        for section in recording.sections:
            replay.check(section, recording.start + hour + offset(section))
    return replay


def _ticks(recording: Recording, random: Random) -> Iterator[float]:
    """The time of each tick, up to a quarter of a minute late."""
    ticks = (recording.start + (tick + random.random() / 4) * TICK for tick in count(1))
    return takewhile(lambda now: now < recording.end, ticks)
