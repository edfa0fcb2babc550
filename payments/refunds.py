"""Giving money back, by Stripe's own library."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from stripe import StripeClient, StripeError

_ALREADY = "charge_already_refunded"
_FIRST_SERVER_ERROR = 500
_FAILED = frozenset({"failed", "canceled"})


@dataclass(frozen=True)
class StripeRefunds:
    """Refunds payments in full. One key refunds once; so does one payment, whatever the key.

    Source: https://docs.stripe.com/api/refunds/create
    """

    secret_key: str = field(repr=False)
    api_url: str | None = None
    timeout_seconds: float = 20.0

    def __call__(self, payment: str, idempotency_key: str) -> str:
        """The id of the refund of `payment`, a payment intent.

        Raises: TransientError when it is unknown whether it was made: repeat with the same key.
        PermanentError when Stripe will not make it.
        """
        from stripe import StripeError  # noqa: PLC0415 - heavy

        try:
            refund = self._client.v1.refunds.create(
                {"payment_intent": payment}, {"idempotency_key": idempotency_key}
            )
        except StripeError as error:
            if error.code == _ALREADY:
                return _ALREADY
            raise _translate(error) from error
        if refund.status in _FAILED:
            raise RejectedError(f"Stripe: the refund {refund.id} is {refund.status}")
        return str(refund.id)

    @cached_property
    def _client(self) -> StripeClient:
        from stripe import RequestsClient, StripeClient  # noqa: PLC0415

        return StripeClient(
            self.secret_key,
            http_client=RequestsClient(timeout=self.timeout_seconds),
            base_addresses={} if self.api_url is None else {"api": self.api_url},
            max_network_retries=0,
        )


def _translate(error: StripeError) -> RollcallError:
    from stripe import (  # noqa: PLC0415
        APIConnectionError,
        AuthenticationError,
        PermissionError,  # noqa: A004 - its name there
        RateLimitError,
    )

    told = f"Stripe: {error.http_status} {error.code or ''} {error.user_message or ''}".rstrip()
    match error:
        case APIConnectionError():
            return UnreachableError("no answer from Stripe; it may have made the refund")
        case AuthenticationError() | PermissionError():
            return UnauthorisedError(told)
        case RateLimitError():
            return RateLimitedError(told)
        case _:
            status = error.http_status or _FIRST_SERVER_ERROR
            is_theirs = status >= _FIRST_SERVER_ERROR or status == 409  # noqa: PLR2004 - key in use
            return UpstreamError(told) if is_theirs else RejectedError(told)
