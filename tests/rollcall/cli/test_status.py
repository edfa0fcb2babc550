from __future__ import annotations

import json
import re
import socket
from dataclasses import replace
from typing import Any

import pytest
import redis

from observability.checks.snapshot import Unavailable
from resilience.heartbeats import Heartbeats
from rollcall.cli.status import facts
from tests.observability.checks.states import WELL
from tests.rollcall.cli.conftest import Command


def test_the_status_is_a_sentence_and_an_exit_code(run: Command) -> None:
    down = run("status")
    assert down.exit_code == 2
    assert down.stdout.startswith("unhealthy: Not polling: no worker is alive; ")
    result = json.loads(run("status", "--json").stdout)[0]
    assert (result["health"], result["polling"]["light"]) == ("unhealthy", "down")
    assert result["outbox"] == {"pending": 0, "oldest_due_at": None, "dead": 0}
    assert len(result["hours"]) == 24


def test_it_is_healthy_while_someone_works_and_degraded_while_mail_is_paused(
    run: Command, client: redis.Redis
) -> None:
    for role in ("worker", "scheduler", "jobs"):
        Heartbeats(client, 30).beat(role, f"{socket.gethostname()}:1", {})
    assert run("status").exit_code == 0
    assert run("status").stdout.splitlines()[0] == "healthy: Polling; sending; draining."
    run("mail", "pause", "--for", "1h", "--reason", "a flood")
    assert run("status").exit_code == 1


def test_it_is_degraded_while_no_one_carries_out_jobs(run: Command, client: redis.Redis) -> None:
    run("mail", "resume")
    for role in ("worker", "scheduler", "jobs"):
        Heartbeats(client, 30).beat(role, f"{socket.gethostname()}:1", {})
    Heartbeats(client, 30).leave("jobs", f"{socket.gethostname()}:1")
    found = run("status")
    assert found.exit_code == 1
    assert found.stdout.splitlines()[0].endswith("; draining in trouble: no jobs process is alive.")
    assert json.loads(run("status", "--json").stdout)[0]["jobs"] == 0


def test_before_the_first_run_none_has_succeeded(run: Command) -> None:
    line = next(line for line in run("status").stdout.splitlines() if line.startswith("runs"))
    assert "last success never" in line


def test_each_queue_reports_how_much_waits_and_since_when(run: Command, client: redis.Redis) -> None:
    long_ago = {"message_timestamp": 1}
    client.rpush("dramatiq:check", "1")
    client.hset("dramatiq:check.msgs", "1", json.dumps(long_ago))
    line = next(line for line in run("status").stdout.splitlines() if line.startswith("queues"))
    assert re.search(r"check 1, oldest \d+ s \(0 dead\)", line)
    assert "deliver 0 (0 dead)" in line
    client.delete("dramatiq:check", "dramatiq:check.msgs")


@pytest.mark.parametrize("part", ["terms", "guards", "proposed_terms"])
def test_a_part_that_could_not_be_read_is_never_shown_as_empty(part: str) -> None:
    unread = Unavailable("OperationalError: the database is locked")
    changes: dict[str, Any] = {part: unread}
    assert facts(replace(WELL, **changes))[part] == {"error": unread.error}
    named: dict[str, Any] = {"proposed_terms": {("elm", "2026/FA"): "Fall 2026"}}
    assert facts(replace(WELL, **named))["proposed_terms"] == {"elm/2026/FA": "Fall 2026"}
