"""`rollcall up` with a stand-in for Resend, and a reader of the mails that it accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import httpx

from bench.programs import Programs
from bench.replay.oracle import Mails, read_event
from bench.stack import ROOT, Stack, start_stand_in

DATA = ROOT.parent / "shared" / "data" / "ucsd-summer1-2022.csv.gz"
RESEND_KEY = "re_replayed_season"


class Mailbox:
    """A reader of the stand-in's control endpoints at `url`."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/control/mails"

    def mails(self) -> Mails:
        """Every accepted mail, with the number of times it was accepted."""
        accepted = httpx.get(self._url, timeout=30).raise_for_status().json()
        return Counter(
            read_event(address, mail["headers"]["X-Rollcall-Event"])
            for mail in accepted
            for address in _addresses(mail["to"])
        )


def _addresses(to: str | list[str]) -> list[str]:
    return [to] if isinstance(to, str) else to


class ReplaySystem:
    """The stack and its mailbox. Shape: `resend_url` is the base URL of the stand-in and of its control API.

    Raises: ProgramError when a program does not start.
    """

    def __init__(
        self,
        programs: Programs,
        home: Path,
        settings: Mapping[str, str],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.resend_url = start_stand_in(programs, "resend", "/control/mails", "--api-key", RESEND_KEY)
        self.mailbox = Mailbox(self.resend_url)
        self.stack = Stack(programs, home, {**self._mail_settings(), **settings}, transport)

    def start(self) -> None:
        """Start every role; return once all of them are ready."""
        self.stack.start("up")
        self.stack.wait_until_ready("up")
        self.stack.wait_for_worker()

    def _mail_settings(self) -> dict[str, str]:
        return {
            "MAIL_TRANSPORT": "resend",
            "RESEND_API_URL": self.resend_url,
            "RESEND_API_KEY": RESEND_KEY,
            "NOTIFICATION_FROM_EMAIL": "Rollcall <rollcall@campus.test>",
        }
