from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from domain.errors import UnreachableError
from resilience.heartbeats import Heartbeats
from resilience.lease import Lease
from workflows.maintenance import MISSING_SECONDS, Recovery

ROLE, FACT = "jobs", "executor"


@dataclass
class Work:
    """Who has work in hand; `recovered` names those whose work was put back."""

    busy: set[str] = field(default_factory=set)
    recovered: list[str] = field(default_factory=list)

    def executors(self) -> set[str]:
        return set(self.busy)

    def recover(self, executor: str) -> int:
        self.recovered.append(executor)
        self.busy.discard(executor)
        return 1


class Scene:
    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self.now = 0.0
        self.work = Work({"me", "other"})
        self.heartbeats = Heartbeats(client, 30, prefix)
        self.lease = Lease(client, "job-recovery", 60, prefix=prefix)
        self.recovery = Recovery(
            self.work, self.heartbeats, self.lease, "me", role=ROLE, fact=FACT, monotonic=lambda: self.now
        )

    def look(self, after_seconds: float) -> list[str]:
        self.now += after_seconds
        self.recovery.check()
        return self.work.recovered


@pytest.fixture
def scene(redis_client: redis.Redis, prefix: str) -> Scene:
    return Scene(redis_client, prefix)


def test_who_is_missed_for_long_enough_is_dead(scene: Scene) -> None:
    assert scene.look(0) == []
    assert scene.look(MISSING_SECONDS - 1) == []
    assert scene.look(1) == ["other"]
    assert scene.look(MISSING_SECONDS) == ["other"]


def test_who_beats_is_alive(scene: Scene) -> None:
    scene.heartbeats.beat(ROLE, "elsewhere:1", {FACT: "other"})
    scene.look(0)
    assert scene.look(MISSING_SECONDS) == []


def test_who_comes_back_in_time_starts_again(scene: Scene) -> None:
    scene.look(0)
    scene.heartbeats.beat(ROLE, "elsewhere:1", {FACT: "other"})
    scene.look(MISSING_SECONDS - 1)
    scene.heartbeats.leave(ROLE, "elsewhere:1")
    assert scene.look(1) == []
    assert scene.look(MISSING_SECONDS) == ["other"]


def test_no_one_is_dead_while_no_one_can_say(prefix: str) -> None:
    away = Scene(redis.Redis(port=1, retry=Retry(NoBackoff(), 0)), prefix)
    for _ in range(3):
        with pytest.raises(UnreachableError):
            away.look(MISSING_SECONDS)
    assert away.work.recovered == []


def test_one_recoverer_at_a_time(scene: Scene) -> None:
    scene.look(0)
    with scene.lease.holding("another", {}):
        assert scene.look(MISSING_SECONDS) == []
    assert scene.look(0) == ["other"]
