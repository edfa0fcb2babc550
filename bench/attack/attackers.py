"""The attackers: a process of its own that holds connections open, or asks without a pause.

python -m bench.attack.attackers KIND HOST:PORT SECONDS
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count

from bench.report import show

Attacker = Callable[[str, int], Awaitable[str]]
PAUSE_SECONDS = 0.25
SLOW_PATHS = ("/webhooks/stripe", "/webhooks/resend", "/unsubscribe", "/watches/import", "/console/sign-in")
_HALF = bytes(250_000)
_next = count()


async def half_sent(host: str, port: int) -> str:
    """Sends most of a large body to a webhook, and never the rest."""
    return await _held(host, port, _post(host, port, "/webhooks/stripe", 262_144) + _HALF)


async def slow_body(host: str, port: int) -> str:
    """Sends a body byte by byte."""
    path = SLOW_PATHS[next(_next) % len(SLOW_PATHS)]
    return await _held(host, port, _post(host, port, path, 60_000), drip=b"x")


async def slow_head(host: str, port: int) -> str:
    """Never ends the head of its request."""
    return await _held(host, port, _head(host, port, "GET /livez") + b"X-A: ", drip=b"a")


async def health(host: str, port: int) -> str:
    """Asks for the public health."""
    return await _held(host, port, _head(host, port, "GET /health") + b"Connection: close\r\n\r\n")


KINDS: dict[str, tuple[Attacker, int]] = {
    "half-sent": (half_sent, 500),
    "slow-body": (slow_body, 1_100),
    "slow-head": (slow_head, 1_100),
    "health": (health, 400),
}


def _post(host: str, port: int, path: str, length: int) -> bytes:
    head = _head(host, port, f"POST {path}")
    return head + f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode()


def _head(host: str, port: int, line: str) -> bytes:
    return f"{line} HTTP/1.1\r\nHost: {host}:{port}\r\n".encode()


async def _held(host: str, port: int, first: bytes, drip: bytes = b"") -> str:
    """Send `first`, then `drip` each second until the other side ends it; the status, or how it ended."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(first)
        answer = asyncio.ensure_future(reader.read(12))
        while not (await asyncio.wait({answer}, timeout=1.0))[0]:
            writer.write(drip)
        return answer.result()[9:12].decode() or "closed"
    finally:
        writer.close()


async def _again_and_again(attacker: Attacker, host: str, port: int, ends: Counter[str]) -> None:
    while True:
        try:
            ends[await attacker(host, port)] += 1
        except OSError as error:
            ends[type(error).__name__] += 1
        await asyncio.sleep(0 if attacker is health else PAUSE_SECONDS)


async def attack(kind: str, host: str, port: int, seconds: float) -> Counter[str]:
    """How often each end came to the attackers of `kind` within `seconds`."""
    attacker, clients = KINDS[kind]
    ends: Counter[str] = Counter()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(_again_and_again(attacker, host, port, ends) for _ in range(clients)))
    return ends


def main() -> None:
    kind, address, seconds = sys.argv[1:]
    host, _, port = address.partition(":")
    show(dict(asyncio.run(attack(kind, host, int(port), float(seconds)))), as_json=True)


if __name__ == "__main__":
    main()
