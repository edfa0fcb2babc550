from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import redis

from domain.errors import InvalidInputError, UnreachableError
from operations import breakers
from store.pauses import ROLLCALL
from tests.operations.journal import recorded
from tests.support.house import House, house, sqlite_url


def test_a_breaker_is_held_and_let_go_and_both_is_recorded(rollcall: House) -> None:
    services = rollcall.services
    assert breakers.force_open(services, "mail", "ada").state == "open"
    assert services.breakers["mail"].permit(1).granted == 0
    held = breakers.force_closed(services, "mail", "bob")
    assert (held.state, held.forced_by) == ("closed", "bob")
    assert breakers.reset(services, "mail", "ada").forced is None
    assert recorded(rollcall) == [
        ("ada", "breaker.open", "breaker/mail", 1),
        ("bob", "breaker.close", "breaker/mail", 1),
        ("ada", "breaker.reset", "breaker/mail", 1),
    ]


@pytest.mark.parametrize(("by", "is_ended"), [(ROLLCALL, True), ("ada", False)])
def test_a_reset_ends_the_wait_that_rollcall_chose_and_not_a_persons(
    rollcall: House, by: str, *, is_ended: bool
) -> None:
    pauses, now = rollcall.services.store.pauses, rollcall.clock.now()
    pauses.pause("mail", now + timedelta(hours=1), "the provider asks for a wait", by, now)
    breakers.reset(rollcall.services, "mail", "bob")
    assert (pauses.find("mail") is None) == is_ended


def test_a_breaker_that_does_not_exist_is_named(rollcall: House) -> None:
    with pytest.raises(InvalidInputError, match="must be one of scraper, mail"):
        breakers.reset(rollcall.services, "nowhere", "ada")


def test_every_breaker_is_read_as_the_fleet_sees_it(rollcall: House) -> None:
    assert [snapshot.name for snapshot in breakers.read(rollcall.services)] == ["scraper", "mail"]


def test_without_redis_nothing_is_read_and_nothing_is_recorded(
    tmp_path: Path, unreachable: redis.Redis, prefix: str
) -> None:
    with house(sqlite_url(tmp_path), unreachable, prefix) as away:
        with pytest.raises(UnreachableError):
            breakers.read(away.services)
        with pytest.raises(UnreachableError):
            breakers.force_open(away.services, "mail", "ada")
        assert recorded(away) == []
