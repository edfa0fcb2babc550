"""Paid reports beside batch work: `python -m bench.realtime [--batch 10000] [--reports 50] [--json]`.

The whole of Rollcall runs with its demo campus. First the batch profile gets more jobs than it can finish
meanwhile; then Stripe sends webhooks of paid orders, one after another. It prints the latency from each
webhook to the start of its report, and the duration of the steps, with and without batch work. It exits
non-zero if the 99th percentile of the start latency is above a second.
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

from bench.programs import Programs, end_on_sigterm, poll
from bench.report import show
from bench.stack import Stack, temporary_home
from tests.standins.stripe import event, posted

LIMIT_SECONDS = 1.0
_WAIT_SECONDS = 300.0
_WARM_UP = 2
_SUBMITTERS = 4


class OrderClient:
    """Sends orders to Rollcall as Stripe does, and reads its jobs."""

    def __init__(self, url: str, api_token: str, webhook_secret: str) -> None:
        self._api = httpx.Client(base_url=url, timeout=60, headers={"Authorization": f"Bearer {api_token}"})
        self._secret = webhook_secret
        self._orders = 0
        self._newest = ""

    def observed_section(self) -> dict[str, Any] | None:
        """The first section of the demo campus with an observation."""
        items = self._api.get("/watches").raise_for_status().json()["items"]
        return next((item for item in items if item["current"] is not None), None)

    def submit_batch(self, count: int) -> None:
        """Submit `count` batch jobs."""
        with ThreadPoolExecutor(_SUBMITTERS) as threads:
            list(threads.map(lambda _: self._submit_condense(), range(count)))

    def has_queued_batch(self) -> bool:
        """Whether batch jobs are still queued."""
        found = self._api.get("/jobs", params={"kind": "condense", "state": "queued", "limit": 1})
        return bool(found.raise_for_status().json()["items"])

    def order(self, section: Mapping[str, Any]) -> tuple[float, float]:
        """Seconds from a webhook to the start of its report, and from there to the delivery."""
        self._orders += 1
        metadata = {"report": "section_history", "term": section["term"], "sections": section["section"]}
        payload = event(f"evt_{self._orders}", id=f"cs_{self._orders}", metadata=metadata)
        body, headers = posted(self._secret, payload)
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

    def _submit_condense(self) -> None:
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
        client = OrderClient(stack.url, api_token, webhook_secret)
        figures = _measure(client, options)
    show(figures, as_json=options.json)
    if figures["start_p99_seconds"] > LIMIT_SECONDS:
        sys.exit(f"the 99th percentile of the start latency is above {LIMIT_SECONDS:g} s")


def _measure(client: OrderClient, options: argparse.Namespace) -> dict[str, float]:
    section = poll(
        client.observed_section, seconds=_WAIT_SECONDS, pause_seconds=0.5, what="an observed section"
    )
    for _ in range(_WARM_UP):
        client.order(section)
    alone = [client.order(section) for _ in range(options.reports)]
    client.submit_batch(options.batch)
    loaded = [client.order(section) for _ in range(options.reports)]
    if not client.has_queued_batch():
        sys.exit("the batch work ended before the reports: increase --batch")
    return {
        "batch_jobs": options.batch,
        "reports": options.reports,
        **spread("start_alone", [start for start, _ in alone]),
        **spread("start", [start for start, _ in loaded]),
        **spread("steps_alone", [steps for _, steps in alone]),
        **spread("steps", [steps for _, steps in loaded]),
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
