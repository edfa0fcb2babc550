"""The operator's decision about answers that are withheld, from the plan to the mail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from domain.catalog_poll import GuardState
from domain.errors import InvalidInputError
from operations.catalogs import DISCARD, RELEASE, GuardInput
from operations.operation import Operation
from tests.actors.polling import TERM, Polling, polling
from tests.operations.journal import do, recorded
from tests.support.harness import sqlite_url

CRNS = [f"n{crn}" for crn in range(10000, 10100)]
FIELDS = {"source": "okstate", "term": TERM}


@pytest.fixture
def place(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Polling]:
    """A term whose last poll is held: 45 of its 100 sections would open, one of which is watched."""
    home = {"ROLLCALL_HOME": str(tmp_path)}
    with polling(sqlite_url(tmp_path), redis_client, prefix, "okstate", settings=home) as found:
        school = found.schools[0]
        school.show(**dict.fromkeys(CRNS, 0))
        school.watch("10000")
        found.poll()
        school.show(**dict.fromkeys(CRNS[:45], 2))
        found.poll()
        assert school.state.guard is GuardState.HELD
        yield found


@pytest.mark.parametrize(
    ("operation", "mails", "verb"),
    [(RELEASE, [("ada@example.edu", "seat_available")], "release"), (DISCARD, [], "discard")],
)
def test_a_decision_ends_the_guard_and_the_next_poll_counts(
    place: Polling, operation: Operation[GuardInput, bool], mails: list[tuple[str, str]], verb: str
) -> None:
    school = place.schools[0]
    plan = operation.plan(place.rollcall.admin, GuardInput("okstate", TERM))
    assert "45 sections of 100 would open" in plan.effects[0]
    assert str(school.state.guard_sample) in plan.effects[1]
    done = do(place.rollcall, operation, **FIELDS)
    assert (
        done.message == f"{verb.title()}{'d' if verb == 'release' else 'ed'} the answers of okstate/{TERM}."
    )
    for _ in range(3):
        place.poll(700)
    assert (place.mailed, school.state.guard, school.seats("10000")) == (mails, GuardState.CLEAR, 2)
    assert recorded(place.rollcall) == [("ada", f"catalog.{verb}", f"term/okstate/{TERM}", 1)]


@pytest.mark.parametrize("operation", [RELEASE, DISCARD])
def test_a_second_decision_finds_nothing_to_decide(
    place: Polling, operation: Operation[GuardInput, bool]
) -> None:
    do(place.rollcall, RELEASE, **FIELDS)
    assert operation.plan(place.rollcall.admin, GuardInput("okstate", TERM)).count == 0
    with pytest.raises(InvalidInputError, match="are not withheld"):
        do(place.rollcall, operation, **FIELDS)
    assert len(recorded(place.rollcall)) == 1
