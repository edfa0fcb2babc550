"""A process of its own with one breaker, told line by line what to do and at what time.

In:  {"now_ms": 0, "permit": 3} or {"now_ms": 0, "record": [true, null]}, which settles the last permit.
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
        order = json.loads(line)
        now_ms = order["now_ms"]
        if "permit" in order:
            permit = breaker.permit(order["permit"])
        elif permit is not None:
            breaker.record(permit, order["record"])
        answer: dict[str, Any] = {"state": breaker.snapshot().state}
        if permit is not None:
            answer |= {"granted": permit.granted, "retry_after_seconds": permit.retry_after_seconds}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
