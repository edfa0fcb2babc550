"""Replay one seed and print its log: `python -m tests.simulation SEED`."""

from __future__ import annotations

import argparse
import sys

from tests.simulation.simulation import simulate, temporary_environment


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int)
    seed = parser.parse_args().seed
    with temporary_environment() as environment:
        outcome = simulate(seed, environment)
    sys.stdout.write("\n".join([*outcome.log, *outcome.problems, ""]))
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
