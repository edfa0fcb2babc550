from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from domain.alert import Alert, AlertNotification, AlertState, RunbookLink
from domain.errors import UpstreamError
from notifications.operator_webhook import DeadMansSwitch, OperatorWebhook
from tests.support.receiver import Receiver, receiver

AT = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
ALERT = Alert("disk/home", AlertState.RAISED, 2, "The disk is nearly full", "1 MiB is free.", "df -h", AT)
POST = RunbookLink(
    "https://example.edu/health", "https://example.edu/console/", "https://example.edu/runbook"
)
NOTIFICATION = AlertNotification(7, ALERT, "webhook", AT)


def links(_: str) -> RunbookLink:
    return POST


@pytest.fixture
def found() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def test_a_webhook_posts_the_whole_notification_as_json(found: Receiver) -> None:
    OperatorWebhook(f"{found.url}/hook?key=secret", links).send(NOTIFICATION)
    ((method, path, body),) = found.requests
    assert (method, path) == ("POST", "/hook?key=secret")
    assert json.loads(body) == {
        "text": "[raised] The disk is nearly full\nhttps://example.edu/console/\nhttps://example.edu/runbook",
        "name": "disk/home",
        "state": "raised",
        "episode": 2,
        "subject": "The disk is nearly full",
        "detail": "1 MiB is free.",
        "command": "df -h",
        "since": "2026-01-15T09:00:00+00:00",
        "at": "2026-01-15T09:00:00+00:00",
        "health_url": "https://example.edu/health",
        "console_url": "https://example.edu/console/",
        "runbook_url": "https://example.edu/runbook",
    }


def test_a_ping_is_tried_three_times_with_a_pause_between(found: Receiver) -> None:
    waits: list[float] = []
    switch = DeadMansSwitch(f"{found.url}/uuid", wait=waits.append)
    found.statuses.extend([500, 500])
    switch.ping()
    assert (len(found.requests), waits) == (3, [1.0, 4.0])
    found.statuses.extend([500, 500, 500])
    with pytest.raises(UpstreamError):
        switch.ping()
    assert len(found.requests) == 6
