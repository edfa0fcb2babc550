"""Fuzzes a running web role from its OpenAPI description, with and without tokens.

Exits with 1 on a 5xx, on a response that the description does not allow, and after too few requests.
"""

from __future__ import annotations

import argparse
import base64
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from bench.programs import Programs, end_on_sigterm
from bench.report import Report, show
from bench.stack import Stack, temporary_home
from bench.valkey import Valkey
from notifications.unsubscribe_links import UnsubscribeLinks
from tests.ingress.fuzzer import Fuzzed, Keys, fuzz


def main() -> int:
    end_on_sigterm()
    options = _options()
    found: list[Fuzzed] = []
    with temporary_home(keep=options.keep) as home, Programs(home / "logs") as programs:
        url, keys = _serve(programs, home)
        for name, given in (("known", keys), ("anonymous", None)):
            found.append(fuzz(url, home / name, given, examples=options.examples, seed=options.seed))
        programs.require_running()
    requests = sum(each.requests for each in found)
    is_sound = all(each.is_sound and not each.broken for each in found)
    _show(found, seed=options.seed, as_json=options.json)
    return 0 if is_sound and requests >= options.requests else 1


def _serve(programs: Programs, home: Path) -> tuple[str, Keys]:
    """Start a web role and a worker over SQLite and Valkey; return the URL and the credentials."""
    cron, api, signing = (secrets.token_urlsafe(32) for _ in range(3))
    settings = {
        "REDIS_URL": Valkey(programs, home).url,
        "CRON_SECRET": cron,
        "API_TOKEN": api,
        "UNSUBSCRIBE_SECRET": signing,
        "RESEND_WEBHOOK_SECRET": "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_urlsafe(24)}",
    }
    stack = Stack(programs, home, settings)
    stack.start("web")
    stack.wait_until_ready("web")
    stack.start("worker")
    programs.wait_for("worker", f"{stack.url}/health")  # it is 503 without a worker
    link = UnsubscribeLinks(stack.url, signing).stop_everything("ada@example.edu")
    token = parse_qs(urlsplit(link).query)["token"][0]
    return stack.url, Keys(cron, api, token)


def _show(found: Sequence[Fuzzed], *, seed: int, as_json: bool) -> None:
    statuses: dict[str, float] = {}
    for each in found:
        for status, count in each.statuses.items():
            name = f"{status // 100}xx"
            statuses[name] = statuses.get(name, 0) + count
    broken = [request for each in found for request in each.broken]
    figures: Report = {
        "requests": sum(each.requests for each in found),
        "requests_of_a_stranger": found[-1].requests,
        "operations": max(each.operations for each in found),
        "statuses": statuses,
        "server_errors": len(broken),
        "seed": seed,
    }
    show(figures, as_json=as_json)
    for each in found:
        if not each.is_sound:
            print(each.output, file=sys.stderr)
    print(*broken, sep="\n", end="\n" * bool(broken), file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=5000, help="minimum number of requests")
    parser.add_argument("--examples", type=int, default=150, help="maximum number of cases per operation")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="the seed of the cases")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--keep", action="store_true", help="keep state, logs and reports")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
