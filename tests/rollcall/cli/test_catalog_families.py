"""`rollcall catalog` with a profile of each family, against its stand-in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from catalogs.profile import profile_text
from domain.errors import InvalidInputError
from rollcall.cli.catalog import EX_FAULT
from rollcall.cli.main import rollcall
from tests.catalogs.kits import KITS, Kit, kit_of
from tests.standins.catalog import MAINTENANCE, CatalogStandin
from tests.standins.fose import FoseStandin

Read = Callable[..., Any]


@pytest.fixture(params=KITS, ids=lambda kit: kit.name)
def kit(request: pytest.FixtureRequest) -> Kit:
    found: Kit = request.param
    return found


@pytest.fixture
def server(kit: Kit) -> Iterator[CatalogStandin]:
    with kit.campus() as found:
        yield found


@pytest.fixture
def run(tmp_path: Path, kit: Kit, server: CatalogStandin) -> Read:
    options = {name: value for name, value in msgspec.structs.asdict(kit.options(server)).items() if value}
    keys = {"id": "state", "name": "State", "family": kit.name, "timezone": "UTC", **options}
    (tmp_path / "catalogs").mkdir()
    polling = "[polling]\nrequests_per_minute = 60000\n"
    (tmp_path / "catalogs" / "state.toml").write_text(profile_text(keys) + polling)
    environment = {"ROLLCALL_HOME": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:1"}

    def run(*words: str, code: int = 0) -> Any:
        found = CliRunner().invoke(rollcall, ["catalog", *words, "--json"], env=environment)
        if isinstance(found.exception, InvalidInputError):
            raise found.exception
        assert found.exit_code == code, (found.output, found.exception)
        return json.loads(found.stdout)

    return run


def test_a_healthy_catalog_is_tested_without_remarks(run: Read, kit: Kit) -> None:
    [found] = run("test", "state")
    assert (found["term"], found["fault"], found["unusual"]) == (kit.term.code, None, [])
    assert found["sections"] == found["open"] > 0


def test_a_fault_is_named(run: Read, server: CatalogStandin) -> None:
    server.failing["*"] = MAINTENANCE
    [found] = run("test", "state", code=EX_FAULT)
    assert found["fault"].startswith("maintenance: ")


@pytest.mark.parametrize("kit", [kit_of("fose")], indirect=True, ids=["fose"])
def test_counts_in_the_details_that_cannot_be_read_are_a_fault(run: Read, server: CatalogStandin) -> None:
    assert isinstance(server, FoseStandin)
    server.seats = "<b>See the registrar</b>"
    [found] = run("test", "state", code=EX_FAULT)
    assert found["fault"].startswith("schema: FOSE's field seats does not state open seats")


def test_sections_are_found_by_course(run: Read, kit: Kit) -> None:
    found = run("search", "state", kit.by_course)
    assert [each["section"] for each in found] == list(kit.sections[:2])
    assert {each["title"] for each in found} == {"Programming & Proofs"}


def test_the_sections_of_a_term_are_listed_where_the_catalog_can(run: Read, kit: Kit) -> None:
    words = "sections", "state", kit.term.code
    if not kit.lists_term:
        with pytest.raises(InvalidInputError, match="cannot list a whole term"):
            run(*words)
        return
    assert {each["section"] for each in run(*words)} == set(kit.sections)
    assert [each["section"] for each in run(*words, kit.subject)] == [kit.sections[2]]
