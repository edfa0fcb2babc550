"""A Banner 9 catalog of any size in a process of its own, made of copies of one recorded page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.standins.banner9 import Banner9Standin

TERM = "202420"
FIRST_CRN = 10_000
"""The number of the first section; the others follow."""


def profile(name: str, base_url: str) -> str:
    """The profile of the catalog `name` at `base_url`, as TOML, with the usual pace of polls."""
    return (
        f'id = "{name}"\nname = "{name}"\nfamily = "banner9"\nbase_url = "{base_url}"\ntimezone = "UTC"\n'
        "[polling]\nevery_seconds = 60\n"
    )


class CatalogSite:
    """The catalog at `base_url`."""

    def __init__(self, base_url: str, pipe: Connection) -> None:
        self.base_url = base_url
        self._pipe = pipe

    def set_seats(self, seats: Mapping[str, int]) -> None:
        """Show so many open seats in these sections."""
        self._pipe.send(dict(seats))
        self._pipe.recv()


@contextmanager
def catalog_site(page: Path, sections: int) -> Iterator[CatalogSite]:
    """A running catalog with copies of the rows in the file `page`."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(page, sections, theirs), daemon=True)
    process.start()
    try:
        yield CatalogSite(ours.recv(), ours)
    finally:
        ours.send(None)
        process.join(timeout=10)


def _serve(page: Path, sections: int, pipe: Connection) -> None:
    rows = {row["courseReferenceNumber"]: row for row in rows_of(page, sections)}
    with Banner9Standin(*rows.values()) as site:
        site.terms = [(TERM, "Spring 2024")]
        pipe.send(site.base_url)
        while (seats := pipe.recv()) is not None:
            for crn, count in seats.items():
                rows[crn] |= {
                    "seatsAvailable": count, "waitCount": 0, "crossList": None, "reservedSeatSummary": None,
                }  # fmt: skip
            pipe.send(True)


def rows_of(page: Path, sections: int) -> list[dict[str, Any]]:
    """Copies of the rows in the file `page`, each with a number of its own."""
    recorded = json.loads(page.read_bytes())["data"]
    return [
        {**recorded[number % len(recorded)], "courseReferenceNumber": str(FIRST_CRN + number), "term": TERM}
        for number in range(sections)
    ]
