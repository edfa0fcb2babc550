from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import redis

from actors.services import JobPorts
from domain.job import Profile
from scheduling.runner import condense_history
from tests.support.house import house, sqlite_url
from workflows.catalog import CATALOG


def test_the_history_is_condensed_once_a_day_however_often_a_scheduler_asks(
    tmp_path: Path, redis_client: redis.Redis, prefix: str
) -> None:
    with house(sqlite_url(tmp_path), redis_client, prefix) as found:
        services = replace(found.services, jobs=JobPorts(CATALOG))
        for _ in range(2):
            condense_history(services)
        (job,) = services.store.jobs.page(None, 10)[0]
        assert (job.kind, job.profile, job.given) == ("condense", Profile.BATCH, {})

        found.clock.advance(86_400)
        condense_history(services)
        assert len(services.store.jobs.page(None, 10)[0]) == 2
