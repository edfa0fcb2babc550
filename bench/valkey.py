"""The embedded Valkey as a server of one benchmark: traffic counts, restarts, flushes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from bench.programs import Programs, poll
from bench.stack import clean_environment
from rollcall import embedded_valkey

START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counts since the server started: reads from sockets, and commands of clients and of scripts."""

    round_trips: int
    commands: int

    def __sub__(self, earlier: Traffic) -> Traffic:
        return Traffic(self.round_trips - earlier.round_trips, self.commands - earlier.commands)


class Valkey:
    """The server that `rollcall up` embeds, with the same durability, as a separate program.

    Shape: `url` stays the same over restarts.
    """

    def __init__(self, programs: Programs, home: Path, name: str = "valkey") -> None:
        self.url = embedded_valkey.redis_url(home)
        self._programs = programs
        self._home = home
        self._name = name
        self._client: redis.Redis = redis.Redis.from_url(self.url)
        self.start()

    def start(self) -> None:
        """Serve what the append-only file holds."""
        command, environment = embedded_valkey.command(self._home), clean_environment(self._home)
        self._programs.start(self._name, command, folder=self._home, environment=environment)
        poll(
            lambda: embedded_valkey.is_answering(self._home) or None,
            seconds=START_SECONDS,
            what="Valkey's start",
        )

    def kill(self) -> None:
        """End it with SIGKILL; what it has not written to disk is lost."""
        self._programs.kill(self._name)

    def flush(self) -> None:
        """Delete everything."""
        self._client.flushall()

    def traffic(self) -> Traffic:
        """The counts so far."""
        statistics: dict[str, Any] = self._client.info("stats")
        commands: dict[str, dict[str, Any]] = self._client.info("commandstats")
        calls = sum(int(command["calls"]) for command in commands.values())
        return Traffic(int(statistics["total_reads_processed"]), calls)
