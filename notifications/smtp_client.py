"""smtplib's client with limits on the duration and size of each reply, and without credentials in replies."""

from __future__ import annotations

import base64
import io
import smtplib
import socket
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_MAX_REPLY_BYTES = 8_192


class SmtpClient(smtplib.SMTP):
    """A client whose replies end within `timeout` seconds each, or raise TimeoutError.

    smtplib limits only the wait for the next byte. `password` is replaced in replies, also in the encodings
    of AUTH PLAIN and AUTH LOGIN.
    """

    def __init__(self, *args: Any, user: str, password: str, **kwargs: Any) -> None:
        plain = password.encode()
        sent = (plain, f"\0{user}\0{password}".encode())
        self._secrets = (plain, *map(base64.b64encode, sent)) if password else ()
        super().__init__(*args, **kwargs)

    def getreply(self) -> tuple[int, bytes]:
        """As smtplib's. Raises: TimeoutError."""
        if self.file is None and self.sock is not None:
            self._replies = _Replies(self.sock, self.timeout)
            self.file = io.BufferedReader(self._replies)
        self._replies.expect_one()
        try:
            code, text = super().getreply()
        except smtplib.SMTPServerDisconnected as error:
            if isinstance(error.__context__, TimeoutError):
                raise error.__context__ from None
            raise
        if code not in range(200, 600):
            self.close()
            raise smtplib.SMTPServerDisconnected("the reply is not SMTP")
        for secret in self._secrets:
            text = text.replace(secret, b"[secret]")
        return code, text


class SmtpTlsClient(SmtpClient, smtplib.SMTP_SSL):
    """The same, with TLS from the first byte."""


class _Replies(io.RawIOBase):
    """What `connection` sends, until the limits of the current reply."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection, self._seconds = connection, seconds

    def expect_one(self) -> None:
        self._ends_at = time.monotonic() + self._seconds
        self._remaining_bytes = _MAX_REPLY_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        seconds = self._ends_at - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the reply takes too long")
        if self._remaining_bytes <= 0:
            raise OSError("the reply is too long")
        self._connection.settimeout(seconds)
        try:
            received = self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(self._seconds)
        self._remaining_bytes -= received
        return received
