"""The stand-in as a program: what benchmarks and process tests steer over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest

from catalogs.scraper import Scraper
from domain.observation import CheckFailure, Missing, Observation
from tests.catalogs.conftest import keys
from tests.support.clock import FakeClock


def control(method: str, url: str, document: object = None) -> dict[str, Any]:
    body = None if document is None else json.dumps(document).encode()
    request = Request(url, body, {"Content-Type": "application/json"}, method=method)  # noqa: S310 - loopback
    with urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
        read: dict[str, Any] = json.load(answer)
        return read


@pytest.fixture
def url() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.standins.scraper", "--latency-ms", "1", "--token", "t0k3n"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        yield program.stdout.readline().split()[-1]
        program.terminate()


def test_the_program_answers_as_configured_over_http(url: str) -> None:
    scraper = Scraper(url=url, token="t0k3n", clock=FakeClock())
    control("POST", f"{url}/control/default", {"kind": "status", "status": 500})
    control("POST", f"{url}/control/sections/1", {"kind": "ok", "fields": {"seats_available": 9}})
    control("POST", f"{url}/control/sections/2", {"kind": "status", "status": 404})
    outcomes = {outcome.key.number: outcome for outcome in scraper.observe(keys("1", "2", "3"))}
    assert isinstance(outcomes["1"], Observation)
    assert outcomes["1"].open_seats == 9
    assert isinstance(outcomes["2"], Missing)
    assert isinstance(outcomes["3"], CheckFailure)
    control("DELETE", f"{url}/control/sections/2")
    assert isinstance(scraper.observe(keys("2"))[0], CheckFailure)
    scraper.close()


def test_the_program_counts_and_resets(url: str) -> None:
    scraper = Scraper(url=url, token="t0k3n", clock=FakeClock())
    assert control("POST", f"{url}/control/latency", {"ms": 50})["latency_ms"] == 50
    scraper.observe(keys("1", "2", "3"))
    scraper.close()
    stats = control("GET", f"{url}/control/stats")
    assert (stats["requests"], stats["in_flight"], stats["max_in_flight"]) == (3, 0, 3)
    assert sorted(stats["sections"]) == ["1", "2", "3"]
    control("POST", f"{url}/control/reset")
    assert control("GET", f"{url}/control/stats")["requests"] == 0
