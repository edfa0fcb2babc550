from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from ingress.api.openapi import description
from tests.ingress.fuzzer import Keys, fuzz
from tests.ingress.site import API_TOKEN, CRON_SECRET, Site
from tests.support.harness import LINKS

LINK = LINKS.stop_everything("ada@example.edu")
KEYS = Keys(CRON_SECRET, API_TOKEN, parse_qs(urlsplit(LINK).query)["token"][0])
OPERATIONS = sum(len(path) for path in description()["paths"].values()) - 1  # the description itself


@pytest.mark.parametrize(
    ("keys", "phases", "examples", "least"),
    # Requests of the phase "coverage" cost six times as much: they are made by bench.fuzz.
    [(KEYS, "examples,fuzzing,stateful", 20, 600), (None, "examples,fuzzing", 4, 60)],
    ids=["with tokens", "a stranger"],
)
def test_no_request_breaks_it_and_every_answer_is_as_described(
    site: Site, tmp_path: Path, keys: Keys | None, phases: str, examples: int, least: int
) -> None:
    found = fuzz(site.url, tmp_path / "fuzz", keys, examples=examples, seed=1, phases=phases)

    assert found.broken == ()
    assert found.is_sound, found.output
    assert found.requests >= least
    assert found.operations == OPERATIONS
