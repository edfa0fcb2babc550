"""Audit entries of access to the console: links, sign-ins and refusals, sign-outs, downloads."""

from __future__ import annotations

from actors.services import Services
from store.audit import AuditEntry

_ANONYMOUS = "anonymous"


def record_link(services: Services, by: str) -> None:
    """Record that `by` asked for a sign-in link; call it before the link exists."""
    _record(services, by, "session.invite", "console")


def record_sign_in(services: Services, session: str, by: str, client: str) -> None:
    """Record the session `session` that begins at the address `client`; call it before the cookie leaves."""
    _record(services, by, "session.begin", f"session/{session}", client=client)


def record_refusal(services: Services, client: str) -> None:
    """Record a sign-in that was refused for a wrong token. The sign-in limiter bounds their number."""
    _record(services, _ANONYMOUS, "session.refuse", "console", client=client)


def record_download(services: Services, by: str, subject: str) -> None:
    """Record a download from the console; call it before the content leaves."""
    _record(services, by, "artifact.download", subject)


def sign_out_entry(services: Services, session: str, by: str, client: str) -> AuditEntry:
    """Return the entry of a sign-out, for the transaction that ends the session."""
    return AuditEntry(services.clock.now(), by, "session.end", f"session/{session}", {"client": client})


def _record(services: Services, by: str, action: str, subject: str, **detail: str) -> None:
    services.store.audit.record(AuditEntry(services.clock.now(), by, action, subject, detail))
