from __future__ import annotations

from pathlib import Path

from observability.health import Severity
from rollcall import environment
from rollcall.job_readings import jobs_finding
from rollcall.settings import parse
from rollcall.wiring import build
from store import migrate
from tests.support.redis_server import running, valkey_binary


def test_health_is_degraded_while_nobody_carries_out_jobs(tmp_path: Path) -> None:
    with running(valkey_binary()) as server:  # heartbeats have one name
        settings = parse({"ROLLCALL_HOME": str(tmp_path), "REDIS_URL": server.url})
        system = build(environment.prepare_home(settings))
        migrate.upgrade(system.database)
        assert jobs_finding(system).severity is Severity.DEGRADED
        system.heartbeats.beat("jobs", "here", {})
        assert jobs_finding(system).severity is Severity.HEALTHY
        system.close()
