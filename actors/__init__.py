"""The work: one file a queue, each actor a function of its services and its message."""

from __future__ import annotations

from typing import Any

from actors.alert import ping, tell
from actors.check import check
from actors.deliver import deliver
from actors.dispatch import dispatch
from actors.registry import ActorSpec

ACTORS: tuple[ActorSpec[Any], ...] = (dispatch, check, deliver, tell, ping)
QUEUES: tuple[str, ...] = tuple(dict.fromkeys(spec.queue for spec in ACTORS))

__all__ = ["ACTORS", "QUEUES"]
