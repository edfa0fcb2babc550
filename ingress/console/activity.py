"""`/console/runs`, `/console/audit` and `/console/dead`: runs, audit entries, dead letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from starlette.responses import Response

from actors import QUEUES
from ingress.console.layout import page
from ingress.console.selection import SelectionForm
from ingress.endpoint import EndpointDoc, RequestContext, endpoint, readable
from ingress.fields import digits, run_id, text, unless_blank
from ingress.forms import Nothing, no_query, query
from ingress.pagination import cursor, cursor_of
from ingress.problems import not_found
from operations import dead_letters

_LISTING = "runs"
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class RunsForm:
    """The page of the runs."""

    cursor: Annotated[int | None, cursor_of(_LISTING)] = None


@endpoint(query(RunsForm), EndpointDoc({}))
def show_runs(call: RequestContext[RunsForm]) -> Response:
    """List the runs, newest first."""
    runs, following = call.surfaces.services.store.runs.page(call.query.cursor, _SHOWN)
    return page(call, "runs.html", runs=runs, older=cursor(_LISTING, following))


@endpoint(no_query, EndpointDoc({}), path={"id": run_id})
def show_one(call: RequestContext[Nothing]) -> Response:
    """Show one run."""
    run = call.surfaces.services.store.runs.get(call.path["id"])
    if run is None:
        raise not_found("run")
    return page(call, "run.html", run=run)


_AUDIT_LISTING = "audit"
_AUDIT_SHOWN = 100


@dataclass(frozen=True, slots=True)
class AuditForm:
    """The filter and the page of the audit entries."""

    by: Annotated[str | None, unless_blank(text)] = None
    action: Annotated[str | None, unless_blank(text)] = None
    subject: Annotated[str | None, unless_blank(text)] = None
    cursor: Annotated[int | None, cursor_of(_AUDIT_LISTING)] = None


@endpoint(query(AuditForm), EndpointDoc({}))
def show_audit(call: RequestContext[AuditForm]) -> Response:
    """List the audit entries, newest first."""
    form = call.query
    wanted = {"by": form.by, "action": form.action, "subject": form.subject}
    records, following = call.surfaces.services.store.audit.page(form.cursor, _AUDIT_SHOWN, **wanted)
    return page(
        call,
        "audit.html",
        records=records,
        form=form,
        filters=urlencode({name: value or "" for name, value in wanted.items()}),
        older=cursor(_AUDIT_LISTING, following),
    )


_OF_EACH_CAUSE, _OF_ONE_CAUSE = 5, 50


@dataclass(frozen=True, slots=True)
class DeadForm(SelectionForm):
    """The filter of dead letters; for a single cause also the page, newest first."""

    page: Annotated[int, digits(1, 1000)] = 1


@endpoint(query(DeadForm), EndpointDoc({}))
def show_dead_letters(call: RequestContext[DeadForm]) -> Response:
    """List matching dead letters by cause: the most frequent first, the last letters of each."""
    form, room = call.query, call.surfaces.room
    shown = _OF_ONE_CAUSE if form.exact_cause else _OF_EACH_CAUSE
    groups = dead_letters.groups(room, form.selection, shown * form.page)
    return page(
        call,
        "dead.html",
        form=form,
        groups=groups,
        first=shown * (form.page - 1),
        last=shown * form.page,
        count=sum(group.count for group in groups),
        queues=QUEUES,
        filters=urlencode(form.given),
    )


ROUTES = (
    readable("/runs", show_runs),
    readable("/runs/{id}", show_one),
    readable("/audit", show_audit),
    readable("/dead", show_dead_letters),
)
