from __future__ import annotations

from dataclasses import replace

import pytest
import redis

from domain.errors import InvalidInputError, PermanentError
from operations import dead_letters
from operations.context import Surface
from operations.dead_letters import DeadLetterInput
from operations.operation import execute
from resilience.dead_letters import ALL
from tests.operations.journal import do, entries, recorded
from tests.support.broker import add_dead_letter, message, open_dead_letters, waiting
from tests.support.harness import Harness


@pytest.fixture
def buried(redis_client: redis.Redis, prefix: str) -> list[str]:
    """Three dead letters: two of one cause, one of another."""
    causes = ("Timeout", "Timeout", "Refused")
    return [add_dead_letter(redis_client, prefix, message(rollcall_cause=cause)) for cause in causes]


@pytest.mark.usefixtures("buried")
def test_dead_letters_are_grouped_by_cause_and_counted(rollcall: Harness) -> None:
    groups = dead_letters.groups(rollcall.admin, ALL, 1)
    assert [(group.cause, group.count, len(group.letters)) for group in groups] == [
        ("Timeout", 2, 1),
        ("Refused", 1, 1),
    ]
    assert dead_letters.RETRY.plan(rollcall.admin, DeadLetterInput(cause="timeout")).count == 2


@pytest.mark.usefixtures("buried")
def test_a_retry_and_a_purge_are_recorded_with_filter_and_count(
    rollcall: Harness, redis_client: redis.Redis, prefix: str
) -> None:
    assert do(rollcall, dead_letters.RETRY, cause="Timeout").value == 2
    assert do(rollcall, dead_letters.PURGE, "bob").value == 1
    assert len(waiting(redis_client, prefix)) == 2
    assert recorded(rollcall) == [
        ("ada", "dead.retry", "dead letters", 2),
        ("bob", "dead.purge", "dead letters", 1),
    ]
    assert [entry.detail for entry in entries(rollcall)] == [{"cause": "Timeout"}, {}]


@pytest.mark.usefixtures("buried")
def test_an_interrupted_retry_was_recorded_before_it_began(
    rollcall: Harness, redis_client: redis.Redis, prefix: str
) -> None:
    def wait(seconds: float) -> None:
        if seconds:
            raise KeyboardInterrupt

    rollcall.admin = replace(rollcall.admin, dead_letters=open_dead_letters(redis_client, prefix, wait=wait))
    with pytest.raises(KeyboardInterrupt):
        do(rollcall, dead_letters.RETRY, rate=1)
    assert len(waiting(redis_client, prefix)) == 1
    assert recorded(rollcall) == [("ada", "dead.retry", "dead letters", 3)]


@pytest.mark.usefixtures("buried")
def test_one_web_request_takes_the_letters_of_ten_seconds(rollcall: Harness) -> None:
    rollcall.admin = rollcall.admin.on(Surface.CONSOLE)
    given = DeadLetterInput(rate=0.1)
    plan = dead_letters.PURGE.plan(rollcall.admin, given)
    assert (plan.count, plan.effects[1]) == (
        1,
        "Only the oldest 1 are taken, 0.1 a second; repeat it for more.",
    )
    assert execute(dead_letters.PURGE, rollcall.admin, given, "ada").value == 1


def test_without_dead_letters_nothing_is_recorded(rollcall: Harness) -> None:
    assert do(rollcall, dead_letters.PURGE).message == "No dead letter matches."
    assert recorded(rollcall) == []


def test_an_unknown_queue_is_rejected(rollcall: Harness) -> None:
    with pytest.raises(InvalidInputError, match="queue: must be one of dispatch"):
        do(rollcall, dead_letters.PURGE, queue="nowhere")


def test_with_rabbitmq_dead_letters_cannot_be_read(rollcall: Harness) -> None:
    rollcall.admin = replace(rollcall.admin, dead_letters=None)
    with pytest.raises(PermanentError, match="with a Redis broker only"):
        do(rollcall, dead_letters.PURGE)
