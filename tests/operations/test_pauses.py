from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import InvalidInputError
from operations import pauses
from operations.operation import execute
from operations.pauses import ResumeInput
from tests.operations.journal import do, entries, recorded
from tests.support.harness import Harness

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(("name", "subject"), [("scraper", "source/scraper"), ("mail", "mail")])
def test_a_pause_is_in_force_and_recorded_until_it_ends(rollcall: Harness, name: str, subject: str) -> None:
    now = rollcall.clock.now()
    pause = do(rollcall, pauses.PAUSE, name=name, length="1h", reason="a flood").value
    assert (pause.until, pause.by) == (now + HOUR, "ada")
    assert rollcall.services.store.pauses.paused(name, now) == pause
    assert do(rollcall, pauses.RESUME, "bob", name=name).value
    assert not do(rollcall, pauses.RESUME, "bob", name=name).value
    assert recorded(rollcall) == [("ada", "source.pause", subject, 1), ("bob", "source.resume", subject, 1)]
    assert entries(rollcall)[0].detail == {"seconds": 3600.0, "reason": "a flood"}


def test_the_message_says_what_is_paused_and_until_when(rollcall: Harness) -> None:
    paused = do(rollcall, pauses.PAUSE, name="mail", length="15m", reason="a flood")
    assert paused.message == "Paused all mail until 15 Jan 2026, 09:15 UTC."
    assert do(rollcall, pauses.RESUME, name="mail").message == "Resumed all mail."
    assert do(rollcall, pauses.RESUME, name="mail").message == "All mail was not paused."


def test_an_unknown_name_is_rejected(rollcall: Harness) -> None:
    for act in (
        lambda: do(rollcall, pauses.PAUSE, name="nowhere", reason="x"),
        lambda: do(rollcall, pauses.RESUME, name="nowhere"),
        lambda: execute(pauses.RESUME, rollcall.admin, ResumeInput("nowhere"), "ada"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            act()
        assert set(caught.value.problems) == {"name"}


def test_a_pause_needs_a_reason(rollcall: Harness) -> None:
    with pytest.raises(InvalidInputError) as caught:
        do(rollcall, pauses.PAUSE, name="mail", reason=" ")
    assert set(caught.value.problems) == {"reason"}
    assert recorded(rollcall) == []


def test_a_plan_without_a_pause_has_nothing_to_do(rollcall: Harness) -> None:
    plan = pauses.RESUME.plan(rollcall.admin, ResumeInput("mail"))
    assert (plan.button, plan.effects) == ("", ("It is not paused. There is nothing to do.",))
