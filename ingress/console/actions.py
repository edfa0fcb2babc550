"""Operator actions on pages: confirm, execute, report.

A page's form posts an action's fields. The response is a page that describes the effect and its extent; its
form posts the same fields with `confirm`, which executes the action and redirects back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ingress import bodies
from ingress.bodies import Body
from ingress.console import session
from ingress.console.guard import HOME, safe_redirect_path
from ingress.console.layout import page
from ingress.console.plan import Plan
from ingress.console.session import signed_in
from ingress.endpoint import Endpoint, EndpointDoc, RequestContext, endpoint, writable
from ingress.fields import text
from ingress.forms import Nothing, no_query, parse
from ingress.syntax import parameters
from operations.operation import AdminContext

F = TypeVar("F")
_CONFIRM, _BACK = "confirm", "back"


@dataclass(frozen=True, slots=True)
class Operation(Generic[F]):
    """One action, at `/console/do/{name}`.

    Shape: `plan` only reads; `carry_out` takes the operator's name, records the action, and returns a
    sentence about the result.
    """

    name: str
    form: Callable[..., F]
    plan: Callable[[AdminContext, F], Plan]
    carry_out: Callable[[AdminContext, F, str], str]
    body: Body = bodies.FORM


def routes(actions: Iterable[Operation[Any]]) -> list[Route]:
    """Return the route of each action."""
    return [writable(f"/do/{action.name}", POST=_endpoint(action)) for action in actions]


def _endpoint(action: Operation[Any]) -> Endpoint[Nothing]:
    def act(call: RequestContext[Nothing]) -> Response:
        """Ask for confirmation, or execute the action."""
        given = parameters(call.body)
        is_confirmed = given.pop(_CONFIRM, "") == "yes"
        back = safe_redirect_path(text(given.pop(_BACK, HOME)))
        wanted = parse(action.form, given)
        if is_confirmed:
            return _done(call, action.carry_out(call.surfaces.room, wanted, signed_in(call).by), back)
        plan = action.plan(call.surfaces.room, wanted)
        asked = {question.name for question in plan.questions}
        kept = {name: value for name, value in given.items() if name not in asked}
        return page(call, "confirm.html", plan=plan, fields=kept, back=back, here=back)

    return endpoint(no_query, EndpointDoc({}), body=action.body)(act)


def _done(call: RequestContext[Nothing], sentence: str, back: str) -> Response:
    response = RedirectResponse(back, HTTPStatus.SEE_OTHER)
    session.set_flash(call, response, sentence)
    return response
