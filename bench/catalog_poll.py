"""Poll a term of 12,000 sections over HTTP: the CPU time, the transactions and the rows that one poll costs.

The stand-in serves copies of one recorded page of Banner 9 from a process of its own. The polls are the
first one, one without changes, and one in which the seats of 1 % of the sections differ. CPU time is that of
the polling process, decoding and the client included. --database names a PostgreSQL database instead of a
new SQLite file.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import redis
from sqlalchemy import Engine, event

from actors.poll import poll
from bench.catalog_decode import DEFAULT_DATA, PAGE
from bench.catalog_site import FIRST_CRN, TERM, catalog_site
from bench.report import show
from domain.section import SectionKey
from domain.watch import Watch
from tests.actors.polling import banner_catalog
from tests.support.harness import Harness, harness, sqlite_url
from tests.support.redis_server import running, valkey_binary

_SECTIONS = 12_000
_WATCHED = 100
_CHANGED = 100  # one in so many


@contextmanager
def _counting() -> Iterator[Counter[str]]:
    """Count the transactions that write, and the writes of rows by table."""
    counts: Counter[str] = Counter()

    def count(
        _connection: Any,
        cursor: Any,
        statement: str,
        parameters: Any,
        _context: Any,
        many: bool,  # noqa: FBT001
    ) -> None:
        verb, _, rest = statement.partition(" ")
        if verb in {"INSERT", "UPDATE", "DELETE"}:
            table = rest.removeprefix("INTO ").removeprefix("FROM ").split(maxsplit=1)[0].strip('"')
            counts[table] += len(parameters) if many else max(1, cursor.rowcount)

    def commit(_connection: Any) -> None:
        counts["transactions"] += 1

    event.listen(Engine, "after_cursor_execute", count)
    event.listen(Engine, "commit", commit)
    try:
        yield counts
    finally:
        event.remove(Engine, "after_cursor_execute", count)
        event.remove(Engine, "commit", commit)


def _measure(rollcall: Harness, prepare: Callable[[], None], sections: int) -> dict[str, float]:
    """Poll the term once after `prepare`."""
    prepare()
    rollcall.clock.advance(timedelta(days=1, minutes=5).total_seconds())  # the whole term is due again
    with _counting() as counts:
        cpu, wall = time.process_time(), time.perf_counter()
        poll(rollcall.services, linger_seconds=0)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    (state,) = rollcall.services.store.polls.all().values()
    if state.fault is not None or state.known_rows != sections:
        raise RuntimeError(f"the poll read {state.known_rows} sections: {state.error}")
    return {
        "cpu_s": cpu,
        "wall_s": wall,
        "commits": counts["transactions"],
        "section_rows": counts["sections"],
        "history_rows": counts["section_history"],
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def figures(
    data: Path, database_url: str | None = None, sections: int = _SECTIONS
) -> dict[str, dict[str, float]]:
    """The figures of the three polls."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="rollcall-bench-")))
        server = stack.enter_context(running(valkey_binary()))
        client = stack.enter_context(redis.Redis.from_url(server.url))
        site = stack.enter_context(catalog_site(data / PAGE, sections))
        catalogs = lambda clock: {"elm": banner_catalog("elm", site.base_url, clock)}  # noqa: E731
        url = database_url or sqlite_url(folder)
        rollcall = stack.enter_context(harness(url, client, "bench", catalogs=catalogs))
        changed = [str(FIRST_CRN + number) for number in range(0, sections, _CHANGED)]
        watches = [
            Watch(f"student{crn}@example.edu", SectionKey("elm", TERM, crn)) for crn in changed[:_WATCHED]
        ]
        rollcall.services.store.watches.add_all(watches, rollcall.clock.now())
        polls: dict[str, Callable[[], None]] = {
            "first": lambda: None,
            "unchanged": lambda: None,
            "changed_1_percent": lambda: site.set_seats(dict.fromkeys(changed, 7)),
        }
        return {name: _measure(rollcall, prepare, sections) for name, prepare in polls.items()}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder of the recorded answers")
    parser.add_argument("--database", help="URL of an empty PostgreSQL database")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    for name, found in figures(options.data, options.database).items():
        if not options.json:
            print(f"\n{name.replace('_', ' ')}")
        show(found, as_json=options.json)


if __name__ == "__main__":
    main()
