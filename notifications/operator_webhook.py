"""Alert channels besides mail: the operator's webhook, and the ping that reports a healthy system."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from domain.alert import AlertNotification, RunbookLink
from domain.errors import RollcallError
from domain.plugin import ChannelPorts, Plugin
from domain.setting import HTTP_URL, SettingsGroup, setting
from providers.http import HttpClient
from providers.webhooks import require_success

_WEBHOOK_SECONDS, _PING_SECONDS = 10.0, 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class OperatorWebhookSettings(SettingsGroup):
    """Alerts by webhook."""

    url: str | None = setting("OPERATOR_WEBHOOK_URL", HTTP_URL, secret=True, doc="receives alerts as JSON")


@dataclass(frozen=True, kw_only=True)
class DeadMansSwitchSettings(SettingsGroup):
    """Dead man's switch."""

    url: str | None = setting(
        "HEARTBEAT_URL",
        HTTP_URL,
        secret=True,
        doc="requested after each successful run, so that an outside service notices a dead machine",
        example="https://hc-ping.com/…",
    )


@dataclass(frozen=True, slots=True)
class OperatorWebhook:
    """Posts each alert notification as JSON to `url`, which may contain a secret.

    Shape: `{"name", "state", "episode", "subject", "detail", "command", "since", "at", "health_url",
    "console_url", "runbook_url"}`, and `text`, which chat services show. A retry has the same `name`,
    `state` and `episode`.
    """

    url: str = field(repr=False)
    links: Callable[[str], RunbookLink]
    timeout_seconds: float = _WEBHOOK_SECONDS

    def send(self, notification: AlertNotification) -> None:
        """Post the alert notification. Raises: RollcallError unless the response is 2xx."""
        alert, links = notification.alert, self.links(notification.alert.name)
        content = {
            "text": f"[{alert.state}] {alert.subject}\n{links.console}\n{links.runbook}",
            "name": alert.name,
            "state": alert.state,
            "episode": alert.episode,
            "subject": alert.subject,
            "detail": alert.detail,
            "command": alert.command,
            "since": alert.since.isoformat(),
            "at": notification.at.isoformat(),
            "health_url": links.health,
            "console_url": links.console,
            "runbook_url": links.runbook,
        }
        client = HttpClient("operator webhook", self.timeout_seconds)
        require_success(client.post(self.url, json.dumps(content).encode()))


@dataclass(frozen=True, slots=True)
class DeadMansSwitch:
    """An external service, such as healthchecks.io, that alerts if `url` is not requested in time."""

    url: str = field(repr=False)
    timeout_seconds: float = _PING_SECONDS
    pauses_seconds: Sequence[float] = (1.0, 4.0)
    wait: Callable[[float], None] = time.sleep

    def ping(self) -> None:
        """Report a healthy system; retries after each of `pauses_seconds`. Raises: RollcallError."""
        for pause_seconds in self.pauses_seconds:
            try:
                return self._ping()
            except RollcallError as error:
                _log.info("retrying the ping", extra={"error": str(error), "in_seconds": pause_seconds})
            self.wait(pause_seconds)
        return self._ping()

    def _ping(self) -> None:
        require_success(HttpClient("heartbeat", self.timeout_seconds).get(self.url))


def _build(settings: OperatorWebhookSettings, ports: ChannelPorts) -> Callable[[AlertNotification], None]:
    return OperatorWebhook(settings.url or "", ports.links).send


def _build_switch(settings: DeadMansSwitchSettings, _ports: ChannelPorts) -> Callable[[], None]:
    return DeadMansSwitch(settings.url or "").ping


PLUGIN = Plugin(
    "webhook", OperatorWebhookSettings, _build, key="OPERATOR_WEBHOOK_URL", longest_seconds=_WEBHOOK_SECONDS
)
DEAD_MANS_SWITCH = Plugin("heartbeat", DeadMansSwitchSettings, _build_switch, key="HEARTBEAT_URL")
