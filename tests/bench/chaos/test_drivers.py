from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from bench.api import Rollcall
from bench.chaos.drivers import Driver, Round, run_checks
from bench.replay.season import Check
from bench.replay.server import ReplayServer

BEFORE, STARTED, LATER = (f"2026-01-15T09:0{minute}:00.000Z" for minute in (0, 1, 2))


class FakeServer(httpx.BaseTransport):
    """A fake HTTP API; `losses` are failures of the first triggers, `observed` the times by section."""

    def __init__(
        self, *losses: str, state: str = "finished", observed: Mapping[str, str | None] = {}
    ) -> None:
        self.losses = list(losses)
        self.state = state
        self.observed = observed
        self.runs: list[dict[str, Any]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "POST":
            return self._trigger(request)
        if path == "/cron/runs":
            return httpx.Response(200, json={"items": self.runs[::-1]}, request=request)
        if path.startswith("/sections/"):
            return httpx.Response(200, json={"observed_at": self.observed[path[-2:]]}, request=request)
        found = next(run for run in self.runs if path.endswith(run["run_id"]))
        return httpx.Response(200, json=found, request=request)

    def _trigger(self, request: httpx.Request) -> httpx.Response:
        loss = self.losses.pop(0) if self.losses else "none"
        if loss == "before":
            raise httpx.ConnectError("refused", request=request)
        stagger = request.url.params["stagger"]
        run: dict[str, Any] = {"run_id": f"r{len(self.runs)}", "state": self.state, "stagger": stagger}
        run |= {"started_at": STARTED, "failed": len(self.observed)}
        self.runs.append(run)
        if loss == "after":
            raise httpx.ReadError("reset", request=request)
        return httpx.Response(202, json=run, request=request)


@contextmanager
def driver(server: FakeServer) -> Iterator[Driver]:
    api = Rollcall("http://rollcall.test", api_token="token", cron_secret="secret", transport=server)
    with ReplayServer({}, "token") as replay:
        yield Driver(api, replay, run_seconds=0)


def rounds(server: FakeServer, *checks: Check) -> list[Round]:
    with driver(server) as tested:
        return run_checks(tested, checks)


def test_each_driver_runs_its_checks_in_order() -> None:
    result = rounds(FakeServer(), Check(0, "even"), Check(1, "odd"), Check(2, "even"))
    assert [(each.check.time_ms, each.run.stagger) for each in result] == [
        (0, "even"),
        (1, "odd"),
        (2, "even"),
    ]


def test_a_trigger_that_did_not_arrive_is_repeated() -> None:
    server = FakeServer("before", "before")
    assert len(rounds(server, Check(0, "even"))) == len(server.runs) == 1


@pytest.mark.parametrize("earlier", [0, 1])
def test_a_run_whose_answer_was_lost_is_followed_and_not_triggered_again(earlier: int) -> None:
    server = FakeServer(*["none"] * earlier, "after")
    result = rounds(server, *(Check(time_ms, "even") for time_ms in range(earlier + 1)))
    assert [each.run.run_id for each in result] == [run["run_id"] for run in server.runs]


def test_what_was_answered_and_not_committed_was_given_up() -> None:
    server = FakeServer(observed={"12": LATER, "14": BEFORE, "16": None})
    with driver(server) as tested:
        tested._server.statuses.update({(section, 0): 200 for section in server.observed})
        tested._server.statuses.update({("18", 0): 404, ("12", 7): 200})
        (result,) = tested.run([Check(0, "even")])
    assert result.given_up == {"14", "16"}


def test_a_driver_stops_at_a_run_that_does_not_end() -> None:
    result = rounds(FakeServer(state="running"), Check(0, "even"), Check(2, "even"))
    assert [each.is_over for each in result] == [False]
