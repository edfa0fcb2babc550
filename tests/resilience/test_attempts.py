from __future__ import annotations

import pytest
import redis

from domain.errors import UnreachableError
from resilience.attempts import Attempts
from tests.support.stack import free_port


@pytest.fixture
def attempts(redis_client: redis.Redis, prefix: str) -> Attempts:
    return Attempts(redis_client, "door", each=2, overall=5, window_seconds=60, prefix=prefix)


def test_a_client_has_so_many_and_is_told_how_long_to_wait(attempts: Attempts) -> None:
    assert [attempts.take("ada"), attempts.take("ada")] == [0, 0]
    assert 59 < attempts.take("ada") <= 60
    assert attempts.take("bob") == 0


def test_all_together_have_so_many(attempts: Attempts) -> None:
    assert [attempts.take(f"client {n}") for n in range(5)] == [0] * 5
    assert attempts.take("a sixth") > 0


def test_who_is_refused_uses_up_nothing_of_the_others(attempts: Attempts) -> None:
    for _ in range(50):
        attempts.take("ada")
    assert [attempts.take(f"client {n}") for n in range(3)] == [0] * 3


def test_who_succeeds_begins_anew(attempts: Attempts) -> None:
    attempts.take("ada")
    attempts.take("ada")
    attempts.forgive("ada")
    assert attempts.take("ada") == 0


def test_they_are_counted_elsewhere_too_and_not_for_ever(
    attempts: Attempts, redis_client: redis.Redis, prefix: str
) -> None:
    again = Attempts(redis_client, "door", each=2, overall=5, window_seconds=60, prefix=prefix)
    attempts.take("ada")
    attempts.take("ada")
    assert again.take("ada") > 0
    assert all(0 < redis_client.pttl(key) <= 60_000 for key in redis_client.scan_iter(f"{prefix}:*"))


def test_where_redis_is_away_it_says_so() -> None:
    nobody = redis.Redis(port=free_port(), socket_connect_timeout=0.2)
    lost = Attempts(nobody, "door", each=2, overall=5, window_seconds=60)
    with pytest.raises(UnreachableError):
        lost.take("ada")
    with pytest.raises(UnreachableError):
        lost.forgive("ada")


def test_a_window_from_before_the_clock_was_set_back_ends_within_its_time(
    redis_client: redis.Redis, prefix: str
) -> None:
    def attempts(window_seconds: float) -> Attempts:
        return Attempts(
            redis_client, "login", each=1, overall=9, window_seconds=window_seconds, prefix=prefix
        )

    attempts(86_400).take("ann")
    assert 0 < attempts(60).take("ann") <= 60
    assert redis_client.pttl(f"{prefix}:attempts:login:ann") <= 60_000
