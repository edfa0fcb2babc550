from __future__ import annotations

from pathlib import Path

from bench.checks.baseline import measure_baseline
from bench.checks.system import start_scraper
from bench.programs import Programs
from bench.stack import SCRAPER_TOKEN


def test_the_bare_client_comes_near_the_limit_of_a_slow_scraper(tmp_path: Path) -> None:
    sections = [str(number) for number in range(200)]
    with Programs(tmp_path / "logs") as programs:
        baseline = measure_baseline(
            start_scraper(programs, latency_ms=50), SCRAPER_TOKEN, "2261", sections, in_flight=20
        )
    assert 40 < baseline.requests_per_second <= 400
    assert baseline.cpu_ms_per_request > 0
