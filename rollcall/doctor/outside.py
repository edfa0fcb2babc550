"""Checks that the public address in mails reaches this installation."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

from rollcall.doctor.case import InspectedSettings
from rollcall.doctor.examination import Check
from rollcall.doctor.finding import Verdict, failure, ok, warning
from rollcall.doctor.starting import start_command

_TIMEOUT_SECONDS = 5  # per address of the name
_LIMIT_SECONDS = 40
_PROBE = "/livez"
_PORTS = {"http": 80, "https": 443}
_UNKNOWN_NAME = {socket.EAI_NONAME, socket.EAI_NODATA}
_SOON = "; a first one takes a minute"
_CLOSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_NOBODY_BEHIND = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


def _reachable(case: InspectedSettings) -> Verdict:
    url = case.settings.public_url
    if url is None:
        return ok("PUBLIC_URL is not set: there is nothing to ask")
    parts = urlsplit(url)
    try:
        status, body, location = _answer(parts)
    except (OSError, http.client.HTTPException) as error:
        return _silence(error, parts, managed=case.is_managed)
    if status == HTTPStatus.OK and _is_ours(body):
        return ok(f"{url}{_PROBE} is answered by Rollcall")
    return _stranger(url, status, location, start_command("web", managed=case.is_managed))


def _answer(parts: SplitResult) -> tuple[int, bytes, str]:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path + _PROBE, headers={"Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read(1024), response.getheader("Location", "")
    finally:
        connection.close()


def _is_ours(body: bytes) -> bool:
    try:
        return bool(json.loads(body) == {"status": "alive"})
    except ValueError:
        return False


def _silence(error: Exception, parts: SplitResult, *, managed: bool) -> Verdict:
    """Describe why no address answered."""
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    place, correct = f"{host}:{port}", "or correct PUBLIC_URL"
    match error:
        case socket.gaierror():
            return _unresolved(error, host)
        case ConnectionRefusedError():
            front = "systemctl restart caddy" if managed else f"start what serves {place} (deploy/Caddyfile)"
            return failure(f"nothing listens on {place}", f"{front}, {correct}")
        case ssl.SSLCertVerificationError():
            seen = f"browsers refuse the certificate of {host}: {error.verify_message}"
            return failure(seen, f"journalctl -u caddy tells why it has no certificate for {host}{_SOON}")
        case ssl.SSLError():
            seen = f"{place} cannot agree on TLS ({error.reason or error})"
            return failure(seen, f"let Caddy serve {host} (journalctl -u caddy{_SOON}), {correct}")
        case OSError():  # many routers do not route their own public address from inside
            seen = f"{place} cannot be reached from this machine ({error.strerror or error})"
            hint = f"let port {port} through to this machine, or open {parts.geturl()}{_PROBE} on a phone"
            return warning(seen, hint)
    return failure(f"{place} does not speak HTTP ({error})", "correct PUBLIC_URL")


def _unresolved(error: socket.gaierror, host: str) -> Verdict:
    if error.errno in _UNKNOWN_NAME:
        hint = f"let the DNS record of {host} name this machine, or correct PUBLIC_URL"
        return failure(f"DNS does not know {host} ({error.strerror})", hint)
    hint = "mend the machine's resolver (/etc/resolv.conf), and ask again"
    return warning(f"this machine cannot ask DNS for {host} ({error.strerror})", hint)


def _stranger(url: str, status: int, location: str, start: str) -> Verdict:
    seen = f"{url}{_PROBE} is answered with {status}"
    if status in _NOBODY_BEHIND:
        return failure(f"{seen}: there is no web role behind it", start)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return failure(seen, "journalctl -u caddy -u rollcall-web")
    if location.endswith(_PROBE) and "://" in location:
        return failure(f"{seen} and leads on", f"set PUBLIC_URL to {location.removesuffix(_PROBE)}")
    if status in _CLOSED:
        return failure(f"{seen}: something before Rollcall wants a login", f"let everybody ask for {_PROBE}")
    hint = "lead that address to Rollcall (deploy/Caddyfile), or correct PUBLIC_URL"
    return failure(f"{seen}, and not by Rollcall", hint)


CHECKS = (
    Check(
        "public-url.reachable",
        _reachable,
        "correct PUBLIC_URL",
        needs=("settings.PUBLIC_URL",),
        limit_seconds=_LIMIT_SECONDS,
    ),
)
