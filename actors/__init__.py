"""The actors by subject; each is a function of its services and its message."""

from __future__ import annotations

from typing import Any

from actors.alert import ping, send_alerts
from actors.catalog_drill import drill
from actors.check import check
from actors.deliver import deliver
from actors.dispatch import dispatch
from actors.jobs import START, cancel_job, resume_job, send_callbacks
from actors.poll import poll
from actors.registry import ActorSpec

WORKER_ACTORS: tuple[ActorSpec[Any], ...] = (dispatch, check, poll, drill, deliver, send_alerts, ping)
ACTORS = (*WORKER_ACTORS, *START.values(), cancel_job, resume_job, send_callbacks)


def queues_of(*actors: ActorSpec[Any]) -> tuple[str, ...]:
    """Return the queues that `actors` consume."""
    return tuple(dict.fromkeys(spec.queue for spec in actors))


QUEUES = queues_of(*ACTORS)
WORKER_QUEUES = queues_of(*WORKER_ACTORS)

__all__ = ["ACTORS", "QUEUES", "WORKER_ACTORS", "WORKER_QUEUES"]
