"""Decoding of one recorded page of 500 Banner sections, beside the standard JSON decoder.

    python -m bench.catalog_decode --data shared/data/catalogs

Both sides run alternately, so that a noisy machine slows both.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

from catalogs.answers import decode
from catalogs.banner9_answers import Page, observations

PAGE = "banner-2-utsa-searchresults-500.json"
TERM = "202420"
DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "catalogs"


def _milliseconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return 1000 * (perf_counter() - start)


def figures(body: bytes, rounds: int) -> dict[str, float]:
    """Median milliseconds for one page: the standard decoder, the typed one, and with observations."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    work: dict[str, Callable[[], object]] = {
        "standard decoder": lambda: json.loads(body),
        "typed decoder": lambda: decode(body, Page, "Banner"),
        "observations": lambda: observations(decode(body, Page, "Banner").data or [], "utsa", TERM, at),
    }
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, run in work.items():
            taken[name].append(_milliseconds(run))
    return {name: median(each) for name, each in taken.items()}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder of the recorded answers")
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    found = figures((options.data / PAGE).read_bytes(), options.rounds)
    standard = found["standard decoder"]
    for name, milliseconds in found.items():
        print(f"{name:<18} {milliseconds:5.1f} ms  {milliseconds / standard:4.2f} of the standard decoder")


if __name__ == "__main__":
    main()
