from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain.errors import UnreachableError
from observability.recorders import CounterDefinition, CounterTotals, HistogramDefinition, Recorder

MESSAGES = CounterDefinition("messages", "", ("actor",))
CPU = CounterDefinition("cpu_seconds", "", (), is_seconds=True)
WAIT = HistogramDefinition("wait_seconds", "", ("queue",), (0.1, 1.0))


def test_counts_are_by_label_and_start_again_once_taken() -> None:
    recorder = Recorder()
    recorder.add(MESSAGES, "check")
    recorder.add(MESSAGES, "check", n=4)
    recorder.add(MESSAGES, "deliver")
    counts = recorder.take()
    assert [MESSAGES.value(counts, actor) for actor in ("check", "deliver", "other")] == [5, 1, 0]
    assert recorder.take() == {}


def test_seconds_are_counted_in_microseconds_so_that_sums_stay_exact() -> None:
    recorder = Recorder()
    for _ in range(10):
        recorder.add_seconds(CPU, seconds=0.1)
    counts = recorder.take()
    assert counts == {"cpu_seconds": 1_000_000}
    assert CPU.value(counts) == 1


@pytest.mark.parametrize(
    ("seconds", "buckets"),
    [
        (0.05, [1, 1, 1]),
        (0.1, [1, 1, 1]),  # a bucket holds its upper end
        (0.5, [0, 1, 1]),
        (7.0, [0, 0, 1]),
        (-3.0, [1, 1, 1]),
    ],
)
def test_a_duration_falls_into_every_bucket_that_is_not_below_it(seconds: float, buckets: list[int]) -> None:
    recorder = Recorder()
    recorder.observe(WAIT, "check", seconds=seconds)
    counts = recorder.take()
    assert WAIT.buckets(counts, "check") == list(zip(["0.1", "1.0", "+Inf"], buckets, strict=True))
    assert WAIT.sum_seconds(counts, "check") == max(0, seconds)


def add_often(recorder: Recorder) -> None:
    for _ in range(2000):
        recorder.add(MESSAGES, "check")


def test_threads_lose_no_count() -> None:
    recorder, taken = Recorder(), []
    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(add_often, recorder)
        taken += [recorder.take() for _ in range(200)]
    taken.append(recorder.take())
    assert sum(MESSAGES.value(counts, "check") for counts in taken) == 8000


class Book:
    """Takes entries, and fails while `is_lost`, after it has taken note or before."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, Mapping[str, int]]] = []
        self.is_lost = False

    def enter(self, number: int, increments: Mapping[str, int]) -> None:
        self.entries.append((number, dict(increments)))
        if self.is_lost:
            raise UnreachableError("gone")


def test_an_entry_that_failed_is_repeated_as_it_was_before_the_next() -> None:
    recorder, book = Recorder(), Book()
    entries = CounterTotals(recorder, book.enter)
    recorder.add(MESSAGES, "check")
    book.is_lost = True
    with pytest.raises(UnreachableError):
        entries.flush()
    recorder.add(MESSAGES, "check", n=5)
    book.is_lost = False
    entries.flush()
    entries.flush()
    assert book.entries == [
        (1, {"messages\tcheck": 1}),
        (1, {"messages\tcheck": 1}),
        (2, {"messages\tcheck": 5}),
    ]


def test_nothing_counted_is_no_entry() -> None:
    book = Book()
    CounterTotals(Recorder(), book.enter).flush()
    assert book.entries == []
