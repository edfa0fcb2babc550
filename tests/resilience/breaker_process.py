"""A process with one breaker that executes one command per line, at the time in the command.

In:  {"now_ms": 0, "permit": 3} or {"now_ms": 0, "record": [true, null]}, for the last permit.
Out: {"granted": 3, "retry_after_seconds": 0.0, "state": "closed"}
"""

from __future__ import annotations

import json
import sys
from typing import Any

import redis

from resilience.breaker import CircuitBreaker


def main(url: str, prefix: str) -> None:
    now_ms = 0
    breaker = CircuitBreaker.shared(
        "scraper", redis.Redis.from_url(url), now_ms=lambda: now_ms, prefix=prefix
    )
    permit = None
    for line in sys.stdin:
        command = json.loads(line)
        now_ms = command["now_ms"]
        if "permit" in command:
            permit = breaker.permit(command["permit"])
        elif permit is not None:
            breaker.record(permit, command["record"])
        answer: dict[str, Any] = {"state": breaker.snapshot().state}
        if permit is not None:
            answer |= {"granted": permit.granted, "retry_after_seconds": permit.retry_after_seconds}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
