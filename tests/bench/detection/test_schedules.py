from __future__ import annotations

from random import Random

import pytest

from bench.detection.recording import Recording, SeatTimeline
from bench.detection.schedules import Schedule, batch, budgeted, stagger, uniform
from domain.check_schedule import DEFAULT_PARAMETERS, MAX_INTERVAL_HOURS

DAYS = 4


def _random() -> Random:
    return Random(1)  # noqa: S311 - reproducible


@pytest.fixture
def recording() -> Recording:
    """Ten sections for four days; one opens and closes every two hours, the others stay as they are."""
    hours = 24 * DAYS
    busy = SeatTimeline(
        tuple(float(hour) for hour in range(hours + 1)), tuple(h % 2 for h in range(hours + 1))
    )
    calm = {str(number): SeatTimeline((0.0, float(hours)), (0, 0)) for number in range(9)}
    return Recording({"9": busy, **calm})


@pytest.mark.parametrize("schedule", [stagger, uniform, budgeted(DEFAULT_PARAMETERS)])
def test_each_schedule_spends_one_request_an_hour_for_each_section(
    schedule: Schedule, recording: Recording
) -> None:
    stagger_requests = 10 * 24 * DAYS
    assert schedule(recording, _random()).requests == pytest.approx(stagger_requests, rel=0.04)


def test_the_budgeted_schedule_leaves_no_section_unchecked_for_too_long(recording: Recording) -> None:
    assert budgeted(DEFAULT_PARAMETERS)(recording, _random()).max_interval <= MAX_INTERVAL_HOURS


def test_the_budgeted_schedule_detects_a_busy_section_sooner_than_the_stagger(recording: Recording) -> None:
    staggered, budget = stagger(recording, _random()), budgeted(DEFAULT_PARAMETERS)(recording, _random())
    delays = [sum(each.delay for each in run.detections) / len(run.detections) for run in (budget, staggered)]
    assert len(budget.detections) >= 0.8 * len(staggered.detections)
    assert delays[0] < delays[1]


def test_batch_polling_detects_every_opening_within_a_minute(recording: Recording) -> None:
    replay = batch(recording, _random())
    assert len(replay.detections) == sum(1 for _ in recording.sections["9"].openings())
    assert max(each.delay for each in replay.detections) <= 1 / 60 + 1e-9
