"""The recorded catalog in the scraper service's contract, at a time that stands until it is set."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from threading import Event, Thread
from types import TracebackType
from typing import Self

from aiohttp import web

from bench.replay.season import TERM, Reading, Season


class ReplayServer:
    """A scraper on loopback, in a thread of its own, while the `with` block lasts.

    Shape: `time_ms` is the moment of the season that every answer shows; `answers` counts by HTTP status.
    """

    def __init__(self, season: Season, token: str) -> None:
        self.time_ms = 0
        self.answers: Counter[int] = Counter()
        self.url = ""
        self._season = season
        self._authorisation = f"Bearer {token}"
        self._loop = asyncio.new_event_loop()
        self._listening = Event()
        self._thread = Thread(target=self._serve, name="replay-server", daemon=True)

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

    async def _scrape(self, request: web.Request) -> web.Response:
        response = await self._answer(request)
        self.answers[response.status] += 1
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        if not hmac.compare_digest(request.headers.get("Authorization", ""), self._authorisation):
            return _refusal(401, "unauthorised")
        wanted = await request.json()
        reading = self._reading(wanted["sectionNumber"]) if wanted["term"] == TERM else None
        if reading is None:
            return _refusal(404, "section not found")
        return web.json_response({"success": True, "data": _data(reading)})

    def _reading(self, section: str) -> Reading | None:
        timeline = self._season.get(section)
        return timeline.at(self.time_ms) if timeline else None


def _refusal(status: int, error: str) -> web.Response:
    return web.json_response({"success": False, "error": error}, status=status)


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
