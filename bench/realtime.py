"""Paid reports beside batch work: `python -m bench.realtime [--batch 10000] [--reports 50] [--json]`.

The whole of Rollcall runs with its demo campus. First the batch profile is given more jobs than it can finish
meanwhile; then Stripe tells of paid orders, one after another. It prints how long after each webhook its
report began and how long its steps took, beside the same without batch work, and ends non-zero when the 99th
percentile of the beginnings is above a second.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx

from bench.deadline import poll
from bench.programs import Programs, end_on_sigterm
from bench.report import show
from bench.stack import Stack, temporary_home
from tests.standins.stripe import event, posted

LIMIT_SECONDS = 1.0
_WAIT_SECONDS = 300.0
_WARM_UP = 2
_SUBMITTERS = 4


class Shop:
    """Rollcall, and Stripe in front of it."""

    def __init__(self, url: str, api_token: str, webhook_secret: str) -> None:
        self._api = httpx.Client(base_url=url, timeout=60, headers={"Authorization": f"Bearer {api_token}"})
        self._secret = webhook_secret
        self._orders = 0
        self._newest = ""

    def seen_section(self) -> dict[str, Any] | None:
        """The first section of the demo campus that was looked at."""
        items = self._api.get("/watches").raise_for_status().json()["items"]
        return next((item for item in items if item["current"] is not None), None)

    def fill(self, count: int) -> None:
        """Ask for `count` batch jobs."""
        with ThreadPoolExecutor(_SUBMITTERS) as threads:
            list(threads.map(lambda _: self._condense(), range(count)))

    def unfinished_batch(self) -> bool:
        """Whether batch work still waits for its turn."""
        found = self._api.get("/jobs", params={"kind": "condense", "state": "queued", "limit": 1})
        return bool(found.raise_for_status().json()["items"])

    def sell(self, section: Mapping[str, Any]) -> tuple[float, float]:
        """Seconds from a webhook to the beginning of its report, and from there to its delivery."""
        self._orders += 1
        metadata = {"report": "section_history", "term": section["term"], "sections": section["section"]}
        told = event(f"evt_{self._orders}", id=f"cs_{self._orders}", metadata=metadata)
        body, headers = posted(self._secret, told)
        sent_at = time.time()
        self._api.post("/webhooks/stripe", content=body, headers=headers).raise_for_status()
        job = poll(self._delivered, seconds=_WAIT_SECONDS, pause_seconds=0.1, what="a delivered report")
        self._newest = job["id"]
        started, finished = (datetime.fromisoformat(job[name]).timestamp() for name in _TIMES)
        return started - sent_at, finished - started

    def _delivered(self) -> dict[str, Any] | None:
        """The newest report, when it is that of the latest order and was delivered."""
        found = (
            self._api.get("/jobs", params={"kind": "report", "limit": 1}).raise_for_status().json()["items"]
        )
        if not found or found[0]["id"] == self._newest:
            return None
        if found[0]["state"] == "failed":
            raise RuntimeError(found[0]["error"])
        return dict(found[0]) if found[0]["state"] == "succeeded" else None

    def _condense(self) -> None:
        self._api.post("/jobs", json={"kind": "condense", "input": {}}).raise_for_status()


_TIMES = ("started_at", "finished_at")


def main() -> None:
    end_on_sigterm()
    options = _options()
    with temporary_home() as home, Programs(home / "logs") as programs:
        webhook_secret, api_token = f"whsec_{secrets.token_hex(16)}", secrets.token_urlsafe(32)
        settings = {
            "SCHEDULER": "on",
            "STRIPE_WEBHOOK_SECRET": webhook_secret,
            "API_TOKEN": api_token,
        }
        stack = Stack(programs, home, settings)
        stack.start("up")
        stack.wait_until_ready("up")
        shop = Shop(stack.url, api_token, webhook_secret)
        figures = _measure(shop, options)
    show(figures, as_json=options.json)
    if figures["start_p99_seconds"] > LIMIT_SECONDS:
        sys.exit(f"the 99th percentile of the beginnings is above {LIMIT_SECONDS:g} s")


def _measure(shop: Shop, options: argparse.Namespace) -> dict[str, float]:
    section = poll(
        shop.seen_section, seconds=_WAIT_SECONDS, pause_seconds=0.5, what="a section that was seen"
    )
    for _ in range(_WARM_UP):
        shop.sell(section)
    alone = [shop.sell(section) for _ in range(options.reports)]
    shop.fill(options.batch)
    beside = [shop.sell(section) for _ in range(options.reports)]
    if not shop.unfinished_batch():
        sys.exit("the batch work was over before the reports were: ask for more of it with --batch")
    return {
        "batch_jobs": options.batch,
        "reports": options.reports,
        **spread("start_alone", [start for start, _ in alone]),
        **spread("start", [start for start, _ in beside]),
        **spread("steps_alone", [steps for _, steps in alone]),
        **spread("steps", [steps for _, steps in beside]),
    }


def spread(name: str, seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    places = {"p50": len(ordered) // 2, "p99": min(len(ordered) - 1, int(len(ordered) * 0.99))}
    return {f"{name}_{place}_seconds": ordered[index] for place, index in places.items()}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--batch", type=int, default=10_000, help="batch jobs in the queue")
    parser.add_argument("--reports", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
