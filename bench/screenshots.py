"""Takes the pictures of docs/console.md: `python -m bench.screenshots`.

A day of the demo campus is lived through on a held clock, by the real actors; then the real stack is started
on what that left behind, and a browser looks at it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import redis
from dramatiq import Message

from actors.deliver import deliver
from actors.dispatch import dispatch
from catalogs.demo_campus import TERM, DemoCampus
from domain.notification import MAIL
from domain.watch import Watch
from resilience.dead_letter_cause import CAUSE
from rollcall.embedded_valkey import redis_url
from rollcall.roles.scheduler import STUDENTS
from tests.support import browser as browsers
from tests.support.broker import add_dead_letter
from tests.support.browser import PHONE, Scheme
from tests.support.harness import Harness, harness, sqlite_url
from tests.support.redis_server import running, valkey_binary
from tests.support.stack import API_TOKEN, Stack, stack

_FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
_MAX_BYTES = 150_000
# Not in step with the campus, and so often that seats do not open in most sections at once.
_DAY, _EVERY = timedelta(days=1), timedelta(seconds=130)
_PATIENCE_SECONDS = (0.05, 0.6)  # how long a message waits for a worker
_DEAD = (
    (dispatch.message(uuid4().hex), "TimeLimitExceeded", 3),
    (deliver.message(), "UnauthorisedError: the provider refused the API key", 5),
)


@dataclass(frozen=True, slots=True)
class Picture:
    """One page, as it is to be seen."""

    name: str
    path: str
    size: tuple[int, int]
    scheme: Scheme = "light"


CALM = (
    Picture("now-light", "/console/", (1280, 1130)),
    Picture("now-dark", "/console/", (1280, 1130), scheme="dark"),
    Picture("now-phone", "/console/", PHONE),
    Picture("section", f"/console/sections/campus/{TERM}/12525", (1280, 800)),
    Picture("timeline", "/console/timeline/watch/5", (1280, 520)),
)
TROUBLED = (Picture("dead-letters", "/console/dead", (1280, 620)),)


def main() -> None:
    _FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        _live(home)
        with stack(home, {}) as found:
            for picture in CALM:
                _take(found, picture)
            _bury(found)
            for picture in TROUBLED:
                _take(found, picture)


def _live(home: Path) -> None:
    """A day until now."""
    with (
        running(valkey_binary()) as server,
        redis.Redis.from_url(server.url) as client,
        harness(sqlite_url(home), client, "past") as past,
    ):
        past.clock.advance((datetime.now(UTC) - _DAY - past.clock.now()).total_seconds())
        _move_to_campus(past)
        for _ in range(_DAY // _EVERY):
            past.run()
            past.clock.advance(_EVERY.total_seconds())


def _move_to_campus(past: Harness) -> None:
    breakers, chance = past.services.breakers, Random(1)  # noqa: S311 - nothing secret

    def publish(message: Message[Any]) -> None:
        past.clock.advance(chance.uniform(*_PATIENCE_SECONDS))
        past.messages.append(message)

    past.services = replace(
        past.services,
        publish=publish,
        sources={DemoCampus.name: DemoCampus(past.clock)},
        breakers={DemoCampus.name: breakers[past.catalog.name], MAIL: breakers[MAIL]},
    )
    wanted = [Watch(STUDENTS[i % len(STUDENTS)], key) for i, key in enumerate(DemoCampus.sections())]
    past.services.store.watches.add_all(wanted, past.clock.now())


def _bury(found: Stack) -> None:
    with redis.Redis.from_url(redis_url(found.home)) as client:
        for message, cause, count in _DEAD:
            for _ in range(count):
                add_dead_letter(client, "dramatiq", message.copy(options={CAUSE: cause}))


def _take(found: Stack, picture: Picture) -> None:
    path = _FOLDER / f"{picture.name}.png"
    with _window(found, picture) as window:
        window.open(picture.path)
        if picture.path.endswith("/console/"):
            window.page.get_by_text("Live.").wait_for()
        window.page.screenshot(path=path)
    size = path.stat().st_size
    print(f"{path.name:20} {size / 1000:6.1f} kB")
    if size > _MAX_BYTES:
        raise SystemExit(f"{path} is larger than {_MAX_BYTES // 1000} kB")


@contextmanager
def _window(found: Stack, picture: Picture) -> Iterator[browsers.Tab]:
    with (
        browsers.browsing() as browser,
        browsers.tab(browser, found.url(""), size=picture.size, scheme=picture.scheme) as window,
    ):
        window.sign_in(API_TOKEN)
        yield window


if __name__ == "__main__":
    main()
