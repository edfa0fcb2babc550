from __future__ import annotations

import base64
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from pypdf import PdfReader

from tests.standins.resend import ResendStandIn
from tests.standins.stripe import event, posted
from tests.store.rivals import together
from tests.support.stack import Stack, stack, wait_until

SECRET = "whsec_of_the_crash_test"
# Seconds from the webhook to the kill: before the job is taken up, at each step, and after its end.
MOMENTS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1.2, 1.6, 2.5)


@pytest.fixture
def resend() -> Iterator[ResendStandIn]:
    with ResendStandIn() as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, resend: ResendStandIn) -> Iterator[Stack]:
    """A whole Rollcall that has seen one section of its demo campus."""
    settings = {
        "RESEND_API_KEY": resend.api_key,
        "RESEND_API_URL": resend.url,
        "NOTIFICATION_FROM_EMAIL": "Rollcall <rollcall@example.edu>",
        "STRIPE_WEBHOOK_SECRET": SECRET,
    }
    with stack(tmp_path / "home", settings) as found:
        wait_until(lambda: section(found) is not None, "a section of the demo campus is seen")
        yield found


def section(shop: Stack) -> tuple[str, str] | None:
    """The term and number of a section that was seen."""
    query = "SELECT term, number FROM sections WHERE observed_at_ms IS NOT NULL ORDER BY id LIMIT 1"
    with closing(sqlite3.connect(shop.home / "rollcall.db", timeout=20)) as database:
        found: tuple[str, str] | None = database.execute(query).fetchone()
    return found


def pay(shop: Stack, number: int) -> list[httpx.Response]:
    """Stripe sends the webhook of a paid order three times concurrently."""
    term, seen = section(shop) or ("", "")
    metadata = {"report": "section_history", "term": term, "sections": seen}
    payload = event(
        f"evt_{number}",
        id=f"cs_{number}",
        metadata=metadata,
        customer_details={"email": f"customer{number}@example.edu"},
    )
    body, headers = posted(SECRET, payload)
    return together(
        *[lambda: httpx.post(shop.url("/webhooks/stripe"), content=body, headers=headers, timeout=20)] * 3
    )


def at_work(shop: Stack) -> psutil.Process:
    """The jobs process, as soon as there is one."""
    found: list[psutil.Process] = []

    def look() -> bool:
        titles = shop.processes()
        found[:] = [process for title, process in titles.items() if title.startswith("rollcall: jobs")]
        return bool(found)

    wait_until(look, "jobs are at work")
    return found[0]


def delivered(shop: Stack) -> int:
    """How many orders are; none has failed."""
    states = [job["state"] for job in shop.get("/jobs?kind=report").json()["items"]]
    assert "failed" not in states
    return states.count("succeeded")


def messages(resend: ResendStandIn, number: int) -> list[dict[str, Any]]:
    address = f"customer{number}@example.edu"
    return [mail for mail in list(resend.mails) if mail["to"] == [address]]


def test_each_order_is_delivered_once_however_the_jobs_process_dies(
    shop: Stack, resend: ResendStandIn
) -> None:
    for number, seconds in enumerate(MOMENTS):
        process = at_work(shop)
        answers = pay(shop, number)
        time.sleep(seconds)
        process.kill()
        process.wait()
        assert [answer.status_code for answer in answers] == [200] * 3
        assert sum(answer.json()["recorded"] for answer in answers) == 1

        wait_until(lambda: delivered(shop) == number + 1, f"order {number} is delivered", 120)  # noqa: B023

    for number in range(len(MOMENTS)):
        (message,) = messages(resend, number)
        (attached,) = message["attachments"]
        pdf = PdfReader(BytesIO(base64.b64decode(attached["content"])))
        assert "Seat history" in pdf.pages[0].extract_text()
    with closing(sqlite3.connect(shop.home / "rollcall.db")) as database:
        (events,) = database.execute("SELECT count(*) FROM payment_events").fetchone()
        (payments,) = database.execute("SELECT count(*) FROM payments").fetchone()
    assert (events, payments) == (len(MOMENTS), len(MOMENTS))
