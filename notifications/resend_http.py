"""The HTTP connection to Resend. Separate from `notifications.resend` because it imports requests."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable, Mapping
from typing import Any

import requests
from resend.http_client import HTTPClient
from urllib3.exceptions import MaxRetryError

from domain.errors import MalformedResponseError, TransientError, UnreachableError, UpstreamTimeoutError
from notifications.resend import CONNECT_SECONDS

_FAILED = 400


class ResendHttpClient(HTTPClient):
    """The SDK's HTTP client on one kept connection, with a timeout on every wait.

    Unlike the SDK's own client, it distinguishes a failed connection from a lost answer, and ignores the
    environment: no proxy, and no `.netrc`, whose password would replace the API key. `heed` is called with
    the status and headers of every answer.
    """

    def __init__(
        self, timeout_seconds: float, heed: Callable[[int, Mapping[str, str]], None] | None = None
    ) -> None:
        self._heed = heed
        self._timeout = (min(CONNECT_SECONDS, timeout_seconds), timeout_seconds)
        self._session = requests.Session()
        self._session.trust_env = False

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        json: Any = None,
        files: dict[str, Any] | None = None,
        data: dict[str, str] | None = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """The answer's body, status and headers.

        Raises: UnreachableError, UpstreamTimeoutError, MalformedResponseError (truncated, or not JSON).
        """
        try:
            answer = self._session.request(
                method,
                url,
                headers=headers,
                json=json,
                files=files,
                data=data,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise _translate(error) from error
        if self._heed:
            self._heed(answer.status_code, answer.headers)
        if answer.status_code < _FAILED:
            _require_json(answer)
        return answer.content, answer.status_code, answer.headers


def _translate(error: requests.RequestException) -> TransientError:
    if isinstance(error, requests.ConnectTimeout) or _never_connected(error):
        return UnreachableError(f"no connection to Resend: {error}")
    if isinstance(error, requests.Timeout):
        return UpstreamTimeoutError("Resend did not answer in time; it may have taken the letters")
    return MalformedResponseError(f"Resend's answer was lost; it may have taken the letters: {error}")


def _never_connected(error: requests.RequestException) -> bool:
    return isinstance(error, requests.ConnectionError) and isinstance(error.args[0], MaxRetryError)


def _require_json(answer: requests.Response) -> None:
    try:
        json_module.loads(answer.content)
    except ValueError as error:
        raise MalformedResponseError(f"Resend answered {answer.status_code} without JSON") from error
