"""From an opening in a polled catalog until its mail is accepted, with a term of 12,000 sections.

The roles run as `rollcall up`, and poll the stand-in with the manners of a public catalog: one request at a
time, 2 s apart. Sections open at random times; Resend is a stand-in that accepts at once.
"""

from __future__ import annotations

import argparse
import time
from datetime import datetime
from pathlib import Path
from random import Random

from bench.catalog_decode import DEFAULT_DATA, PAGE
from bench.catalog_site import FIRST_CRN, TERM, CatalogSite, catalog_site, profile
from bench.programs import Programs, end_on_sigterm, poll
from bench.realtime import spread
from bench.replay.system import ReplaySystem
from bench.report import show
from bench.stack import Stack, temporary_home

_SECTIONS = 12_000
_WAIT_SECONDS = 300.0


def main() -> None:
    end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder of the recorded answers")
    parser.add_argument("--openings", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=4.0, help="over which the sections open")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with (
        temporary_home() as home,
        Programs(home / "logs") as programs,
        catalog_site(options.data / PAGE, _SECTIONS) as site,
    ):
        (home / "elm.toml").write_text(profile("elm", site.base_url))
        settings = {"SCHEDULER": "on", "CATALOGS": str(home / "elm.toml")}
        system = ReplaySystem(programs, home, settings)
        system.start()
        figures = _measure(system.stack, site, options.openings, options.minutes)
    show(figures, as_json=options.json)


def _measure(stack: Stack, site: CatalogSite, openings: int, minutes: float) -> dict[str, float]:
    random = Random(1)  # noqa: S311 - reproducible
    crns = [str(FIRST_CRN + number) for number in random.sample(range(_SECTIONS), openings)]
    site.set_seats(dict.fromkeys(crns, 0))
    stack.api.import_watches((f"student{crn}@example.edu", "elm", TERM, crn) for crn in crns)
    what = "a baseline of each section"
    poll(lambda: _all_observed(stack, crns) or None, seconds=_WAIT_SECONDS, pause_seconds=2, what=what)
    opened: dict[str, float] = {}
    begun = time.time()
    for crn, after in zip(crns, sorted(random.uniform(0, 60 * minutes) for _ in crns), strict=True):
        time.sleep(max(0.0, begun + after - time.time()))
        site.set_seats({crn: 3})
        opened[crn] = time.time()
    sent = poll(
        lambda: _sent(stack, openings), seconds=_WAIT_SECONDS, pause_seconds=2, what="a mail of each opening"
    )
    latencies = [sent[crn] - opened[crn] for crn in crns]
    return {"openings": openings, **spread("opening_to_mail", latencies), "longest_seconds": max(latencies)}


def _all_observed(stack: Stack, crns: list[str]) -> bool:
    return all(stack.api.observed_at("elm", TERM, crn) is not None for crn in crns[-3:])


def _sent(stack: Stack, openings: int) -> dict[str, float] | None:
    """When the mail of each section was accepted, once all were."""
    found = {
        each["section"]: datetime.fromisoformat(each["sent_at"]).timestamp()
        for each in stack.api.sent()
        if each["kind"] == "seat_available"
    }
    return found if len(found) >= openings else None


if __name__ == "__main__":
    main()
