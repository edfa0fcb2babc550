from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import InvalidInputError
from operations import pauses
from tests.operations.journal import entries, recorded
from tests.support.house import House

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(("name", "subject"), [("scraper", "source/scraper"), ("mail", "mail")])
def test_a_pause_holds_is_recorded_and_ends(rollcall: House, name: str, subject: str) -> None:
    now = rollcall.clock.now()
    pause = pauses.pause(rollcall.services, name, HOUR, "a flood", "ada")
    assert (pause.until, pause.by) == (now + HOUR, "ada")
    assert rollcall.services.store.pauses.paused(name, now) == pause
    assert pauses.resume(rollcall.services, name, "bob")
    assert not pauses.resume(rollcall.services, name, "bob")
    assert recorded(rollcall) == [("ada", "source.pause", subject, 1), ("bob", "source.resume", subject, 1)]
    assert entries(rollcall)[0].detail == {"seconds": 3600.0, "reason": "a flood"}


def test_what_does_not_exist_is_named(rollcall: House) -> None:
    for act in (
        lambda: pauses.pause(rollcall.services, "nowhere", HOUR, "x", "ada"),
        lambda: pauses.resume(rollcall.services, "nowhere", "ada"),
    ):
        with pytest.raises(InvalidInputError, match="must be one of scraper, mail") as caught:
            act()
        assert set(caught.value.problems) == {"name"}


def test_a_pause_needs_a_reason(rollcall: House) -> None:
    with pytest.raises(InvalidInputError) as caught:
        pauses.pause(rollcall.services, "mail", HOUR, " ", "ada")
    assert set(caught.value.problems) == {"reason"}
    assert recorded(rollcall) == []
