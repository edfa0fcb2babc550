from __future__ import annotations

import pytest
import redis

from domain.errors import UnreachableError
from resilience.claims import CHUNK, Claims
from tests.support.stack import wait_until


def test_a_claim_has_one_owner(redis_client: redis.Redis, prefix: str) -> None:
    claims = Claims(redis_client, 60, prefix)
    assert claims.take(["1", "2"], "ann") == ["1", "2"]
    assert claims.take(["3", "2", "1", "4"], "bob") == ["3", "4"]


def test_taking_a_claim_again_restarts_its_ttl(redis_client: redis.Redis, prefix: str) -> None:
    Claims(redis_client, 10, prefix).take(["1"], "ann")
    assert Claims(redis_client, 60, prefix).take(["1"], "ann") == ["1"]
    assert redis_client.pttl(f"{prefix}:claim:1") > 50_000


def test_only_the_owner_releases_a_claim(redis_client: redis.Redis, prefix: str) -> None:
    claims = Claims(redis_client, 60, prefix)
    claims.take(["1", "2"], "ann")
    claims.take(["3"], "bob")
    claims.release(["1", "2", "3", "4"], "ann")
    assert claims.take(["1", "2", "3"], "cleo") == ["1", "2"]


def test_claims_of_a_dead_owner_expire(redis_client: redis.Redis, prefix: str) -> None:
    claims = Claims(redis_client, 0.05, prefix)
    claims.take(["1"], "ann")
    wait_until(lambda: claims.take(["1"], "bob") == ["1"], "the end of a claim")


@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK - 1])
def test_any_number_of_keys_is_claimed_in_order(redis_client: redis.Redis, prefix: str, count: int) -> None:
    claims = Claims(redis_client, 60, prefix)
    keys = [f"scraper/2261/{i}" for i in range(count)]
    assert claims.take(keys, "ann") == keys
    claims.release(keys, "ann")
    assert claims.take(keys, "bob") == keys


@pytest.mark.parametrize("count", [0, 1, CHUNK + 1])
def test_clearing_deletes_every_claim_of_its_prefix_only(
    redis_client: redis.Redis, prefix: str, count: int
) -> None:
    claims, others = Claims(redis_client, 60, prefix), Claims(redis_client, 60, f"{prefix}-other")
    keys = [f"scraper/2261/{i}" for i in range(count)]
    claims.take(keys, "ann")
    others.take(["1"], "ann")
    assert claims.clear() == count
    assert claims.take(keys, "bob") == keys
    assert others.take(["1"], "bob") == []


@pytest.mark.parametrize("server", ["unreachable", "refusing"])
def test_an_unreachable_or_read_only_redis_is_a_transient_error(
    server: str, request: pytest.FixtureRequest, prefix: str
) -> None:
    client = request.getfixturevalue(server)
    with pytest.raises(UnreachableError):
        Claims(client, 60, prefix).take(["1"], "ann")


def test_a_claim_from_before_the_clock_was_set_back_expires_within_its_ttl(
    redis_client: redis.Redis, prefix: str
) -> None:
    Claims(redis_client, 86_400, prefix).take(["1"], "ann")
    claims = Claims(redis_client, 0.05, prefix)
    assert claims.take(["1"], "bob") == []
    wait_until(lambda: claims.take(["1"], "bob") == ["1"], "the end of a claim")
