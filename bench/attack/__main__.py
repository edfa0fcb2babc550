"""What unauthenticated load does to probes and students, and what it costs the web role.

    python -m bench.attack [--watches N] [--seconds S] [--attack KIND …] [--direct] [--json]

Starts a Valkey, `rollcall web` and Caddy with deploy/Caddyfile on loopback, on a database with N watches.
Each attack runs for S seconds while one client asks /livez, /readyz and /unsubscribe, on new connections:
500 half-sent webhooks, 1,100 slow bodies, 1,100 slow heads, 400 clients of /health, and a Valkey that is
stopped (SIGSTOP) under 400 clients of /health. Exits with 1 when a limit does not hold: an answer within a
second (p99) for each path, the memory limit of the unit, no traceback in the log.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread
from urllib.parse import urlsplit

import psutil

from bench.attack.attackers import KINDS
from bench.programs import Programs, end_on_sigterm, free_port
from bench.report import Figure, show
from bench.stack import ROOT, Stack, clean_environment, temporary_home
from bench.usage import MEBIBYTE
from bench.valkey import Valkey
from domain.section import SectionKey
from notifications.unsubscribe_links import UnsubscribeLinks
from store.database import Database
from store.watch_import import WatchRequest
from store.watches import Watches

LIMIT_SECONDS, LIMIT_MB = 1.0, 192.0
SECRET = "a secret of the attack benchmark"  # noqa: S105 - both of its ends are the benchmark's
FILES = 1024  # what a process may open where nothing has raised it
ROWS_AT_ONCE = 20_000
ATTACKS = (*KINDS, "silent-redis")


def main() -> None:
    end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--watches", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--attack", action="append", choices=ATTACKS)
    parser.add_argument("--direct", action="store_true", help="without Caddy, which holds much back")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    held = True
    for kind in options.attack or ATTACKS:
        report, is_held = suffered(kind, options)
        held &= is_held
        show({"attack": kind, **report}, as_json=options.json)
        print()
    sys.exit(0 if held else 1)


def suffered(kind: str, options: argparse.Namespace) -> tuple[dict[str, Figure], bool]:
    """The figures of one attack on a fresh web role, and whether every limit held."""
    with temporary_home() as home, Programs(home / "logs") as programs:
        is_direct = options.direct or kind == "slow-head"  # Caddy forwards whole heads alone
        front = started(programs, home, options.watches, is_direct=is_direct)
        web = programs.processes("web")[0]
        with watched(web) as peak, asked(front) as seconds:
            ends = attacked(kind, front, options.seconds, programs)
        log = (home / "logs" / "web.log").read_text(errors="replace")
        paths = {path: figures(found) for path, found in seconds.items()}
        tracebacks = log.count("Traceback")
        report: dict[str, Figure] = {
            **{
                f"{path}_p50_p99_max_seconds": " ".join(f"{x:.3f}" for x in found)
                for path, found in paths.items()
            },
            "asked": {path: float(len(found)) for path, found in seconds.items()},
            "web_peak_rss_mb": peak["rss"] / MEBIBYTE,
            "web_peak_descriptors": peak["descriptors"],
            "tracebacks": float(tracebacks),
            "attackers_ends": ends,
        }
        is_fast = all(p99 < LIMIT_SECONDS for _, p99, _ in paths.values())
        return report, is_fast and not tracebacks and peak["rss"] / MEBIBYTE < LIMIT_MB


def started(programs: Programs, home: Path, watches: int, *, is_direct: bool) -> str:
    """The address to attack, host and port, once everything behind it serves."""
    valkey_home = home / "valkey-home"
    valkey_home.mkdir()
    redis_url = Valkey(programs, valkey_home).url
    stack = Stack(programs, home, {"REDIS_URL": redis_url, "UNSUBSCRIBE_SECRET": SECRET,
                                   "STRIPE_WEBHOOK_SECRET": "whsec_attack"})  # fmt: skip
    fill(home, stack, watches)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
    stack.start("web")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    stack.wait_until_ready("web")
    if is_direct:
        return urlsplit(stack.url).netloc
    front = f"127.0.0.1:{free_port()}"
    environment = clean_environment(home) | {
        "ROLLCALL_DOMAIN": f"http://{front}",
        "ROLLCALL_UPSTREAM": urlsplit(stack.url).netloc,
        "CADDY_ADMIN": f"unix/{home / 'admin.sock'}",
    }
    command: list[str | Path] = [
        "caddy",
        "run",
        "--config",
        ROOT / "deploy/Caddyfile",
        "--adapter",
        "caddyfile",
    ]
    programs.start("caddy", command, folder=home, environment=environment)
    programs.wait_for("caddy", f"http://{front}/livez")
    return front


def fill(home: Path, stack: Stack, watches: int) -> None:
    """Put `watches` into the database, many of each section."""
    stack.install()
    database = Database(f"sqlite:///{home / 'var' / 'rollcall.db'}")
    store = Watches(database)
    for first in range(0, watches, ROWS_AT_ONCE):
        numbers = range(first, min(first + ROWS_AT_ONCE, watches))
        store.add_all([WatchRequest(f"s{n}@example.edu", _section(n)) for n in numbers], datetime.now(UTC))
    database.close()


def _section(number: int) -> SectionKey:
    return SectionKey("campus", "2261", str(10_000 + number % 9_000))


def attacked(kind: str, front: str, seconds: float, programs: Programs) -> dict[str, float]:
    """How the attackers' requests ended."""
    is_silent = kind == "silent-redis"
    valkey = programs.processes("valkey")[0]
    if is_silent:
        valkey.send_signal(signal.SIGSTOP)
    try:
        command = [
            sys.executable,
            "-m",
            "bench.attack.attackers",
            "health" if is_silent else kind,
            front,
            str(seconds),
        ]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    finally:
        if is_silent:
            valkey.send_signal(signal.SIGCONT)
    found: dict[str, float] = json.loads(done.stdout)
    return found


@contextmanager
def watched(process: psutil.Process) -> Iterator[dict[str, float]]:
    """The most that `process` holds during the block."""
    peak = {"rss": 0.0, "descriptors": 0.0}
    finished = Event()

    def update() -> None:
        while not finished.wait(0.1):
            peak["rss"] = max(peak["rss"], process.memory_info().rss)
            peak["descriptors"] = max(peak["descriptors"], process.num_fds())

    with _thread(update, finished):
        yield peak


@contextmanager
def asked(front: str) -> Iterator[dict[str, list[float]]]:
    """How long each answer took during the block, by path; what is not answered counts as a minute."""
    link = urlsplit(UnsubscribeLinks("http://x", SECRET).stop_everything("s1@example.edu"))
    paths = {"/livez": "/livez", "/readyz": "/readyz", "/unsubscribe": f"{link.path}?{link.query}"}
    seconds: dict[str, list[float]] = {name: [] for name in paths}
    finished = Event()

    def ask(name: str) -> None:
        while not finished.wait(0.1):
            begun = time.monotonic()
            is_answered = _is_answered(front, paths[name])
            seconds[name].append(time.monotonic() - begun if is_answered else 60.0)

    with (
        _thread(lambda: ask("/livez"), finished),
        _thread(lambda: ask("/readyz"), finished),
        _thread(lambda: ask("/unsubscribe"), finished),
    ):
        yield seconds


def _is_answered(front: str, path: str) -> bool:
    connection = HTTPConnection(front, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        return False
    else:
        return answer.status == 200 or (path == "/readyz" and answer.status == 503)  # noqa: PLR2004
    finally:
        connection.close()


@contextmanager
def _thread(work: object, finished: Event) -> Iterator[None]:
    thread = Thread(target=work, daemon=True)  # type: ignore[arg-type]
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def figures(seconds: list[float]) -> tuple[float, float, float]:
    """The median, the 99th percentile and the maximum."""
    cuts = quantiles(seconds or [60.0, 60.0], n=100, method="inclusive") if len(seconds) > 1 else [60.0] * 99
    return cuts[49], cuts[98], max(seconds, default=60.0)


if __name__ == "__main__":
    main()
