"""Schemathesis against a running server: requests made from its own description, answers held against it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ALL_PHASES = "examples,coverage,fuzzing,stateful"
_FAULT = 500
_STATEFUL = "Stateful tests"  # what scenarios over several operations are labelled with
_SETTINGS = """\
[auth.openapi.cron_secret]
bearer = {cron_secret}
[auth.openapi.api_token]
bearer = {api_token}
[[operations]]
include-path = "/unsubscribe"
parameters = {{ "query.token" = {link_token} }}
"""


@dataclass(frozen=True, slots=True)
class Keys:
    """What lets requests in: both bearers, and the token of a link to unsubscribe."""

    cron_secret: str
    api_token: str
    link_token: str


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What came of it; `output` names what failed, with a command that replays each.

    Shape: `statuses` counts the answers by status, `broken` holds the requests that had a 5xx.
    """

    is_sound: bool
    requests: int
    operations: int
    statuses: Counter[int]
    broken: tuple[str, ...]
    output: str


def fuzz(
    url: str, folder: Path, keys: Keys | None, *, examples: int, seed: int, phases: str = ALL_PHASES
) -> Fuzzed:
    """Ask the server at `url`, as a stranger without `keys`; `examples` bounds the cases of an operation.

    Shape: `folder` takes the reports; the same `seed` makes the same cases.
    """
    folder.mkdir()
    settings, events = folder / "settings.toml", folder / "events.ndjson"
    values = {} if keys is None else {name: json.dumps(getattr(keys, name)) for name in keys.__slots__}
    settings.write_text(_SETTINGS.format(**values) if values else "")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings)),
            *("run", f"{url}/openapi.json", "--phases", phases),
            *("--max-examples", str(examples), "--seed", str(seed)),
            *("--report", "ndjson", "--report-ndjson-path", str(events), "--output-sanitize", "false"),
            *("--generation-database", "none", "--no-color", "--warnings", "off"),
            # What only the moment decides (a cursor, a source that is configured) no schema can promise.
            *("--exclude-checks", "positive_data_acceptance"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return _read(events, is_sound=done.returncode == 0, output=done.stdout + done.stderr)


def _read(events: Path, *, is_sound: bool, output: str) -> Fuzzed:
    answered = list(_answered(events)) if events.exists() else []
    return Fuzzed(
        is_sound=is_sound,
        requests=len(answered),
        operations=len({operation for operation, _, _ in answered if operation != _STATEFUL}),
        statuses=Counter(status for _, _, status in answered),
        broken=tuple(request for _, request, status in answered if status >= _FAULT),
        output=output,
    )


def _answered(events: Path) -> Iterator[tuple[str, str, int]]:
    """Each answer: its operation, its request and its status."""
    with events.open() as lines:
        for line in lines:
            recorder: dict[str, Any] = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
            for interaction in recorder.get("interactions", {}).values():
                if interaction.get("response") is not None:
                    request, status = interaction["request"], interaction["response"]["status_code"]
                    yield recorder["label"], f"{request['method']} {request['uri']}", status
