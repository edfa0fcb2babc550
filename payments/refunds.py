"""Giving money back, by Stripe's own library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from domain.errors import (
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
)
from domain.money import LOST_REFUND, Payment, Refund, RefundState
from payments.events import MARK, refund_of

if TYPE_CHECKING:
    from stripe import StripeClient, StripeError

_ALREADY, _IN_USE = "charge_already_refunded", "idempotency_key_in_use"
_FIRST_SERVER_ERROR, _CONFLICT = 500, 409
_MOST = 100  # refunds of one payment
_TIMEOUT_SECONDS = 20.0
LONGEST_SECONDS = 4 * _TIMEOUT_SECONDS  # to connect and to read, for the refund and for asking which there is


class KeySpentError(UpstreamError):
    """Stripe stored a failure under the idempotency key, and has no refund: repeat under another key.

    Source: https://docs.stripe.com/api/idempotent_requests - a stored 500 is repeated with its key.
    """


@dataclass(frozen=True)
class StripeRefunds:
    """Refunds payments in full. One key refunds once; so does one payment, whatever the key.

    Source: https://docs.stripe.com/api/refunds/create
    """

    secret_key: str = field(repr=False)
    api_url: str | None = None
    timeout_seconds: float = _TIMEOUT_SECONDS

    def create(self, payment: Payment, idempotency_key: str) -> Refund:
        """The refund of `payment`, which may still be pending, or have failed.

        An answer that says that the key, or the payment, was used before is no failure: Stripe is asked which
        refund there is.

        Raises: KeySpentError; TransientError when it is unknown whether it was made: repeat with the same
        key. PermanentError when Stripe will not make it.
        """
        from stripe import StripeError  # noqa: PLC0415 - heavy

        try:
            made = self._client.v1.refunds.create(
                {"payment_intent": payment.payment or "", "metadata": {MARK: payment.session_id}},
                {"idempotency_key": idempotency_key},
            )
        except StripeError as error:
            if _code(error) == _ALREADY:
                return self.find(payment) or Refund(_ALREADY, RefundState.PENDING)
            if _is_spent(error):
                return self._existing(payment, error)
            raise _translate(error) from error
        return refund_of(made.to_dict())

    def find(self, payment: Payment) -> Refund | None:
        """The refund that gives `payment` back, or None where there is none. Raises: as `create`."""
        from stripe import StripeError  # noqa: PLC0415 - heavy

        try:
            page = self._client.v1.refunds.list({"payment_intent": payment.payment or "", "limit": _MOST})
        except StripeError as error:
            raise _translate(error) from error
        return _whole([refund_of(each.to_dict()) for each in page.data], payment)

    def _existing(self, payment: Payment, error: StripeError) -> Refund:
        found = self.find(payment)
        if found is None or found.state in LOST_REFUND:
            raise KeySpentError(f"{_told(error)}; Stripe has no such refund") from error
        return found

    @cached_property
    def _client(self) -> StripeClient:
        from stripe import RequestsClient, StripeClient  # noqa: PLC0415

        return StripeClient(
            self.secret_key,
            http_client=RequestsClient(timeout=self.timeout_seconds),
            base_addresses={} if self.api_url is None else {"api": self.api_url},
            max_network_retries=0,
        )


def _whole(refunds: Sequence[Refund], payment: Payment) -> Refund | None:
    """The refund that gives all of `payment` back: one of ours, or the last part; else one that was lost."""
    alive = [each for each in refunds if each.state not in LOST_REFUND]
    given_back = sum(each.amount or 0 for each in alive)
    if any(each.is_ours for each in alive) or (alive and given_back >= (payment.amount or 0)):
        return min(alive, key=lambda each: (not each.is_ours, each.state is RefundState.SUCCEEDED))
    known = payment.refund.id if payment.refund is not None else None
    return next((each for each in refunds if each.id == known or each.is_ours), None)


def _is_spent(error: StripeError) -> bool:
    """Whether the key stands for another answer now: a stored failure, or a request with other fields."""
    if (error.http_status or 0) >= _FIRST_SERVER_ERROR:
        return True
    kind = None if error.error is None else error.error.type
    return kind == "idempotency_error" and _code(error) != _IN_USE


def _code(error: StripeError) -> str | None:
    return error.code or (None if error.error is None else error.error.code)


def _told(error: StripeError) -> str:
    return f"Stripe: {error.http_status} {_code(error) or ''} {error.user_message or ''}".rstrip()


def _translate(error: StripeError) -> RollcallError:
    from stripe import (  # noqa: PLC0415
        APIConnectionError,
        AuthenticationError,
        PermissionError,  # noqa: A004 - its name there
        RateLimitError,
    )

    told = _told(error)
    match error:
        case APIConnectionError():
            return UnreachableError("no answer from Stripe; it may have made the refund")
        case AuthenticationError() | PermissionError():
            return UnauthorisedError(told)
        case RateLimitError():
            return RateLimitedError(told)
        case _:
            status = error.http_status or _FIRST_SERVER_ERROR
            is_theirs = status >= _FIRST_SERVER_ERROR or status == _CONFLICT  # a key in use
            return UpstreamError(told) if is_theirs else RejectedError(told)
