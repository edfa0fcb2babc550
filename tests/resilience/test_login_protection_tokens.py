from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import redis

from domain.errors import UnreachableError
from resilience.login_protection import OneTimeTokens

MINUTE = timedelta(minutes=1)


@pytest.fixture
def tokens(redis_client: redis.Redis, prefix: str) -> OneTimeTokens:
    return OneTimeTokens(redis_client, "sign-in", prefix=prefix)


def test_one_of_many_concurrent_callers_redeems_a_token(tokens: OneTimeTokens) -> None:
    tokens.issue("one", MINUTE)
    with ThreadPoolExecutor(8) as callers:
        assert sum(callers.map(tokens.redeem, ["one"] * 40)) == 1


def test_an_unknown_token_cannot_be_redeemed(tokens: OneTimeTokens) -> None:
    tokens.issue("one", MINUTE)
    assert not tokens.redeem("another")


def test_a_token_expires(tokens: OneTimeTokens, redis_client: redis.Redis, prefix: str) -> None:
    tokens.issue("one", MINUTE)
    (key,) = redis_client.scan_iter(f"{prefix}:*")
    assert 0 < redis_client.pttl(key) <= 60_000


def test_without_redis_no_token_is_issued_or_redeemed(unreachable: redis.Redis) -> None:
    tokens = OneTimeTokens(unreachable, "sign-in")
    with pytest.raises(UnreachableError):
        tokens.issue("one", MINUTE)
    with pytest.raises(UnreachableError):
        tokens.redeem("one")
