"""`/console/dead`: the messages that will not run again by themselves, by their cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from starlette.responses import Response

from actors import QUEUES
from ingress.console.page import page
from ingress.console.selection import SelectionForm
from ingress.endpoint import RequestContext, endpoint, readable
from ingress.fields import digits
from ingress.forms import query
from ingress.manual import EndpointDoc
from operations import dead_letters

_OF_EACH_CAUSE, _OF_ONE_CAUSE = 5, 50


@dataclass(frozen=True, slots=True)
class DeadForm(SelectionForm):
    """Which dead letters; of one cause also which page of them, the newest first."""

    page: Annotated[int, digits(1, 1000)] = 1


@endpoint(query(DeadForm), EndpointDoc({}))
def show_all(call: RequestContext[DeadForm]) -> Response:
    """What the filter means: the most frequent cause first, the last letters of each."""
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


ROUTES = (readable("/dead", show_all),)
