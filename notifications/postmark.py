"""Mail transport over Postmark's HTTP API."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any

from domain.check import Result, healthy
from domain.errors import (
    AccountRefusedError,
    MalformedResponseError,
    RateLimitedError,
    RollcallError,
    UnauthorisedError,
    UpstreamError,
)
from domain.notification import Accepted, Deferred, DeliveryResult, OutboundMessage, Rejected
from domain.plugin import PROBE_SECONDS, Plugin, Ports, ProbeContext
from domain.ports import Mailer
from domain.setting import BASE_URL, TOKEN, SettingsGroup, setting
from notifications.transport import SingleMessageTransport
from providers.http import HttpClient, HttpResponse

_API_URL = "https://api.postmarkapp.com"
_MESSAGE_STREAM = "outbound"
# Postmark's own codes, in responses with status 422. Source: https://postmarkapp.com/developer/api/overview
_NO_TOKEN, _MAINTENANCE, _INVALID_REQUEST = 10, 100, 300
_MESSAGE_CODES = frozenset({406, 411})  # inactive recipient, forbidden attachment
_ACCOUNT_CODES = frozenset(
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


@dataclass(frozen=True, kw_only=True)
class PostmarkSettings(SettingsGroup):
    """Mail: Postmark."""

    server_token: str | None = setting("POSTMARK_SERVER_TOKEN", TOKEN, secret=True, doc="token of the server")
    api_url: str | None = setting("POSTMARK_API_URL", BASE_URL, doc="API at another address")


@dataclass(frozen=True)
class Postmark(SingleMessageTransport):
    """Sends one message per call.

    Source: https://postmarkapp.com/developer/api/email-api
    """

    name = "postmark"

    server_token: str = field(repr=False)
    api_url: str | None = None
    timeout_seconds: float = 20.0

    @property
    def longest_send_seconds(self) -> float:
        """The limit of the one request."""
        return self.timeout_seconds

    def log_in(self) -> None:
        """Verify the token without sending mail. Raises: as `send`."""
        response = self._http.get(f"{self.api_url or _API_URL}/server", self._headers)
        if response.status != HTTPStatus.OK:
            content = response.json_object("Postmark")
            raise _error(response, content) or UpstreamError(f"Postmark returned {response.status}")

    def _send_one(self, message: OutboundMessage, before_handover: Callable[[], None]) -> DeliveryResult:
        body = json.dumps(_request_json(message)).encode()
        before_handover()
        return _result(self._http.post(f"{self.api_url or _API_URL}/email", body, self._headers))

    @property
    def _headers(self) -> dict[str, str]:
        return {"X-Postmark-Server-Token": self.server_token, "Accept": "application/json"}

    @cached_property
    def _http(self) -> HttpClient:
        return HttpClient("Postmark", self.timeout_seconds, secrets=(self.server_token,))


def _request_json(message: OutboundMessage) -> dict[str, Any]:
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


def _result(response: HttpResponse) -> DeliveryResult:
    """The result in a response. Raises: RollcallError if the response is not about the message."""
    content = response.json_object("Postmark")
    code = content.get("ErrorCode")
    if response.status == HTTPStatus.OK and code == 0 and content.get("MessageID"):
        return Accepted(str(content["MessageID"]))
    error = _error(response, content)
    if error is not None:
        raise error
    is_too_large = response.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    is_invalid = code in _MESSAGE_CODES or code == _INVALID_REQUEST or is_too_large
    return (Rejected if is_invalid else Deferred)(_reason(content))


def _error(response: HttpResponse, content: dict[str, Any]) -> RollcallError | None:
    """The error for a response; None if it is, or may be, about the message."""
    status, code, reason = response.status, content.get("ErrorCode"), _reason(content)
    if status == HTTPStatus.UNAUTHORIZED or code == _NO_TOKEN:
        return UnauthorisedError(reason)
    if HTTPStatus.TOO_MANY_REQUESTS in {status, code}:
        return RateLimitedError(reason, retry_after_seconds=response.retry_after_seconds())
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or code == _MAINTENANCE:
        return UpstreamError(reason, retry_after_seconds=response.retry_after_seconds())
    if status == HTTPStatus.OK:
        return MalformedResponseError("Postmark's response has an unexpected shape")
    is_about_sender = code == _INVALID_REQUEST and _ABOUT_SENDER.search(reason)
    if code in _ACCOUNT_CODES or status in _ACCOUNT_STATUSES or is_about_sender:
        return AccountRefusedError(reason)
    return None


def _reason(content: dict[str, Any]) -> str:
    return f"Postmark: {content.get('ErrorCode')} {content.get('Message')}"


def _build(settings: PostmarkSettings, _ports: Ports) -> Mailer:
    return Postmark(settings.server_token or "", settings.api_url)


def _probe(settings: PostmarkSettings, _context: ProbeContext) -> Result:
    Postmark(settings.server_token or "", settings.api_url, PROBE_SECONDS).log_in()
    return healthy("Postmark accepts the token")


PLUGIN = Plugin("postmark", PostmarkSettings, _build, key="POSTMARK_SERVER_TOKEN", probe=_probe)
