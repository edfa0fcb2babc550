"""The setting CATALOGS: from profiles to the services of a process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from domain.notification import Notification
from domain.observation import Details
from domain.section import SectionKey, Stagger
from domain.watch import NotificationKind, Watch
from observability.checks.snapshot import CatalogBudget, required
from operations import pauses, status
from operations.watches import next_check_at
from rollcall import upstreams
from rollcall.roles.web import metrics
from rollcall.settings import parse
from rollcall.wiring import System, build
from store import migrate
from store.catalogs.polls import PollResult
from tests.standins.scraper import TOKEN
from tests.support.commands import run

NOON = datetime(2026, 12, 1, 20, tzinfo=UTC)
SECRETS = dict.fromkeys(("CRON_SECRET", "API_TOKEN", "UNSUBSCRIBE_SECRET"), "0123456789abcdef")
SCRAPER = {"SCRAPER_URL": "http://127.0.0.1:9", "SCRAPER_SECRET_TOKEN": TOKEN}
STATE = """
id = "state"
name = "State University"
family = "banner9"
base_url = "https://ssb.example.edu/StudentRegistrationSsb"
timezone = "America/Chicago"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "catalogs").mkdir()
    (tmp_path / "catalogs" / "state.toml").write_text(STATE)
    return tmp_path


@contextmanager
def opened(home: Path, redis_url: str, **settings: str) -> Iterator[System]:
    system = build(parse({"ROLLCALL_HOME": str(home), "REDIS_URL": redis_url, **SECRETS, **settings}))
    try:
        migrate.upgrade(system.database)
        yield system
    finally:
        system.close()


def test_catalogs_are_sources_beside_the_scraper(home: Path, redis_url: str) -> None:
    with opened(home, redis_url, CATALOGS="temple,state", **SCRAPER) as system:
        services = system.services
        assert (list(services.sources), list(services.catalogs)) == (["scraper"], ["temple", "state"])
        assert services.source_names == ("scraper", "temple", "state")
        assert pauses.names(services) == ("scraper", "temple", "state", "mail")
        assert list(services.breakers) == ["scraper", "temple", "state", "mail"]
        assert list(status.sources(services, is_scheduled=True)) == ["scraper", "temple", "state"]
        digests = upstreams.digests(system.settings, services.catalogs)
        assert list(digests) == ["scraper", "mail", "temple", "state"]


def test_the_demo_campus_is_not_checked_beside_a_catalog(home: Path, redis_url: str) -> None:
    with opened(home, redis_url, CATALOGS="state") as system:
        assert system.services.source_names == ("state",)
        assert not system.settings.is_demo


def test_runs_do_not_check_the_sections_of_a_catalog(home: Path, redis_url: str) -> None:
    with opened(home, redis_url, CATALOGS="state", **SCRAPER) as system:
        services, now = system.services, system.services.clock.now()
        keys = [SectionKey("scraper", "2261", "12431"), SectionKey("state", "2261", "12431")]
        services.store.watches.add_all([Watch("ada@example.edu", key) for key in keys], now)
        assert services.store.sections.due(Stagger.ALL, services.sources, now) == keys[:1]


def test_profiles_of_one_host_share_its_gate_and_their_use_is_shown(home: Path, redis_url: str) -> None:
    other = STATE.replace('"state"', '"twin"') + "[polling]\ndaily_requests = 7\n"
    (home / "catalogs" / "twin.toml").write_text(other)
    with opened(home, redis_url, CATALOGS="state,twin") as system:
        state, twin = (each.connect().gate for each in system.services.catalogs.values())
        before = status.budgets(system.services)
        assert state.enter().is_granted
        assert not twin.enter().is_granted
        state.leave()
        made = before["twin"].made + 1
        assert status.budgets(system.services) == {
            "state": CatalogBudget(made, 20_000 - made),
            "twin": CatalogBudget(made, 7 - made),
        }
        text = metrics(system)()[0].decode()
        assert f'rollcall_catalog_requests_today{{source="twin"}} {made}.0' in text
        assert f'rollcall_catalog_requests_left{{source="twin"}} {7 - made}.0' in text
        shown = run(home, "catalog", "show", "twin", "--json", REDIS_URL=redis_url)
        assert json.loads(shown.stdout)[0]["requests_left"] == 7 - made


def test_a_watched_catalog_is_silent_without_a_complete_answer(home: Path, redis_url: str) -> None:
    with opened(home, redis_url, CATALOGS="temple,state") as system:
        services, now = system.services, system.services.clock.now()
        key = SectionKey("state", "202710", "12431")
        services.store.watches.add_all([Watch("ada@example.edu", key)], now - timedelta(hours=2))
        before = status.sources(services, is_scheduled=True)
        assert [each.silent_since for each in before.values()] == [None, now - timedelta(hours=2)]
        assert status.sources(services, is_scheduled=False)["state"].silent_since is None
        assert next_check_at(system.admin, key) is not None
        assert next_check_at(system.admin, replace(key, term="202640")) is None
        running = services.store.polls.begin(("state", "202710"), 1, now)
        services.store.polls.finish(
            running, PollResult(now + timedelta(minutes=1), is_complete=True, rows=3), now
        )
        assert next_check_at(system.admin, key) == now + timedelta(minutes=1)
        assert required(status.read(system.admin).runs).next_at is None
        after = status.sources(services, is_scheduled=True)["state"]
        assert (after.last_success_at, after.silent_since) == (now, None)
        assert (after.patience, after.has_runs) == (timedelta(minutes=1), False)


def test_mail_about_a_catalog_has_its_button_and_its_time(home: Path, redis_url: str) -> None:
    url = "https://register.example.edu/{term}/{section}"
    (home / "catalogs" / "state.toml").write_text(f'{STATE}registration_url = "{url}"\n')
    settings = {"ENROL_URL": "https://enrol.example.edu", "TIMEZONE": "America/Los_Angeles"}
    with opened(home, redis_url, CATALOGS="state", **SCRAPER, **settings) as system:
        texts = {}
        for source in system.services.source_names:
            key = SectionKey(source, "202710", "12431")
            notification = Notification(
                1, 1, "ada@example.edu", NotificationKind.SEAT_AVAILABLE, key, 1, NOON, 3, 30, None, Details()
            )
            texts[source] = system.services.render(notification, NOON).text
    assert "https://register.example.edu/202710/12431" in texts["state"]
    assert "CST" in texts["state"]
    assert "https://enrol.example.edu" in texts["scraper"]
    assert "PST" in texts["scraper"]


def test_changed_options_change_the_digest_and_a_new_name_does_not(home: Path, redis_url: str) -> None:
    found = []
    for changes in ("", 'mep_code = "S"\n', STATE.replace("State University", "State")):
        (home / "catalogs" / "state.toml").write_text(changes if "id =" in changes else STATE + changes)
        with opened(home, redis_url, CATALOGS="state") as system:
            found.append(upstreams.digests(system.settings, system.services.catalogs)["state"])
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (STATE + "colour = 1", "state.toml: colour is not a key of profiles"),
        (STATE.replace("America/Chicago", "Mars"), "state.toml: timezone must be a time zone"),
        (STATE.replace("https", "http"), "state.toml: base_url must be an https URL"),
        (STATE.replace('"state"', '"stripe"'), "state.toml: id stripe names another source"),
        (STATE.replace('"state"', '"temple"'), "state.toml: id temple is also the id of "),
    ],
)
def test_an_invalid_profile_ends_every_start_with_78_and_one_line(
    home: Path, changed: str, problem: str
) -> None:
    path = home / "catalogs" / "state.toml"
    path.write_text(changed)
    for command in ("up", "init"):
        done = run(home, command, CATALOGS=f"temple,{path}")
        assert (done.returncode, done.stderr.count("\n")) == (78, 1), done.stderr
        assert problem in done.stderr


def test_an_unknown_id_is_named_with_its_setting(home: Path, redis_url: str) -> None:
    with (
        pytest.raises(ConfigurationError, match="CATALOGS: nowhere: is the id of no profile"),
        opened(home, redis_url, CATALOGS="nowhere"),
    ):
        pass


@pytest.mark.parametrize("text", ["temple,", "temple,,state", "temple, temple"])
def test_a_list_with_a_gap_or_a_repeated_name_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="CATALOGS"):
        parse({"CATALOGS": text})


def test_a_process_imports_only_the_families_that_it_uses(home: Path) -> None:
    program = f"""
import json, sys
from rollcall.settings import parse
from rollcall.wiring import build
found = []
for catalogs in ("", "state"):
    build(parse({{"ROLLCALL_HOME": {str(home)!r}, "CATALOGS": catalogs, **{SECRETS!r}}})).close()
    found.append([name for name in ("catalogs.banner9", "catalogs.colleague") if name in sys.modules])
print(json.dumps(found))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == [[], ["catalogs.banner9"]]
