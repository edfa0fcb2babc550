"""A client of Rollcall's HTTP API, and a transport that outlasts restarts of the server."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import httpx

from bench.programs import poll

FINAL_STATES = frozenset({"finished", "failed", "skipped"})
IMPORT_ROWS = 1000
RETRY_PAUSE_SECONDS = 0.1
_RETRYABLE_STATUSES = frozenset({500, 502, 503, 504})
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Run:
    """One run as `/cron/runs/{id}` shows it; times are ISO 8601 or None."""

    run_id: str
    state: str
    reason: str | None
    sections: int
    checked: int
    failed: int
    started_at: str | None
    finished_at: str | None
    deferred: int = 0
    stagger: str = ""


class Rollcall:
    """The system under test. Every method raises `httpx.HTTPError` for an unexpected response."""

    def __init__(
        self, url: str, *, api_token: str, cron_secret: str, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._client = httpx.Client(base_url=url, timeout=60, transport=transport)
        self._api = {"Authorization": f"Bearer {api_token}"}
        self._cron = {"Authorization": f"Bearer {cron_secret}"}

    def import_watches(self, rows: Iterable[tuple[str, str, str, str]]) -> int:
        """How many watches the rows (email, source, term, section) created.

        Raises: ValueError when a row is rejected.
        """
        return sum(self._import(rows_at_once) for rows_at_once in _chunks(rows, IMPORT_ROWS))

    def check(self, stagger: str) -> str:
        """Start a run of `stagger`, whatever the slot; the id of the run."""
        parameters = {"stagger": stagger, "force": "1"}
        answer = self._client.post("/cron/section-checks", params=parameters, headers=self._cron)
        return str(answer.raise_for_status().json()["run_id"])

    def run(self, run_id: str) -> Run:
        """The current state of the run."""
        shown = self._client.get(f"/cron/runs/{run_id}", headers=self._cron).raise_for_status().json()
        return _run(shown)

    def newest_run(self, stagger: str) -> Run | None:
        """The newest of the recent runs of `stagger`."""
        shown = self._client.get("/cron/runs", headers=self._cron).raise_for_status().json()
        return next((run for run in map(_run, shown["items"]) if run.stagger == stagger), None)

    def finish(self, run_id: str, *, seconds: float, pause_seconds: float) -> Run:
        """The run when it has ended, or its state after `seconds`."""
        try:
            return poll(lambda: self._if_ended(run_id), seconds=seconds, pause_seconds=pause_seconds)
        except TimeoutError:
            return self.run(run_id)

    def observed_at(self, source: str, term: str, section: str) -> str | None:
        """The time of the last observation, ISO 8601; None without one."""
        answer = self._client.get(f"/sections/{source}/{term}/{section}", headers=self._api)
        shown: dict[str, Any] = answer.raise_for_status().json()
        observed_at: str | None = shown["observed_at"]
        return observed_at

    def sent(self) -> list[dict[str, Any]]:
        """The last 500 notifications that were sent, newest first."""
        query: dict[str, str | int] = {"state": "sent", "limit": 500}
        answer = self._client.get("/notifications", params=query, headers=self._api).raise_for_status()
        return list(answer.json()["items"])

    def pending_mails(self) -> int | None:
        """How many notifications are not sent yet; None if unknown."""
        return self._health("outbox", "pending")

    def workers(self) -> int | None:
        """How many workers are alive; None if unknown."""
        return self._health("workers", "alive")

    def _health(self, check: str, figure: str) -> int | None:
        shown: dict[str, Any] = self._client.get("/health", headers=self._api).json()["checks"][check]
        value: int | None = shown.get(figure)
        return value

    def _import(self, rows: Sequence[tuple[str, str, str, str]]) -> int:
        text = io.StringIO()
        csv.writer(text).writerows([("email", "source", "term", "section"), *rows])
        headers = {**self._api, "Content-Type": "text/csv"}
        answer = self._client.post("/watches/import", content=text.getvalue(), headers=headers)
        outcome: dict[str, Any] = answer.raise_for_status().json()
        if outcome["rejected"]:
            raise ValueError(f"watches rejected: {outcome['rejected'][:3]}")
        return int(outcome["created"])

    def _if_ended(self, run_id: str) -> Run | None:
        run = self.run(run_id)
        return run if run.state in FINAL_STATES else None


def _run(shown: Mapping[str, Any]) -> Run:
    fields: dict[str, Any] = {field: shown.get(field) for field in Run.__slots__}
    return Run(**fields)


def _chunks(rows: Iterable[Row], size: int) -> Iterator[Sequence[Row]]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, size)):
        yield chunk


class RetryTransport(httpx.BaseTransport):
    """Repeats failed GETs, for up to `seconds`; then returns or raises the last result."""

    def __init__(self, seconds: float, inner: httpx.BaseTransport | None = None) -> None:
        self._seconds = seconds
        self._inner = inner or httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The first successful response, or the last one."""
        end = time.monotonic() + (self._seconds if request.method == "GET" else 0)
        while True:
            is_last = time.monotonic() >= end
            try:
                response = self._inner.handle_request(request)
                response.read()  # the server may die in the middle of its response
            except httpx.TransportError:
                if is_last:
                    raise
            else:
                if is_last or response.status_code not in _RETRYABLE_STATUSES:
                    return response
                response.close()
            time.sleep(RETRY_PAUSE_SECONDS)
