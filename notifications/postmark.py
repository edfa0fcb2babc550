"""Mail transport over Postmark's HTTP API: requests, and the meaning of its answers."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from domain.errors import (
    AccountRefusedError,
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    TransientError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.notification import Accepted, Deferred, DeliveryResult, OutboundMessage, Rejected
from domain.ports import unconditionally

_MESSAGE_STREAM = "outbound"
# Postmark's own codes, in answers with status 422. Source: https://postmarkapp.com/developer/api/overview
_NO_TOKEN, _MAINTENANCE, _INVALID_REQUEST = 10, 100, 300
_OF_THE_LETTER = frozenset({406, 411})  # inactive recipient, forbidden attachment
_OF_THE_ACCOUNT = frozenset(
    {
        400,  # sender signature not found
        401,  # sender signature not confirmed
        405,  # not allowed to send: out of credits
        412,  # account is pending
        413,  # account may not send
        *range(500, 600),  # sender signatures and domains
        *range(600, 800),  # servers, domains
        *range(1220, 1240),  # message streams
    }
)
_ABOUT_SENDER = re.compile(
    r"'?From'?\b.*(?:address|field)|\bsender\b|signature|\bdomain\b.*(?:verif|confirm)|message ?stream",
    re.IGNORECASE,
)
_ACCOUNT_STATUSES = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})


def request_json(message: OutboundMessage) -> dict[str, Any]:
    """The request body that sends `letter`."""
    headers = message.headers | {"X-PM-KeepID": "true"}  # our Message-ID stays
    return {
        "From": message.sender,
        "To": message.to,
        "Subject": message.subject,
        "TextBody": message.text,
        "HtmlBody": message.html,
        "MessageStream": _MESSAGE_STREAM,
        "Headers": [{"Name": name, "Value": value} for name, value in headers.items()],
        "Attachments": [
            {
                "Name": each.name,
                "Content": base64.b64encode(each.content).decode(),
                "ContentType": each.content_type,
            }
            for each in message.attachments
        ],
    }


def delivery_result(status: int, answer: dict[str, Any]) -> DeliveryResult:
    """The delivery result in an answer. Raises: RollcallError if the answer is not about the message."""
    code = answer.get("ErrorCode")
    if status == HTTPStatus.OK and code == 0 and answer.get("MessageID"):
        return Accepted(str(answer["MessageID"]))
    error = failure(status, answer)
    if error is not None:
        raise error
    is_invalid = (
        code in _OF_THE_LETTER or code == _INVALID_REQUEST or status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    )
    return (Rejected if is_invalid else Deferred)(_words(answer))


def failure(status: int, answer: dict[str, Any]) -> RollcallError | None:
    """The error for an answer; None if it is, or may be, about the message."""
    code, told = answer.get("ErrorCode"), _words(answer)
    if status == HTTPStatus.UNAUTHORIZED or code == _NO_TOKEN:
        return UnauthorisedError(told)
    if HTTPStatus.TOO_MANY_REQUESTS in {status, code}:
        return RateLimitedError(told)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or code == _MAINTENANCE:
        return UpstreamError(told)
    if status == HTTPStatus.OK:
        return MalformedResponseError("Postmark's answer is not of the agreed shape")
    is_about_sender = code == _INVALID_REQUEST and _ABOUT_SENDER.search(told)
    if code in _OF_THE_ACCOUNT or status in _ACCOUNT_STATUSES or is_about_sender:
        return AccountRefusedError(told)
    return None


def _words(answer: dict[str, Any]) -> str:
    return f"Postmark: {answer.get('ErrorCode')} {answer.get('Message')}"


if TYPE_CHECKING:
    import requests

API_URL = "https://api.postmarkapp.com"
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Postmark:
    """Sends one message per call.

    Postmark has no idempotency keys: if its answer is lost, or this process dies before the result is stored,
    it remains unknown whether the message was sent.

    Source: https://postmarkapp.com/developer/api/email-api
    """

    server_token: str = field(repr=False)
    api_url: str | None = None
    timeout_seconds: float = 20.0

    @property
    def name(self) -> str:
        """The transport, as in `MAIL_TRANSPORT`."""
        return "postmark"

    @property
    def batch_size(self) -> int:
        """One: after a lost answer to several, it is unknown which were accepted."""
        return 1

    @property
    def is_idempotent(self) -> bool:
        """False: Postmark has no idempotency keys."""
        return False

    @property
    def longest_send_seconds(self) -> float:
        """The sum of the timeouts of connection, request and answer."""
        return _CONNECT_SECONDS + 2 * self.timeout_seconds

    def send(
        self,
        messages: Sequence[OutboundMessage],
        idempotency_key: str,  # noqa: ARG002 - no keys
        before_handover: Callable[[], None] = unconditionally,
    ) -> list[DeliveryResult]:
        """Send the one message.

        Raises: TransientError if Postmark could not accept it now, or may have accepted it;
        AccountRefusedError if it accepts none of our messages.
        """
        if len(messages) > self.batch_size:
            raise RejectedError("Postmark is given one letter at a time")
        return [self._send(message, before_handover) for message in messages]

    def log_in(self) -> None:
        """Verify the token without sending mail. Raises: as `send`."""
        status, answer = self._ask("GET", "/server")
        if status != HTTPStatus.OK:
            raise failure(status, answer) or UpstreamError(f"Postmark answered {status}")

    def _send(self, message: OutboundMessage, before_handover: Callable[[], None]) -> DeliveryResult:
        body = json.dumps(request_json(message)).encode()
        before_handover()
        return delivery_result(*self._ask("POST", "/email", body))

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
        import requests  # noqa: PLC0415 - heavy

        try:
            answer = self._session.request(
                method,
                f"{self.api_url or API_URL}{path}",
                data=body,
                headers={"X-Postmark-Server-Token": self.server_token} | _JSON,
                timeout=(min(_CONNECT_SECONDS, self.timeout_seconds), self.timeout_seconds),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise _lost(error) from error
        return answer.status_code, _document(answer)

    @cached_property
    def _session(self) -> requests.Session:
        import requests  # noqa: PLC0415

        session = requests.Session()
        session.trust_env = False  # neither a proxy nor a `.netrc`
        return session


_JSON = {"Accept": "application/json", "Content-Type": "application/json"}


def _document(answer: requests.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError as error:
        raise MalformedResponseError(f"Postmark answered {answer.status_code} without JSON") from error
    if not isinstance(found, dict):
        raise MalformedResponseError("Postmark's answer is not of the agreed shape")
    return found


def _lost(error: requests.RequestException) -> TransientError:
    import requests  # noqa: PLC0415

    if isinstance(error, requests.ConnectTimeout) or _never_connected(error):
        return UnreachableError("no connection to Postmark")
    if isinstance(error, requests.Timeout):
        return UpstreamTimeoutError("Postmark did not answer in time; it may have taken the letter")
    return MalformedResponseError(
        f"Postmark's answer was lost ({type(error).__name__}); it may have the letter"
    )


def _never_connected(error: requests.RequestException) -> bool:
    import requests  # noqa: PLC0415
    from urllib3.exceptions import MaxRetryError  # noqa: PLC0415

    return isinstance(error, requests.ConnectionError) and isinstance(error.args[0], MaxRetryError)
