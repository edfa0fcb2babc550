"""Settings: read once, validated together, immutable. Only this package reads the environment.

A value comes from the process environment, else from systemd's credentials folder, else from `.env`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.address import normal_address
from domain.errors import ConfigurationError
from domain.money import Prices

MIN_SECRET_LENGTH = 16
TRANSPORTS = ("preview", "resend", "postmark", "smtp")


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def _decimal(above: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or not above < float(text) <= high:
            raise ValueError(f"must be a number above {above:g} and at most {high:g}")
        return float(text)

    return parse


def _host(text: str) -> str:
    return _token(text).removeprefix("[").removesuffix("]")


def _base_url(text: str) -> str:
    """Parse the URL that paths are appended to."""
    if "?" in text or "#" in text:
        raise ValueError("must be a URL without a query or fragment")
    return _url("http", "https")(text)


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
    """Return `text` if it is long enough for a secret. Raises: ValueError."""
    if len(text) < MIN_SECRET_LENGTH or not text.isascii() or not text.isprintable():
        raise ValueError(f"must be at least {MIN_SECRET_LENGTH} printable ASCII characters")
    return text


def _token(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be printable ASCII without spaces")
    return text


def _model(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text):
        raise ValueError("must be the name of a model, such as gemini-2.5-flash-image")
    return text


def _storage(text: str) -> str:
    parts = urlsplit(text)
    is_folder = parts.scheme == "file" and not parts.netloc and parts.path.startswith("/")
    if parts.query or parts.fragment:
        raise ValueError("must write ? and # in a path as %3F and %23")
    if not is_folder and not (parts.scheme == "s3" and parts.netloc):
        raise ValueError("must be file:///folder or s3://bucket/prefix")
    return text.rstrip("/")


def _label(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,23}", text):
        raise ValueError("must be a short word of lower-case letters, digits and -, such as staging")
    return text


def _cron(text: str) -> str:
    from scheduling.crontab import CrontabTrigger  # noqa: PLC0415 - not every command needs APScheduler

    try:
        CrontabTrigger(text)
    except ValueError as error:
        raise ValueError(
            f"must be a crontab expression of five fields, such as 0 * * * * ({error})"
        ) from error
    return text


def _address(text: str) -> str:
    name, bracket, bare = text.rpartition("<") if text.endswith(">") else ("", "", text)
    address = normal_address(bare.rstrip(">"))
    if address is None or "\n" in text or "\r" in text:
        raise ValueError("must be an address, such as Rollcall <rollcall@example.edu>")
    if bare.isascii():
        return text
    return f"{name}<{address}>" if bracket else address


def _timezone(text: str) -> tzinfo:
    if text == "UTC":  # also on a machine without a time zone database
        return UTC
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be a time zone of this machine, such as America/Los_Angeles") from error


def _mailbox(text: str) -> str:
    address = normal_address(text)
    if address is None:
        raise ValueError("must be an address, such as operator@example.edu")
    return address


def _prices(text: str) -> Prices:
    found: dict[str, set[int]] = {}
    for part in text.split(","):
        match = re.fullmatch(r"([a-z]{3}):([0-9]{1,12})", part.strip().lower())
        if match is None:
            raise ValueError(
                "must be currency:amount, … in the smallest unit, as Stripe has it, such as usd:900,eur:850"
            )
        found.setdefault(match[1], set()).add(int(match[2]))
    return Prices({currency: frozenset(amounts) for currency, amounts in found.items()})


def _setting(name: str, parse: Callable[[str], Any], default: str | None = None, *, help: str) -> Any:  # noqa: A002
    # No value is ever shown: a URL may hold a password just as a key does.
    return field(repr=False, metadata={"name": name, "parse": parse, "default": default, "help": help})


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
    host: str = _setting("HOST", _host, "127.0.0.1", help="address to listen on")
    port: int = _setting("PORT", _integer(1, 65535), "8000", help="port to listen on")
    public_url: str | None = _setting("PUBLIC_URL", _base_url, help="what links in mails start with")
    proxy_secret: str | None = _setting(
        "PROXY_SECRET",
        secret,
        help="what the reverse proxy sends as X-Rollcall-Proxy; only then its X-Forwarded-For counts",
    )
    named_environment: str | None = _setting(
        "ENVIRONMENT", _label, help="what the console calls this installation; production or demo"
    )
    cron_secret: str | None = _setting("CRON_SECRET", secret, help="bearer for /cron; generated")
    api_token: str | None = _setting("API_TOKEN", secret, help="bearer for the API; generated")
    unsubscribe_secret: str | None = _setting("UNSUBSCRIBE_SECRET", secret, help="signs links; generated")
    previous_unsubscribe_secret: str | None = _setting(
        "PREVIOUS_UNSUBSCRIBE_SECRET", secret, help="what signed the links of older mails"
    )
    scraper_url: str | None = _setting("SCRAPER_URL", _base_url, help="the scraper service")
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
        "MAIL_TRANSPORT",
        _choice(*TRANSPORTS),
        help="preview, resend, postmark or smtp; by what is configured",
    )
    resend_api_key: str | None = _setting("RESEND_API_KEY", _token, help="Resend's API key")
    resend_api_url: str | None = _setting("RESEND_API_URL", _base_url, help="Resend's API, elsewhere")
    resend_webhook_secret: str | None = _setting(
        "RESEND_WEBHOOK_SECRET", _token, help="whsec_… of the webhook"
    )
    postmark_server_token: str | None = _setting(
        "POSTMARK_SERVER_TOKEN", _token, help="the token of Postmark's server"
    )
    postmark_api_url: str | None = _setting("POSTMARK_API_URL", _base_url, help="Postmark's API, elsewhere")
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
    timezone: tzinfo = _setting(
        "TIMEZONE", _timezone, "UTC", help="of the times in mails, such as America/Los_Angeles"
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
    breaker_failure_ratio: float | None = _setting(
        "BREAKER_FAILURE_RATIO", _decimal(0, 1), help="share of failures in the window that opens it too"
    )
    breaker_window_seconds: int = _setting(
        "BREAKER_WINDOW_SECONDS", _integer(1, 3600), "60", help="how far back the ratio looks"
    )
    breaker_minimum_calls: int = _setting(
        "BREAKER_MINIMUM_CALLS", _integer(1, 100_000), "20", help="calls in the window that make a ratio"
    )
    breaker_slow_seconds: float | None = _setting(
        "BREAKER_SLOW_SECONDS", _decimal(0, 300), help="an answer to a check that took longer is a failure"
    )
    breaker_ramp_seconds: int = _setting(
        "BREAKER_RAMP_SECONDS", _integer(0, 86_400), "0", help="time in which load comes back; 0 for at once"
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
        "HEARTBEAT_URL",
        _url("http", "https"),
        help="asked for after each run that succeeded: a dead man's switch",
    )

    stripe_webhook_secret: str | None = _setting(
        "STRIPE_WEBHOOK_SECRET", _token, help="whsec_… of the webhook that tells of payments"
    )
    stripe_secret_key: str | None = _setting(
        "STRIPE_SECRET_KEY", _token, help="may refund what cannot be delivered"
    )
    stripe_api_url: str | None = _setting("STRIPE_API_URL", _base_url, help="Stripe's API, elsewhere")
    report_prices: Prices | None = _setting(
        "REPORT_PRICES",
        _prices,
        help="what a report may cost, such as usd:900,eur:850 in cents; not checked without",
    )
    docraptor_api_key: str | None = _setting(
        "DOCRAPTOR_API_KEY", _token, help="makes the PDFs of reports; made on this machine without"
    )
    docraptor_api_url: str | None = _setting(
        "DOCRAPTOR_API_URL", _base_url, help="DocRaptor's API, elsewhere"
    )
    gemini_api_key: str | None = _setting("GEMINI_API_KEY", _token, help="makes pictures; none without")
    gemini_api_url: str | None = _setting("GEMINI_API_URL", _base_url, help="Gemini's API, elsewhere")
    gemini_model: str = _setting(
        "GEMINI_MODEL", _model, "gemini-2.5-flash-image", help="the model that makes them"
    )
    generation_concurrency: int = _setting(
        "GENERATION_CONCURRENCY", _integer(1, 100), "4", help="pictures made at a time, in the whole fleet"
    )
    report_aggregate_cron: str = _setting(
        "REPORT_AGGREGATE_CRON", _cron, "20 3 * * *", help="when the days' history is condensed, UTC"
    )
    job_retention_days: int = _setting(
        "JOB_RETENTION_DAYS", _integer(1, 3650), "7", help="how long jobs that have ended are kept"
    )
    job_webhook_secret: str | None = _setting(
        "JOB_WEBHOOK_SECRET", secret, help="signs what callers are told of their jobs; generated"
    )
    webhook_allow_private: str = _setting(
        "WEBHOOK_ALLOW_PRIVATE", _choice("0", "1"), "0", help="1 tells callers at private addresses too"
    )
    storage_url: str | None = _setting(
        "STORAGE_URL", _storage, help="file:///folder or s3://bucket/prefix; a folder in the home by default"
    )
    storage_endpoint_url: str | None = _setting(
        "STORAGE_ENDPOINT_URL", _base_url, help="an S3-compatible service, elsewhere"
    )
    storage_region: str | None = _setting("STORAGE_REGION", _token, help="the bucket's region")
    storage_access_key_id: str | None = _setting(
        "STORAGE_ACCESS_KEY_ID", _token, help="who may use the bucket"
    )
    storage_secret_access_key: str | None = _setting(
        "STORAGE_SECRET_ACCESS_KEY", _token, help="and what proves it"
    )

    @property
    def transport(self) -> str:
        """The mail transport in use."""
        by_what_is_set = {
            "resend": self.resend_api_key,
            "postmark": self.postmark_server_token,
            "smtp": self.smtp_url,
            "preview": "always",
        }
        return self.mail_transport or next(name for name, given in by_what_is_set.items() if given)

    @property
    def environment(self) -> str:
        """The name of this installation."""
        return self.named_environment or ("production" if self.scraper_url else "demo")

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
            parsed[each.name] = None if default is None else each.metadata["parse"](default)
    settings = Settings(**parsed)
    return settings, problems or _contradictions(settings, values)


def _contradictions(settings: Settings, values: Mapping[str, str]) -> dict[str, str]:
    is_wrong = {
        "SCRAPER_SECRET_TOKEN": settings.scraper_url and not settings.scraper_secret_token,
        "RESEND_API_KEY": settings.transport == "resend" and not settings.resend_api_key,
        "POSTMARK_SERVER_TOKEN": settings.transport == "postmark" and not settings.postmark_server_token,
        "SMTP_URL": settings.transport == "smtp" and not settings.smtp_url,
        "NOTIFICATION_FROM_EMAIL": settings.transport != "preview"
        and not values.get("NOTIFICATION_FROM_EMAIL"),
        "BREAKER_SLOW_SECONDS": (settings.breaker_slow_seconds or 0) >= settings.scraper_timeout_seconds,
    }
    reasons = {
        "SCRAPER_SECRET_TOKEN": "must be set beside SCRAPER_URL",
        "BREAKER_SLOW_SECONDS": "must be below SCRAPER_TIMEOUT_SECONDS",
    }
    because = f"must be set for mail by {settings.transport}"
    return {name: reasons.get(name, because) for name, wrong in is_wrong.items() if wrong}
