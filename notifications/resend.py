"""Mail transport over Resend's SDK: notifications in batches, messages with attachments one by one."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parseaddr
from functools import cached_property
from http import HTTPStatus
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from domain.check import Result, healthy, unhealthy
from domain.errors import (
    MalformedResponseError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UpstreamError,
)
from domain.notification import DeliveryResult, OutboundMessage
from domain.plugin import PROBE_SECONDS, Plugin, Ports, ProbeContext
from domain.ports import Clock, Mailer, RateLimiterPort
from domain.setting import BASE_URL, TOKEN, SettingsGroup, setting
from notifications.resend_responses import batch_results, error_from_refusal, message_result, wait_seconds
from notifications.transport import Transport
from providers.http import HttpClient

if TYPE_CHECKING:
    from resend import Batch, Emails
    from resend.exceptions import ResendError
    from resend.http_client import HTTPClient

T = TypeVar("T")
_API_URL = "https://api.resend.com"
_JSON = {"Content-Type": "application/json"}
_MAY_ONLY_SEND = "restricted_api_key"
_LOGIN_REFUSALS = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_REQUESTS_PER_MINUTE = 240  # of the 300 that Resend grants a team


@dataclass(frozen=True, kw_only=True)
class ResendSettings(SettingsGroup):
    """Mail: Resend."""

    api_key: str | None = setting("RESEND_API_KEY", TOKEN, secret=True, doc="API key", example="re_…")
    api_url: str | None = setting("RESEND_API_URL", BASE_URL, doc="API at another address")
    webhook_secret: str | None = setting(
        "RESEND_WEBHOOK_SECRET", TOKEN, secret=True, doc="verifies bounces and complaints", example="whsec_…"
    )


@dataclass(frozen=True)
class Resend(Transport):
    """Sends up to 100 messages per call; a retry within 24 hours under the same key sends no mail twice.

    The SDK keeps account, address and client in module globals, so a process serves one account.
    `rate_limiter` is the fleet's; it is held when Resend reports that the rate is exhausted.

    Source: https://resend.com/docs/api-reference/emails/send-batch-emails
    """

    name = "resend"
    batch_size = 100
    is_idempotent = True

    api_key: str = field(repr=False)
    clock: Clock
    api_url: str | None = None
    rate_limiter: RateLimiterPort | None = None
    timeout_seconds: float = 20.0

    @property
    def longest_send_seconds(self) -> float:
        """The limit of the one request."""
        return self.timeout_seconds

    def domains(self) -> dict[str, str] | None:
        """The state, such as `verified`, of each domain of the account; None if the key may only send.

        Raises: UnauthorisedError if the key is refused, TransientError if that is unknown.

        Source: https://resend.com/docs/api-reference/domains/list-domains
        """
        response = self._http.get(f"{self._url}/domains", {"Authorization": f"Bearer {self.api_key}"})
        if response.status != HTTPStatus.OK:
            content = response.error_object()
            if content.get("name") == _MAY_ONLY_SEND:
                return None
            kind = UnauthorisedError if response.status in _LOGIN_REFUSALS else UpstreamError
            raise kind(f"Resend: {response.status} {content.get('message')}")
        try:
            found = response.json_object("Resend")["data"]
            return {str(each["name"]): str(each["status"]) for each in found}
        except (KeyError, TypeError) as error:
            raise MalformedResponseError("Resend's response has an unexpected shape") from error

    def _send(
        self, messages: Sequence[OutboundMessage], idempotency_key: str, before_handover: Callable[[], None]
    ) -> list[DeliveryResult]:
        if self.rate_limiter:
            self.rate_limiter.wait()
        mails = [_mail(message) for message in messages]
        before_handover()
        if any(message.attachments for message in messages):
            return [message_result(self._post_single(mails, idempotency_key))]
        return batch_results(self._post_batch(mails, idempotency_key), len(messages))

    def _post_batch(self, mails: list[Emails.SendParams], idempotency_key: str) -> Batch.SendResponse:
        import resend  # noqa: PLC0415 - heavy

        options: Batch.SendOptions = {"idempotency_key": idempotency_key, "batch_validation": "permissive"}
        return self._call(lambda: resend.Batch.send(mails, options))

    def _post_single(self, mails: list[Emails.SendParams], idempotency_key: str) -> Emails.SendResponse:
        """The batch endpoint takes no attachments. Source: api-reference/emails/send-email."""
        import resend  # noqa: PLC0415

        if len(mails) != 1:
            raise RejectedError("Resend sends one message with attachments per request")
        return self._call(lambda: resend.Emails.send(mails[0], {"idempotency_key": idempotency_key}))

    def _call(self, endpoint: Callable[[], T]) -> T:
        import resend  # noqa: PLC0415 - heavy
        from resend.exceptions import NoContentError, ResendError  # noqa: PLC0415

        resend.api_key, resend.api_url = self.api_key, self._url
        resend.default_http_client = cast("HTTPClient", SimpleNamespace(request=self._request))
        try:
            return endpoint()
        except ResendError as error:
            raise self._translate(error) from error
        except NoContentError as error:
            raise MalformedResponseError("Resend's response is empty") from error

    def _request(
        self, method: str, url: str, headers: Mapping[str, str], **content: Any
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """The SDK's requests, over our HTTP client. Raises: RollcallError, also if a success is not JSON."""
        response = self._http.request(
            method.upper(), url, json.dumps(content["json"]).encode(), {**headers, **_JSON}
        )
        found = dict(response.headers())
        self._respect_rate(response.status, found)
        if response.status < HTTPStatus.BAD_REQUEST:
            response.json_object("Resend")
        return response.body, response.status, found

    def _respect_rate(self, status: int, headers: Mapping[str, str]) -> None:
        """Hold the fleet's requests if Resend refuses more or reports an exhausted rate."""
        is_exhausted = status == HTTPStatus.TOO_MANY_REQUESTS or headers.get("ratelimit-remaining") == "0"
        seconds = wait_seconds(headers, self.clock.now()) if is_exhausted else None
        if self.rate_limiter and seconds:
            self.rate_limiter.hold(seconds)

    def _translate(self, error: ResendError) -> RollcallError:
        # Our client raises domain errors; the SDK wraps them and all other errors.
        if isinstance(error.__context__, RollcallError):
            return error.__context__
        status = error.code if isinstance(error.code, int) else 500
        wait = wait_seconds(error.headers, self.clock.now())
        return error_from_refusal(status, str(error.error_type), str(error.message), wait)

    @cached_property
    def _http(self) -> HttpClient:
        return HttpClient("Resend", self.timeout_seconds, secrets=(self.api_key,), is_repeatable=True)

    @property
    def _url(self) -> str:
        return (self.api_url or _API_URL).rstrip("/")


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


def _build(settings: ResendSettings, ports: Ports) -> Mailer:
    limiter = ports.rate_limiter("resend", _REQUESTS_PER_MINUTE)
    return Resend(settings.api_key or "", ports.clock, settings.api_url, limiter)


def _probe(settings: ResendSettings, context: ProbeContext) -> Result:
    resend = Resend(settings.api_key or "", context.clock, settings.api_url, timeout_seconds=PROBE_SECONDS)
    domains = resend.domains()
    if domains is None:
        return healthy("Resend accepts the key, which may only send")
    domain = parseaddr(context.sender)[1].rpartition("@")[2]
    state = domains.get(domain, "not a domain of this account")
    if state != "verified":
        hint = f"verify {domain} in Resend's dashboard, or correct NOTIFICATION_FROM_EMAIL"
        return unhealthy(f"Resend accepts the key, but {domain} is {state}", hint)
    return healthy(f"Resend accepts the key, and {domain} is verified")


PLUGIN = Plugin("resend", ResendSettings, _build, key="RESEND_API_KEY", probe=_probe)
