"""Benchmarks of the whole running system, as programs: `python -m bench.replay`, `python -m bench.checks`."""
