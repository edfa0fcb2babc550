from __future__ import annotations

from typing import Any

import httpx

from bench.replay.oracle import Mail
from bench.replay.system import Mailbox
from tests.standins.resend import ResendStandIn


def message(to: str | list[str]) -> dict[str, Any]:
    event = "seat_available; source=scraper; term=S122; section=12; episode=1"
    headers = {"X-Rollcall-Event": event}
    return {"from": "a@campus.test", "to": to, "subject": "A seat", "text": "A seat", "headers": headers}


def test_every_accepted_mail_counts_for_its_address() -> None:
    with ResendStandIn() as resend:
        headers = {"Authorization": f"Bearer {resend.api_key}"}
        for to in (["ada@campus.test"], "bo@campus.test", "bo@campus.test"):
            url = f"{resend.url}/emails/batch"
            httpx.post(url, json=[message(to)], headers=headers).raise_for_status()
        assert Mailbox(resend.url).mails() == {
            Mail("ada@campus.test", "seat_available", "12", 1): 1,
            Mail("bo@campus.test", "seat_available", "12", 1): 2,
        }
