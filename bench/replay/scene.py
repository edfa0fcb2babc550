"""`rollcall up` between a scraper that replays a season and a stand-in for Resend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx

from bench.programs import Programs
from bench.replay.mailbox import Mailbox
from bench.stack import ROOT, Stack, start_stand_in

DATA = ROOT.parent / "shared" / "data" / "ucsd-summer1-2022.csv.gz"
RESEND_KEY = "re_replayed_season"


class Scene:
    """The stack and its mailbox. Shape: `resend_url` is where the stand-in takes mails, and orders.

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
        """Start every role, and return once all of them work."""
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
