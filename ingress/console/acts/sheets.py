"""Import watches from a CSV file: it is parsed and validated in full before anything is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ingress.console.actions import Operation
from ingress.console.formatting import plural
from ingress.console.plan import Plan
from ingress.imports import Rejected, import_csv, read_csv
from ingress.request import CSV_FORM_BODY
from ingress.rules import rule
from operations.operation import AdminContext

_NAMED = 5


@rule(type="string", maxLength=CSV_FORM_BODY.limit_bytes)
def sheet(value: object) -> str:
    """A sheet as it was pasted, or read from a file by the page."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must not be empty")
    return value


@dataclass(frozen=True, slots=True)
class ImportForm:
    """The file's content."""

    csv: Annotated[str, sheet]


def _plan(room: AdminContext, form: ImportForm) -> Plan:
    read = read_csv(room.services, form.csv.encode(), default_source=_default(room))
    if not read.wishes:
        return Plan("Import watches?", "", ("No line of the sheet is a watch.", *_named(read.rejected)))
    effects = (f"{plural(len(read.wishes), 'line is a watch', 'lines are watches')}.", *_named(read.rejected))
    return Plan(f"Import {plural(len(read.wishes), 'watch', 'watches')}?", "Import", effects)


def _import(room: AdminContext, form: ImportForm, by: str) -> str:
    done = import_csv(room.services, form.csv.encode(), default_source=_default(room), by=by)
    told = f"{plural(done.created, 'watch', 'watches')} added, {done.existing} brought up to date."
    return " ".join((told, *_named(done.rejected)))


def _named(rejected: Rejected) -> tuple[str, ...]:
    """Describe how many lines are left out, and the errors of the first of them."""
    if not rejected:
        return ()
    named = tuple(f"Line {line}: {error}." for line, error in rejected[:_NAMED])
    return (f"{plural(len(rejected), 'line is', 'lines are')} left out.", *named)


def _default(room: AdminContext) -> str:
    return next(iter(room.services.sources))


ACTIONS = (Operation("watch-import", ImportForm, _plan, _import, CSV_FORM_BODY),)
