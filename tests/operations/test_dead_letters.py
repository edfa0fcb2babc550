from __future__ import annotations

from dataclasses import replace

import pytest
import redis

from domain.errors import PermanentError
from operations import dead_letters
from resilience.dead_letters import ALL, DeadLetterFilter
from tests.operations.journal import entries, recorded
from tests.support.house import House
from tests.support.workbench import bury, message, open_letters, waiting


@pytest.fixture
def buried(redis_client: redis.Redis, prefix: str) -> list[str]:
    """Three dead letters: two of one cause, one of another."""
    causes = ("Timeout", "Timeout", "Refused")
    return [bury(redis_client, prefix, message(rollcall_cause=cause)) for cause in causes]


@pytest.mark.usefixtures("buried")
def test_they_are_grouped_and_counted_by_what_is_meant(rollcall: House) -> None:
    groups = dead_letters.groups(rollcall.room, ALL, 1)
    assert [(group.cause, group.count, len(group.letters)) for group in groups] == [
        ("Timeout", 2, 1),
        ("Refused", 1, 1),
    ]
    assert dead_letters.count(rollcall.room, DeadLetterFilter(cause="timeout")) == 2


@pytest.mark.usefixtures("buried")
def test_what_is_retried_and_purged_is_recorded_with_its_filter_and_count(
    rollcall: House, redis_client: redis.Redis, prefix: str
) -> None:
    assert dead_letters.retry(rollcall.room, DeadLetterFilter(cause="Timeout"), "ada", limit=1) == 1
    assert dead_letters.purge(rollcall.room, ALL, "bob") == 2
    assert len(waiting(redis_client, prefix)) == 1
    assert recorded(rollcall) == [
        ("ada", "dead.retry", "dead letters", 1),
        ("bob", "dead.purge", "dead letters", 2),
    ]
    assert [entry.detail for entry in entries(rollcall)] == [{"cause": "Timeout"}, {}]


@pytest.mark.usefixtures("buried")
def test_what_was_done_before_it_was_broken_off_is_recorded(
    rollcall: House, redis_client: redis.Redis, prefix: str
) -> None:
    def wait(seconds: float) -> None:
        if seconds:
            raise KeyboardInterrupt

    room = replace(rollcall.room, dead_letters=open_letters(redis_client, prefix, wait=wait))
    with pytest.raises(KeyboardInterrupt):
        dead_letters.retry(room, ALL, "ada", per_second=1)
    assert recorded(rollcall) == [("ada", "dead.retry", "dead letters", 1)]


def test_where_the_broker_keeps_them_that_is_said(rollcall: House) -> None:
    with pytest.raises(PermanentError, match="with a Redis broker only"):
        dead_letters.count(replace(rollcall.room, dead_letters=None), ALL)
