from __future__ import annotations

import json
import os

import pytest

from bench.detection.__main__ import main
from bench.replay.system import DATA


@pytest.mark.skipif(
    not DATA.exists() and os.environ.get("CI") != "true", reason=f"the recorded season is not at {DATA}"
)
def test_the_stagger_has_the_known_figures_and_the_budgeted_schedule_is_better(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["--data", str(DATA), "--seeds", "4", "--json"])
    rows = {(row["period"], row["schedule"]): row for row in json.loads(capsys.readouterr().out)}
    stagger = rows["whole", "stagger"]
    assert (stagger["openings"], round(stagger["caught_percent"], 1)) == (986, 92.8)
    assert round(stagger["median_minutes"], 1) == 29.5
    stagger, budgeted = rows["second half", "stagger"], rows["second half", "rollcall"]
    assert budgeted["requests"] <= stagger["requests"]
    assert (round(stagger["caught_percent"], 1), round(stagger["median_minutes"], 1)) == (92.3, 30.5)
    assert budgeted["lowest_percent"] > stagger["highest_percent"] + 1
    assert budgeted["caught_percent"] > 94.5
    assert budgeted["median_minutes"] < 15
    assert budgeted["max_interval_hours"] <= 3
