from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis

from resilience.lease import Lease
from rollcall.wiring import CRON_LEASE
from tests.rollcall.cli.conftest import Command

Rows = Callable[..., Any]


def test_the_lease_is_released_once_and_that_is_recorded(
    run: Command, rows: Rows, client: redis.Redis
) -> None:
    Lease(client, CRON_LEASE, 60).acquire("run 1", {"host": "a"})
    assert run("lock", "release").stdout == "Released the cron lease; host a held it.\n"
    assert run("lock", "release").stdout == "The cron lease was not held.\n"
    found = rows("audit", "ls", "--action", "lease.release")
    assert [(row["subject"], row["detail"]) for row in found] == [
        ("lease/section-checks", {"holder": {"host": "a"}})
    ]
