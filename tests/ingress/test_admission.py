from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Barrier, BrokenBarrierError, Event
from urllib.parse import urlsplit

import pytest

from ingress.admission import CLASSES, NAMES, Admission, Lane, Limits
from ingress.problems import ProblemError
from observability.recorders import REFUSED
from tests.ingress.console.visitor import sign_in, stranger, visitor
from tests.ingress.site import Site
from tests.support.harness import LINKS
from tests.support.stack import wait_until

WEBHOOKS = CLASSES["/webhooks"]
SMALL = Limits("small", bodies=1, body_seconds=0.0, threads=1, waiting=1)


@contextmanager
def half_sent(site: Site, path: str, content_type: str = "application/json") -> Iterator[socket.socket]:
    """A request whose body never ends."""
    address = urlsplit(site.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n"
        head += "Sec-Fetch-Site: same-origin\r\nContent-Length: 5000\r\n\r\n{"
        connection.sendall(head.encode())
        yield connection


def test_every_class_is_named_and_all_threads_fit_the_pool_of_the_database() -> None:
    names = "api console health metrics probes runbook sign-in students uploads webhooks"
    assert " ".join(NAMES) == names
    on_the_database = [
        limits.threads
        for limits in set(CLASSES.values())
        if limits.name not in {"probes", "health", "runbook", "uploads"}
    ]
    shared_readings, console_stream, api = 2, 1, 3
    assert sum(on_the_database) + shared_readings + console_stream + api <= 15


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/livez", "probes"),
        ("/health", "health"),
        ("/webhooks/stripe", "webhooks"),
        ("/console", "console"),
        ("/console/runs", "console"),
        ("/console/sign-in", "sign-in"),
        ("/console/sign-in/link", "sign-in"),
        ("/console/sign-out", "sign-in"),
        ("/console/sign-ins", "console"),
        ("/runbook/no-worker", "runbook"),
        ("/unsubscribe", "students"),
        ("/watches", "api"),
        ("/", "api"),
        ("//livez", "api"),
    ],
)
def test_the_class_follows_from_the_first_part_of_the_path(path: str, name: str) -> None:
    assert Admission(lambda _name: None).lane(path).name == name


def test_half_sent_webhooks_are_bounded_and_hold_no_one_else_up(site: Site) -> None:
    stop = LINKS.stop_everything("ada@example.edu").partition("example.edu")[2]
    refused = site.rollcall.services.recorder
    with ExitStack() as held:
        for _ in range(WEBHOOKS.bodies):
            held.enter_context(half_sent(site, "/webhooks/stripe"))
        wait_until(lambda: site.event("evt_1", {}).status_code == 503, "every place is taken")

        answer = site.event("evt_2", {})
        assert answer.headers["Retry-After"] == "2"
        assert answer.headers["Content-Type"] == "application/problem+json"
        for path in ("/livez", "/readyz", "/health", stop):
            assert site.client.get(path).status_code == 200
    assert refused.take()[REFUSED.key("webhooks")] >= 2
    wait_until(lambda: site.event("evt_3", {}).status_code != 503, "the places are free again")


def test_a_slow_body_of_an_unsubscription_holds_no_place(site: Site) -> None:
    path = LINKS.stop_everything("ada@example.edu").partition("example.edu")[2]
    with ExitStack() as held:
        for _ in range(CLASSES["/unsubscribe"].bodies + 1):
            held.enter_context(half_sent(site, path))
        assert site.client.post(path, content=b"List-Unsubscribe=One-Click").status_code == 200


def test_strangers_who_sign_in_slowly_hold_no_place_of_those_who_are_signed_in(site: Site) -> None:
    form = "application/x-www-form-urlencoded"
    with visitor(site) as signed_in, stranger(site) as late, ExitStack() as held:
        for _ in range(CLASSES["/console/sign-in"].bodies):
            held.enter_context(half_sent(site, "/console/sign-in", form))
        wait_until(lambda: sign_in(late).status_code == 503, "every place is taken")
        chosen = signed_in.post("/console/theme", data={"theme": "dark", "back": "/console/"})
        assert (chosen.status_code, signed_in.get("/console/runs").status_code) == (303, 200)


def test_a_body_that_does_not_arrive_in_time_is_408() -> None:
    async def never() -> bytes:
        await asyncio.Event().wait()
        return b""

    with pytest.raises(ProblemError) as refused:
        asyncio.run(Lane(SMALL, lambda _name: None).read(never))
    assert refused.value.status == 408


def test_more_requests_than_may_wait_are_refused_while_their_threads_are_busy() -> None:
    started, finished, named = Barrier(2), Event(), list[str]()

    def work() -> bool:
        if not started.broken:
            started.wait(20)
        return finished.wait(20)

    async def ask() -> list[object]:
        lane = Lane(SMALL, named.append)
        first = asyncio.create_task(lane.work(work))
        await asyncio.to_thread(started.wait, 20)
        started.abort()
        second = asyncio.create_task(lane.work(work))
        await asyncio.sleep(0)
        third = (await asyncio.gather(lane.work(work), return_exceptions=True))[0]
        finished.set()
        return [await first, await second, third]

    *done, refused = asyncio.run(ask())
    assert done == [True, True]
    assert isinstance(refused, ProblemError)
    assert (refused.status, named) == (503, ["small"])


def test_a_handler_that_fails_gives_its_place_back() -> None:
    lane = Lane(SMALL, lambda _name: None)

    async def fail() -> None:
        for _ in range(3):
            with pytest.raises(BrokenBarrierError):
                await lane.work(_fail)

    asyncio.run(fail())


def _fail() -> None:
    raise BrokenBarrierError
