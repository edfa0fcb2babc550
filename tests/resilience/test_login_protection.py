from __future__ import annotations

import pytest
import redis

from resilience.login_protection import LoginLimiter
from tests.support.stack import free_port


@pytest.fixture
def attempts(redis_client: redis.Redis, prefix: str) -> LoginLimiter:
    return LoginLimiter(redis_client, "sign-in", each=2, overall=5, window_seconds=60, prefix=prefix)


def test_a_client_has_a_limit_and_learns_how_long_to_wait(attempts: LoginLimiter) -> None:
    assert [attempts.take("ada"), attempts.take("ada")] == [0, 0]
    assert 59 < attempts.take("ada") <= 60
    assert attempts.take("bob") == 0


def test_all_clients_together_have_a_limit(attempts: LoginLimiter) -> None:
    assert [attempts.take(f"client {n}") for n in range(5)] == [0] * 5
    assert attempts.take("a sixth") > 0


def test_refused_attempts_do_not_count_against_others(attempts: LoginLimiter) -> None:
    for _ in range(50):
        attempts.take("ada")
    assert [attempts.take(f"client {n}") for n in range(3)] == [0] * 3


def test_a_success_resets_the_attempts(attempts: LoginLimiter) -> None:
    attempts.take("ada")
    attempts.take("ada")
    attempts.reset("ada")
    assert attempts.take("ada") == 0


def test_attempts_count_across_processes_until_the_window_ends(
    attempts: LoginLimiter, redis_client: redis.Redis, prefix: str
) -> None:
    again = LoginLimiter(redis_client, "sign-in", each=2, overall=5, window_seconds=60, prefix=prefix)
    attempts.take("ada")
    attempts.take("ada")
    assert again.take("ada") > 0
    assert all(0 < redis_client.pttl(key) <= 60_000 for key in redis_client.scan_iter(f"{prefix}:*"))


class ManualClock:
    """A monotonic clock that the test moves."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_while_redis_is_unreachable_the_process_counts_alone() -> None:
    unreachable, clock = redis.Redis(port=free_port(), socket_connect_timeout=0.2), ManualClock()
    alone = LoginLimiter(unreachable, "sign-in", each=2, overall=5, window_seconds=60, monotonic=clock)
    assert [alone.take("ada"), alone.take("ada"), alone.take("ada")] == [0, 0, 60]
    assert [alone.take(client) for client in ("bob", "eve", "joe", "sue")] == [0, 0, 0, 60]
    clock.seconds += 61
    assert alone.take("ada") == 0
    alone.take("ada")
    alone.reset("ada")
    assert [alone.take("ada"), alone.take("ada"), alone.take("ada")] == [0, 0, 60]


def test_attempts_count_in_redis_again_once_it_is_back(redis_client: redis.Redis, prefix: str) -> None:
    class Flaky(redis.Redis):
        """A connection that fails while `is_away`."""

        is_away = True

        def execute_command(self, *args: object, **options: object) -> object:
            if self.is_away:
                raise redis.ConnectionError("gone")
            return redis_client.execute_command(*args, **options)  # type: ignore[no-untyped-call] # redis-py

    clock, flaky = ManualClock(), Flaky()
    attempts = LoginLimiter(
        flaky, "sign-in", each=2, overall=5, window_seconds=60, prefix=prefix, monotonic=clock
    )
    assert attempts.take("ada") == 0
    flaky.is_away = False
    assert attempts.take("ada") == 0
    assert list(redis_client.scan_iter(f"{prefix}:*")) == []
    clock.seconds += 5
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
