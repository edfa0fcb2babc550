"""The settings of this process: the core settings, declared here, and those of every plug-in.

They are read once, validated together and immutable. Only `rollcall.environment` reads the environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, TypeVar, cast

from catalogs.scraper import ScraperSettings
from domain.address import normal_address
from domain.errors import ConfigurationError
from domain.plugin import enabled
from domain.setting import (
    BASE_URL,
    HTTP_URL,
    PATH,
    SECRET,
    TOKEN,
    Setting,
    SettingsGroup,
    SettingType,
    choice,
    integer,
    number,
    setting,
    url,
)
from domain.text import time_zone
from providers.clamd import CLAMD_ADDRESS
from rollcall import plugins

G = TypeVar("G", bound=SettingsGroup)


def _host(text: str) -> str:
    return TOKEN.parse(text).removeprefix("[").removesuffix("]")


def _label(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,23}", text):
        raise ValueError("must be a short word of lower-case letters, digits and -, such as staging")
    return text


def _cron(text: str) -> str:
    from scheduling.timetable import CrontabTrigger  # noqa: PLC0415 - not every command needs APScheduler

    try:
        CrontabTrigger(text)
    except ValueError as error:
        raise ValueError(
            f"must be a crontab expression of five fields, such as 0 * * * * ({error})"
        ) from error
    return text


def _sender(text: str) -> str:
    name, bracket, bare = text.rpartition("<") if text.endswith(">") else ("", "", text)
    address = normal_address(bare.rstrip(">"))
    if address is None or "\n" in text or "\r" in text:
        raise ValueError("must be an address, such as Rollcall <rollcall@example.edu>")
    if bare.isascii():
        return text
    return f"{name}<{address}>" if bracket else address


CRON = SettingType("crontab expression, UTC", _cron)


@dataclass(frozen=True, kw_only=True)
class ServerSettings(SettingsGroup):
    """Servers and state."""

    home: Path = setting(
        "ROLLCALL_HOME",
        PATH,
        Path("var"),
        doc="state folder: database, embedded Valkey, preview outbox, secrets",
    )
    database_url: str | None = setting(
        "DATABASE_URL",
        url("sqlite", "postgresql+psycopg"),
        doc="SQLAlchemy URL",
        unset="SQLite in the home",
        example="postgresql+psycopg://user:password@host/name",
    )
    redis_url: str | None = setting(
        "REDIS_URL", url("redis", "rediss", "unix"), doc="Redis or Valkey", unset="embedded Valkey"
    )
    broker_url: str | None = setting(
        "BROKER_URL",
        url("redis", "rediss", "unix", "amqp", "amqps"),
        doc="message broker",
        unset="`REDIS_URL`",
    )


@dataclass(frozen=True, kw_only=True)
class WebSettings(SettingsGroup):
    """Web and access."""

    host: str = setting("HOST", SettingType("address", _host), "127.0.0.1", doc="address to listen on")
    port: int = setting("PORT", integer(1, 65535), 8000, doc="port to listen on")
    public_url: str | None = setting(
        "PUBLIC_URL", BASE_URL, doc="start of the links in mail", example="https://rollcall.example.edu"
    )
    proxy_secret: str | None = setting(
        "PROXY_SECRET",
        SECRET,
        doc="the reverse proxy sends it as `X-Rollcall-Proxy`; without it, `X-Forwarded-For` is ignored",
    )
    named_environment: str | None = setting(
        "ENVIRONMENT",
        SettingType("lower-case word", _label),
        doc="name of this installation in the console",
        unset="`production`, or `demo` without a catalog",
    )
    cron_secret: str | None = setting("CRON_SECRET", SECRET, doc="bearer token of `/cron`", unset="generated")
    api_token: str | None = setting(
        "API_TOKEN", SECRET, doc="bearer token of the API and the console", unset="generated"
    )
    unsubscribe_secret: str | None = setting(
        "UNSUBSCRIBE_SECRET", SECRET, doc="signs the links in mail", unset="generated"
    )
    previous_unsubscribe_secret: str | None = setting(
        "PREVIOUS_UNSUBSCRIBE_SECRET", SECRET, doc="verifies the links in older mail after a change"
    )


@dataclass(frozen=True, kw_only=True)
class MailSettings(SettingsGroup):
    """Mail."""

    mail_transport: str | None = setting(
        "MAIL_TRANSPORT",
        choice(*(plugin.name for plugin in plugins.TRANSPORTS)),
        doc="mail transport",
        unset="the first one that is configured, else `preview`",
    )
    notification_from_email: str = setting(
        "NOTIFICATION_FROM_EMAIL",
        SettingType("address with or without a name", _sender),
        "Rollcall <rollcall@localhost.localdomain>",
        doc="sender of mail; required unless mail goes to the preview",
    )
    mail_daily_cap: int = setting(
        "MAIL_DAILY_CAP", integer(0, 100_000), 0, doc="mails to one address in 24 hours; 0 for no limit"
    )
    enrol_url: str | None = setting(
        "ENROL_URL",
        HTTP_URL,
        doc="target of the button in mail; a catalog's `registration_url` takes precedence",
        example="https://…/{term}/{section}",
    )
    timezone: tzinfo = setting(
        "TIMEZONE",
        SettingType("time zone", time_zone),
        UTC,
        doc="of the times in mail; those of a public catalog are in its own",
        example="America/Los_Angeles",
    )


def _names(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(","))
    if "" in names:
        raise ValueError("must be names that are separated by commas")
    if len(set(names)) < len(names):
        raise ValueError("names a profile twice")
    return names


@dataclass(frozen=True, kw_only=True)
class CatalogSettings(SettingsGroup):
    """Public catalogs."""

    catalogs: tuple[str, ...] | None = setting(
        "CATALOGS",
        SettingType("ids of profiles, or paths of .toml files, separated by commas", _names),
        doc="public catalogs to poll (docs/catalogs.md)",
        unset="none; without `SCRAPER_URL` the demo campus is checked",
        example="temple,./my-school.toml",
    )


@dataclass(frozen=True, kw_only=True)
class BreakerSettings(SettingsGroup):
    """Circuit breakers."""

    breaker_failure_threshold: int = setting(
        "BREAKER_FAILURE_THRESHOLD", integer(1, 10_000), 10, doc="consecutive failures that open it"
    )
    breaker_recovery_seconds: int = setting(
        "BREAKER_RECOVERY_SECONDS", integer(1, 86_400, "seconds"), 120, doc="how long it stays open"
    )
    breaker_success_threshold: int = setting(
        "BREAKER_SUCCESS_THRESHOLD", integer(1, 1000), 3, doc="successful probes that close it"
    )
    breaker_failure_ratio: float | None = setting(
        "BREAKER_FAILURE_RATIO", number(0, 1), doc="share of failed calls in the window that opens it too"
    )
    breaker_window_seconds: int = setting(
        "BREAKER_WINDOW_SECONDS", integer(1, 3600, "seconds"), 60, doc="window of the ratio"
    )
    breaker_minimum_calls: int = setting(
        "BREAKER_MINIMUM_CALLS",
        integer(1, 100_000),
        20,
        doc="calls in the window below which the ratio is ignored",
    )
    breaker_slow_seconds: float | None = setting(
        "BREAKER_SLOW_SECONDS",
        number(0, 300, "seconds"),
        doc="a section check that takes longer is a failure",
    )
    breaker_ramp_seconds: int = setting(
        "BREAKER_RAMP_SECONDS",
        integer(0, 86_400, "seconds"),
        0,
        doc="time in which load returns after closing",
    )


@dataclass(frozen=True, kw_only=True)
class ScheduleSettings(SettingsGroup):
    """Section checks and notifications."""

    cron_lock_ttl_seconds: int = setting(
        "CRON_LOCK_TTL_SECONDS",
        integer(10, 86_400, "seconds"),
        1500,
        doc="how long a run may claim its sections",
    )
    check_schedule: str = setting(
        "CHECK_SCHEDULE",
        choice("stagger", "budget"),
        "stagger",
        doc="`stagger` checks each section once an hour, `budget` spends as many requests where seats open"
        " (docs/run.md)",
    )
    check_even_cron: str = setting("CHECK_EVEN_CRON", CRON, "0 * * * *", doc="when even sections are due")
    check_odd_cron: str = setting("CHECK_ODD_CRON", CRON, "30 * * * *", doc="when odd sections are due")
    scheduler: str = setting(
        "SCHEDULER", choice("on", "off"), "on", doc="`off` disables only the timed checks"
    )
    renotify_cooldown_seconds: int = setting(
        "RENOTIFY_COOLDOWN_SECONDS",
        integer(0, 604_800, "seconds"),
        600,
        doc="least time between two mails of a kind to a watch; 0 for no limit",
    )


@dataclass(frozen=True, kw_only=True)
class JobSettings(SettingsGroup):
    """Durable jobs."""

    job_retention_days: int = setting(
        "JOB_RETENTION_DAYS", integer(1, 3650, "days"), 7, doc="how long ended jobs are kept"
    )
    job_webhook_secret: str | None = setting(
        "JOB_WEBHOOK_SECRET", SECRET, doc="signs the webhooks of jobs", unset="generated"
    )
    webhook_allow_private: str = setting(
        "WEBHOOK_ALLOW_PRIVATE", choice("0", "1"), "0", doc="1 allows webhooks to private addresses"
    )
    report_aggregate_cron: str = setting(
        "REPORT_AGGREGATE_CRON", CRON, "20 3 * * *", doc="when the history of each day is rolled up"
    )


@dataclass(frozen=True, kw_only=True)
class UploadSettings(SettingsGroup):
    """Uploads."""

    import_max_mb: int = setting(
        "IMPORT_MAX_MB", integer(1, 1000), 50, doc="largest upload in MB of 1,048,576 bytes"
    )
    clamd_socket: str | None = setting(
        "CLAMD_SOCKET", CLAMD_ADDRESS, doc="socket of the virus scanner clamd", unset="no scanner"
    )
    scan_required: str = setting(
        "SCAN_REQUIRED", choice("0", "1"), "0", doc="1 refuses uploads while no scanner answers"
    )


CORE = (
    ServerSettings,
    WebSettings,
    MailSettings,
    CatalogSettings,
    BreakerSettings,
    ScheduleSettings,
    JobSettings,
    UploadSettings,
)
GROUPS: tuple[type[SettingsGroup], ...] = (*CORE, *plugins.GROUPS)
DECLARED: Mapping[str, Setting] = {each.name: each for group in GROUPS for each in group.declared().values()}


@dataclass(frozen=True, kw_only=True)
class Settings(
    ServerSettings,
    WebSettings,
    MailSettings,
    CatalogSettings,
    BreakerSettings,
    ScheduleSettings,
    JobSettings,
    UploadSettings,
):
    """The core settings as attributes, those of a plug-in by `of`. None stands for "not set"."""

    of_plugins: Mapping[type[SettingsGroup], SettingsGroup] = field(repr=False)

    def of(self, group: type[G]) -> G:
        """Return the settings of a plug-in."""
        return cast("G", self.of_plugins[group])

    def current(self) -> Iterator[tuple[Setting, Any]]:
        """Yield each setting with its value."""
        yield from super().current()
        for group in self.of_plugins.values():
            yield from group.current()

    @property
    def source_plugins(self) -> list[plugins.CatalogPlugin]:
        """The sources whose sections are checked one by one."""
        found = enabled(plugins.CATALOGS, self)
        return [each for each in found if each.key] if self.catalogs else found

    @property
    def transport_plugin(self) -> plugins.TransportPlugin:
        """The mail transport in use."""
        named = [each for each in plugins.TRANSPORTS if each.name == self.mail_transport]
        return (named or enabled(plugins.TRANSPORTS, self))[0]

    @property
    def transport(self) -> str:
        """The name of the mail transport in use."""
        return self.transport_plugin.name

    @property
    def is_demo(self) -> bool:
        """Whether no catalog is configured, so that the demo campus is checked."""
        return any(not each.key for each in self.source_plugins)

    @property
    def environment(self) -> str:
        """The name of this installation."""
        return self.named_environment or ("demo" if self.is_demo else "production")

    @property
    def base_url(self) -> str:
        """The start of absolute links."""
        return self.public_url or f"http://{_in_url(self.host)}:{self.port}"


def _in_url(host: str) -> str:
    """Format `host` for a URL; where the web role listens on all interfaces, use this machine's loopback."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not listened on
    return f"[{host}]" if ":" in host else host


def parse(values: Mapping[str, str]) -> Settings:
    """Parse `values` as settings.

    Raises: ConfigurationError that names every bad setting and what is wrong with it, without its value.
    """
    settings, problems = read(values)
    if problems:
        raise ConfigurationError(problems)
    return settings


def read(values: Mapping[str, str]) -> tuple[Settings, dict[str, str]]:
    """Return the settings, bad ones at their defaults, and the error of each bad one."""
    core, problems = Settings.parsed(values)
    of_plugins: dict[type[SettingsGroup], SettingsGroup] = {}
    for group in plugins.GROUPS:
        parsed, wrong = group.parsed(values)
        of_plugins[group] = group(**parsed)
        problems |= wrong
    settings = Settings(**core, of_plugins=of_plugins)
    return settings, problems or _conflicts(settings, values)


def _conflicts(settings: Settings, values: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for group in settings.of_plugins.values():
        found |= group.conflicts()
    if key := settings.transport_plugin.key:
        missing = [name for name in (key, "NOTIFICATION_FROM_EMAIL") if not values.get(name, "").strip()]
        found |= dict.fromkeys(missing, f"must be set for mail by {settings.transport}")
    if settings.scan_required == "1" and settings.clamd_socket is None:
        found["CLAMD_SOCKET"] = "must be set while SCAN_REQUIRED is 1"
    if (settings.breaker_slow_seconds or 0) >= settings.of(ScraperSettings).timeout_seconds:
        found["BREAKER_SLOW_SECONDS"] = "must be below SCRAPER_TIMEOUT_SECONDS"
    return found
