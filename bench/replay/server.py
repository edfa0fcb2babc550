"""The recorded catalog in the scraper service's contract, at times that stand until they are set."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from threading import Event, Thread
from types import TracebackType
from typing import Self

from aiohttp import web

from bench.replay.answers import cut_off, refusal, told
from bench.replay.faults import Fault, Faults
from bench.replay.oracle import Sight
from bench.replay.season import TERM, Check, Season, is_even


class ReplayServer:
    """A scraper on loopback, in a thread of its own, while the `with` block lasts.

    Shape: `answers` counts by HTTP status what was answered as the season has it, `failures` by kind what
    was not; `told` holds the status that each section had at each moment.
    """

    def __init__(
        self, season: Season, token: str, faults: Faults | None = None, latency_seconds: float = 0
    ) -> None:
        self.answers: Counter[int] = Counter()
        self.failures: Counter[Fault] = Counter()
        self.told: dict[Sight, int] = {}
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
        """Answer for the sections of `check` as at its moment, from now on."""
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
            return self._count(refusal(401, "unauthorised"))
        wanted = await request.json()
        if wanted["term"] != TERM:
            return self._count(refusal(404, "no such term"))
        await asyncio.sleep(self._latency_seconds)
        section = wanted["sectionNumber"]
        sight = (section, self._times_ms[is_even(section)])
        if fault := self._faults.draw():
            return await self._fail(request, fault)
        return self._count(self._answer(sight))

    def _count(self, response: web.Response) -> web.Response:
        self.answers[response.status] += 1
        return response

    def _answer(self, sight: Sight) -> web.Response:
        section, time_ms = sight
        timeline = self._season.get(section)
        reading = timeline.at(time_ms) if timeline else None
        self.told[sight] = 404 if reading is None else 200
        return refusal(404, "section not found") if reading is None else told(reading)

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        self.failures[fault] += 1
        if fault == "error":
            return refusal(500, "the scrape failed")
        if fault == "hang":
            await asyncio.sleep(self._faults.hang_seconds)
        return await cut_off(request)
