"""Signed links that opt their holder out of mail or back in: no login, no expiry, no stored state."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from itsdangerous import BadData, HMACAlgorithm
from itsdangerous.encoding import base64_decode, base64_encode

from domain.errors import InvalidInputError, RejectedError

_CONTEXT = b"rollcall unsubscribe\0"
_WATCH = "1w"
_EVERYTHING = "1e"
_ALLOW_WATCH = "1r"
_ALLOW_EVERYTHING = "1a"
_MAC_BYTES = 32
_HMAC = HMACAlgorithm(hashlib.sha256)
_EMPTY = "must not be empty"
_INVALID = "this unsubscribe link is not valid"


@dataclass(frozen=True, slots=True)
class StopWatch:
    """A request to stop mail about one watch of `email`."""

    watch_id: int
    email: str


@dataclass(frozen=True, slots=True)
class StopEverything:
    """A request to stop all mail to `email`."""

    email: str


@dataclass(frozen=True, slots=True)
class AllowWatch:
    """A request to allow mail again about the section of one watch of `email`."""

    watch_id: int
    email: str


@dataclass(frozen=True, slots=True)
class AllowEverything:
    """A request to allow mail to `email` again."""

    email: str


Claim = StopWatch | StopEverything | AllowWatch | AllowEverything


@dataclass(frozen=True, slots=True)
class UnsubscribeLinks:
    """Makes and reads unsubscribe links under `public_url`.

    Shape: a token is base64url of `{version}{purpose}{watch id}:{address}` and its HMAC-SHA256, which covers
    all of that; a token is valid for one purpose only. Tokens never expire: a link in an old mail must still
    work (RFC 8058), also one signed with `previous_secret`.

    Raises: InvalidInputError if `secret` is empty or `public_url` is not an http(s) URL.
    """

    public_url: str
    secret: str = field(repr=False)
    previous_secret: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        problems = {}
        url = urlsplit(self.public_url)
        if url.scheme not in ("http", "https") or not url.netloc:
            problems["public_url"] = "must start with http:// or https:// and name a host"
        if not self.secret:
            problems["secret"] = _EMPTY
        if problems:
            raise InvalidInputError(problems)

    def stop_watch(self, watch_id: int, email: str) -> str:
        """The link that ends one watch."""
        return self._url(f"{_WATCH}{watch_id}:{email}")

    def stop_everything(self, email: str) -> str:
        """The link that ends all mail to `email`."""
        return self._url(f"{_EVERYTHING}:{email}")

    def allow_watch(self, watch_id: int, email: str) -> str:
        """The link that revokes `stop_watch`."""
        return self._url(f"{_ALLOW_WATCH}{watch_id}:{email}")

    def allow_everything(self, email: str) -> str:
        """The link that revokes `stop_everything`."""
        return self._url(f"{_ALLOW_EVERYTHING}:{email}")

    def read(self, token: str) -> Claim:
        """The action that `token` authorises.

        Raises: RejectedError unless the token is, bit for bit, signed with one of the secrets.
        """
        try:
            signed = base64_decode(token)
        except BadData as error:
            raise RejectedError(_INVALID) from error
        claim, mac = _CONTEXT + signed[:-_MAC_BYTES], signed[-_MAC_BYTES:]
        secrets = (self.secret, self.previous_secret or self.secret)
        # Compare with every secret, even after a match.
        matches = [_HMAC.verify_signature(secret.encode(), claim, mac) for secret in secrets]
        if not any(matches) or base64_encode(signed).decode() != token:
            raise RejectedError(_INVALID)
        head, _, email = claim.removeprefix(_CONTEXT).decode().partition(":")
        return _meaning(head, email)

    def _url(self, claim: str) -> str:
        return f"{self.public_url.rstrip('/')}/unsubscribe?token={_token(claim.encode(), self.secret)}"


def _meaning(head: str, email: str) -> Claim:
    if head == _EVERYTHING:
        return StopEverything(email)
    if head == _ALLOW_EVERYTHING:
        return AllowEverything(email)
    if head.startswith(_ALLOW_WATCH):
        return AllowWatch(int(head.removeprefix(_ALLOW_WATCH)), email)
    return StopWatch(int(head.removeprefix(_WATCH)), email)


def _token(claim: bytes, secret: str) -> str:
    mac = _HMAC.get_signature(secret.encode(), _CONTEXT + claim)
    return base64_encode(claim + mac).decode()
