"""One HTTP request to a caller's URL, with short timeouts and without redirects."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

import pycurl

from domain.errors import (
    RollcallError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)

_USER_AGENT = "Rollcall/0.1"
_DEBIAN_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_MAX_ANSWER_BYTES = 1_048_576
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


def get(url: str, timeout_seconds: float) -> None:
    """Get `url`; the answer must be 2xx. Raises: RollcallError, which never contains the URL."""
    _perform(_options(url, timeout_seconds))


def post(
    url: str,
    body: bytes,
    timeout_seconds: float,
    *,
    headers: Mapping[str, str] | None = None,
    connect_to: tuple[str, int] | None = None,
) -> None:
    """Post the JSON `body` to `url`. As `get`; connects to the address `connect_to` only."""
    lines = ["Content-Type: application/json", "Expect:"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    said: dict[int, object] = {pycurl.POST: 1, pycurl.POSTFIELDS: body, pycurl.HTTPHEADER: lines}
    if connect_to is not None:
        address, port = connect_to
        # For any host and port: libcurl may normalise the URL's host differently.
        said[pycurl.CONNECT_TO] = [f"::{f'[{address}]' if ':' in address else address}:{port}"]
    _perform(_options(url, timeout_seconds) | said)


def _perform(options: dict[int, object]) -> None:
    curl = pycurl.Curl()
    try:
        for option, value in options.items():
            curl.setopt(option, value)
        curl.perform()
        status = curl.getinfo(pycurl.RESPONSE_CODE)
    except pycurl.error as error:
        raise _translate(int(error.args[0])) from None  # its message contains the URL, which is secret
    finally:
        curl.close()
    if status not in range(200, 300):
        kind = UnauthorisedError if status in _REFUSED else UpstreamError
        raise kind(f"the answer was {status}")


def _translate(code: int) -> RollcallError:
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return UpstreamTimeoutError("no answer in time")
    return UnreachableError(f"no answer (libcurl's error {code})")


def _options(url: str, timeout_seconds: float) -> dict[int, object]:
    """Source: https://curl.se/libcurl/c/curl_easy_setopt.html."""
    found: dict[int, object] = {
        pycurl.URL: url,
        pycurl.USERAGENT: _USER_AGENT,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.FOLLOWLOCATION: 0,
        pycurl.PROXY: "",
        pycurl.NOPROXY: "*",
        pycurl.NETRC: pycurl.NETRC_IGNORED,
        pycurl.NOSIGNAL: 1,
        pycurl.TIMEOUT_MS: round(timeout_seconds * 1000),
        pycurl.MAXFILESIZE: _MAX_ANSWER_BYTES,
        pycurl.WRITEFUNCTION: len,
    }
    return found | _trust() if url.startswith("https:") else found


def _trust() -> dict[int, object]:
    """The system's CA certificates, else certifi's; the wheel's own OpenSSL finds neither."""
    import ssl  # noqa: PLC0415 - plain HTTP does not need it

    import certifi  # noqa: PLC0415

    system = ssl.get_default_verify_paths().cafile
    bundle = system or (str(_DEBIAN_BUNDLE) if _DEBIAN_BUNDLE.exists() else certifi.where())
    return {pycurl.CAINFO: bundle, pycurl.SSL_VERIFYPEER: 1, pycurl.SSL_VERIFYHOST: 2}
