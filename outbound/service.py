"""One POST to a service, bounded in time and size, with every failure of its transport typed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from domain.errors import RejectedError, TransientError, UnreachableError, UpstreamTimeoutError

if TYPE_CHECKING:
    import requests

_CHUNK_BYTES = 65_536
_CONNECT_SECONDS = 5.0
_MIB = 1_048_576


def longest_call_seconds(timeout_seconds: float) -> float:
    """The bound of one call: the connection, the headers' own time-out, and that of a last read."""
    return _CONNECT_SECONDS + 2 * timeout_seconds


@dataclass(frozen=True)
class HttpClient:
    """The service that people know as `name`; it has `timeout_seconds` for its whole answer.

    A call ends within `longest_call_seconds(timeout_seconds)`.
    """

    name: str
    timeout_seconds: float
    max_mib: int

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], auth: tuple[str, str] | None = None
    ) -> tuple[int, bytes]:
        """The status and the body of the answer to `body`, which is JSON.

        Raises: UnreachableError, UpstreamTimeoutError; RejectedError for an answer that is too large.
        """
        import requests  # noqa: PLC0415 - heavy

        deadline = time.monotonic() + self.timeout_seconds
        try:
            with self._session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json", **headers},
                auth=auth,
                timeout=(_CONNECT_SECONDS, self.timeout_seconds),
                allow_redirects=False,
                stream=True,
            ) as answer:
                return answer.status_code, self._read(answer, deadline)
        except requests.RequestException as error:
            raise self._lost(error) from error

    @cached_property
    def _session(self) -> requests.Session:
        import requests  # noqa: PLC0415

        session = requests.Session()
        session.trust_env = False  # neither a proxy nor a `.netrc`
        return session

    def _read(self, answer: requests.Response, deadline: float) -> bytes:
        content = bytearray()
        for chunk in answer.iter_content(_CHUNK_BYTES):
            content += chunk
            if len(content) > self.max_mib * _MIB:
                raise RejectedError(f"{self.name}'s answer is larger than {self.max_mib} MiB")
            if time.monotonic() > deadline:
                raise UpstreamTimeoutError(f"{self.name} did not answer in time")
        return bytes(content)

    def _lost(self, error: requests.RequestException) -> TransientError:
        import requests  # noqa: PLC0415

        if isinstance(error, requests.ConnectTimeout):
            return UnreachableError(f"no connection to {self.name}")
        if isinstance(error, requests.Timeout):
            return UpstreamTimeoutError(f"{self.name} did not answer in time")
        return UnreachableError(f"{self.name} cannot be reached ({type(error).__name__})")
