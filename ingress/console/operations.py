"""Operator actions on pages: confirm, execute, report.

A page's form posts the input of an operation. The response is a page with its plan; the form on it posts the
same fields with `confirm`, which executes the operation and redirects back.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.responses import RedirectResponse, Response

from ingress.console import session
from ingress.console.layout import page
from ingress.console.session import HOME, safe_redirect_path, signed_in
from ingress.endpoint import Handler, Routes
from ingress.request import CSV_FORM_BODY, FORM_BODY, RequestContext, parameters
from operations.context import Surface
from operations.inputs import decode_text, text
from operations.new_watches import IMPORT
from operations.operation import Operation, execute
from operations.registry import OPERATIONS

_CONFIRM, _BACK = "confirm", "back"
routes = Routes()


def _handler(operation: Operation[Any, Any]) -> Handler:
    def act(request: RequestContext) -> Response:
        """Ask for confirmation, or execute the operation."""
        posted = parameters(request.body)
        is_confirmed = posted.pop(_CONFIRM, "") == "yes"
        back = safe_redirect_path(text(posted.pop(_BACK, HOME)))
        context = request.admin(Surface.CONSOLE)
        given = decode_text(operation.input, posted, operation.choices(context))
        if is_confirmed:
            outcome = execute(operation, context, given, signed_in(request).by)
            response = RedirectResponse(back, HTTPStatus.SEE_OTHER)
            session.set_flash(request, response, outcome.message)
            return response
        plan = operation.plan(context, given)
        asked = {question.name for question in plan.questions}
        kept = {name: value for name, value in posted.items() if name not in asked}
        return page(request, "confirm.html", plan=plan, fields=kept, back=back, here=back)

    return act


for _operation in OPERATIONS:
    if Surface.CONSOLE in _operation.surfaces:
        _accepts = CSV_FORM_BODY if _operation is IMPORT else FORM_BODY
        routes.post(f"/do/{_operation.console_path}", accepts=_accepts)(_handler(_operation))
