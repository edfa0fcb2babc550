"""Text that leaves in a cookie, and is believed only when it comes back as it left."""

from __future__ import annotations

import base64
import hmac
from hashlib import sha256

_CONTEXT = "rollcall console"


def seal(secret: str, purpose: str, text: str) -> str:
    """`text` with its HMAC-SHA256; what is sealed for one purpose is worth nothing for another."""
    content = text.encode()
    return f"{_written(content)}.{_written(_mac(secret, purpose, content))}"


def unseal(secret: str, purpose: str, sealed: str) -> str | None:
    """The text, or None where `secret` has not sealed it for `purpose`."""
    content, _, mac = (part.encode() for part in sealed.partition("."))
    try:
        text = base64.b64decode(content + b"=" * (-len(content) % 4), b"-_", validate=True)
    except ValueError:
        return None
    is_ours = hmac.compare_digest(mac, _written(_mac(secret, purpose, text)).encode())
    return text.decode() if is_ours else None


def _mac(secret: str, purpose: str, content: bytes) -> bytes:
    return hmac.new(secret.encode(), f"{_CONTEXT} {purpose}\0".encode() + content, sha256).digest()


def _written(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
