"""The virus scanner clamd, over its socket.

Source: `man clamd`, command INSTREAM: chunks behind their length in network order, ended by a length of 0.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import struct
from typing import BinaryIO, Final

from domain.errors import (
    MalformedResponseError,
    RejectedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.setting import SettingType
from domain.text import one_line

_CHUNK_BYTES: Final = 65_536
_MAX_PORT: Final = 65_535
_MAX_REPLY_BYTES: Final = 4096
_TIMEOUT_SECONDS: Final = 60.0
_PROBE_SECONDS: Final = 5.0
_INFECTED = re.compile(r"stream: (.+) FOUND")


class InfectedError(RejectedError):
    """The scanner found `signature` in the content."""

    def __init__(self, signature: str) -> None:
        super().__init__(f"the file is infected ({signature})")
        self.signature = signature


class ScanLimitError(RejectedError):
    """The scanner's size limit is below the size of the content."""


def _address(text: str) -> str:
    if text.startswith("/"):
        return text
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isascii() or not port.isdecimal() or not 0 < int(port) <= _MAX_PORT:
        raise ValueError("must be the path of a socket, or host:port")
    try:
        is_private = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host).is_private
    except ValueError:
        is_private = False
    if not is_private:
        raise ValueError("must name a loopback or private IP address: clamd neither encrypts nor signs")
    return text


CLAMD_ADDRESS = SettingType("path, or private host:port", _address)


class Clamd:
    """The scanner at `address`, a path or host:port. `timeout_seconds` limits each read and write."""

    def __init__(self, address: str, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds

    def scan(self, file: BinaryIO) -> None:
        """Scan the file from its position to its end, in constant memory.

        Raises: InfectedError, ScanLimitError, TransientError if no scanner answers.
        """
        reply = self._ask(b"zINSTREAM\0", file, self._timeout_seconds)
        if reply == "stream: OK":
            return
        if infected := _INFECTED.fullmatch(reply):
            raise InfectedError(one_line(infected[1]))
        if "size limit exceeded" in reply:
            raise ScanLimitError("the scanner refuses files of this size: raise StreamMaxLength of clamd")
        if reply.endswith("ERROR"):
            raise UpstreamError(f"the scanner failed ({one_line(reply)})")
        raise MalformedResponseError("the scanner's reply cannot be parsed")

    def version(self) -> str:
        """Return the versions of the scanner and of its signatures. Raises: TransientError."""
        return one_line(self._ask(b"zVERSION\0", None, min(_PROBE_SECONDS, self._timeout_seconds)))

    def _ask(self, command: bytes, file: BinaryIO | None, timeout_seconds: float) -> str:
        try:
            with self._connect(timeout_seconds) as connection:
                connection.sendall(command)
                if file is not None:
                    _send(connection, file)
                return _reply(connection)
        except TimeoutError as error:
            raise UpstreamTimeoutError("the scanner does not answer in time") from error
        except OSError as error:
            raise UnreachableError(f"the scanner cannot be reached ({error.strerror or error})") from error

    def _connect(self, timeout_seconds: float) -> socket.socket:
        if not self._address.startswith("/"):
            host, _, port = self._address.rpartition(":")
            return socket.create_connection((host.strip("[]"), int(port)), timeout_seconds)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(timeout_seconds)
            connection.connect(self._address)
        except OSError:
            connection.close()
            raise
        return connection


def _send(connection: socket.socket, file: BinaryIO) -> None:
    try:
        while chunk := file.read(_CHUNK_BYTES):
            connection.sendall(struct.pack("!L", len(chunk)) + chunk)
        connection.sendall(struct.pack("!L", 0))
    except (BrokenPipeError, ConnectionResetError):
        return  # clamd replies and closes as soon as its size limit is exceeded


def _reply(connection: socket.socket) -> str:
    content = bytearray()
    while not content.endswith(b"\0") and len(content) < _MAX_REPLY_BYTES:
        chunk = connection.recv(_MAX_REPLY_BYTES)
        if not chunk:
            break
        content += chunk
    return content.rstrip(b"\0").decode("utf-8", "replace").strip()
