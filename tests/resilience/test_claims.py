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


def test_taking_again_is_harmless_and_starts_the_time_anew(redis_client: redis.Redis, prefix: str) -> None:
    Claims(redis_client, 10, prefix).take(["1"], "ann")
    assert Claims(redis_client, 60, prefix).take(["1"], "ann") == ["1"]
    assert redis_client.pttl(f"{prefix}:claim:1") > 50_000


def test_only_the_owner_gives_a_claim_back(redis_client: redis.Redis, prefix: str) -> None:
    claims = Claims(redis_client, 60, prefix)
    claims.take(["1", "2"], "ann")
    claims.take(["3"], "bob")
    claims.release(["1", "2", "3", "4"], "ann")
    assert claims.take(["1", "2", "3"], "cleo") == ["1", "2"]


def test_a_dead_owners_claims_end_by_themselves(redis_client: redis.Redis, prefix: str) -> None:
    claims = Claims(redis_client, 0.05, prefix)
    claims.take(["1"], "ann")
    wait_until(lambda: claims.take(["1"], "bob") == ["1"], "the end of a claim")


@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK - 1])
def test_any_number_of_keys_is_taken_in_order(redis_client: redis.Redis, prefix: str, count: int) -> None:
    claims = Claims(redis_client, 60, prefix)
    keys = [f"scraper/2261/{i}" for i in range(count)]
    assert claims.take(keys, "ann") == keys
    claims.release(keys, "ann")
    assert claims.take(keys, "bob") == keys


@pytest.mark.parametrize("count", [0, 1, CHUNK + 1])
def test_clearing_ends_every_claim_and_nobody_elses(
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
def test_a_redis_that_is_away_or_takes_nothing_is_a_passing_trouble(
    server: str, request: pytest.FixtureRequest, prefix: str
) -> None:
    client = request.getfixturevalue(server)
    with pytest.raises(UnreachableError):
        Claims(client, 60, prefix).take(["1"], "ann")


def test_a_claim_from_before_the_clock_was_set_back_runs_out_within_its_time(
    redis_client: redis.Redis, prefix: str
) -> None:
    Claims(redis_client, 86_400, prefix).take(["1"], "ann")
    claims = Claims(redis_client, 0.05, prefix)
    assert claims.take(["1"], "bob") == []
    wait_until(lambda: claims.take(["1"], "bob") == ["1"], "the end of a claim")
