"""Mail transport over SMTP, with the standard library."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parseaddr
from functools import cached_property
from urllib.parse import unquote, urlsplit

from domain.check import Result, healthy
from domain.errors import (
    InvalidInputError,
    MalformedResponseError,
    RollcallError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.notification import Accepted, DeliveryResult, OutboundMessage, Rejected
from domain.plugin import PROBE_SECONDS, Plugin, Ports, ProbeContext
from domain.ports import Clock, Mailer
from domain.setting import SettingsGroup, setting, url
from notifications.messages import to_mime
from notifications.smtp_client import SmtpClient, SmtpTlsClient
from notifications.smtp_replies import Stage, refusal
from notifications.transport import SingleMessageTransport
from providers.http import ca_bundle

_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
_DONE, _RECIPIENT_ACCEPTED = 250, {250, 251}
# Connection, greeting, EHLO, STARTTLS, TLS, EHLO, AUTH (3), MAIL, RCPT, DATA, the message, QUIT.
_REPLIES = 14


@dataclass(frozen=True, kw_only=True)
class SmtpSettings(SettingsGroup):
    """Mail: SMTP."""

    url: str | None = setting(
        "SMTP_URL", url(*_PORTS), doc="mail server", example="smtp+starttls://user:password@host:587"
    )


@dataclass(frozen=True, slots=True)
class _Server:
    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Smtp(SingleMessageTransport):
    """Sends one message per call, on a connection of its own, through the server in `url`.

    Shape: `smtp://`, `smtps://` or `smtp+starttls://`, then `user:password@host:port`, percent-encoded, port
    and user optional. Certificates are verified.

    After a failure before DATA it is certain that nothing was handed over.

    Raises: InvalidInputError if `url` does not have that shape.
    """

    name = "smtp"

    url: str = field(repr=False)
    clock: Clock
    timeout_seconds: float = 20.0
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _ = self._server

    @property
    def longest_send_seconds(self) -> float:
        """The sum of the limits of all replies to one message."""
        return _REPLIES * self.timeout_seconds

    def log_in(self) -> None:
        """Connect, log in and quit. Raises: as `send`."""
        try:
            with self._session() as server:
                server.noop()
        except OSError as error:
            raise _translate(error) from error

    def _send_one(self, message: OutboundMessage, before_handover: Callable[[], None]) -> DeliveryResult:
        if not message.to.isascii():
            return Rejected("the address has characters that plain SMTP cannot carry")
        body = to_mime(message, self.clock.now()).as_bytes()
        try:
            with self._session() as server:
                _address(server, parseaddr(message.sender)[1], message.to, len(body))
                before_handover()
                reply = _transmit(server, body)
        except smtplib.SMTPRecipientsRefused as error:
            return _refused(Stage.RECIPIENT, *error.recipients[message.to], error)
        except smtplib.SMTPSenderRefused as error:
            return _refused(Stage.SENDER, error.smtp_code, error.smtp_error, error)
        except smtplib.SMTPDataError as error:
            return _refused(Stage.CONTENT, error.smtp_code, error.smtp_error, error)
        except OSError as error:  # smtplib's own errors are OSErrors too
            raise _translate(error) from error
        return Accepted(message.headers["Message-ID"], reply)

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        server = self._connect()
        try:
            if self._server.scheme == "smtp+starttls":
                server.starttls(context=self._tls)
            if self._server.user:
                server.login(self._server.user, self._server.password)
            yield server
        finally:
            # An accepted message stays accepted even if QUIT fails.
            with suppress(OSError):
                server.quit()
            server.close()

    def _connect(self) -> smtplib.SMTP:
        host, port = self._server.host, self._server.port
        login = {"user": self._server.user, "password": self._server.password}
        try:
            if self._server.scheme == "smtps":
                return SmtpTlsClient(host, port, timeout=self.timeout_seconds, context=self._tls, **login)
            return SmtpClient(host, port, timeout=self.timeout_seconds, **login)
        except smtplib.SMTPResponseException:
            raise  # the server replied and refuses us
        except OSError as error:
            raise UnreachableError(f"no connection to {host}:{port}: {error}") from error

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self.tls or ssl.create_default_context(cafile=ca_bundle())

    @cached_property
    def _server(self) -> _Server:
        try:
            parts = urlsplit(self.url)
            port = parts.port or _PORTS[parts.scheme]
        except (KeyError, ValueError) as error:
            raise _malformed() from error
        if not parts.hostname or parts.path.strip("/") or parts.query:
            raise _malformed()
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if not (user + password).isascii():
            raise InvalidInputError({"url": "must have user and password in ASCII, as SMTP logins do"})
        return _Server(parts.scheme, parts.hostname, port, user, password)


def _malformed() -> InvalidInputError:
    return InvalidInputError(
        {"url": "must be smtp://, smtps:// or smtp+starttls:// and user:password@host:port"}
    )


def _address(server: smtplib.SMTP, sender: str, to: str, size: int) -> None:
    """Send MAIL and RCPT; raises as `sendmail`."""
    server.ehlo_or_helo_if_needed()
    code, reply = server.mail(sender, [f"size={size}"] if server.has_extn("size") else [])
    if code != _DONE:
        raise smtplib.SMTPSenderRefused(code, reply, sender)
    code, reply = server.rcpt(to)
    if code not in _RECIPIENT_ACCEPTED:
        raise smtplib.SMTPRecipientsRefused({to: (code, reply)})


def _transmit(server: smtplib.SMTP, body: bytes) -> str:
    """The server's reply to an accepted message, which `sendmail` does not return; raises as `sendmail`."""
    try:
        code, reply = server.data(body)
    except ssl.SSLError as error:
        raise smtplib.SMTPServerDisconnected(f"the encrypted connection broke: {error}") from error
    if code != _DONE:
        raise smtplib.SMTPDataError(code, reply)
    return " ".join(f"{code} {_text(reply)}".split())


def _refused(stage: Stage, code: int, reason: bytes | str, error: smtplib.SMTPException) -> DeliveryResult:
    """The result of a refused message. Raises: RollcallError if the refusal is not about the message."""
    found = refusal(stage, code, _text(reason))
    if isinstance(found, RollcallError):
        raise found from error
    return found


def _translate(error: OSError) -> RollcallError:
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return UpstreamError(f"the mail server does not support what SMTP_URL asks for: {error}")
    if isinstance(error, smtplib.SMTPResponseException):
        return _by_code(error)
    if isinstance(error, ssl.SSLError):
        return UnreachableError(f"no trusted connection to the mail server: {error}")
    if isinstance(error, TimeoutError):
        return UpstreamTimeoutError("the mail server did not reply in time; it may have accepted the message")
    return MalformedResponseError(
        f"the connection to the mail server was lost; it may have accepted the message: {error}"
    )


def _by_code(error: smtplib.SMTPResponseException) -> RollcallError:
    stage = Stage.LOGIN if isinstance(error, smtplib.SMTPAuthenticationError) else Stage.GREETING
    found = refusal(stage, error.smtp_code, _text(error.smtp_error))
    if isinstance(found, RollcallError):
        return found
    return UpstreamError(f"the mail server replied {found.reason}")


def _text(reason: bytes | str) -> str:
    """The reply on one line, with the enhanced code that each of its lines repeats only once."""
    reply = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
    lines = [line.strip() for line in reply.splitlines() if line.strip()]
    first = lines[0] if lines else ""
    code = first.split(" ", 1)[0]
    return " ".join([first, *(line.removeprefix(f"{code} ") for line in lines[1:])])


def _build(settings: SmtpSettings, ports: Ports) -> Mailer:
    return Smtp(settings.url or "", ports.clock)


def _probe(settings: SmtpSettings, context: ProbeContext) -> Result:
    Smtp(settings.url or "", context.clock, PROBE_SECONDS).log_in()
    return healthy("the mail server accepts the login")


PLUGIN = Plugin("smtp", SmtpSettings, _build, key="SMTP_URL", probe=_probe)
