from __future__ import annotations

from pathlib import Path

import pytest
import redis

from rollcall.doctor.case import InspectedSettings
from rollcall.doctor.examination import examine
from rollcall.doctor.finding import Finding, Status
from rollcall.doctor.messages import checks, skew
from rollcall.settings import parse


@pytest.fixture
def findings(redis_url: str, redis_client: redis.Redis) -> dict[str, Finding]:
    return look(REDIS_URL=redis_url)


def look(**settings: str) -> dict[str, Finding]:
    case = InspectedSettings(parse(settings))
    return {finding.id: finding for finding in examine(checks(case), case)}


def test_server_broker_and_clock_are_well(findings: dict[str, Finding]) -> None:
    assert {name: findings[name].status for name in ("redis", "broker", "clock")} == dict.fromkeys(
        ("redis", "broker", "clock"), Status.OK
    )
    assert findings["redis"].seen.startswith("Valkey ")


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(0.2, Status.OK), (5.5, Status.WARNING), (15.5, Status.FAILURE)],
)
def test_clocks_may_differ_a_little(seconds: float, status: Status) -> None:
    assert skew(seconds).status is status


def test_a_server_that_throws_away_what_does_not_fit_is_a_warning(
    redis_url: str, redis_client: redis.Redis
) -> None:
    redis_client.config_set("appendonly", "yes")
    redis_client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        found = look(REDIS_URL=redis_url)
    finally:
        redis_client.config_set("maxmemory-policy", "noeviction")
        redis_client.config_set("appendonly", "no")
    assert found["redis.persistence"].status is Status.WARNING
    assert found["redis.persistence"].hint == "redis-cli CONFIG SET maxmemory-policy noeviction"


@pytest.mark.parametrize(
    ("is_managed", "hint"), [(True, "systemctl start rollcall-valkey"), (False, "rollcall up")]
)
def test_our_own_server_is_started_as_it_is_on_this_machine(
    is_managed: bool,
    hint: str,
    tmp_path: Path,
) -> None:
    case = InspectedSettings(parse({"ROLLCALL_HOME": str(tmp_path)}), is_managed=is_managed)
    found = {finding.id: finding for finding in examine(checks(case), case)}["redis"]
    assert (found.status, found.hint) == (Status.FAILURE, hint)


def test_a_broker_of_its_own_is_asked_for_itself(redis_url: str) -> None:
    found = look(REDIS_URL=redis_url, BROKER_URL="redis://:hidden@127.0.0.1:1/0")
    assert (found["redis"].status, found["broker"].status) == (Status.OK, Status.FAILURE)
    assert found["broker"].hint == "start the server at 127.0.0.1:1, or correct BROKER_URL"
    other = look(REDIS_URL="redis://127.0.0.1:1/0", BROKER_URL=redis_url)
    assert (other["redis"].status, other["broker"].status) == (Status.FAILURE, Status.OK)


def test_a_rabbitmq_that_is_away_is_named_with_what_to_do(redis_url: str) -> None:
    found = look(REDIS_URL=redis_url, BROKER_URL="amqp://guest:guest@127.0.0.1:1/")["broker"]
    assert found.status is Status.FAILURE
    assert found.seen.startswith("127.0.0.1:1 does not answer")
    assert found.hint == "start the server at 127.0.0.1:1, or correct BROKER_URL"
