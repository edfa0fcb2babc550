"""The embedded Valkey, served for a benchmark alone, and what was asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from bench.deadline import poll
from bench.programs import Programs
from bench.stack import clean_environment
from rollcall import embedded

START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counts since the server started: reads from sockets, and commands of clients and of scripts."""

    round_trips: int
    commands: int

    def __sub__(self, earlier: Traffic) -> Traffic:
        return Traffic(self.round_trips - earlier.round_trips, self.commands - earlier.commands)


class Valkey:
    """The server that `rollcall up` embeds, as durable as there, as a program named `valkey`."""

    def __init__(self, programs: Programs, home: Path) -> None:
        self.url = embedded.redis_url(home)
        command = embedded.command(home)
        programs.start("valkey", command, folder=home, environment=clean_environment(home))
        poll(lambda: embedded.is_answering(home) or None, seconds=START_SECONDS, what="Valkey's start")
        self._client: redis.Redis = redis.Redis.from_url(self.url)

    def traffic(self) -> Traffic:
        """What was asked until now."""
        statistics: dict[str, Any] = self._client.info("stats")
        commands: dict[str, dict[str, Any]] = self._client.info("commandstats")
        calls = sum(int(command["calls"]) for command in commands.values())
        return Traffic(int(statistics["total_reads_processed"]), calls)
