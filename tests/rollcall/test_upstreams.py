from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import redis

from catalogs.scraper import ScraperSettings
from rollcall import upstreams
from rollcall.settings import parse
from rollcall.wiring import System, build
from store import migrate
from store.pauses import ROLLCALL

SETTINGS = dict.fromkeys(("CRON_SECRET", "API_TOKEN", "UNSUBSCRIBE_SECRET"), "0123456789abcdef")
SETTINGS |= {"SCRAPER_URL": "http://127.0.0.1:9", "SCRAPER_SECRET_TOKEN": "old"}


@contextmanager
def started(home: Path, redis_url: str, **changes: str) -> Iterator[System]:
    """A process that has just started with these settings."""
    system = build(parse(SETTINGS | {"ROLLCALL_HOME": str(home), "REDIS_URL": redis_url, **changes}))
    try:
        migrate.upgrade(system.database)
        upstreams.adopt(system)
        yield system
    finally:
        system.close()


def pause(system: System) -> None:
    now = system.services.clock.now()
    system.services.store.pauses.pause("scraper", now + timedelta(minutes=15), "401", ROLLCALL, now)


def test_a_restart_with_another_token_or_quota_ends_the_pause_and_the_same_settings_do_not(
    tmp_path: Path, redis_url: str
) -> None:
    with started(tmp_path, redis_url) as system:
        pause(system)
    with started(tmp_path, redis_url) as system:
        assert "scraper" in system.services.store.pauses.all()
    with started(tmp_path, redis_url, SCRAPER_SECRET_TOKEN="new") as system:
        assert system.services.store.pauses.all() == {}
        pause(system)
    changes = {"SCRAPER_SECRET_TOKEN": "new", "SCRAPER_REQUESTS_PER_MINUTE": "1000"}
    with started(tmp_path, redis_url, **changes) as system:
        assert system.services.store.pauses.all() == {}


def test_a_process_starts_while_redis_is_unavailable(tmp_path: Path, unreachable: redis.Redis) -> None:
    path = unreachable.connection_pool.connection_kwargs["path"]
    with (
        started(tmp_path, f"unix://{path}"),
        started(tmp_path, f"unix://{path}", SCRAPER_SECRET_TOKEN="new") as system,
    ):
        assert system.settings.of(ScraperSettings).token == "new"


def test_the_database_learns_no_secret() -> None:
    digests = upstreams.digests(parse(SETTINGS), {})
    assert digests.keys() == {"scraper", "mail"}
    assert all("old" not in digest and len(digest) == 64 for digest in digests.values())
