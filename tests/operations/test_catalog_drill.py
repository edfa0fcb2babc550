"""Fire drills of a polled catalog: from the fetch to the mail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from domain.catalog import CatalogFault
from domain.errors import InvalidInputError, RejectedError
from operations.catalog_drill import DRILL
from tests.actors.polling import TERM, Polling, polling
from tests.operations.journal import do, recorded
from tests.standins.server import Answer
from tests.support.harness import sqlite_url

STAGES = ["terms", "fetch", "write", "send"]


@pytest.fixture
def place(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Polling]:
    with polling(sqlite_url(tmp_path), redis_client, prefix, "elm") as found:
        found.schools[0].show(n10001=0, n10002=3)
        yield found


def test_an_open_section_is_followed_to_a_mail_and_nothing_else_happens(place: Polling) -> None:
    place.schools[0].watch("10002", "bob@example.edu")
    done = do(place.rollcall, DRILL, source="elm", to="ada@example.edu")
    drill = done.value
    assert (done.is_success, drill.section, drill.term, list(drill.seconds)) == (True, "10002", TERM, STAGES)
    (mail,) = place.rollcall.mailer.sent
    assert (mail.to, mail.subject.startswith("Drill: "), "10002" in mail.text) == (
        "ada@example.edu",
        True,
        True,
    )
    assert place.rollcall.services.store.drills.all() == {"elm": drill}
    assert place.schools[0].seats("10002") is None
    assert recorded(place.rollcall) == [("ada", "catalog.drill", "source/elm", 1)]


def test_without_an_address_the_mail_is_written_and_not_sent(place: Polling) -> None:
    done = do(place.rollcall, DRILL, source="elm")
    assert list(done.value.seconds) == STAGES[:-1]
    assert "written and not sent" in done.message
    assert place.rollcall.mailer.sent == []


@pytest.mark.parametrize(
    ("route", "answer", "fault", "stages"),
    [
        (
            "classSearch/getTerms",
            Answer(503, b"<html>Scheduled maintenance</html>"),
            CatalogFault.MAINTENANCE,
            [],
        ),
        ("searchResults/searchResults", Answer(404, b"gone"), CatalogFault.ROUTE_GONE, STAGES[:1]),
    ],
)
def test_the_stage_that_fails_is_named_with_its_fault(
    place: Polling, route: str, answer: Answer, fault: CatalogFault, stages: list[str]
) -> None:
    place.schools[0].site.failing[route] = answer
    done = do(place.rollcall, DRILL, source="elm", to="ada@example.edu")
    assert (done.is_success, done.value.fault, list(done.value.seconds)) == (False, fault, stages)
    assert place.rollcall.services.store.drills.all()["elm"].error == done.value.error
    assert place.rollcall.mailer.sent == []


def test_without_an_open_section_another_one_is_followed_and_without_any_the_drill_fails(
    place: Polling,
) -> None:
    place.schools[0].show(n10002=0)
    assert do(place.rollcall, DRILL, source="elm").value.section == "10001"
    place.schools[0].site.rows.clear()
    done = do(place.rollcall, DRILL, source="elm")
    assert (done.is_success, done.value.section) == (False, None)
    assert place.rollcall.services.store.drills.all()["elm"].fault is CatalogFault.PARTIAL


def test_a_refused_mail_fails_the_drill(place: Polling) -> None:
    place.rollcall.mailer.errors.append(RejectedError("no such domain"))
    done = do(place.rollcall, DRILL, source="elm", to="ada@example.edu")
    assert (done.is_success, list(done.value.seconds)) == (False, STAGES[:-1])


@pytest.mark.parametrize(("field", "value"), [("to", "ada"), ("term", "999999")])
def test_bad_input_is_named(place: Polling, field: str, value: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        do(place.rollcall, DRILL, source="elm", **{field: value})
    assert set(error.value.problems) == {field}
    assert place.rollcall.services.store.drills.all() == {}
