"""`rollcall catalog` without Redis and without an installation, against a Banner 9 server on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from domain.errors import ConfigurationError, InvalidInputError
from rollcall import plugins
from rollcall.cli.catalog import EX_FAULT, EX_UNUSUAL
from rollcall.cli.main import rollcall
from tests.standins.banner9 import Banner9Standin, row
from tests.standins.server import Answer

Command = Callable[..., Result]
ROWS = [row(str(10000 + n), seatsAvailable=n % 3, waitAvailable=n % 2) for n in range(1200)]


@pytest.fixture
def server() -> Iterator[Banner9Standin]:
    with Banner9Standin(*ROWS, row("20001", "ART 100", courseTitle="Drawing")) as found:
        yield found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Command:
    environment = {"ROLLCALL_HOME": str(home), "REDIS_URL": "redis://127.0.0.1:1"}
    return lambda *words: CliRunner().invoke(rollcall, ["catalog", *words], env=environment)


@pytest.fixture
def profile(home: Path, server: Banner9Standin) -> Path:
    """The profile of the server, in the home, which is no installation."""
    path = home / "catalogs" / "state.toml"
    path.parent.mkdir(parents=True)
    path.write_text(
        f'id = "state"\nname = "State"\nfamily = "banner9"\nbase_url = "{server.base_url}"\n'
        'timezone = "UTC"\n[polling]\nrequests_per_minute = 60000\n'
    )
    return path


def read(found: Result, code: int = 0) -> Any:
    assert found.exit_code == code, (found.output, found.exception)
    return json.loads(found.stdout)


def test_a_newcomer_lists_the_shipped_profiles_and_nothing_is_created(run: Command, home: Path) -> None:
    rows = read(run("ls", "--json"))
    assert {"temple", "bellarmine"} <= {each["id"] for each in rows}
    assert {each["profile"] for each in rows} == {"shipped"}
    assert not home.exists()


def test_a_profile_of_the_home_is_listed_with_its_file(run: Command, profile: Path) -> None:
    [mine] = [each for each in read(run("ls", "--json")) if each["id"] == "state"]
    assert mine["profile"] == str(profile)


def test_a_profile_is_shown_with_its_options_and_capabilities(run: Command) -> None:
    [found] = read(run("show", "okstate", "--json"))
    assert (found["mep_code"], found["every_seconds"], found["timezone"]) == ("OSU", 60, "America/Chicago")
    assert "waitlist" in found["capabilities"]
    assert "America/Chicago" in run("show", "okstate").stdout


def test_a_test_makes_one_query_of_the_first_open_term(
    run: Command, profile: Path, server: Banner9Standin
) -> None:
    server.terms.insert(0, ("202720", "Spring 2027 (View Only)"))
    [found] = read(run("test", str(profile), "--json"))
    assert (found["term"], found["sections"], found["total"]) == ("202710", 500, 1201)
    assert (found["open"], found["with_waitlist"]) == (333, 250)
    assert (found["requests"], found["fault"], found["unusual"]) == (4, None, [])
    assert found["terms"][1] == {"code": "202710", "label": "Fall 2026", "is_view_only": False}
    assert server.routes.count("searchResults/searchResults") == 1


def test_a_test_prints_terms_and_figures(run: Command, profile: Path, server: Banner9Standin) -> None:
    server.terms += [(f"20{year}10", f"Fall {year} (View Only)") for year in range(10, 20)]
    found = run("test", "state")
    assert found.exit_code == 0, found.output
    assert "and 2 more\n" in found.stdout
    assert "with_waitlist  250\n" in found.stdout


def test_a_term_without_registration_is_unusual(run: Command, profile: Path) -> None:
    found = run("test", "state", "--term", "202640")
    assert found.exit_code == EX_UNUSUAL
    assert "unusual: Registration for 202640 is over.\n" in found.stdout
    assert "unusual: The query of 202640 found no sections.\n" in found.stdout


@pytest.mark.parametrize(
    ("route", "answer", "fault"),
    [
        ("classSearch/getTerms", Answer(403, b""), "blocked"),
        ("classSearch/getTerms", Answer(404, b""), "route_gone"),
        ("classSearch/getTerms", Answer(200, b'{"code": 1}'), "schema"),
        ("classSearch/getTerms", Answer(500, b""), "unavailable"),
        ("term/search", Answer(302, b"", headers={"Location": "/cas/login"}), "sign_in"),
        ("searchResults/searchResults", Answer(429, b""), "rate_limited"),
        (
            "searchResults/searchResults",
            Answer(200, b'{"success":true,"totalCount":0,"data":null,"pathMode":null}'),
            "session",
        ),
    ],
)
def test_a_fault_is_named(
    run: Command, profile: Path, server: Banner9Standin, route: str, answer: Answer, fault: str
) -> None:
    server.failing[route] = answer
    [found] = read(run("test", "state", "--json"), EX_FAULT)
    assert found["fault"].startswith(f"{fault}: ")
    assert f"fault {fault}: " in run("test", "state").stdout
    searched = run("search", "state", "drawing")
    assert searched.exit_code == EX_FAULT
    assert searched.stderr.startswith(f"rollcall: fault {fault}: ")
    assert searched.stdout == ""


def test_a_robots_txt_that_cannot_be_read_stops_everything(
    run: Command, profile: Path, server: Banner9Standin
) -> None:
    server.failing["/robots.txt"] = Answer(503, b"")
    found = run("test", "state")
    assert found.exit_code == EX_FAULT
    assert "fault unavailable: state: robots.txt cannot be read: 503" in found.stdout
    assert server.routes == ["/robots.txt"]


@pytest.mark.parametrize("text", ["drawing", "ART 100", "20001"])
def test_sections_are_found_by_title_course_and_number(run: Command, profile: Path, text: str) -> None:
    [found] = read(run("search", "state", text, "--json"))
    assert (found["section"], found["course"], found["title"]) == ("20001", "ART 100", "Drawing")
    assert (found["open_seats"], found["waitlist_places"]) == (3, 5)


def test_no_match_is_not_a_fault(run: Command, profile: Path) -> None:
    found = run("search", "state", "alchemy")
    assert (found.exit_code, found.stdout) == (0, "No section of 202710 matches.\n")


def test_all_pages_of_a_term_are_listed(run: Command, profile: Path) -> None:
    assert len(read(run("sections", "state", "202710", "--json"))) == 1201
    [found] = read(run("sections", "state", "202710", "art", "--json"))
    assert found["section"] == "20001"


def test_a_listing_that_lacks_rows_is_a_fault(run: Command, profile: Path, server: Banner9Standin) -> None:
    server.rows[1100] = server.rows[0]  # one section on two pages, so that another is missing
    found = run("sections", "state", "202710")
    assert found.exit_code == EX_FAULT
    assert found.stderr == "rollcall: fault partial: 1200 of 1201 sections could be read\n"


@pytest.mark.parametrize(
    "words", [("sections", "state", "209999"), ("search", "state", "x", "--term", "209999")]
)
def test_a_term_that_is_not_listed_is_refused(run: Command, profile: Path, words: tuple[str, ...]) -> None:
    found = run(*words)
    assert isinstance(found.exception, InvalidInputError)
    assert "does not list 209999; it lists 202710" in str(found.exception)


def test_the_operator_of_the_catalog_learns_who_asks(
    home: Path, profile: Path, server: Banner9Standin
) -> None:
    environment = {"ROLLCALL_HOME": str(home), "PUBLIC_URL": "https://watch.example.edu"}
    CliRunner().invoke(rollcall, ["catalog", "search", "state", "x"], env=environment)
    [agent] = server.agents
    assert agent.startswith("Rollcall/")
    assert agent.endswith(" (+https://watch.example.edu)")


def test_a_new_profile_is_written_and_used(run: Command, home: Path, server: Banner9Standin) -> None:
    words = ("--family", "banner9", "--url", server.base_url, "--id", "mine", "--timezone", "America/Denver")
    found = run("new", *words)
    path = home / "catalogs" / "mine.toml"
    assert found.exit_code == 0, (found.output, found.exception)
    assert f"Wrote {path}. Next: rollcall catalog test mine\n" in found.stdout
    assert home.stat().st_mode & 0o777 == 0o700
    [shown] = read(run("show", "mine", "--json"))
    assert (shown["base_url"], shown["timezone"]) == (server.base_url, "America/Denver")
    again = run("new", *words)
    assert isinstance(again.exception, InvalidInputError)


def test_a_new_profile_has_the_given_keys_of_its_family(run: Command, server: Banner9Standin) -> None:
    words = ("--family", "banner9", "--url", server.base_url, "--id", "mine")
    assert run("new", *words, "--set", "mep_code=OSU", "--set", "campus=Main=1").exit_code == 0
    [shown] = read(run("show", "mine", "--json"))
    assert (shown["mep_code"], shown["campus"]) == ("OSU", "Main=1")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--set", "site"), "--set: must be KEY=VALUE, not site"),
        (
            ("--set", "site=ihprd"),
            "--url: is not an address that states institution: add --set institution=…",
        ),
        (
            ("--set", "site=a", "--set", "institution=b", "--set", "colour=c"),
            "colour: is not a key of profiles",
        ),
    ],
)
def test_a_key_that_the_family_needs_or_does_not_have_is_named(
    run: Command, home: Path, server: Banner9Standin, words: tuple[str, ...], problem: str
) -> None:
    found = run("new", "--family", "hcx", "--url", server.url, "--id", "mine", *words)
    assert problem in str(found.exception)
    assert server.routes == []
    assert not home.exists()


@pytest.mark.parametrize(
    ("family", "url", "options"),
    [
        ("fose", "https://cab.brown.edu/?srcdb=202610", {"base_url": "https://cab.brown.edu/api/"}),
        (
            "hcx",
            "https://x.edu/psc/ihprd/UVSS/SA/s/WEBLIB_HCX_CM.H_CLASS_SEARCH?institution=UVA01",
            {"base_url": "https://x.edu", "site": "ihprd", "node": "UVSS", "institution": "UVA01"},
        ),
        ("colleague", "https://x.edu/Student/Courses/Search", {"base_url": "https://x.edu/Student/"}),
        ("rutgers", "https://classes.rutgers.edu/soc/#home", {"base_url": "https://classes.rutgers.edu/soc"}),
        (
            "testudo",
            "https://app.testudo.umd.edu/soc/202608",
            {"base_url": "https://app.testudo.umd.edu/soc"},
        ),
    ],
)
def test_a_family_recognises_the_address_of_its_class_search(
    family: str, url: str, options: dict[str, str]
) -> None:
    found = plugins.family(family).recognises(url)
    assert found is not None
    assert options.items() <= msgspec.structs.asdict(found).items()


def test_nothing_is_written_for_a_site_that_lists_no_terms(
    run: Command, home: Path, server: Banner9Standin
) -> None:
    server.failing["classSearch/getTerms"] = Answer(200, b"<!doctype html><p>Welcome")
    found = run("new", "--family", "banner9", "--url", server.base_url, "--id", "mine")
    assert found.exit_code == EX_FAULT
    assert not home.exists()


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("--url", "http://127.0.0.1:1/x"), InvalidInputError),  # no domain for an id
        (("--url", "http://127.0.0.1:1/x", "--id", "temple"), InvalidInputError),
        (("--url", "http://127.0.0.1:1/x", "--id", "../x"), ConfigurationError),
        (("--url", "http://ssb.example.edu/x"), ConfigurationError),
        (("--url", "https://[x"), InvalidInputError),
    ],
)
def test_what_cannot_become_a_profile_is_refused_before_a_request(
    run: Command, home: Path, words: tuple[str, ...], kind: type[Exception]
) -> None:
    found = run("new", "--family", "banner9", *words)
    assert isinstance(found.exception, kind), (found.output, found.exception)
    assert not home.exists()


def test_a_catalog_that_cannot_list_a_term_says_so(run: Command, server: Banner9Standin, home: Path) -> None:
    path = home / "college.toml"
    home.mkdir()
    path.write_text(
        'id = "college"\nname = "College"\nfamily = "colleague"\ntimezone = "UTC"\n'
        f'base_url = "{server.url}/Student/"\n'
    )
    found = run("sections", str(path), "2026FA")
    assert isinstance(found.exception, InvalidInputError)
    assert "rollcall catalog search college TEXT" in str(found.exception)
    assert server.routes == []


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("colour = 1", os.EX_CONFIG, "state.toml: colour is not a key of profiles"),
        ("[polling]\nevery_seconds = 1", os.EX_CONFIG, "state.toml: polling.every_seconds must be from 60"),
    ],
)
def test_a_bad_profile_ends_with_78_and_one_line(
    home: Path, profile: Path, line: str, code: int, said: str
) -> None:
    text = profile.read_text().partition("[polling]")[0]
    profile.write_text(f"{text}{line}\n")
    done = subprocess.run(
        [sys.executable, "-m", "rollcall", "catalog", "ls"],
        env=os.environ | {"ROLLCALL_HOME": str(home)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert said in done.stderr
