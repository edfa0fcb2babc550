"""`/console/audit`: what operators did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from starlette.responses import Response

from ingress.console.page import page
from ingress.endpoint import RequestContext, endpoint, readable
from ingress.fields import text, unless_blank
from ingress.forms import query
from ingress.manual import EndpointDoc
from ingress.pages import cursor, cursor_of

_LISTING = "audit"
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class AuditForm:
    """Which of the records, and which page of them."""

    by: Annotated[str | None, unless_blank(text)] = None
    action: Annotated[str | None, unless_blank(text)] = None
    subject: Annotated[str | None, unless_blank(text)] = None
    cursor: Annotated[int | None, cursor_of(_LISTING)] = None


@endpoint(query(AuditForm), EndpointDoc({}))
def show_all(call: RequestContext[AuditForm]) -> Response:
    """The records, newest first."""
    form = call.query
    wanted = {"by": form.by, "action": form.action, "subject": form.subject}
    records, following = call.surfaces.services.store.audit.page(form.cursor, _SHOWN, **wanted)
    return page(
        call,
        "audit.html",
        records=records,
        form=form,
        filters=urlencode({name: value or "" for name, value in wanted.items()}),
        older=cursor(_LISTING, following),
    )


ROUTES = (readable("/audit", show_all),)
