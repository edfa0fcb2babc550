from __future__ import annotations

from random import Random

import pytest

from bench.detection.recording import Detection, Recording, Replay, SeatTimeline


def _random() -> Random:
    return Random(1)  # noqa: S311 - reproducible


@pytest.fixture
def recording() -> Recording:
    return Recording(
        {"1": SeatTimeline((10.0, 12.0, 13.0, 15.0), (0, 2, 0, 1)), "2": SeatTimeline((11.0,), (3,))}
    )


def test_an_opening_is_a_row_with_seats_after_one_without() -> None:
    assert list(SeatTimeline((1.0, 2.0, 3.0, 4.0), (5, -1, 2, 4)).openings()) == [3.0]


def test_a_check_detects_an_opening_only_after_a_check_that_found_no_seats(recording: Recording) -> None:
    replay = Replay(recording)
    assert [replay.check("1", now) for now in (11.0, 12.5, 12.75, 15.5)] == [0, 2, 2, 1]
    assert replay.detections == [Detection(12.0, 0.5)]
    assert (replay.requests, replay.max_interval) == (4, 2.75)


def test_a_first_check_detects_nothing(recording: Recording) -> None:
    replay = Replay(recording)
    assert (replay.check("2", 10.5), replay.check("2", 11.5)) == (None, 3)
    assert replay.detections == []


def test_an_opening_that_ended_before_a_check_is_missed(recording: Recording) -> None:
    replay = Replay(recording)
    assert [replay.check("1", now) for now in (11.0, 14.0)] == [0, 0]
    assert replay.detections == []


def test_a_late_check_detects_the_opening_in_progress() -> None:
    replay = Replay(Recording({"1": SeatTimeline((1.0, 2.0, 3.0, 4.0, 5.0), (0, 1, 0, 1, 2))}))
    assert [replay.check("1", now) for now in (1.5, 5.5)] == [0, 2]
    assert replay.detections == [Detection(4.0, 1.5)]


def test_variants_keep_the_sections_changes(recording: Recording) -> None:
    shifted = recording.shifted(_random(), 24)
    assert [each.seats for each in shifted.sections.values()] == [(0, 2, 0, 1), (3,)]
    resampled = recording.resampled(_random())
    assert len(resampled.sections) == len(recording.sections)
    assert set(resampled.sections.values()) <= set(recording.sections.values())
