from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from bench.api import Rollcall
from bench.chaos.lanes import Lane, Round, play
from bench.replay.season import Check
from bench.replay.server import ReplayServer

BEFORE, STARTED, LATER = (f"2026-01-15T09:0{minute}:00.000Z" for minute in (0, 1, 2))


class House(httpx.BaseTransport):
    """What the lanes see; `losses` names what happens to the first triggers, `seen` when sections were."""

    def __init__(self, *losses: str, state: str = "finished", seen: Mapping[str, str | None] = {}) -> None:
        self.losses = list(losses)
        self.state = state
        self.seen = seen
        self.runs: list[dict[str, Any]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "POST":
            return self._trigger(request)
        if path == "/cron/runs":
            return httpx.Response(200, json={"items": self.runs[::-1]}, request=request)
        if path.startswith("/sections/"):
            return httpx.Response(200, json={"observed_at": self.seen[path[-2:]]}, request=request)
        found = next(run for run in self.runs if path.endswith(run["run_id"]))
        return httpx.Response(200, json=found, request=request)

    def _trigger(self, request: httpx.Request) -> httpx.Response:
        loss = self.losses.pop(0) if self.losses else "none"
        if loss == "before":
            raise httpx.ConnectError("refused", request=request)
        stagger = request.url.params["stagger"]
        run: dict[str, Any] = {"run_id": f"r{len(self.runs)}", "state": self.state, "stagger": stagger}
        run |= {"started_at": STARTED, "failed": len(self.seen)}
        self.runs.append(run)
        if loss == "after":
            raise httpx.ReadError("reset", request=request)
        return httpx.Response(202, json=run, request=request)


@contextmanager
def lane(house: House) -> Iterator[Lane]:
    api = Rollcall("http://rollcall.test", api_token="token", cron_secret="secret", transport=house)
    with ReplayServer({}, "token") as server:
        yield Lane(api, server, run_seconds=0)


def rounds(house: House, *checks: Check) -> list[Round]:
    with lane(house) as its_lane:
        return play(its_lane, checks)


def test_each_lane_plays_its_checks_in_order() -> None:
    played = rounds(House(), Check(0, "even"), Check(1, "odd"), Check(2, "even"))
    assert [(each.check.time_ms, each.run.stagger) for each in played] == [
        (0, "even"),
        (1, "odd"),
        (2, "even"),
    ]


def test_a_trigger_that_did_not_arrive_is_repeated() -> None:
    house = House("before", "before")
    assert len(rounds(house, Check(0, "even"))) == len(house.runs) == 1


@pytest.mark.parametrize("earlier", [0, 1])
def test_a_run_whose_answer_was_lost_is_followed_and_not_triggered_again(earlier: int) -> None:
    house = House(*["none"] * earlier, "after")
    played = rounds(house, *(Check(time_ms, "even") for time_ms in range(earlier + 1)))
    assert [each.run.run_id for each in played] == [run["run_id"] for run in house.runs]


def test_what_was_answered_and_not_kept_was_given_up() -> None:
    house = House(seen={"12": LATER, "14": BEFORE, "16": None})
    with lane(house) as its_lane:
        its_lane._server.told.update({(section, 0): 200 for section in house.seen})
        its_lane._server.told.update({("18", 0): 404, ("12", 7): 200})
        (played,) = its_lane.play([Check(0, "even")])
    assert played.given_up == {"14", "16"}


def test_a_lane_stops_at_a_run_that_does_not_end() -> None:
    played = rounds(House(state="running"), Check(0, "even"), Check(2, "even"))
    assert [each.is_over for each in played] == [False]
