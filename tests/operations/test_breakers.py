from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import redis

from domain.errors import InvalidInputError, UnreachableError
from operations import breakers
from store.pauses import ROLLCALL
from tests.operations.journal import do, recorded
from tests.support.harness import Harness, harness, sqlite_url


def test_a_breaker_is_forced_and_reset_and_both_are_recorded(rollcall: Harness) -> None:
    services = rollcall.services
    assert do(rollcall, breakers.OPEN, name="mail").value.state == "open"
    assert services.breakers["mail"].permit(1).granted == 0
    forced = do(rollcall, breakers.CLOSE, "bob", name="mail").value
    assert (forced.state, forced.forced_by) == ("closed", "bob")
    assert do(rollcall, breakers.RESET, name="mail").value.forced is None
    assert recorded(rollcall) == [
        ("ada", "breaker.open", "breaker/mail", 1),
        ("bob", "breaker.close", "breaker/mail", 1),
        ("ada", "breaker.reset", "breaker/mail", 1),
    ]


@pytest.mark.parametrize(("by", "is_ended"), [(ROLLCALL, True), ("ada", False)])
def test_a_reset_ends_a_pause_by_rollcall_but_not_one_by_a_person(
    rollcall: Harness, by: str, *, is_ended: bool
) -> None:
    pauses, now = rollcall.services.store.pauses, rollcall.clock.now()
    pauses.pause("mail", now + timedelta(hours=1), "the provider asks for a wait", by, now)
    do(rollcall, breakers.RESET, "bob", name="mail")
    assert (pauses.find("mail") is None) == is_ended


def test_an_unknown_breaker_is_rejected(rollcall: Harness) -> None:
    with pytest.raises(InvalidInputError, match="must be one of scraper, mail"):
        do(rollcall, breakers.RESET, name="nowhere")


def test_every_breaker_is_read_as_the_fleet_sees_it(rollcall: Harness) -> None:
    assert [snapshot.name for snapshot in breakers.read(rollcall.services)] == ["scraper", "mail"]


def test_without_redis_nothing_is_read_and_nothing_is_recorded(
    tmp_path: Path, unreachable: redis.Redis, prefix: str
) -> None:
    with harness(sqlite_url(tmp_path), unreachable, prefix) as away:
        with pytest.raises(UnreachableError):
            breakers.read(away.services)
        with pytest.raises(UnreachableError):
            do(away, breakers.OPEN, name="mail")
        assert recorded(away) == []
