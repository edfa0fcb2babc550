"""A client of Rollcall's own HTTP surface, as scripts would write it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import httpx

from bench.deadline import poll

OVER = frozenset({"finished", "failed", "skipped"})
IMPORT_ROWS = 1000
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
    """The system under test. Every method raises `httpx.HTTPError` when it is not answered as agreed."""

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
        """The run as it stands."""
        shown = self._client.get(f"/cron/runs/{run_id}", headers=self._cron).raise_for_status().json()
        return _run(shown)

    def newest_run(self, stagger: str) -> Run | None:
        """The latest run of `stagger`, among the last few of all."""
        shown = self._client.get("/cron/runs", headers=self._cron).raise_for_status().json()
        return next((run for run in map(_run, shown["items"]) if run.stagger == stagger), None)

    def finish(self, run_id: str, *, seconds: float, pause_seconds: float) -> Run:
        """The run once it is over, or as it stands after `seconds`."""
        try:
            return poll(lambda: self._over(run_id), seconds=seconds, pause_seconds=pause_seconds)
        except TimeoutError:
            return self.run(run_id)

    def seen_at(self, source: str, term: str, section: str) -> str | None:
        """When the section was seen last, ISO 8601; None when it never was."""
        answer = self._client.get(f"/sections/{source}/{term}/{section}", headers=self._api)
        shown: dict[str, Any] = answer.raise_for_status().json()
        seen: str | None = shown["observed_at"]
        return seen

    def pending_mails(self) -> int | None:
        """How many notifications are not sent yet; None when the system cannot tell."""
        return self._health("outbox", "pending")

    def workers(self) -> int | None:
        """How many workers are alive; None when the system cannot tell."""
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

    def _over(self, run_id: str) -> Run | None:
        run = self.run(run_id)
        return run if run.state in OVER else None


def _run(shown: Mapping[str, Any]) -> Run:
    fields: dict[str, Any] = {field: shown.get(field) for field in Run.__slots__}
    return Run(**fields)


def _chunks(rows: Iterable[Row], size: int) -> Iterator[Sequence[Row]]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, size)):
        yield chunk
