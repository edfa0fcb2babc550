"""Settings: read once, checked together, frozen. Nothing else in the project reads the environment.

A value comes from the process environment, else from systemd's credentials folder, else from `.env`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from domain.errors import InvalidInputError
from domain.watch import normal_address

MIN_SECRET_LENGTH = 16
TRANSPORTS = ("preview", "resend", "smtp")


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in schemes or not (parts.netloc or parts.path):
            raise ValueError(f"must be a URL that starts with {' or '.join(f'{s}://' for s in schemes)}")
        return text.rstrip("/")

    return parse


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return parse


def secret(text: str) -> str:
    """`text`, when it can serve as a secret. Raises: ValueError when it is too short to guard anything."""
    if len(text) < MIN_SECRET_LENGTH or not text.isascii() or not text.isprintable():
        raise ValueError(f"must be at least {MIN_SECRET_LENGTH} printable ASCII characters")
    return text


def _token(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be printable ASCII without spaces")
    return text


def _cron(text: str) -> str:
    from scheduling.timetable import trigger_of  # noqa: PLC0415 - not every command needs APScheduler

    try:
        trigger_of(text)
    except ValueError as error:
        raise ValueError(
            f"must be a crontab expression of five fields, such as 0 * * * * ({error})"
        ) from error
    return text


def _address(text: str) -> str:
    bare = text.rpartition("<")[2].rstrip(">") if text.endswith(">") else text
    if normal_address(bare) is None or "\n" in text or "\r" in text:
        raise ValueError("must be an address, such as Rollcall <rollcall@example.edu>")
    return text


def _mailbox(text: str) -> str:
    address = normal_address(text)
    if address is None:
        raise ValueError("must be an address, such as operator@example.edu")
    return address


def _setting(name: str, parse: Callable[[str], Any], default: str | None = None, *, help: str) -> Any:  # noqa: A002
    return field(metadata={"name": name, "parse": parse, "default": default, "help": help})


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of DESIGN 1.2, parsed. None stands for "not set"."""

    home: Path = _setting("ROLLCALL_HOME", Path, "var", help="state folder")
    database_url: str | None = _setting(
        "DATABASE_URL",
        _url("sqlite", "postgresql+psycopg"),
        help="SQLAlchemy URL; SQLite in the home by default",
    )
    redis_url: str | None = _setting(
        "REDIS_URL", _url("redis", "rediss", "unix"), help="Redis or Valkey; embedded by default"
    )
    broker_url: str | None = _setting(
        "BROKER_URL",
        _url("redis", "rediss", "unix", "amqp", "amqps"),
        help="message broker; REDIS_URL by default",
    )
    host: str = _setting("HOST", _token, "127.0.0.1", help="address to listen on")
    port: int = _setting("PORT", _integer(1, 65535), "8000", help="port to listen on")
    public_url: str | None = _setting(
        "PUBLIC_URL", _url("http", "https"), help="what links in mails start with"
    )
    cron_secret: str | None = _setting("CRON_SECRET", secret, help="bearer for /cron; generated")
    api_token: str | None = _setting("API_TOKEN", secret, help="bearer for the API; generated")
    unsubscribe_secret: str | None = _setting("UNSUBSCRIBE_SECRET", secret, help="signs links; generated")
    scraper_url: str | None = _setting("SCRAPER_URL", _url("http", "https"), help="the scraper service")
    scraper_secret_token: str | None = _setting("SCRAPER_SECRET_TOKEN", _token, help="its bearer token")
    scraper_timeout_seconds: int = _setting(
        "SCRAPER_TIMEOUT_SECONDS", _integer(1, 300), "30", help="per request"
    )
    scraper_max_concurrency: int = _setting(
        "SCRAPER_MAX_CONCURRENCY", _integer(1, 1000), "10", help="requests in flight per worker process"
    )
    scraper_requests_per_minute: int = _setting(
        "SCRAPER_REQUESTS_PER_MINUTE",
        _integer(0, 1_000_000),
        "900",
        help="for the whole fleet; 0 for no limit",
    )
    mail_transport: str | None = _setting(
        "MAIL_TRANSPORT", _choice(*TRANSPORTS), help="preview, resend or smtp; by what is configured"
    )
    resend_api_key: str | None = _setting("RESEND_API_KEY", _token, help="Resend's API key")
    resend_api_url: str | None = _setting(
        "RESEND_API_URL", _url("http", "https"), help="Resend's API, elsewhere"
    )
    resend_webhook_secret: str | None = _setting(
        "RESEND_WEBHOOK_SECRET", _token, help="whsec_… of the webhook"
    )
    smtp_url: str | None = _setting(
        "SMTP_URL", _url("smtp", "smtps", "smtp+starttls"), help="smtp[s]://user:password@host:port"
    )
    notification_from_email: str = _setting(
        "NOTIFICATION_FROM_EMAIL",
        _address,
        "Rollcall <rollcall@localhost.localdomain>",
        help="sender of the mails",
    )
    mail_daily_cap: int = _setting(
        "MAIL_DAILY_CAP", _integer(0, 100_000), "0", help="mails to one address in 24 hours; 0 for no limit"
    )
    enrol_url: str | None = _setting(
        "ENROL_URL", _url("http", "https"), help="where to enrol, with {term} and {section}"
    )
    breaker_failure_threshold: int = _setting(
        "BREAKER_FAILURE_THRESHOLD", _integer(1, 10_000), "10", help="failures that open it"
    )
    breaker_recovery_seconds: int = _setting(
        "BREAKER_RECOVERY_SECONDS", _integer(1, 86_400), "120", help="time it stays open"
    )
    breaker_success_threshold: int = _setting(
        "BREAKER_SUCCESS_THRESHOLD", _integer(1, 1000), "3", help="probes that close it"
    )
    cron_lock_ttl_seconds: int = _setting(
        "CRON_LOCK_TTL_SECONDS", _integer(10, 86_400), "1500", help="how long a run may hold its sections"
    )
    check_even_cron: str = _setting(
        "CHECK_EVEN_CRON", _cron, "0 * * * *", help="when even sections are due, UTC"
    )
    check_odd_cron: str = _setting(
        "CHECK_ODD_CRON", _cron, "30 * * * *", help="when odd sections are due, UTC"
    )
    scheduler: str = _setting(
        "SCHEDULER", _choice("on", "off"), "on", help="off stops the timed checks alone"
    )
    renotify_cooldown_seconds: int = _setting(
        "RENOTIFY_COOLDOWN_SECONDS",
        _integer(0, 604_800),
        "600",
        help="between two mails of a kind; 0 turns it off",
    )
    operator_email: str | None = _setting(
        "OPERATOR_EMAIL", _mailbox, help="who is told what needs a person, and never a student"
    )
    operator_webhook_url: str | None = _setting(
        "OPERATOR_WEBHOOK_URL", _url("http", "https"), help="where the same is posted as JSON"
    )
    heartbeat_url: str | None = _setting(
        "HEARTBEAT_URL", _url("http", "https"), help="asked for after each finished run: a dead man's switch"
    )

    @property
    def transport(self) -> str:
        """The mail transport in force."""
        return self.mail_transport or (
            "resend" if self.resend_api_key else "smtp" if self.smtp_url else "preview"
        )

    @property
    def base_url(self) -> str:
        """What absolute links start with."""
        return self.public_url or f"http://{self.host}:{self.port}"


def parse(values: Mapping[str, str]) -> Settings:
    """The settings that `values` hold.

    Raises: InvalidInputError that names every bad setting and what is wrong with it, without its value.
    """
    parsed: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for each in fields(Settings):
        name, default = each.metadata["name"], each.metadata["default"]
        text = values.get(name)
        if text is None or (text.strip() == "" and each.metadata["parse"] is not secret):
            text = default
        try:
            parsed[each.name] = None if text is None else each.metadata["parse"](text.strip())
        except ValueError as error:
            problems[name] = str(error)
    if not problems:
        settings = Settings(**parsed)
        problems = _contradictions(settings, values)
    if problems:
        raise InvalidInputError(problems)
    return settings


def _contradictions(settings: Settings, values: Mapping[str, str]) -> dict[str, str]:
    needed = {
        "SCRAPER_SECRET_TOKEN": settings.scraper_url and not settings.scraper_secret_token,
        "RESEND_API_KEY": settings.transport == "resend" and not settings.resend_api_key,
        "SMTP_URL": settings.transport == "smtp" and not settings.smtp_url,
        "NOTIFICATION_FROM_EMAIL": settings.transport != "preview"
        and not values.get("NOTIFICATION_FROM_EMAIL"),
    }
    reasons = {"SCRAPER_SECRET_TOKEN": "must be set beside SCRAPER_URL"}
    because = f"must be set for mail by {settings.transport}"
    return {name: reasons.get(name, because) for name, is_missing in needed.items() if is_missing}
