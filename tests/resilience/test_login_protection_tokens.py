from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import redis

from domain.errors import UnreachableError
from resilience.login_protection import OneTimeTokens

MINUTE = timedelta(minutes=1)


@pytest.fixture
def tickets(redis_client: redis.Redis, prefix: str) -> OneTimeTokens:
    return OneTimeTokens(redis_client, "door", prefix=prefix)


def test_a_ticket_is_taken_once_whoever_tries_at_the_same_time(tickets: OneTimeTokens) -> None:
    tickets.issue("one", MINUTE)
    with ThreadPoolExecutor(8) as people:
        assert sum(people.map(tickets.redeem, ["one"] * 40)) == 1


def test_what_was_never_given_cannot_be_taken(tickets: OneTimeTokens) -> None:
    tickets.issue("one", MINUTE)
    assert not tickets.redeem("another")


def test_a_ticket_ends_by_itself(tickets: OneTimeTokens, redis_client: redis.Redis, prefix: str) -> None:
    tickets.issue("one", MINUTE)
    (key,) = redis_client.scan_iter(f"{prefix}:*")
    assert 0 < redis_client.pttl(key) <= 60_000


def test_where_none_can_be_noted_none_is_given_or_taken(unreachable: redis.Redis) -> None:
    tickets = OneTimeTokens(unreachable, "door")
    with pytest.raises(UnreachableError):
        tickets.issue("one", MINUTE)
    with pytest.raises(UnreachableError):
        tickets.redeem("one")
