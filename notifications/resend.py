"""Mail transport over Resend's SDK: notifications in batches, messages with attachments one by one."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from domain.errors import AccountRefusedError, MalformedResponseError, RejectedError, RollcallError
from domain.notification import Accepted, DeliveryResult, OutboundMessage, Rejected
from domain.ports import Clock, RateLimiterPort, unconditionally
from notifications.resend_replies import TOO_MANY, failure, is_about_sender

if TYPE_CHECKING:
    from resend import Batch, Emails
    from resend.exceptions import ResendError
    from resend.http_client import HTTPClient

T = TypeVar("T")
_API_URL = "https://api.resend.com"
CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Resend:
    """Sends up to 100 messages per call; a retry within 24 hours under the same key sends no mail twice.

    The SDK keeps account, address and client in module globals, so a process serves one account. `turns` is
    the fleet's rate limit; it is held when Resend reports that the rate is exhausted.

    Source: https://resend.com/docs/api-reference/emails/send-batch-emails
    """

    api_key: str = field(repr=False)
    clock: Clock
    api_url: str | None = None
    turns: RateLimiterPort | None = None
    timeout_seconds: float = 20.0

    @property
    def name(self) -> str:
        """The transport, as in `MAIL_TRANSPORT`."""
        return "resend"

    @property
    def batch_size(self) -> int:
        """Resend's maximum per request."""
        return 100

    @property
    def is_idempotent(self) -> bool:
        """True: Resend honours a key for 24 hours."""
        return True

    @property
    def longest_send_seconds(self) -> float:
        """The sum of the timeouts of connection, request and answer."""
        return CONNECT_SECONDS + 2 * self.timeout_seconds

    def send(
        self,
        messages: Sequence[OutboundMessage],
        idempotency_key: str,
        before_handover: Callable[[], None] = unconditionally,
    ) -> list[DeliveryResult]:
        """Send `letters` under `idempotency_key` (at most 256 characters); one result each, in order.

        Raises: as `domain.ports.Mailer`; after a TransientError retry with the same messages and key.
        """
        if not messages:
            return []
        if self.turns:
            self.turns.wait()
        mails = [_mail(message) for message in messages]
        before_handover()
        if any(message.attachments for message in messages):
            return [_receipt(self._post_alone(mails, idempotency_key))]
        return _receipts(self._post_batch(mails, idempotency_key), len(messages))

    def _post_batch(self, mails: list[Emails.SendParams], idempotency_key: str) -> Batch.SendResponse:
        import resend  # noqa: PLC0415 - heavy

        options: Batch.SendOptions = {"idempotency_key": idempotency_key, "batch_validation": "permissive"}
        return self._post(lambda: resend.Batch.send(mails, options))

    def _post_alone(self, mails: list[Emails.SendParams], idempotency_key: str) -> Emails.SendResponse:
        """The batch endpoint takes no attachments. Source: api-reference/emails/send-email."""
        import resend  # noqa: PLC0415

        if len(mails) != 1:
            raise RejectedError("Resend takes one letter with attachments at a time")
        return self._post(lambda: resend.Emails.send(mails[0], {"idempotency_key": idempotency_key}))

    def _post(self, call: Callable[[], T]) -> T:
        import resend  # noqa: PLC0415 - heavy
        from resend.exceptions import NoContentError, ResendError  # noqa: PLC0415

        resend.api_key, resend.api_url = self.api_key, (self.api_url or _API_URL).rstrip("/")
        resend.default_http_client = self._client
        try:
            return call()
        except ResendError as error:
            raise self._translate(error) from error
        except NoContentError as error:
            raise MalformedResponseError("Resend answered nothing") from error

    @cached_property
    def _client(self) -> HTTPClient:
        from notifications.resend_http import ResendHttpClient  # noqa: PLC0415 - heavy

        return ResendHttpClient(self.timeout_seconds, self._heed)

    def _translate(self, error: ResendError) -> RollcallError:
        # Our client raises domain errors; the SDK wraps them and all other errors.
        if isinstance(error.__context__, RollcallError):
            return error.__context__
        status = error.code if isinstance(error.code, int) else 500
        wait = self._retry_after_seconds(error.headers) if status == TOO_MANY else None
        return failure(status, str(error.error_type), str(error.message), wait)

    def _heed(self, status: int, headers: Mapping[str, str]) -> None:
        """Hold the fleet's requests if the provider refuses more or reports an exhausted rate."""
        is_spent = status == TOO_MANY or headers.get("ratelimit-remaining") == "0"
        seconds = self._retry_after_seconds(headers) if is_spent else None
        if self.turns and seconds:
            self.turns.hold(seconds)

    def _retry_after_seconds(self, headers: Mapping[str, str]) -> float | None:
        lower = {name.lower(): value for name, value in headers.items()}
        wait = lower.get("retry-after") or lower.get("ratelimit-reset") or ""
        try:
            return max(0.0, float(wait))
        except ValueError:
            return _seconds_until(wait, self.clock.now())


def _mail(message: OutboundMessage) -> Emails.SendParams:
    mail: Emails.SendParams = {
        "from": message.sender,
        "to": [message.to],
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "headers": dict(message.headers),
    }
    if message.attachments:
        mail["attachments"] = [
            {
                "filename": each.name,
                "content": base64.b64encode(each.content).decode(),
                "content_type": each.content_type,
            }
            for each in message.attachments
        ]
    return mail


def _receipt(answer: Any) -> DeliveryResult:
    try:
        return Accepted(str(answer["id"]))
    except (KeyError, TypeError) as error:
        raise MalformedResponseError("Resend's answer is not of the agreed shape") from error


def _receipts(answer: Any, count: int) -> list[DeliveryResult]:
    """One result per message: `errors` lists the refused by index, `data` the others in order.

    Raises: AccountRefusedError if all were refused because of their common sender; MalformedResponseError.
    """
    try:
        refused = {int(each["index"]): Rejected(str(each["message"])) for each in answer.get("errors") or ()}
        accepted = [Accepted(str(each["id"])) for each in answer["data"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedResponseError("Resend's answer is not of the agreed shape") from error
    if len(accepted) + len(refused) != count or not refused.keys() <= set(range(count)):
        raise MalformedResponseError(
            f"Resend answered for {len(accepted)} + {len(refused)} letters instead of {count}"
        )
    if refused and not accepted and all(is_about_sender(each.reason) for each in refused.values()):
        raise AccountRefusedError(f"Resend: {next(iter(refused.values())).reason}")
    taken = iter(accepted)
    return [refused.get(index) or next(taken) for index in range(count)]


def _seconds_until(http_date: str, now: datetime) -> float | None:
    try:
        at = parsedate_to_datetime(http_date)
    except ValueError:
        return None
    return max(0.0, (at.astimezone(UTC) - now).total_seconds())
