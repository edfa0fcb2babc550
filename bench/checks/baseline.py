"""The baseline: the throughput of a plain aiohttp client on this machine, without Rollcall."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import aiohttp


@dataclass(frozen=True, slots=True)
class Baseline:
    """The throughput of the plain client, and its CPU cost."""

    requests_per_second: float
    cpu_ms_per_request: float


def measure_baseline(url: str, token: str, term: str, sections: Sequence[str], in_flight: int) -> Baseline:
    """Ask the scraper at `url` once for each of `sections`, `in_flight` at a time."""
    start_seconds, start_cpu_seconds = time.perf_counter(), time.process_time()
    asyncio.run(_ask_all(url, token, term, iter(sections), in_flight))
    seconds, cpu_seconds = time.perf_counter() - start_seconds, time.process_time() - start_cpu_seconds
    return Baseline(len(sections) / seconds, 1000 * cpu_seconds / len(sections))


async def _ask_all(url: str, token: str, term: str, sections: Iterator[str], in_flight: int) -> None:
    connector = aiohttp.TCPConnector(limit=in_flight)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(url, connector=connector, headers=headers) as session:
        await asyncio.gather(*(_ask(session, term, sections) for _ in range(in_flight)))


async def _ask(session: aiohttp.ClientSession, term: str, sections: Iterator[str]) -> None:
    for section in sections:
        question = {"sectionNumber": section, "term": term}
        async with session.post("/scrape", json=question, raise_for_status=True) as answer:
            await answer.json()
