"""Forty catalogs on one machine: the memory of all roles, and whether each host is asked at its own pace.

Each stand-in is a Banner 9 catalog with copies of one recorded page; all are in one other process. One host
refuses every request, and one sends its answers byte by byte. The others must be polled as if alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

from bench.catalog_decode import DEFAULT_DATA, PAGE
from bench.catalog_site import FIRST_CRN, TERM, profile, rows_of
from bench.programs import Programs, end_on_sigterm
from bench.report import Figure, show
from bench.stack import Stack, temporary_home
from bench.usage import measure
from tests.standins.banner9 import Banner9Standin
from tests.standins.server import Answer

_WATCHED = 60  # sections of each catalog: of more subjects than a narrow poll asks for


class _Timed(Banner9Standin):
    """A stand-in that notes when each request arrives."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        super().__init__(*rows)
        self.asked: list[float] = []

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        self.asked.append(time.monotonic())
        return super().answer(method, path, headers, body)


def _serve(page: Path, count: int, sections: int, pipe: Connection) -> None:
    rows = rows_of(page, sections)
    with ExitStack() as stack:
        sites = [stack.enter_context(_Timed(*rows)) for _ in range(count)]
        for site in sites:
            site.terms = [(TERM, "Spring 2024")]
        sites[0].failing["*"] = Answer(503, b"down")
        sites[1].failing["searchResults/searchResults"] = Answer(200, b" " * 100_000, drips=True)
        pipe.send([site.base_url for site in sites])
        while pipe.recv():
            pipe.send([list(site.asked) for site in sites])


@contextmanager
def _sites(page: Path, count: int, sections: int) -> Iterator[tuple[list[str], Connection]]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(page, count, sections, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv(), ours
    finally:
        ours.send(False)
        process.join(timeout=10)


def main() -> None:
    end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder of the recorded answers")
    parser.add_argument("--catalogs", type=int, default=40)
    parser.add_argument("--sections", type=int, default=3_000, help="in the term of each catalog")
    parser.add_argument("--seconds", type=float, default=180.0, help="of polling that are measured")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with (
        temporary_home() as home,
        Programs(home / "logs") as programs,
        _sites(options.data / PAGE, options.catalogs, options.sections) as (urls, pipe),
    ):
        profiles = [home / f"school{number}.toml" for number in range(len(urls))]
        for number, (path, url) in enumerate(zip(profiles, urls, strict=True)):
            path.write_text(profile(f"school{number}", url))
        settings = {"SCHEDULER": "on", "CATALOGS": ",".join(map(str, profiles))}
        stack = Stack(programs, home, settings)
        stack.start("up")
        stack.wait_until_ready("up")
        step = options.sections // _WATCHED
        stack.api.import_watches(
            (f"student{crn}@example.edu", f"school{number}", TERM, str(FIRST_CRN + crn))
            for number in range(len(urls))
            for crn in range(0, options.sections, step)
        )
        figures = _measure(programs, pipe, options.seconds)
    show(figures, as_json=options.json)


def _measure(programs: Programs, pipe: Connection, seconds: float) -> dict[str, Figure]:
    time.sleep(60)  # the first polls
    begun, peak, usage = time.monotonic(), 0.0, measure(programs.processes())
    before = usage
    while time.monotonic() - begun < seconds:
        time.sleep(2)
        usage = measure(programs.processes())
        peak = max(peak, usage.total_pss_mb)
    pipe.send(True)
    asked = [[at for at in times if at >= begun] for times in pipe.recv()]
    healthy = asked[2:]
    gaps = [later - at for times in healthy for at, later in pairwise(times)]
    counts = sorted(map(len, healthy))
    return {
        "catalogs": len(asked),
        "pss_mb_peak": peak,
        "pss_mb": usage.total_pss_mb,
        "pss_mb_by_role": usage.pss_mb,
        "cpu_ms_per_second": usage.cpu_ms_since(before) / seconds,
        "requests_per_host_least": counts[0],
        "requests_per_host_median": median(counts),
        "requests_per_host_most": counts[-1],
        "least_gap_seconds": min(gaps),
        "longest_gap_seconds": max(gaps),
        "requests_to_the_host_that_is_down": len(asked[0]),
        "requests_to_the_host_that_drips": len(asked[1]),
    }


if __name__ == "__main__":
    main()
