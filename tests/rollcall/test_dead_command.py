"""`rollcall queue dead`, on the broker and the middleware that the wiring makes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pytest
import redis
from click.testing import CliRunner, Result
from dramatiq.brokers.stub import StubBroker

from domain.errors import InvalidInputError, PermanentError
from rollcall import brokers
from rollcall.cli.main import rollcall
from rollcall.settings import parse
from tests.support.broker import message, process_all, waiting
from tests.support.redis_server import running, valkey_binary
from tests.support.stack import install

Command = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def client() -> Iterator[redis.Redis]:
    """A server of its own: the command knows one namespace."""
    with running(valkey_binary()) as server, redis.Redis.from_url(server.url) as found:
        yield found


@pytest.fixture
def settings(client: redis.Redis, home: Path) -> dict[str, str]:
    path = client.connection_pool.connection_kwargs["path"]
    return {"ROLLCALL_HOME": str(install(home)), "REDIS_URL": f"unix://{path}"}


@pytest.fixture
def run(settings: dict[str, str]) -> Command:
    def invoke(*words: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(rollcall, ["queue", "dead", *words], answer, env=settings)

    return invoke


@pytest.fixture
def dead(client: redis.Redis, settings: dict[str, str]) -> list[str]:
    """The message ids of two letters for an unknown actor, and then one of a wrong key."""
    broker = brokers.build(parse(settings), client)

    @dramatiq.actor(broker=broker, queue_name="deliver", actor_name="mail.deliver")
    def deliver() -> None:
        raise PermanentError("wrong key")

    broker.declare_queue("check")
    sent = []
    for number in (1, 2):  # one at a time: deaths within a millisecond have no order
        sent.append(broker.enqueue(message("missing.actor", number)))
        process_all(broker, client, "dramatiq")
    sent.append(deliver.send())
    process_all(broker, client, "dramatiq")
    return [one.message_id for one in sent]


def audited(settings: dict[str, str]) -> Any:
    """What was recorded, the latest first."""
    words = ["audit", "ls", "--subject", "dead letters", "--json"]
    return output_of(CliRunner().invoke(rollcall, words, env=settings))


def output_of(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_they_are_listed_by_cause_with_their_number_first(run: Command, dead: list[str]) -> None:
    listed = run("ls", "--limit", "1").output.splitlines()
    assert listed[0] == "3 dead letters, 2 causes"
    assert listed[2] == "2 x unknown actor missing.actor"
    assert listed[3].split("  ")[0] == "died at"
    assert [dead[1] in line for line in listed[4:6]] == [True, False]
    assert "missing.actor(2)" in listed[4]
    assert listed[6] == "1 x PermanentError in tests.rollcall.test_dead_command:deliver"

    unknown, wrong = output_of(run("ls", "--json"))
    assert (unknown["cause"], unknown["count"], len(unknown["letters"])) == (
        "unknown actor missing.actor",
        2,
        2,
    )
    (letter,) = wrong["letters"]
    assert (letter["queue"], letter["actor"], letter["args"], letter["failures"]) == (
        "deliver",
        "mail.deliver",
        [],
        1,
    )
    assert letter["died_at"] < letter["expires_at"]


def test_one_is_shown_with_the_end_of_its_traceback(run: Command, dead: list[str]) -> None:
    shown = run("show", dead[2]).output
    assert "mail.deliver" in shown
    assert "earlier deaths\nnone\n" in shown
    assert shown.endswith("domain.errors.PermanentError: wrong key\n")
    assert output_of(run("show", dead[0], "--json"))[0]["traceback"] == []
    assert isinstance(run("show", "nobody").exception, InvalidInputError)


def test_a_dry_run_and_a_no_change_nothing(run: Command, dead: list[str], settings: dict[str, str]) -> None:
    assert run("purge", "--dry-run").output == (
        "3 dead letters match the filter.\n"
        "Only the messages are deleted; pending work stays pending in the database.\n"
    )
    refused = run("retry", "--queue", "check", answer="n\n")
    assert refused.exit_code == 1
    assert "Retry 2 dead letters? [y/N]" in refused.output
    assert output_of(run("ls", "--json", "--older-than", "1h")) == []
    assert len(output_of(run("ls", "--json"))) == 2
    assert audited(settings) == []


def test_retry_and_purge_act_on_what_the_filters_mean_and_are_written_down(
    run: Command, dead: list[str], client: redis.Redis, settings: dict[str, str]
) -> None:
    asked = run("retry", "--cause", "UNKNOWN", "--rate", "1000", answer="y\n")
    assert asked.output.endswith("Requeued 2 dead letters.\n")
    assert [found.message_id for found in waiting(client, "dramatiq")] == dead[:2]
    assert output_of(run("purge", dead[2], "--yes", "--json")) == [
        {"action": "purge", "matched": 1, "done": 1, "dry_run": False}
    ]
    assert run("ls").output == "0 dead letters, 0 causes\n"
    assert [(each["action"], each["detail"], each["count"]) for each in audited(settings)] == [
        ("dead.purge", {"message_ids": [dead[2]]}, 1),
        ("dead.retry", {"cause": "UNKNOWN"}, 2),
    ]


@pytest.mark.parametrize("duration", ["5", "1w", "-1h", "1.5h"])
def test_a_duration_without_a_sense_is_refused(run: Command, duration: str) -> None:
    refused = run("ls", f"--older-than={duration}")
    assert isinstance(refused.exception, InvalidInputError)
    assert set(refused.exception.problems) == {"--older-than"}


def test_rabbitmq_keeps_its_own() -> None:
    settings = parse({"BROKER_URL": "amqp://127.0.0.1/"})
    assert brokers.dead_letters(settings, StubBroker()) is None
