"""Errors as `application/problem+json` documents.

Source: RFC 9457. `errors` and `matches` are our extensions: the reason for each field, for statuses 400 and
422, and the sections that are nearest to one that is not listed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil

import msgspec
import redis
import sqlalchemy.exc
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from domain.errors import InvalidInputError, TransientError
from domain.section_state import SectionState
from ingress.schemas import FieldProblem, Problem, SectionMatch
from operations.section_lookup import NotListedError

RETRY_AFTER_SECONDS = 5
# An unreachable database or Redis: temporary, so the fault is neither the request's nor the code's.
OUTAGES: tuple[type[Exception], ...] = (
    TransientError,
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
    sqlalchemy.exc.TimeoutError,
    redis.ConnectionError,
    redis.TimeoutError,
)
_SHOWN_LENGTH = 100
_log = logging.getLogger(__name__)


class ProblemError(Exception):
    """Ends a request with a problem document: its status, and a sentence for the caller."""

    def __init__(self, status: HTTPStatus, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    errors: Mapping[str, str] | None = None,
    signature: str | None = None,
    headers: Mapping[str, str] | None = None,
    matches: Sequence[SectionState] = (),
) -> Response:
    """Return the document for `status`.

    Shape: `errors` maps each bad field to the reason; `signature` names the virus in an upload.
    """
    document = Problem(type="about:blank", title=status.phrase, status=status.value, detail=detail)
    if errors:
        document.errors = [FieldProblem(shown(field), message) for field, message in errors.items()]
    if matches:
        document.matches = list(map(_match, matches))
    if signature is not None:
        document.signature = signature
    return Response(msgspec.json.encode(document), status, headers, "application/problem+json")


def _match(found: SectionState) -> SectionMatch:
    key, details = found.key, found.details
    return SectionMatch(key.source, key.term, key.number, details.course, details.title)


def invalid(
    problems: Mapping[str, str],
    status: HTTPStatus = HTTPStatus.UNPROCESSABLE_ENTITY,
    matches: Sequence[SectionState] = (),
) -> Response:
    """Return the document that names each bad field."""
    named = ", ".join(map(shown, problems))
    return problem(status, f"Validation failed: {named}.", errors=problems, matches=matches)


def not_found(what: str) -> ProblemError:
    """Return the error for a resource that does not exist."""
    return ProblemError(HTTPStatus.NOT_FOUND, f"There is no such {what}.")


def shown(name: str) -> str:
    """Return an external name, shortened and printable."""
    return name.encode("utf-8", "backslashreplace").decode()[:_SHOWN_LENGTH]


async def answer(request: Request, error: Exception) -> Response:
    """Return the document for an error that ends a request."""
    match error:
        case ProblemError():
            return problem(error.status, str(error), headers=error.headers)
        case HTTPException():
            status = HTTPStatus(error.status_code)
            return problem(status, f"{status.description or status.phrase}.", headers=error.headers)
        case NotListedError():
            return invalid(error.problems, matches=error.matches)
        case InvalidInputError():
            return invalid(error.problems)
        case _:
            return _outage(request, error)


def _outage(request: Request, error: Exception) -> Response:
    where = {"request_id": request.scope.get("request_id"), "path": request.scope["path"]}
    _log.warning("a dependency is unavailable", extra=where | {"error": repr(error)})
    wait_seconds = error.retry_after_seconds if isinstance(error, TransientError) else None
    headers = {"Retry-After": str(ceil(wait_seconds or RETRY_AFTER_SECONDS))}
    detail = "A dependency is unavailable; try again later."
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=headers)


HANDLERS: Mapping[type[Exception], ExceptionHandler] = dict.fromkeys(
    (ProblemError, HTTPException, InvalidInputError, *OUTAGES), answer
)
