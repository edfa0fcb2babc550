"""What the stand-in for Resend has accepted."""

from __future__ import annotations

from collections import Counter

import httpx

from bench.replay.oracle import Mails, read_event


class Mailbox:
    """A reader of the stand-in's control endpoints at `url`."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/control/mails"

    def mails(self) -> Mails:
        """Every mail accepted so far, each counted once for each time it was accepted."""
        accepted = httpx.get(self._url, timeout=30).raise_for_status().json()
        return Counter(
            read_event(address, mail["headers"]["X-Rollcall-Event"])
            for mail in accepted
            for address in _addresses(mail["to"])
        )


def _addresses(to: str | list[str]) -> list[str]:
    return [to] if isinstance(to, str) else to
