"""`rollcall catalog`: profiles of public catalogs; reads a catalog now, and stores nothing.

Needs neither Redis nor an installation.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

import click
import msgspec

from catalogs.assessment import counts, slow, unusual
from catalogs.profile import SHIPPED
from catalogs.reader import Listing
from domain.catalog import Capabilities, CatalogTerm, fault_of
from domain.errors import InvalidInputError, RollcallError
from domain.observation import Observation
from domain.text import one_line
from rollcall import environment, plugins
from rollcall.catalog_profiles import open_profiles, open_reader, usage, write_profile
from rollcall.cli.main import overrides, setting_options
from rollcall.cli.output import json_option, progress, show

EX_UNUSUAL, EX_FAULT = 1, 2
_SHOWN_TERMS = 10
_SUBJECT = re.compile("(?:[0-9]+:)?(.*)[ :]")
_term_option = click.option("--term", help="The term's code; by default the first that is open.")


@click.group()
def catalog() -> None:
    """Public catalogs: list, test and search them, and write profiles.

    ID is the id of a profile, or the path of a .toml file. Nothing is stored, and no watch is checked.

    Exit codes: 0, 1 something is unusual or not found, 2 the catalog's answer cannot be used, 78 a profile
    must be corrected.
    """


@catalog.command("ls")
@json_option
def list_(*, as_json: bool) -> None:
    """List the profiles: those that are shipped, and yours in ROLLCALL_HOME/catalogs."""
    rows = (
        {
            "id": each.id,
            "name": each.name,
            "family": each.family.name,
            "base_url": each.options.base_url,
            "profile": "shipped" if each.path.parent == SHIPPED else str(each.path),
        }
        for each in open_profiles(environment.load()).all()
    )
    show(rows, as_json=as_json)


@catalog.command("show")
@click.argument("name", metavar="ID")
@json_option
def show_(name: str, *, as_json: bool) -> None:
    """Show a profile, what catalogs of its family state, and today's requests to its host (UTC)."""
    settings = environment.load()
    profile = open_profiles(settings).find(name)
    used = usage(settings, profile)
    facts: dict[str, object] = {
        "id": profile.id,
        "name": profile.name,
        "family": profile.family.name,
        **msgspec.structs.asdict(profile.options),
        "timezone": str(profile.timezone),
        "registration_url": profile.registration_url or None,
        **msgspec.structs.asdict(profile.polling),
        "requests_today": used and used.requests_today,
        "requests_left": used and max(0, profile.polling.daily_requests - used.requests_today),
        "held_seconds": used and used.held_seconds,
        "capabilities": _capabilities(profile.catalog().capabilities),
        "absence": profile.catalog().capabilities.absence,
        "path": profile.path,
    }
    _show_facts(facts, as_json=as_json)


@catalog.command()
@click.argument("name", metavar="ID")
@_term_option
@json_option
def test(name: str, term: str | None, *, as_json: bool) -> None:
    """List the terms of a catalog, make one query, and say what looks unusual.

    Exit codes: 0 nothing is unusual, 1 something is, 2 the catalog's answer cannot be used.
    """
    reader = open_reader(environment.load(), name)
    facts: dict[str, object] = {"id": reader.profile.id}
    terms: list[CatalogTerm] = []
    remarks: list[str] = []
    fault = None
    try:
        terms = reader.terms()
        chosen = reader.term(terms, term)
        sections = reader.sample(chosen.code)
        facts |= _sampled(reader.catalog.capabilities, chosen, sections)
        remarks = unusual(terms, chosen, sections.sections, reader.catalog.capabilities)
    except InvalidInputError:
        raise
    except RollcallError as error:
        fault = f"{fault_of(error)}: {one_line(str(error))}"
    remarks += slow(reader.client.seconds, reader.client.requests)
    facts |= {"requests": reader.client.requests, "seconds": round(reader.client.seconds, 1)}
    if as_json:
        listed = msgspec.to_builtins(terms)
        show([facts | {"terms": listed, "unusual": remarks, "fault": fault}], as_json=True)
    else:
        _show_terms(terms)
        _show_facts(facts, as_json=False)
        for line in [f"unusual: {each}" for each in remarks] + ([f"fault {fault}"] if fault else []):
            click.echo(line)
    sys.exit(EX_FAULT if fault else EX_UNUSUAL if remarks else 0)


@catalog.command()
@click.argument("name", metavar="ID")
@click.argument("text")
@_term_option
@json_option
def search(name: str, text: str, term: str | None, *, as_json: bool) -> None:
    """Find sections by TEXT: a course, a title or a number."""
    reader = open_reader(environment.load(), name)
    with _faults():
        chosen = reader.term(reader.terms(), term)
        found = reader.search(chosen.code, text)
    show(map(_row, found), as_json=as_json, empty=f"No section of {chosen.code} matches.")


@catalog.command()
@click.argument("name", metavar="ID")
@click.argument("term")
@click.argument("subject", required=False)
@json_option
def sections(name: str, term: str, subject: str | None, *, as_json: bool) -> None:
    """List the sections of TERM, or those of SUBJECT. Reads the whole term, at the catalog's pace."""
    reader = open_reader(environment.load(), name)
    with _faults(), progress("sections") as advance:
        listing = reader.sections(term, advance)
    found = [seen for seen in listing.sections if subject is None or _subject(seen) == subject.upper()]
    show(map(_row, found), as_json=as_json, empty=f"{term} has no such sections.")
    if not listing.is_complete:
        _fail(f"partial: {len(listing.sections)} of {listing.total} sections could be read")


@catalog.command()
@click.option(
    "--family",
    required=True,
    type=click.Choice(plugins.FAMILIES),
    help="The platform of the catalog.",
)
@click.option("--url", required=True, help="The address of its class search, or the base_url itself.")
@click.option("--set", "keys", multiple=True, metavar="KEY=VALUE", help="A key of the family; repeatable.")
@click.option("--id", "name", help="The id; by default from the host.")
@click.option("--name", "title", help="The institution; by default the host.")
@setting_options("TIMEZONE")
def new(
    family: str,
    url: str,
    keys: tuple[str, ...],
    name: str | None,
    title: str | None,
    timezone: str | None,
) -> None:
    """Write a profile to ROLLCALL_HOME/catalogs, once the catalog at URL has listed its terms."""
    settings = environment.load(overrides({"timezone": timezone}))
    with _faults():
        profile, terms = write_profile(settings, family, url, _options(keys), name=name, title=title)
    _show_terms(terms)
    click.echo(f"Wrote {profile.path}. Next: rollcall catalog test {profile.id}")


def _options(keys: Sequence[str]) -> dict[str, str]:
    """The pairs KEY=VALUE. Raises: InvalidInputError for another form."""
    if wrong := [each for each in keys if not each.partition("=")[2]]:
        raise InvalidInputError({"--set": f"must be KEY=VALUE, not {wrong[0]}"})
    return dict(each.split("=", 1) for each in keys)


def _sampled(capabilities: Capabilities, term: CatalogTerm, listing: Listing) -> dict[str, object]:
    """What one query of `term` found."""
    found = counts(listing.sections)
    return {
        "capabilities": _capabilities(capabilities),
        "term": term.code,
        "total": listing.total,
        "sections": found.sections,
        "open": found.open,
        "with_waitlist": found.with_waitlist,
    }


def _capabilities(capabilities: Capabilities) -> list[str]:
    """The names of what a catalog states or can do."""
    return [name for name, value in msgspec.to_builtins(capabilities).items() if value is True]


def _row(seen: Observation) -> dict[str, object]:
    return {
        "section": seen.key.number,
        "course": seen.details.course,
        "title": seen.details.title,
        "status": seen.status,
        "open_seats": seen.open_seats,
        "is_counted": seen.is_counted,
        "capacity": seen.capacity,
        "waitlist_places": seen.waitlist_places,
        "instructor": seen.instructor,
    }


def _subject(seen: Observation) -> str:
    """The subject in the course: CSE of CSE 101, 198 of 01:198:111."""
    found = _SUBJECT.match(seen.details.course.upper())
    return found[1] if found else ""


def _show_terms(terms: Sequence[CatalogTerm]) -> None:
    rows = ({"term": each.code, "label": each.label, "view_only": each.is_view_only} for each in terms)
    show([row for row, _ in zip(rows, range(_SHOWN_TERMS), strict=False)], as_json=False, empty="No terms.")
    if len(terms) > _SHOWN_TERMS:
        click.echo(f"and {len(terms) - _SHOWN_TERMS} more")
    click.echo()


def _show_facts(facts: Mapping[str, object], *, as_json: bool) -> None:
    rows = [facts] if as_json else [{"field": name, "value": value} for name, value in facts.items()]
    show(rows, as_json=as_json)


@contextmanager
def _faults() -> Iterator[None]:
    """End the command with the fault of a catalog; errors in the input or in a profile pass."""
    try:
        yield
    except InvalidInputError:
        raise
    except RollcallError as error:
        _fail(f"{fault_of(error)}: {one_line(str(error))}")


def _fail(fault: str) -> NoReturn:
    click.echo(f"rollcall: fault {fault}", err=True)
    sys.exit(EX_FAULT)
