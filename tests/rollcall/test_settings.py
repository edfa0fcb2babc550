from __future__ import annotations

import pytest

from domain.errors import InvalidInputError
from domain.money import Prices
from providers.stripe import StripeSettings
from rollcall.settings import parse

RESEND = {"RESEND_API_KEY": "re_123", "NOTIFICATION_FROM_EMAIL": "Rollcall <rollcall@example.edu>"}


def test_nothing_needs_to_be_set() -> None:
    settings = parse({})
    assert (settings.port, settings.transport, settings.base_url) == (
        8000,
        "preview",
        "http://127.0.0.1:8000",
    )


def test_an_installation_is_a_demo_until_it_has_a_catalog_or_a_name() -> None:
    catalog = {"SCRAPER_URL": "https://scraper.example.edu", "SCRAPER_SECRET_TOKEN": "a-token"}
    named = {"ENVIRONMENT": "staging"}
    assert [parse(values).environment for values in ({}, catalog, named, catalog | named)] == [
        "demo",
        "production",
        "staging",
        "staging",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "eighty"),
        ("ENVIRONMENT", "The Real One"),
        ("TIMEZONE", "PST"),
        ("TIMEZONE", "Mars/Olympus"),
        ("TIMEZONE", "../../etc/passwd"),
        ("PORT", "\uff18\uff10"),
        ("DATABASE_URL", "mysql://x/y"),
        ("REDIS_URL", "127.0.0.1:6379"),
        ("BROKER_URL", "kafka://x"),
        ("CRON_SECRET", ""),
        ("CRON_SECRET", "short"),
        ("API_TOKEN", "   "),
        ("UNSUBSCRIBE_SECRET", "dev"),
        ("SCRAPER_TIMEOUT_SECONDS", "-1"),
        ("SCRAPER_MAX_CONCURRENCY", "0"),
        ("MAIL_TRANSPORT", "pigeon"),
        ("NOTIFICATION_FROM_EMAIL", "nobody"),
        ("CHECK_EVEN_CRON", "at noon"),
        ("CHECK_ODD_CRON", "0 0 * * 8"),
        ("REPORT_AGGREGATE_CRON", "0 0 31 2 *"),
        ("SCHEDULER", "maybe"),
        ("RENOTIFY_COOLDOWN_SECONDS", "1.5"),
        ("PUBLIC_URL", "rollcall.example.edu"),
        ("OPERATOR_EMAIL", "nobody"),
        ("OPERATOR_EMAIL", "Operator <operator@example.edu>"),
        ("OPERATOR_WEBHOOK_URL", "file:///etc/passwd"),
        ("HEARTBEAT_URL", "hc-ping.com/uuid"),
        ("BREAKER_FAILURE_RATIO", "0"),
        ("BREAKER_FAILURE_RATIO", "1.01"),
        ("BREAKER_FAILURE_RATIO", "50%"),
        ("BREAKER_WINDOW_SECONDS", "0"),
        ("BREAKER_MINIMUM_CALLS", "0"),
        ("BREAKER_SLOW_SECONDS", "0.0"),
        ("BREAKER_SLOW_SECONDS", "nan"),
        ("BREAKER_SLOW_SECONDS", "30"),
        ("BREAKER_RAMP_SECONDS", "-1"),
        ("REPORT_PRICES", "900"),
        ("PUBLIC_URL", "https://rollcall.example.edu/?a=b"),
        ("PUBLIC_URL", "https://rollcall.example.edu/#top"),
        ("STRIPE_API_URL", "https://stripe.example.edu/?v=1"),
        ("STORAGE_URL", "file:///srv/a#b"),
        ("STORAGE_URL", "file:///srv/a?b"),
        ("REPORT_PRICES", "usd:9.00"),
        ("REPORT_PRICES", "usd:900;eur:850"),
        ("REPORT_PRICES", "dollars:900"),
    ],
)
def test_an_invalid_value_is_named_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse({name: value})
    assert list(caught.value.problems) == [name]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("::1", "http://[::1]:8000"),
        ("[::1]", "http://[::1]:8000"),
        ("::", "http://[::1]:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104 - only parsed
        ("rollcall.lan", "http://rollcall.lan:8000"),
    ],
)
def test_links_lead_to_where_the_web_role_listens(host: str, url: str) -> None:
    assert parse({"HOST": host}).base_url == url


def test_prices_are_amounts_by_currency() -> None:
    assert parse({}).of(StripeSettings).prices is None
    assert parse({"REPORT_PRICES": "usd:900, EUR:850,usd:450"}).of(StripeSettings).prices == Prices(
        {"usd": frozenset({900, 450}), "eur": frozenset({850})}
    )


def test_every_invalid_value_is_named_at_once() -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse({"PORT": "x", "SCHEDULER": "x", "CRON_SECRET": "x"})
    assert set(caught.value.problems) == {"PORT", "SCHEDULER", "CRON_SECRET"}


def test_an_empty_value_counts_as_not_set_unless_it_is_a_secret() -> None:
    assert parse({"REDIS_URL": "", "PORT": ""}).port == 8000


POSTMARK = {"POSTMARK_SERVER_TOKEN": "pm_1", "NOTIFICATION_FROM_EMAIL": "a@example.edu"}


@pytest.mark.parametrize(
    ("values", "transport"),
    [
        ({}, "preview"),
        (RESEND, "resend"),
        (RESEND | {"MAIL_TRANSPORT": "preview"}, "preview"),
        (POSTMARK, "postmark"),
    ],
)
def test_the_transport_follows_from_what_is_configured(values: dict[str, str], transport: str) -> None:
    assert parse(values).transport == transport


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"SCRAPER_URL": "https://scraper.example.edu"}, "SCRAPER_SECRET_TOKEN"),
        ({"MAIL_TRANSPORT": "resend", "NOTIFICATION_FROM_EMAIL": "a@example.edu"}, "RESEND_API_KEY"),
        ({"RESEND_API_KEY": "re_123"}, "NOTIFICATION_FROM_EMAIL"),
        ({"BREAKER_SLOW_SECONDS": "5", "SCRAPER_TIMEOUT_SECONDS": "5"}, "BREAKER_SLOW_SECONDS"),
        ({"MAIL_TRANSPORT": "postmark", "NOTIFICATION_FROM_EMAIL": "a@example.edu"}, "POSTMARK_SERVER_TOKEN"),
        ({"MAIL_TRANSPORT": "smtp", "NOTIFICATION_FROM_EMAIL": "a@example.edu"}, "SMTP_URL"),
    ],
)
def test_settings_that_contradict_each_other_are_named(values: dict[str, str], wrong: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse(values)
    assert list(caught.value.problems) == [wrong]


@pytest.mark.parametrize("name", ["UTC", "America/Los_Angeles"])
def test_the_time_zone_of_mails_is_read(name: str) -> None:
    assert str(parse({"TIMEZONE": name}).timezone) == name
    assert str(parse({}).timezone) == "UTC"


def test_the_domain_of_the_sender_becomes_punycode() -> None:
    given = {"NOTIFICATION_FROM_EMAIL": "Rollcall <rollcall@b\u00fccher.example>"}
    assert parse(given).notification_from_email == "Rollcall <rollcall@xn--bcher-kva.example>"
