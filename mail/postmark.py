"""Mail through Postmark's HTTP API."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from domain.errors import (
    MalformedResponseError,
    RejectedError,
    TransientError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.notification import DeliveryResult, OutboundMessage
from domain.ports import unconditionally
from mail.postmark_wire import delivery_result, failure, request_json

if TYPE_CHECKING:
    import requests

API_URL = "https://api.postmarkapp.com"
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Postmark:
    """Sends one letter a call.

    A weaker promise than a transport with idempotency keys: Postmark knows none. When its answer is lost, or
    this process dies before the receipt is noted, it stays unknown whether the letter was sent.

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
        """One: of several, a lost answer could not say which were taken."""
        return 1

    @property
    def is_idempotent(self) -> bool:
        """Postmark knows no keys."""
        return False

    @property
    def longest_send_seconds(self) -> float:
        """The connection, the request and the answer."""
        return _CONNECT_SECONDS + 2 * self.timeout_seconds

    def send(
        self,
        letters: Sequence[OutboundMessage],
        idempotency_key: str,  # noqa: ARG002 - no keys
        before_handover: Callable[[], None] = unconditionally,
    ) -> list[DeliveryResult]:
        """Send the one letter.

        Raises: TransientError when Postmark could not take it now, or may have taken it; AccountRefusedError
        when it takes no letter of ours.
        """
        if len(letters) > self.batch_size:
            raise RejectedError("Postmark is given one letter at a time")
        return [self._send(letter, before_handover) for letter in letters]

    def log_in(self) -> None:
        """Ask whether Postmark knows the token; nothing is sent. Raises: as `send`."""
        status, answer = self._ask("GET", "/server")
        if status != HTTPStatus.OK:
            raise failure(status, answer) or UpstreamError(f"Postmark answered {status}")

    def _send(self, letter: OutboundMessage, before_handover: Callable[[], None]) -> DeliveryResult:
        body = json.dumps(request_json(letter)).encode()
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
