from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from resilience.breaker_model import BreakerModel
from resilience.breaker_policy import BreakerPolicy
from rollcall.settings import parse
from rollcall.wiring import build
from store import migrate

SECRETS = dict.fromkeys(("CRON_SECRET", "API_TOKEN", "UNSUBSCRIBE_SECRET"), "0123456789abcdef")


def policies(home: Path, **values: str) -> dict[str, BreakerPolicy]:
    system = build(parse({"ROLLCALL_HOME": str(home), **SECRETS, **values}))
    try:
        return {name: breaker.policy for name, breaker in system.services.breakers.items()}
    finally:
        system.close()


def test_breakers_have_the_default_policy_unless_it_is_set(tmp_path: Path) -> None:
    found = policies(tmp_path)
    assert list(found) == ["campus", "mail"]
    assert {replace(policy, probe_seconds=60) for policy in found.values()} == {BreakerPolicy()}


def test_every_breaker_setting_applies_and_only_checks_can_be_too_slow(tmp_path: Path) -> None:
    found = policies(
        tmp_path,
        BREAKER_FAILURE_THRESHOLD="5",
        BREAKER_RECOVERY_SECONDS="60",
        BREAKER_SUCCESS_THRESHOLD="2",
        BREAKER_FAILURE_RATIO="0.5",
        BREAKER_WINDOW_SECONDS="30",
        BREAKER_MINIMUM_CALLS="40",
        BREAKER_SLOW_SECONDS="2.5",
        BREAKER_RAMP_SECONDS="90",
    )
    expected = BreakerPolicy(5, 60, 2, 60, 0.5, 30, 40, 2.5, 90)
    assert replace(found["campus"], probe_seconds=60) == expected
    assert replace(found["mail"], probe_seconds=60) == replace(expected, slow_call_seconds=None)


@pytest.mark.parametrize(
    ("values", "longest_seconds"),
    [
        ({}, 20 + 30),
        ({"SCRAPER_TIMEOUT_SECONDS": "300"}, 20 + 300),
        ({"SCRAPER_TIMEOUT_SECONDS": "300", "SCRAPER_MAX_CONCURRENCY": "2"}, 20 + 2 * 300),
        ({"SCRAPER_REQUESTS_PER_MINUTE": "1"}, 20 + 2 * 60 + 30),
        ({"SCRAPER_REQUESTS_PER_MINUTE": "0"}, 20 + 30),
    ],
)
def test_the_slowest_healthy_answers_close_the_breaker_of_a_source(
    tmp_path: Path, values: dict[str, str], longest_seconds: int
) -> None:
    service = {"SCRAPER_URL": "http://127.0.0.1:9", "SCRAPER_SECRET_TOKEN": "secret"}
    circuit = BreakerModel(policies(tmp_path, **service, **values)["scraper"])
    failing = circuit.permit(10, "failing", 0)
    circuit.record(failing.generation, "failing", [False] * 10, 0)
    probing = circuit.permit(3, "probing", 120_000)
    circuit.record(probing.generation, "probing", [True] * 3, 120_000 + longest_seconds * 1000)
    assert circuit.state == "closed"


@pytest.mark.parametrize(
    ("name", "settings", "longest_seconds"),
    [
        ("mail", {"SMTP_URL": "smtp://127.0.0.1", "NOTIFICATION_FROM_EMAIL": "a@example.edu"}, 7 * 20),
        ("stripe", {"STRIPE_SECRET_KEY": "sk_test"}, 2 * 20),
        ("docraptor", {"DOCRAPTOR_API_KEY": "key"}, 75),
        ("gemini", {"GEMINI_API_KEY": "key"}, 90),
    ],
)
def test_a_probe_keeps_its_lease_for_as_long_as_its_call_may_last(
    tmp_path: Path, name: str, settings: dict[str, str], longest_seconds: float
) -> None:
    assert policies(tmp_path, **settings)[name].probe_seconds > longest_seconds


@pytest.mark.parametrize("name", ["a#b", "a?b=c", "a%41b", "a b", "ä"])
def test_the_database_lies_in_the_home_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    home.mkdir()
    system = build(parse({"ROLLCALL_HOME": str(home), **SECRETS}))
    try:
        migrate.upgrade(system.database)
    finally:
        system.close()
    assert (home / "rollcall.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]
