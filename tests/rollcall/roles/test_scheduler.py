from __future__ import annotations

from pathlib import Path

from tests.support.stack import stack, wait_until


def test_without_timed_checks_the_history_is_condensed_all_the_same(tmp_path: Path) -> None:
    with stack(tmp_path / "home", {"SCHEDULER": "off"}) as running:
        wait_until(
            lambda: [job["kind"] for job in running.get("/jobs").json()["items"]] == ["condense"],
            "the job that condenses the history",
        )
        assert running.get("/cron/runs").json()["items"] == []
