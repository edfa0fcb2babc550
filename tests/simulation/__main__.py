"""Live one seed again and print everything that happened: `python -m tests.simulation SEED`."""

from __future__ import annotations

import argparse
import sys

from tests.simulation.life import live, own_stage


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int)
    seed = parser.parse_args().seed
    with own_stage() as stage:
        life = live(seed, stage)
    sys.stdout.write("\n".join([*life.log, *life.problems, ""]))
    return 1 if life.problems else 0


if __name__ == "__main__":
    sys.exit(main())
