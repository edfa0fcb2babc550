"""Run many seeds of the simulation: `python -m bench.simulate --seeds 50000 --from 0`.

Every seed is a small world with random faults (tests/simulation). Exits with 1 if an invariant is violated,
and prints the seed, which `python -m tests.simulation SEED` replays.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain

from bench.report import show
from tests.simulation.simulation import simulate, temporary_environment

Broken = tuple[int, str]


def main() -> int:
    options = _options()
    first, count, jobs = options.first, options.seeds, options.jobs
    start = time.perf_counter()
    shares = [range(first + job, first + count, jobs) for job in range(jobs)]
    with ProcessPoolExecutor(jobs) as pool:
        results = list(pool.map(_simulate_all, shares))
    broken = sorted(chain.from_iterable(found for found, _, _ in results))
    seconds = time.perf_counter() - start
    figures = {
        "seeds": count,
        "seeds_per_second": round(count / seconds, 1),
        "cpu_ms_per_seed": round(1000 * sum(cpu for _, cpu, _ in results) / count, 1),
        "steps_per_seed": round(sum(steps for _, _, steps in results) / count, 1),
        "broken": len(broken),
    }
    show(figures, as_json=options.json)
    for seed, problems in broken[: options.show]:
        print(f"{seed}: {problems}", file=sys.stderr)
    return 1 if broken else 0


def _simulate_all(seeds: Sequence[int]) -> tuple[list[Broken], float, int]:
    """The seeds with violated invariants, and the CPU seconds and steps of all."""
    broken: list[Broken] = []
    steps = 0
    with temporary_environment() as system:
        start = time.process_time()
        for seed in seeds:
            outcome = simulate(seed, system)
            steps += outcome.steps
            if outcome.problems:
                broken.append((seed, "; ".join(outcome.problems)))
        return broken, time.process_time() - start, steps


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=50_000, help="how many seeds")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--show", type=int, default=20, help="how many broken seeds to print")
    parser.add_argument("--json", action="store_true", help="figures for machines")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
