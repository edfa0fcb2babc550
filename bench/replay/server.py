"""A scraper service over the recorded catalog, with a clock that the driver sets, and injected faults."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from threading import Event, Thread
from types import TracebackType
from typing import Literal, Self

from aiohttp import web

from bench.replay.oracle import ObservationPoint
from bench.replay.season import TERM, Check, Reading, Season, is_even

Fault = Literal["error", "hang", "cut_off"]
_KINDS: tuple[Fault, ...] = ("error", "hang", "cut_off")
_WEIGHTS = (6, 1, 3)


@dataclass(slots=True)
class Faults:
    """Makes `ratio` of the requests fail, the same ones for the same `seed`.

    Shape: "error" is a 500, "cut_off" half an answer, "hang" no answer within `hang_seconds`.
    """

    ratio: float = 0.0
    seed: int = 0
    hang_seconds: float = 5.0
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - a fault, not a secret

    def draw(self) -> Fault | None:
        """How the next request fails, or None."""
        if self._random.random() >= self.ratio:
            return None
        return self._random.choices(_KINDS, _WEIGHTS)[0]


class ReplayServer:
    """A scraper on loopback, in its own thread, for the length of the `with` block.

    Shape: `answers` counts the season's answers by HTTP status, `failures` the injected faults by kind;
    `statuses` holds the status of each section at each moment.
    """

    def __init__(
        self, season: Season, token: str, faults: Faults | None = None, latency_seconds: float = 0
    ) -> None:
        self.answers: Counter[int] = Counter()
        self.failures: Counter[Fault] = Counter()
        self.statuses: dict[ObservationPoint, int] = {}
        self.url = ""
        self._times_ms = {True: 0, False: 0}
        self._faults = faults or Faults()
        self._latency_seconds = latency_seconds
        self._season = season
        self._authorisation = f"Bearer {token}"
        self._loop = asyncio.new_event_loop()
        self._listening = Event()
        self._thread = Thread(target=self._serve, name="replay-server", daemon=True)

    def show(self, check: Check) -> None:
        """Set the clock of the sections of `check` to its moment."""
        self._times_ms[check.stagger == "even"] = check.time_ms

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait(timeout=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)

    def _serve(self) -> None:
        runner = web.AppRunner(self._application(), access_log=None)
        self._loop.run_until_complete(self._listen(runner))
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _listen(self, runner: web.AppRunner) -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._listening.set()

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/scrape", self._scrape)
        return application

    async def _scrape(self, request: web.Request) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get("Authorization", ""), self._authorisation):
            return self._count(error_response(401, "unauthorised"))
        wanted = await request.json()
        if wanted["term"] != TERM:
            return self._count(error_response(404, "no such term"))
        await asyncio.sleep(self._latency_seconds)
        section = wanted["sectionNumber"]
        point = (section, self._times_ms[is_even(section)])
        if fault := self._faults.draw():
            return await self._fail(request, fault)
        return self._count(self._answer(point))

    def _count(self, response: web.Response) -> web.Response:
        self.answers[response.status] += 1
        return response

    def _answer(self, point: ObservationPoint) -> web.Response:
        section, time_ms = point
        timeline = self._season.get(section)
        reading = timeline.at(time_ms) if timeline else None
        self.statuses[point] = 404 if reading is None else 200
        return error_response(404, "section not found") if reading is None else success(reading)

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        self.failures[fault] += 1
        if fault == "error":
            return error_response(500, "the scrape failed")
        if fault == "hang":
            await asyncio.sleep(self._faults.hang_seconds)
        return await cut_off(request)


async def cut_off(request: web.Request) -> web.StreamResponse:
    """Send half an answer and close the connection."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = 400
    with suppress(ConnectionError):  # the client was killed, or timed out
        await response.prepare(request)
        await response.write(b'{"success": true, "data": {"subject": "MATH", ')
    if request.transport:
        request.transport.close()
    return response


def error_response(status: int, error: str) -> web.Response:
    """An answer without success."""
    return web.json_response({"success": False, "error": error}, status=status)


def success(reading: Reading) -> web.Response:
    """The answer that shows `reading`."""
    return web.json_response({"success": True, "data": _data(reading)})


def _data(reading: Reading) -> dict[str, str | int | None]:
    subject, _, catalog_nbr = reading.course.partition(" ")
    return {
        "subject": subject,
        "catalog_nbr": catalog_nbr,
        "title": f"{reading.course} {reading.code}",
        "instructor": reading.instructor,
        "seats_available": reading.seats_available,
        "seats_capacity": reading.seats_capacity,
        "non_reserved_seats": None,
        "location": "",
        "meeting_times": "",
    }
