"""`/console/dead`: the messages that will not run again by themselves, by their cause."""

from __future__ import annotations

from starlette.responses import Response

from actors import QUEUES
from ingress.console.page import page
from ingress.console.selection import SelectionForm
from ingress.endpoint import Call, endpoint, readable
from ingress.forms import query
from ingress.manual import Manual
from operations import dead_letters

_LETTERS = 5


@endpoint(query(SelectionForm), Manual({}))
def show_all(call: Call[SelectionForm]) -> Response:
    """What the filter means: the most frequent cause first, the last letters of each."""
    form, room = call.query, call.surfaces.room
    groups = dead_letters.groups(room, form.selection, _LETTERS)
    return page(
        call,
        "dead.html",
        form=form,
        groups=groups,
        count=sum(group.count for group in groups),
        queues=QUEUES,
    )


ROUTES = (readable("/dead", show_all),)
