"""`/credits`: accounts, grants and ledgers of credits."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from starlette.responses import JSONResponse, Response

from domain.money import MAX_GRANT
from ingress import bodies, schemas
from ingress.auth import api_token
from ingress.endpoint import EndpointDoc, RequestContext, ResponseDoc, endpoint, readable, writable
from ingress.fields import account, integer, text
from ingress.forms import Nothing, no_query, parse, query, schema_of
from ingress.pagination import DEFAULT_LIMIT, cursor, cursor_of, limit
from ingress.problems import not_found
from ingress.schemas import ref
from ingress.syntax import json_object

_LISTING = "credits"
_PATH = {"account": account}


@dataclass(frozen=True, slots=True)
class GrantForm:
    """The body of a grant."""

    credits: Annotated[int, integer(1, MAX_GRANT)]
    idempotency_key: Annotated[str, text]
    reason: Annotated[str | None, text] = None


@dataclass(frozen=True, slots=True)
class LedgerForm:
    """The page of the ledger."""

    cursor: Annotated[int | None, cursor_of(_LISTING)] = None
    limit: Annotated[int, limit] = DEFAULT_LIMIT


@endpoint(
    no_query,
    EndpointDoc(
        {
            HTTPStatus.CREATED: ResponseDoc("The grant.", ref("CreditTransfer")),
            HTTPStatus.OK: ResponseDoc("The grant that this key made before.", ref("CreditTransfer")),
        }
    ),
    secrets=api_token,
    body=bodies.JSON.of(schema_of(GrantForm)),
    path=_PATH,
)
def grant(call: RequestContext[Nothing]) -> Response:
    """Grant credits to an account, unless the key has done so before."""
    form, services = parse(GrantForm, json_object(call.body)), call.surfaces.services
    made, created = services.store.credits.grant(
        call.path["account"],
        form.credits,
        form.idempotency_key,
        services.clock.now(),
        reason=form.reason,
    )
    status = HTTPStatus.CREATED if created else HTTPStatus.OK
    return JSONResponse(schemas.credit_transfer(made), status)


@endpoint(
    query(LedgerForm),
    EndpointDoc(
        {HTTPStatus.OK: ResponseDoc("What it has, and one page of its ledger.", ref("CreditAccount"))}
    ),
    secrets=api_token,
    path=_PATH,
)
def show(call: RequestContext[LedgerForm]) -> Response:
    """What an account has, and its ledger, newest first."""
    name, form = call.path["account"], call.query
    ledger = call.surfaces.services.store.credits
    balance = ledger.balance(name)
    if balance is None:
        raise not_found("account with credits")
    found, following = ledger.page(name, form.cursor, form.limit)
    shown = schemas.credit_account(name, balance, found)
    return JSONResponse(shown | {"next_cursor": cursor(_LISTING, following)})


ROUTES = (
    readable("/credits/{account}", show),
    writable("/credits/{account}/grants", POST=grant),
)
