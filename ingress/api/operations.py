"""`/operations/{name}`: every operator action, planned with `?plan=1`, or executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from ingress.auth import api_token
from ingress.endpoint import Handler, Routes
from ingress.request import JSON_BODY, RequestContext, json_object
from operations.context import BY_API, Surface
from operations.inputs import decode
from operations.operation import Operation, execute
from operations.registry import OPERATIONS

routes = Routes()


class OperationQuery(Struct, frozen=True):
    """Whether to only return the plan."""

    plan: Literal["0", "1"] = "0"


class OperationResult(Struct, frozen=True):
    """The plan of an operation, or its outcome.

    A plan has `effects`, and `count` items that it would affect; 0 if there is nothing to do.
    """

    message: str
    count: int
    is_executed: bool
    effects: Sequence[str] = ()
    results: Sequence[Mapping[str, Any]] = ()


def _handler(operation: Operation[Any, Any]) -> Handler:
    def operate(request: RequestContext, query: OperationQuery) -> OperationResult:
        context = request.admin(Surface.API)
        given = decode(operation.input, json_object(request.body), operation.choices(context))
        if query.plan == "1":
            plan = operation.plan(context, given)
            return OperationResult(plan.title, plan.count, is_executed=False, effects=plan.effects)
        outcome = execute(operation, context, given, BY_API)
        return OperationResult(outcome.message, outcome.count, is_executed=True, results=outcome.rows)

    operate.__doc__ = operation.summary
    return operate


for _operation in OPERATIONS:
    if Surface.API in _operation.surfaces:
        _body = JSON_BODY.of(_operation.input)
        routes.post(f"/operations/{_operation.name}", secrets=api_token, accepts=_body)(_handler(_operation))
