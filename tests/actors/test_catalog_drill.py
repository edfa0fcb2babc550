"""The daily fire drill: when it is due, and what it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from actors.catalog_drill import drill, due_drills, publish_due_drills
from domain.catalog import CatalogFault
from tests.actors.polling import Polling, polling
from tests.standins.server import Answer
from tests.support.harness import sqlite_url

HOUR = 3600


@pytest.fixture
def place(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Polling]:
    with polling(sqlite_url(tmp_path), redis_client, prefix, "elm", "oak") as found:
        for school in found.schools:
            school.show(n10001=2)
        yield found


def test_each_catalog_has_a_drill_a_day_watched_or_not(place: Polling) -> None:
    services = place.rollcall.services
    for _ in range(2):  # of two schedulers
        publish_due_drills(services)
    place.rollcall.process_messages()
    drills = services.store.drills.all()
    assert {name: (each.section, list(each.seconds)) for name, each in drills.items()} == {
        name: ("10001", ["terms", "fetch", "write"]) for name in ("elm", "oak")
    }
    assert place.rollcall.mailer.sent == []
    before = [len(school.site.routes) for school in place.schools]
    drill(services)
    assert [len(school.site.routes) for school in place.schools] == before
    place.rollcall.clock.advance(24 * HOUR)
    assert due_drills(services) == ["elm", "oak"]


def test_a_paused_catalog_has_no_drill(place: Polling) -> None:
    services, now = place.rollcall.services, place.rollcall.clock.now()
    services.store.pauses.pause("elm", now + timedelta(days=3), "it asked us to stop", "ada", now)
    assert due_drills(services) == ["oak"]
    drill(services)
    assert place.schools[0].site.routes == []


def test_one_catalog_that_fails_does_not_keep_the_others_from_theirs(place: Polling) -> None:
    place.schools[0].site.failing["*"] = Answer(503, b"<html>Scheduled maintenance</html>")
    publish_due_drills(place.rollcall.services)
    place.rollcall.process_messages()
    assert place.rollcall.services.store.drills.all()["elm"].fault is CatalogFault.MAINTENANCE
    place.schools[0].site.terms.clear()
    place.schools[0].site.failing.clear()
    place.rollcall.clock.advance(24 * HOUR)
    drill(place.rollcall.services)
    errors = {name: each.error is None for name, each in place.rollcall.services.store.drills.all().items()}
    assert errors == {"elm": False, "oak": True}
