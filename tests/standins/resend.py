"""A stand-in for Resend: its HTTP API's wire format on loopback, with faults on request.

In a test:      with ResendStandIn() as resend: ... resend.url, resend.mails
As a program:   python -m tests.standins.resend --port 8701

Control, without a key:
    GET    /control/mails   [{"id", "key", "at", "from", "to", "subject", "text", "html", "headers"}]
    GET    /control/stats   {"requests", "accepted", "replayed", "answers": {status: n}, "faults": {kind: n}}
    PUT    /control/faults  {"seed": 7, "rules": [{"kind", "times"?, "probability"?, ...}]}
    POST   /control/reset   forget mails, keys, faults and counts

A rule fires on a request to /emails or /emails/batch with its probability (default 1), until it has fired
`times` times (default: for ever). Kinds:
    "error"        answer `status` (500) with `name` (application_error) and `message`, and take nothing
    "rate_limit"   429, with `retry_after` seconds (1)
    "garble"       200 and HTML, before anything is taken
    "lose_answer"  take the mails, then drop the connection
    "miscount"     take the mails, and leave the last id out of the answer
    "refuse"       find the mails at `indexes` ([0]) invalid
    "hang"         wait `seconds` (60) before going on
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import random
import re
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

BATCH_LIMIT = 100
KEY_SECONDS = 24 * 3600
_ADDRESS = re.compile(r"(?:.*<)?[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+>?")


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    def __init__(self, status: int, name: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.name, self.message = status, name, message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class Rule:
    kind: str
    times: int | None = None
    probability: float = 1.0
    status: int = 500
    name: str = "application_error"
    message: str = "Something went wrong."
    retry_after: float = 1
    indexes: list[int] = field(default_factory=lambda: [0])
    seconds: float = 60

    def fires(self, dice: random.Random) -> bool:
        if self.times == 0 or dice.random() >= self.probability:
            return False
        self.times = None if self.times is None else self.times - 1
        return True


@dataclass
class Remembered:
    """What a key was first used for; `answer` is None while that request is under way."""

    digest: str
    at: float
    answer: dict[str, Any] | None = None


class ResendStandIn:
    """The server and its memory, in one event loop; `mails` and `stats` may be read from outside."""

    def __init__(
        self,
        port: int = 0,
        api_key: str = "re_test",
        requests_per_second: int = 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.port, self.api_key, self._now = port, api_key, now
        self.domains, self.may_only_send = {"example.edu": "verified"}, False
        self._per_second = requests_per_second
        self.reset()

    def reset(self) -> None:
        self.mails: list[dict[str, Any]] = []
        self.stats: dict[str, Any] = {"requests": 0, "accepted": 0, "replayed": 0}
        self.answers: Counter[str] = Counter()
        self.fired: Counter[str] = Counter()
        self._keys: dict[str, Remembered] = {}
        self._window = (0, 0)
        self.fault()

    def fault(self, *rules: dict[str, Any], seed: int = 0) -> None:
        """Replace the rules in force; none at all means none."""
        self._rules, self._dice = [Rule(**rule) for rule in rules], random.Random(seed)  # noqa: S311

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # --- the server -------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_post("/emails/batch", self._batch)
        app.router.add_post("/emails", self._single)
        app.router.add_get("/domains", self._domains)
        app.router.add_get("/control/mails", self._show_mails)
        app.router.add_get("/control/stats", self._show_stats)
        app.router.add_put("/control/faults", self._set_faults)
        app.router.add_post("/control/reset", self._do_reset)
        return app

    def __enter__(self) -> Self:
        started = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(started),), daemon=True)
        self._thread.start()
        if not started.wait(10):
            raise TimeoutError("the stand-in did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self, started: threading.Event | None = None) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        self.port = runner.addresses[0][1]
        if started:
            started.set()
        else:
            sys.stdout.write(f"listening on {self.url}\n")
            sys.stdout.flush()
        try:
            await self._stop.wait()
        finally:
            await runner.cleanup()

    # --- the API ----------------------------------------------------------------------------------------

    async def _batch(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, batch=True)

    async def _single(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, batch=False)

    async def _domains(self, request: web.Request) -> web.Response:
        try:
            self._admit(request, needs_full_access=True)
        except Refusal as refusal:
            return _refused(refusal, self._limits())
        found = [
            {"id": str(uuid.uuid4()), "name": name, "status": status, "region": "us-east-1"}
            for name, status in self.domains.items()
        ]
        return web.json_response({"object": "list", "has_more": False, "data": found})

    async def _answer(self, request: web.Request, *, batch: bool) -> web.StreamResponse:
        self.stats["requests"] += 1
        fired = {rule.kind: rule for rule in self._rules if rule.fires(self._dice)}
        self.fired.update(fired.keys())
        try:
            self._admit(request)
            mails = _mails(await request.read(), batch=batch)
            answer = await self._once(request, mails, fired, batch=batch)
            response = web.json_response(answer, headers=self._limits())
        except Refusal as refusal:
            response = _refused(refusal, self._limits())
        if "garble" in fired:
            response = web.Response(text="<!DOCTYPE html><title>One moment</title>", content_type="text/html")
        if "lose_answer" in fired and request.transport:
            request.transport.abort()
        self.answers[str(response.status)] += 1
        return response

    def _admit(self, request: web.Request, *, needs_full_access: bool = False) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if not request.headers.get("User-Agent"):
            raise Refusal(403, "1010", "error code: 1010")
        if scheme != "Bearer" or not key:
            raise Refusal(401, "missing_api_key", "Missing API key in the authorization header.")
        if key != self.api_key:
            raise Refusal(403, "invalid_api_key", "API key is invalid.")
        if needs_full_access and self.may_only_send:
            raise Refusal(401, "restricted_api_key", "This API key is restricted to only send emails.")
        second = int(self._now())
        self._window = (second, self._window[1] + 1 if self._window[0] == second else 1)
        if self._per_second and self._window[1] > self._per_second:
            raise Refusal(429, "rate_limit_exceeded", "Too many requests.", retry_after="1")

    def _limits(self) -> dict[str, str]:
        limit = self._per_second or 1000
        left = max(0, limit - self._window[1])
        return {"ratelimit-limit": str(limit), "ratelimit-remaining": str(left), "ratelimit-reset": "1"}

    async def _once(
        self, request: web.Request, mails: list[dict[str, Any]], fired: dict[str, Rule], *, batch: bool
    ) -> dict[str, Any]:
        """The answer to a key's first request, given again to every later one with the same payload."""
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return await self._take(request, mails, fired, batch=batch)
        if not 1 <= len(key) <= 256:
            raise Refusal(400, "invalid_idempotency_key", "The key must be between 1-256 chars.")
        digest = hashlib.sha256(json.dumps(mails, sort_keys=True).encode()).hexdigest()
        first = self._keys.get(key)
        if first and first.at > self._now() - KEY_SECONDS:
            return self._replay(first, digest, fired)
        self._keys[key] = first = Remembered(digest, self._now())
        try:
            first.answer = await self._take(request, mails, fired, batch=batch)
        finally:
            if first.answer is None and self._keys.get(key) is first:
                del self._keys[key]
        return first.answer

    def _replay(self, first: Remembered, digest: str, fired: dict[str, Rule]) -> dict[str, Any]:
        if first.answer is None:
            message = "Same idempotency key used while original request is still in progress."
            raise Refusal(409, "concurrent_idempotent_requests", message)
        if first.digest != digest:
            message = "Same idempotency key used with a different request payload."
            raise Refusal(409, "invalid_idempotent_request", message)
        _fail(fired)
        self.stats["replayed"] += 1
        return first.answer

    async def _take(
        self, request: web.Request, mails: list[dict[str, Any]], fired: dict[str, Rule], *, batch: bool
    ) -> dict[str, Any]:
        if "hang" in fired:
            await asyncio.sleep(fired["hang"].seconds)
        _fail(fired)
        refused = _problems(mails, fired)
        is_permissive = batch and request.headers.get("x-batch-validation") == "permissive"
        if refused and not is_permissive:
            raise Refusal(422, "validation_error", next(iter(refused.values())))
        if "garble" in fired:
            return {}
        key = request.headers.get("Idempotency-Key")
        taken = [self._keep(mail, key) for index, mail in enumerate(mails) if index not in refused]
        if not batch:
            return taken[0]
        errors = [{"index": index, "message": message} for index, message in refused.items()]
        answer: dict[str, Any] = {"data": taken[:-1] if "miscount" in fired else taken}
        return answer | ({"errors": errors} if is_permissive else {})

    def _keep(self, mail: dict[str, Any], key: str | None) -> dict[str, str]:
        identity = str(uuid.uuid4())
        self.mails.append({"headers": {}, **mail, "id": identity, "key": key, "at": self._now()})
        self.stats["accepted"] += 1
        return {"id": identity}

    # --- control ----------------------------------------------------------------------------------------

    async def _show_mails(self, _: web.Request) -> web.Response:
        return web.json_response(self.mails)

    async def _show_stats(self, _: web.Request) -> web.Response:
        return web.json_response({**self.stats, "answers": self.answers, "faults": self.fired})

    async def _set_faults(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        try:
            self.fault(*wanted.get("rules", ()), seed=wanted.get("seed", 0))
        except TypeError as error:
            return web.json_response({"message": str(error)}, status=422)
        return web.json_response({"rules": len(self._rules)})

    async def _do_reset(self, _: web.Request) -> web.Response:
        self.reset()
        return web.json_response({})


def signed(
    secret: str, event: dict[str, Any], at: float, event_id: str = "msg_1"
) -> tuple[bytes, dict[str, str]]:
    """The body and svix headers of a webhook, as Resend would send `event` at `at` (Unix seconds)."""
    body = json.dumps(event).encode()
    content = f"{event_id}.{int(at)}.".encode() + body
    mac = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), content, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(mac).decode()}"
    return body, {"svix-id": event_id, "svix-timestamp": str(int(at)), "svix-signature": signature}


def _refused(refusal: Refusal, limits: dict[str, str]) -> web.Response:
    body = {"statusCode": refusal.status, "name": refusal.name, "message": refusal.message}
    return web.json_response(body, status=refusal.status, headers={**limits, **refusal.headers})


def _mails(body: bytes, *, batch: bool) -> list[dict[str, Any]]:
    try:
        parsed = json.loads(body)
    except ValueError as error:
        raise Refusal(400, "validation_error", "The request body is not valid JSON.") from error
    mails = parsed if batch else [parsed]
    if not isinstance(mails, list) or not all(isinstance(mail, dict) for mail in mails):
        raise Refusal(422, "validation_error", "The request body has the wrong shape.")
    if not 1 <= len(mails) <= BATCH_LIMIT:
        raise Refusal(422, "validation_error", f"A batch holds 1 to {BATCH_LIMIT} emails.")
    return mails


def _fail(fired: dict[str, Rule]) -> None:
    if rule := fired.get("error"):
        raise Refusal(rule.status, rule.name, rule.message)
    if rule := fired.get("rate_limit"):
        wait = f"{rule.retry_after:g}"
        raise Refusal(
            429, "rate_limit_exceeded", "Too many requests.", retry_after=wait, ratelimit_reset=wait
        )


def _problems(mails: list[dict[str, Any]], fired: dict[str, Rule]) -> dict[int, str]:
    scripted = fired["refuse"].indexes if "refuse" in fired else []
    found = {index: _problem(mail) for index, mail in enumerate(mails)}
    found |= {index: "Refused by the script." for index in scripted if index < len(mails)}
    return {index: problem for index, problem in found.items() if problem}


def _problem(mail: dict[str, Any]) -> str | None:
    for name in ("from", "to", "subject"):
        if not mail.get(name):
            return f"Missing `{name}` field."
    if not mail.get("html") and not mail.get("text"):
        return "Missing `html` or `text` field."
    to = [mail["to"]] if isinstance(mail["to"], str) else mail["to"]
    if len(to) > 50 or not all(_ADDRESS.fullmatch(address) for address in to):
        return "Invalid `to` field. The email address needs to follow the `email@example.com` format."
    if not _ADDRESS.fullmatch(mail["from"]):
        return "Invalid `from` field. The email address needs to follow the `email@example.com` format."
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for Resend on loopback")
    parser.add_argument("--port", type=int, default=8701)
    parser.add_argument("--api-key", default="re_test")
    parser.add_argument("--requests-per-second", type=int, default=0, help="0: no limit")
    options = parser.parse_args()
    standin = ResendStandIn(options.port, options.api_key, options.requests_per_second)
    asyncio.run(standin._serve())


if __name__ == "__main__":
    main()
