from __future__ import annotations

import pytest
import redis

from resilience.login_protection import LoginLimiter
from tests.support.stack import free_port


@pytest.fixture
def attempts(redis_client: redis.Redis, prefix: str) -> LoginLimiter:
    return LoginLimiter(redis_client, "door", each=2, overall=5, window_seconds=60, prefix=prefix)


def test_a_client_has_so_many_and_is_told_how_long_to_wait(attempts: LoginLimiter) -> None:
    assert [attempts.take("ada"), attempts.take("ada")] == [0, 0]
    assert 59 < attempts.take("ada") <= 60
    assert attempts.take("bob") == 0


def test_all_together_have_so_many(attempts: LoginLimiter) -> None:
    assert [attempts.take(f"client {n}") for n in range(5)] == [0] * 5
    assert attempts.take("a sixth") > 0


def test_who_is_refused_uses_up_nothing_of_the_others(attempts: LoginLimiter) -> None:
    for _ in range(50):
        attempts.take("ada")
    assert [attempts.take(f"client {n}") for n in range(3)] == [0] * 3


def test_who_succeeds_begins_anew(attempts: LoginLimiter) -> None:
    attempts.take("ada")
    attempts.take("ada")
    attempts.forgive("ada")
    assert attempts.take("ada") == 0


def test_they_are_counted_elsewhere_too_and_not_for_ever(
    attempts: LoginLimiter, redis_client: redis.Redis, prefix: str
) -> None:
    again = LoginLimiter(redis_client, "door", each=2, overall=5, window_seconds=60, prefix=prefix)
    attempts.take("ada")
    attempts.take("ada")
    assert again.take("ada") > 0
    assert all(0 < redis_client.pttl(key) <= 60_000 for key in redis_client.scan_iter(f"{prefix}:*"))


class Hand:
    """A monotonic clock that stands until it is moved."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_while_redis_is_away_the_process_counts_for_itself() -> None:
    nobody, hand = redis.Redis(port=free_port(), socket_connect_timeout=0.2), Hand()
    alone = LoginLimiter(nobody, "door", each=2, overall=5, window_seconds=60, monotonic=hand)
    assert [alone.take("ada"), alone.take("ada"), alone.take("ada")] == [0, 0, 60]
    assert [alone.take(client) for client in ("bob", "eve", "joe", "sue")] == [0, 0, 0, 60]
    hand.seconds += 61
    assert alone.take("ada") == 0
    alone.take("ada")
    alone.forgive("ada")
    assert [alone.take("ada"), alone.take("ada"), alone.take("ada")] == [0, 0, 60]


def test_once_redis_is_back_it_counts_again(redis_client: redis.Redis, prefix: str) -> None:
    class Flaky(redis.Redis):
        """A connection that is away until it is told otherwise."""

        is_away = True

        def execute_command(self, *args: object, **options: object) -> object:
            if self.is_away:
                raise redis.ConnectionError("gone")
            return redis_client.execute_command(*args, **options)  # type: ignore[no-untyped-call] # redis-py

    hand, flaky = Hand(), Flaky()
    attempts = LoginLimiter(
        flaky, "door", each=2, overall=5, window_seconds=60, prefix=prefix, monotonic=hand
    )
    assert attempts.take("ada") == 0
    flaky.is_away = False
    assert attempts.take("ada") == 0
    assert list(redis_client.scan_iter(f"{prefix}:*")) == []
    hand.seconds += 5
    assert attempts.take("ada") == 0
    assert list(redis_client.scan_iter(f"{prefix}:*")) != []


def test_a_window_from_before_the_clock_was_set_back_ends_within_its_time(
    redis_client: redis.Redis, prefix: str
) -> None:
    def attempts(window_seconds: float) -> LoginLimiter:
        return LoginLimiter(
            redis_client, "login", each=1, overall=9, window_seconds=window_seconds, prefix=prefix
        )

    attempts(86_400).take("ann")
    assert 0 < attempts(60).take("ann") <= 60
    assert redis_client.pttl(f"{prefix}:attempts:login:ann") <= 60_000
