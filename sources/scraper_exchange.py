"""The asynchronous half of the scraper source: one session that asks and listens on one event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

from domain.errors import (
    MalformedAnswerError,
    RateLimitedError,
    RollcallError,
    UnreachableError,
    UpstreamTimeoutError,
)
from domain.observation import Failure, Outcome
from domain.ports import Clock
from domain.section import SectionKey
from sources.foreign import quote
from sources.pacing import Pace
from sources.scraper_answer import DEFAULT_RETRY_AFTER_SECONDS, MAX_BODY_BYTES, Answer, Parser

USER_AGENT: Final = "Rollcall/0.1 (class section watcher)"
# Below the 5 s after which common servers drop an idle connection, so that none is used while it closes.
_KEEP_ALIVE_SECONDS = 4.0
_REDIRECTS = range(300, 400)


@dataclass(slots=True)
class _Batch:
    outcomes: list[Outcome] = field(default_factory=list)
    held: RateLimitedError | None = None


class Exchange:
    """Asks the service about sections, `max_concurrency` at a time over all batches.

    Made and used on one running event loop, as an asynchronous context manager.
    """

    def __init__(
        self,
        endpoint: str,
        token: str,
        *,
        clock: Clock,
        timeout_seconds: float,
        max_concurrency: int,
        hold: Callable[[float], None],
    ) -> None:
        self._endpoint = URL(endpoint)
        self._token = token
        self._clock = clock
        self._hold = hold
        self._parser = Parser(token)
        self._turns = asyncio.Semaphore(max_concurrency)
        self._timeout_seconds = timeout_seconds
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=max_concurrency, keepalive_timeout=_KEEP_ALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": USER_AGENT,
            },
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def observe(self, keys: Sequence[SectionKey], pace: Pace | None) -> list[Outcome]:
        """One outcome a key, in the order in which they came; each request waits for its slot in `pace`.

        Once the service has asked for fewer requests, the rest of the batch fails in the same way unasked.
        """
        now = asyncio.get_running_loop().time()
        first, interval = (now + pace.start_in_seconds, pace.interval_seconds) if pace else (now, 0.0)
        batch = _Batch()
        async with asyncio.TaskGroup() as group:
            for position, key in enumerate(keys):
                group.create_task(self._turn(batch, key, first + position * interval))
        return batch.outcomes

    async def _turn(self, batch: _Batch, key: SectionKey, starts_at: float) -> None:
        wait_seconds = starts_at - asyncio.get_running_loop().time()
        if wait_seconds > 0:
            await asyncio.sleep(wait_seconds)
        async with self._turns:
            outcome = Failure(key, batch.held) if batch.held else await self._ask(key)
        batch.outcomes.append(outcome)
        if isinstance(outcome, Failure) and isinstance(outcome.error, RateLimitedError) and not batch.held:
            batch.held = outcome.error
            seconds = outcome.error.retry_after_seconds
            await asyncio.to_thread(self._hold, DEFAULT_RETRY_AFTER_SECONDS if seconds is None else seconds)

    async def _ask(self, key: SectionKey) -> Outcome:
        question = json.dumps({"sectionNumber": key.number, "term": key.term}).encode()
        try:
            async with self._session.post(self._endpoint, data=question, allow_redirects=False) as response:
                answer = await _read(response)
        except (TimeoutError, aiohttp.ClientError) as error:
            return Failure(key, self._translate(error))
        return self._parser.outcome(key, answer, self._clock.now())

    def _translate(self, error: Exception) -> RollcallError:
        said = quote(str(error), self._token) or type(error).__name__
        match error:
            case TimeoutError():
                translated: RollcallError = UpstreamTimeoutError(f"no answer in {self._timeout_seconds:g} s")
            case aiohttp.ClientResponseError():
                translated = MalformedAnswerError(f"the answer is not HTTP: {said}")
            case _:
                translated = UnreachableError(f"no connection: {said}")
        translated.__cause__ = error
        return translated


async def _read(response: aiohttp.ClientResponse) -> Answer:
    body, is_complete = await _body(response)
    headers = response.headers
    return Answer(
        response.status,
        body,
        is_complete=is_complete,
        retry_after=headers.get("Retry-After"),
        location=headers.get("Location", "nowhere") if response.status in _REDIRECTS else None,
    )


async def _body(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    body = b""
    try:
        while (chunk := await response.content.readany()) and len(body) <= MAX_BODY_BYTES:
            body += chunk
    except aiohttp.ClientPayloadError:
        return body, False
    return body[: MAX_BODY_BYTES + 1], True
