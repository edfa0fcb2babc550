"""How libcurl is to ask: the options that every request to one endpoint shares."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pycurl

from sources.answer import MAX_BODY_BYTES

USER_AGENT: Final = "Rollcall/0.1 (class section watcher)"
# Below the 5 s after which common servers drop an idle connection, so that none is used while it closes.
_KEEP_ALIVE_SECONDS = 4
_DEBIAN_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def options(endpoint: str, token: str, timeout_seconds: float) -> dict[int, object]:
    """The options of libcurl for posting JSON to `endpoint`, and nowhere else, whatever the environment says.

    Source: https://curl.se/libcurl/c/curl_easy_setopt.html
    """
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": USER_AGENT,
        "Expect": "",
    }
    found: dict[int, object] = {
        pycurl.URL: endpoint,
        pycurl.POST: 1,
        pycurl.HTTPHEADER: [f"{name}: {value}".rstrip() for name, value in headers.items()],
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.FOLLOWLOCATION: 0,
        pycurl.PROXY: "",
        pycurl.NOPROXY: "*",
        pycurl.NETRC: pycurl.NETRC_IGNORED,
        pycurl.NOSIGNAL: 1,
        pycurl.TCP_NODELAY: 1,
        pycurl.TIMEOUT_MS: max(1, round(timeout_seconds * 1000)),
        pycurl.MAXAGE_CONN: _KEEP_ALIVE_SECONDS,
        pycurl.MAXFILESIZE: MAX_BODY_BYTES,
    }
    return found | _trust() if endpoint.startswith("https:") else found


def _trust() -> dict[int, object]:
    """Whom to believe: the system's authorities, else certifi's; the wheel's own OpenSSL finds neither.

    One file and no folder: libcurl then reads it once for all connections.
    """
    import ssl  # noqa: PLC0415 - 4 MB that plain HTTP need not pay

    import certifi  # noqa: PLC0415

    system = ssl.get_default_verify_paths().cafile
    bundle = system or (str(_DEBIAN_BUNDLE) if _DEBIAN_BUNDLE.exists() else certifi.where())
    return {pycurl.CAINFO: bundle, pycurl.SSL_VERIFYPEER: 1, pycurl.SSL_VERIFYHOST: 2}
