"""The driver: advances the season's clock from check to check and runs each check."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from bench.api import Rollcall, Run
from bench.programs import poll
from bench.replay.oracle import Mails
from bench.replay.season import TERM, Check, Season
from bench.replay.server import ReplayServer
from bench.replay.system import Mailbox

ADDRESSES = 20
RUN_SECONDS = 60.0
RUN_PAUSE_SECONDS = 0.02
MAIL_SECONDS = 60.0
QUIET_SECONDS = 2.0


def assign_watchers(season: Season, per_section: int) -> dict[str, list[str]]:
    """`per_section` addresses for each section, from a small pool of people with several sections each."""
    people = max(ADDRESSES, per_section)
    return {
        section: [f"student{(index + seat) % people:02}@campus.test" for seat in range(per_section)]
        for index, section in enumerate(season)
    }


def register_watches(api: Rollcall, watchers: Mapping[str, Sequence[str]]) -> int:
    """Import the watches; the number of new ones."""
    rows = [
        (address, "scraper", TERM, section)
        for section, addresses in watchers.items()
        for address in addresses
    ]
    return api.import_watches(rows)


def run_checks(api: Rollcall, server: ReplayServer, checks: Sequence[Check]) -> list[Run]:
    """The runs of `checks`, one after the other, up to one that does not finish.

    The season's clock stands while a run is under way.
    """
    runs: list[Run] = []
    for check in checks:
        server.show(check)
        run = api.finish(api.check(check.stagger), seconds=RUN_SECONDS, pause_seconds=RUN_PAUSE_SECONDS)
        runs.append(run)
        if run.state != "finished":
            break
    return runs


def collect(api: Rollcall, mailbox: Mailbox, seconds: float = MAIL_SECONDS) -> Mails:
    """The mails accepted, once none is pending and no more has come for `QUIET_SECONDS` (or time is up)."""
    try:
        return poll(lambda: _settled(api, mailbox), seconds=seconds, what="the outbox")
    except TimeoutError:
        return mailbox.mails()


def _settled(api: Rollcall, mailbox: Mailbox) -> Mails | None:
    if api.pending_mails() != 0:
        return None
    before = mailbox.mails()
    time.sleep(QUIET_SECONDS)
    after = mailbox.mails()
    return after if before == after and api.pending_mails() == 0 else None
