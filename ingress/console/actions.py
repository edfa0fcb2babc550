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

from ingress.console import session
from ingress.console.layout import page
from ingress.console.plan import Plan
from ingress.console.session import HOME, safe_redirect_path, signed_in
from ingress.endpoint import Handler, Routes
from ingress.forms import parse
from ingress.request import FORM_BODY, Body, RequestContext, parameters
from operations.inputs import text
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
    body: Body = FORM_BODY


def routes(actions: Iterable[Operation[Any]]) -> list[Route]:
    """Return the route of each action."""
    found = Routes()
    for action in actions:
        found.post(f"/do/{action.name}", accepts=action.body)(_handler(action))
    return list(found)


def _handler(action: Operation[Any]) -> Handler:
    def act(request: RequestContext) -> Response:
        """Ask for confirmation, or execute the action."""
        given = parameters(request.body)
        is_confirmed = given.pop(_CONFIRM, "") == "yes"
        back = safe_redirect_path(text(given.pop(_BACK, HOME)))
        wanted = parse(action.form, given)
        if is_confirmed:
            return _done(request, action.carry_out(request.context.room, wanted, signed_in(request).by), back)
        plan = action.plan(request.context.room, wanted)
        asked = {question.name for question in plan.questions}
        kept = {name: value for name, value in given.items() if name not in asked}
        return page(request, "confirm.html", plan=plan, fields=kept, back=back, here=back)

    return act


def _done(request: RequestContext, sentence: str, back: str) -> Response:
    response = RedirectResponse(back, HTTPStatus.SEE_OTHER)
    session.set_flash(request, response, sentence)
    return response
