from __future__ import annotations

from datetime import timedelta

import pytest

from scheduling.ticker import Ticker
from tests.support.stack import wait_until

SOON = timedelta(milliseconds=10)


def test_a_tick_that_fails_is_logged_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    ticks: list[int] = []

    def fail_once() -> None:
        ticks.append(len(ticks))
        if len(ticks) == 1:
            raise ValueError("a fault")

    ticker = Ticker(SOON, fail_once, "test")
    ticker.start()
    wait_until(lambda: len(ticks) >= 3, "ticks after a failure")
    ticker.stop()
    assert "a tick failed" in caplog.text


def test_after_stop_nothing_ticks_any_more() -> None:
    ticks: list[int] = []
    ticker = Ticker(SOON, lambda: ticks.append(1), "test")
    ticker.start()
    wait_until(lambda: bool(ticks), "a tick")
    ticker.stop()
    assert not ticker.is_alive


def test_a_ticker_that_never_started_can_be_stopped() -> None:
    Ticker(SOON, lambda: None, "test").stop()
