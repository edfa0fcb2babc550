from __future__ import annotations

import threading
import time

import pytest

from catalogs.concurrency import ConcurrencyLimiter
from tests.catalogs.conftest import wait_until


class Other:
    """Another thread, which holds `wanted` slots until it is let go."""

    def __init__(self, slots: ConcurrencyLimiter, wanted: int) -> None:
        self.granted: int | None = None
        self._slots, self._wanted = slots, wanted
        self._go = threading.Event()
        self._thread = threading.Thread(target=self._hold)
        self._thread.start()
        wait_until(lambda: self.granted is not None)

    def _hold(self) -> None:
        self.granted = self._slots.claim(self._wanted)
        self._go.wait(5)
        self._slots.release()

    def go(self) -> None:
        self._go.set()
        self._thread.join()


def test_a_thread_gets_what_the_others_leave() -> None:
    slots = ConcurrencyLimiter(5)
    other = Other(slots, 3)
    assert (other.granted, slots.claim(4)) == (3, 2)
    other.go()
    assert slots.claim(4) == 4


def test_a_claim_is_a_total_and_can_be_lowered() -> None:
    slots = ConcurrencyLimiter(5)
    assert [slots.claim(5), slots.claim(5), slots.claim(1)] == [5, 5, 1]
    other = Other(slots, 9)
    assert other.granted == 4
    assert slots.claim(3) == 1
    other.go()


def test_the_next_claim_corrects_what_an_interrupted_thread_left() -> None:
    slots = ConcurrencyLimiter(2)
    slots.claim(2)
    assert slots.claim(1) == 1
    other = Other(slots, 2)
    assert other.granted == 1
    other.go()


@pytest.mark.parametrize("wanted", [0, 1])
def test_a_waiting_thread_is_woken_as_soon_as_a_slot_is_free(wanted: int) -> None:
    slots = ConcurrencyLimiter(2)
    slots.claim(2)
    other = Other(slots, 1)
    assert other.granted == 0
    threading.Timer(0.05, other.go).start()
    slots.claim(wanted)
    began_at = time.monotonic()
    slots.wait(60)
    assert time.monotonic() - began_at < 30


def test_waiting_ends_at_its_time_limit() -> None:
    ConcurrencyLimiter(1).wait(0.01)


def test_a_closed_limiter_refuses_every_claim_and_wakes_waiting_threads() -> None:
    slots = ConcurrencyLimiter(1)
    slots.claim(1)
    slots.close()
    slots.wait(5)
    with pytest.raises(RuntimeError, match="closed"):
        slots.claim(1)
    slots.release()
    slots.close()
