from __future__ import annotations

import json

import pytest

from bench.report import Report, show

REPORT: Report = {
    "checks": 6924,
    "ratio_to_limit": 0.9612,
    "pss_mb": {"web": 41.04, "worker": 52.0},
    "missed": "nothing",
}


def test_people_get_an_aligned_table(capsys: pytest.CaptureFixture[str]) -> None:
    show(REPORT, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "checks          6,924",
        "ratio to limit  0.961",
        "pss mb          web 41.0, worker 52.0",
        "missed          nothing",
    ]


def test_machines_get_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    show(REPORT, as_json=True)
    assert json.loads(capsys.readouterr().out) == REPORT
