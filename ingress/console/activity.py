"""`/console/runs`, `/console/audit` and `/console/dead`: runs, audit entries, dead letters."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from msgspec import Meta, Struct
from starlette.responses import Response

from actors import QUEUES
from ingress.api.cron import RunPath
from ingress.console.layout import page
from ingress.endpoint import Routes
from ingress.pagination import cursor_of, next_cursor
from ingress.problems import not_found
from ingress.request import RequestContext
from operations import dead_letters
from operations.dead_letters import DeadLetterInput
from operations.inputs import Text

_LISTING = "runs"
_SHOWN = 50
routes = Routes()


class RunsQuery(Struct, frozen=True):
    """The page of the runs."""

    cursor: Annotated[int | None, cursor_of(_LISTING)] = None


@routes.get("/runs")
def show_runs(request: RequestContext, query: RunsQuery) -> Response:
    """List the runs, newest first."""
    runs, following = request.services.store.runs.page(query.cursor, _SHOWN)
    return page(request, "runs.html", runs=runs, older=next_cursor(_LISTING, following))


@routes.get("/runs/{id}")
def show_one(request: RequestContext, path: RunPath) -> Response:
    """Show one run."""
    run = request.services.store.runs.get(path.id)
    if run is None:
        raise not_found("run")
    return page(request, "run.html", run=run)


_AUDIT_LISTING = "audit"
_AUDIT_SHOWN = 100


class AuditQuery(Struct, frozen=True):
    """The filter and the page of the audit entries."""

    by: Text | None = None
    action: Text | None = None
    subject: Text | None = None
    cursor: Annotated[int | None, cursor_of(_AUDIT_LISTING)] = None


@routes.get("/audit")
def show_audit(request: RequestContext, query: AuditQuery) -> Response:
    """List the audit entries, newest first."""
    wanted = {"by": query.by, "action": query.action, "subject": query.subject}
    records, following = request.services.store.audit.page(query.cursor, _AUDIT_SHOWN, **wanted)
    return page(
        request,
        "audit.html",
        records=records,
        form=query,
        filters=urlencode({name: value or "" for name, value in wanted.items()}),
        older=next_cursor(_AUDIT_LISTING, following),
    )


_OF_EACH_CAUSE, _OF_ONE_CAUSE = 5, 50


class DeadLettersQuery(DeadLetterInput, frozen=True, kw_only=True):
    """The filter of dead letters; for a single cause also the page, newest first."""

    page: Annotated[int, Meta(ge=1, le=1000)] = 1


@routes.get("/dead")
def show_dead_letters(request: RequestContext, query: DeadLettersQuery) -> Response:
    """List matching dead letters by cause: the most frequent first, the last letters of each."""
    admin = request.context.admin
    shown = _OF_ONE_CAUSE if query.exact_cause else _OF_EACH_CAUSE
    groups = dead_letters.groups(admin, query.filter, shown * query.page)
    return page(
        request,
        "dead.html",
        form=query,
        groups=groups,
        first=shown * (query.page - 1),
        last=shown * query.page,
        count=sum(group.count for group in groups),
        queues=QUEUES,
        filters=urlencode(query.given),
    )
