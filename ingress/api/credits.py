"""`/credits`: accounts, grants and ledgers of credits."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response

from domain.money import MAX_GRANT
from ingress import schemas
from ingress.auth import api_token
from ingress.endpoint import Answer, Routes, json_response
from ingress.pagination import PageQuery, cursor_of, page
from ingress.problems import not_found
from ingress.request import RequestContext
from ingress.schemas import CreditAccount, CreditTransfer
from operations.context import BY_API, Surface
from operations.inputs import Account, Text
from operations.jobs import GRANT, GrantInput
from operations.operation import execute

LEDGER = "credits"
routes = Routes()


class AccountPath(Struct, frozen=True):
    """One account."""

    account: Account


class GrantCredits(Struct, frozen=True):
    """A grant of credits."""

    credits: Annotated[int, Meta(ge=1, le=MAX_GRANT)]
    idempotency_key: Text
    reason: Text | None = None


class LedgerQuery(PageQuery, frozen=True, kw_only=True):
    """The page of the ledger."""

    cursor: Annotated[int | None, cursor_of(LEDGER)] = None


@routes.get(
    "/credits/{account}",
    secrets=api_token,
)
def get_account(request: RequestContext, path: AccountPath, query: LedgerQuery) -> CreditAccount:
    """Get an account's balances, and its ledger, newest first."""
    ledger = request.services.store.credits
    balance = ledger.balance(path.account)
    if balance is None:
        raise not_found("account with credits")
    found, position = ledger.page(path.account, query.cursor, query.limit)
    return schemas.credit_account(
        path.account, balance, page(LEDGER, map(schemas.credit_transfer, found), position)
    )


@routes.post(
    "/credits/{account}/grants",
    {
        HTTPStatus.CREATED: Answer("The grant.", CreditTransfer),
        HTTPStatus.OK: Answer("The existing grant of this key.", CreditTransfer),
    },
    secrets=api_token,
)
def grant_credits(request: RequestContext, path: AccountPath, body: GrantCredits) -> Response:
    """Grant credits to an account, once for each idempotency key."""
    given = GrantInput(path.account, body.credits, body.idempotency_key, body.reason)
    made, is_new = execute(GRANT, request.admin(Surface.API), given, BY_API).value
    return json_response(schemas.credit_transfer(made), HTTPStatus.CREATED if is_new else HTTPStatus.OK)
