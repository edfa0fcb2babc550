from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from domain.errors import UnreachableError
from observability.shared_reading import SharedReading
from tests.support.stack import wait_until

CLIENTS = 20


class Side:
    """The other side: counts what it is asked, and answers with that count once it `may_answer`."""

    def __init__(self) -> None:
        self.asked = 0
        self.now = 100.0
        self.may_answer = Event()
        self.may_answer.set()
        self.fails = False

    def read(self) -> int:
        self.asked += 1
        answer = self.asked
        assert self.may_answer.wait(30)
        if self.fails:
            raise OSError("refused")
        return answer

    def reading(self, *, limit_seconds: float = 30.0, fresh_seconds: float = 3.0) -> SharedReading[int]:
        return SharedReading(
            self.read, limit_seconds=limit_seconds, fresh_seconds=fresh_seconds, clock=lambda: self.now
        )


@pytest.fixture
def side() -> Iterator[Side]:
    found = Side()
    yield found
    found.may_answer.set()


def test_all_who_ask_share_one_reading(side: Side) -> None:
    side.may_answer.clear()
    reading = side.reading()
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = [clients.submit(reading.latest) for _ in range(CLIENTS)]
        side.may_answer.set()
        assert {answer.result() for answer in answers} == {1}
    assert side.asked == 1


def test_a_reading_is_taken_again_once_it_is_not_fresh(side: Side) -> None:
    reading = side.reading(fresh_seconds=3.0, limit_seconds=2.0)
    assert reading.latest() == 1
    side.now += 3.0
    assert reading.latest() == 1
    side.now += 2.1
    assert reading.latest() == 2


def test_the_last_reading_serves_while_its_successor_is_awaited(side: Side) -> None:
    reading = side.reading(fresh_seconds=3.0, limit_seconds=2.0)
    assert reading.latest() == 1
    side.may_answer.clear()
    side.now += 4.0
    assert reading.latest() == 1
    side.may_answer.set()
    wait_until(lambda: reading.latest() == 2, "the successor")


def test_a_silent_server_occupies_one_thread_and_never_reads_as_healthy(side: Side) -> None:
    reading = side.reading(fresh_seconds=1.0, limit_seconds=2.0)
    assert reading.latest() == 1
    side.may_answer.clear()
    side.now += 1.5
    assert reading.latest() == 1  # its successor may still answer in time
    side.now += 2.1
    for _ in range(CLIENTS):
        with pytest.raises(UnreachableError, match="no answer within 2 s"):
            reading.latest()
    assert side.asked == 2


def test_the_first_caller_waits_no_longer_than_the_limit(side: Side) -> None:
    side.may_answer.clear()
    with pytest.raises(UnreachableError, match="no answer within 0 s"):
        side.reading(limit_seconds=0.0).latest()


def test_a_new_reading_begins_after_the_question(side: Side) -> None:
    reading = side.reading()
    assert reading.latest() == 1
    side.now += 0.1
    assert reading.new() == 2


def test_what_goes_wrong_reaches_all_who_ask(side: Side) -> None:
    side.fails = True
    reading = side.reading()
    for _ in range(2):
        with pytest.raises(OSError, match="refused"):
            reading.latest()
    assert side.asked == 1
