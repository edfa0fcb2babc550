"""Probes of the web role: it answers where it listens, and at the public address in mails."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

from domain.check import Result, degraded, healthy, unhealthy

_TIMEOUT_SECONDS = 5  # per address of the name
_LIVENESS, _READINESS = "/livez", "/readyz"
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask a server that listens there
_PORTS = {"http": 80, "https": 443}
_UNKNOWN_NAME = {socket.EAI_NONAME, socket.EAI_NODATA}
_DELAY = "; a first one takes a minute"
_CLOSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_NO_BACKEND = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


def probe_web(address: str, start: str) -> Result:
    """Return whether the web role at host:port is ready; `start` starts it."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(_ANY_ADDRESS.get(host, host), int(port), timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", _READINESS)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return unhealthy(f"nothing answers on {address} ({error})", start)
    finally:
        connection.close()
    if status == HTTPStatus.OK:
        return healthy(f"ready on {address}")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return degraded(f"{address} answers, and is not ready", "fix what else failed here")
    return unhealthy(f"{address} answers {status} to {_READINESS}: it is not Rollcall", "correct PORT")


def probe_public_url(url: str, *, managed: bool, start: str) -> Result:
    """Return whether `url` leads to this installation; `managed` is whether systemd starts its proxy."""
    parts = urlsplit(url)
    try:
        status, body, location = _get(parts)
    except (OSError, http.client.HTTPException) as error:
        return unanswered(error, parts, managed=managed)
    if status == HTTPStatus.OK and _is_ours(body):
        return healthy(f"{url}{_LIVENESS} is answered by Rollcall")
    return _foreign(url, status, location, start)


def unanswered(error: Exception, parts: SplitResult, *, managed: bool) -> Result:
    """Describe why no address answered."""
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    place, correct = f"{host}:{port}", "or correct PUBLIC_URL"
    match error:
        case socket.gaierror():
            return _unresolved(error, host)
        case ConnectionRefusedError():
            front = "systemctl restart caddy" if managed else f"start what serves {place} (deploy/Caddyfile)"
            return unhealthy(f"nothing listens on {place}", f"{front}, {correct}")
        case ssl.SSLCertVerificationError():
            seen = f"browsers refuse the certificate of {host}: {error.verify_message}"
            return unhealthy(seen, f"journalctl -u caddy shows why it has no certificate for {host}{_DELAY}")
        case ssl.SSLError():
            seen = f"{place} cannot agree on TLS ({error.reason or error})"
            return unhealthy(seen, f"let Caddy serve {host} (journalctl -u caddy{_DELAY}), {correct}")
        case OSError():  # many routers do not route their own public address from inside
            seen = f"{place} cannot be reached from this machine ({error.strerror or error})"
            hint = f"let port {port} through to this machine, or open {parts.geturl()}{_LIVENESS} on a phone"
            return degraded(seen, hint)
    return unhealthy(f"{place} does not speak HTTP ({error})", "correct PUBLIC_URL")


def _get(parts: SplitResult) -> tuple[int, bytes, str]:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path + _LIVENESS, headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read(1024), response.getheader("Location", "")
    finally:
        connection.close()


def _is_ours(body: bytes) -> bool:
    try:
        return bool(json.loads(body) == {"status": "alive"})
    except ValueError:
        return False


def _unresolved(error: socket.gaierror, host: str) -> Result:
    if error.errno in _UNKNOWN_NAME:
        hint = f"point the DNS record of {host} to this machine, or correct PUBLIC_URL"
        return unhealthy(f"DNS does not know {host} ({error.strerror})", hint)
    hint = "repair the machine's resolver (/etc/resolv.conf), and try again"
    return degraded(f"this machine cannot ask DNS for {host} ({error.strerror})", hint)


def _foreign(url: str, status: int, location: str, start: str) -> Result:
    seen = f"{url}{_LIVENESS} is answered with {status}"
    if status in _NO_BACKEND:
        return unhealthy(f"{seen}: there is no web role behind it", start)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return unhealthy(seen, "journalctl -u caddy -u rollcall-web")
    if location.endswith(_LIVENESS) and "://" in location:
        return unhealthy(f"{seen} and redirects", f"set PUBLIC_URL to {location.removesuffix(_LIVENESS)}")
    if status in _CLOSED:
        return unhealthy(
            f"{seen}: something before Rollcall requires a login", f"allow everyone to get {_LIVENESS}"
        )
    return unhealthy(
        f"{seen}, and not by Rollcall",
        "route that address to Rollcall (deploy/Caddyfile), or correct PUBLIC_URL",
    )
