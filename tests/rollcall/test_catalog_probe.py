from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.check import Severity
from rollcall.doctor import InspectedSettings, findings, load
from rollcall.settings import parse
from tests.standins.banner9 import Banner9Standin, row
from tests.standins.server import Answer

SEARCH, TERMS = "searchResults/searchResults", "classSearch/getTerms"


@pytest.fixture
def server() -> Iterator[Banner9Standin]:
    with Banner9Standin(row("12431"), row("12432", seatsAvailable=0)) as found:
        yield found


@pytest.fixture
def profile(tmp_path: Path, server: Banner9Standin) -> Path:
    path = tmp_path / "catalogs" / "state.toml"
    path.parent.mkdir()
    path.write_text(
        f'id = "state"\nname = "State"\nfamily = "banner9"\nbase_url = "{server.base_url}"\n'
        'timezone = "UTC"\n[polling]\nrequests_per_minute = 60000\n'
    )
    return path


def examined(home: Path, redis_url: str) -> tuple[Severity, str, str]:
    """How the doctor judges the catalog: the severity, what it has seen, and what to do."""
    settings = parse({"ROLLCALL_HOME": str(home), "REDIS_URL": redis_url, "CATALOGS": "state"})
    found = {each.name: each for each in findings(InspectedSettings(settings))}["catalog.state"]
    if found.failure is None:
        return found.severity, found.result.note, ""
    return found.severity, found.failure.subject, found.failure.command


def test_a_catalog_that_answers_is_healthy(
    tmp_path: Path, redis_url: str, profile: Path, server: Banner9Standin
) -> None:
    severity, seen, _ = examined(tmp_path, redis_url)
    assert (severity, seen) == (
        Severity.HEALTHY,
        f"{server.base_url}: 2 terms; 2 sections of 202710 read.",
    )
    assert server.routes.count(SEARCH) == 1


@pytest.mark.parametrize(
    ("route", "answer", "expected"),
    [
        (TERMS, Answer(403, b""), (Severity.UNHEALTHY, "blocked: ", "ask the catalog's operator")),
        (TERMS, Answer(404, b""), (Severity.UNHEALTHY, "route_gone: ", "correct base_url in {path}")),
        (TERMS, Answer(500, b""), (Severity.UNHEALTHY, "unavailable: ", "make the catalog reachable")),
        (TERMS, Answer(429, b""), (Severity.DEGRADED, "rate_limited: ", "wait, and lower polling")),
        (
            "/robots.txt",
            Answer(200, b"User-agent: *\nDisallow: /"),
            (Severity.UNHEALTHY, "blocked: state: robots.txt disallows /", "ask the catalog's operator"),
        ),
        (SEARCH, Answer(200, b"{}"), (Severity.UNHEALTHY, "schema: ", "report the message")),
        (
            SEARCH,
            Answer(503, b"<!doctype html>Scheduled maintenance"),
            (Severity.DEGRADED, "maintenance: ", "wait until"),
        ),
    ],
)
def test_a_fault_is_named_with_what_to_do(
    redis_url: str,
    profile: Path,
    server: Banner9Standin,
    route: str,
    answer: Answer,
    expected: tuple[Severity, str, str],
) -> None:
    server.failing[route] = answer
    found, (severity, seen, hint) = examined(profile.parents[1], redis_url), expected
    assert found[0] is severity
    assert found[1].startswith(seen), found
    assert found[2].startswith(hint.format(path=profile)), found


def test_a_catalog_is_examined_without_redis(tmp_path: Path, profile: Path) -> None:
    assert examined(tmp_path, "redis://127.0.0.1:1")[0] is Severity.HEALTHY


def test_an_invalid_profile_is_a_finding_of_its_setting(
    profile: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    profile.write_text(f"{profile.read_text()}colour = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROLLCALL_HOME", str(tmp_path))
    monkeypatch.setenv("CATALOGS", "state")
    found = {each.check.name: each for each in findings(load())}
    failure = found["settings.CATALOGS"].failure
    assert failure is not None
    assert f"CATALOGS cannot be used: {profile}: polling.colour is not a key of profiles" in failure.subject
    assert "catalog.state" not in found
