"""Polls a family by hand, as the poller does: each unit and what continues it, through one session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from catalogs.family import Answer, Catalog, CatalogRequest, Exchange, Session, Unit
from domain.observation import Observation
from providers.http import HttpResponse
from tests.standins.server import StandIn

AT = datetime(2026, 9, 12, 12, 0, tzinfo=UTC)
Run = Callable[[Exchange[Answer]], Answer]


def answers(catalog: Catalog, units: Iterable[Unit], session: Session, run: Run) -> list[Answer]:
    """The answers to `units` and all their continuations."""

    def asked() -> Iterator[Answer]:
        for unit in units:
            following: Unit | None = unit
            while following is not None:
                answer = run(catalog.fetch(following, session, AT))
                yield answer
                following = answer.continuation

    return list(asked())


def rows(found: Iterable[Answer]) -> list[Observation]:
    return [seen for answer in found for seen in answer.observations]


def numbers(found: Iterable[Answer]) -> list[str]:
    return [seen.key.number for seen in rows(found)]


def directly(standin: StandIn) -> Callable[[CatalogRequest], HttpResponse]:
    """Sends requests to a stand-in without a network, with the cookies that it sets."""
    cookies: dict[str, str] = {}

    def send(request: CatalogRequest) -> HttpResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        path = request.url.removeprefix(standin.url)
        found = standin.answer(request.method, path, headers, request.body)
        assert found is not None
        name, _, value = found.headers.get("Set-Cookie", "").partition(";")[0].partition("=")
        cookies.update({name: value} if name else {})
        named = {"Content-Type": found.media_type, **found.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        return HttpResponse(found.status, found.body, f"HTTP/1.1 {found.status} X\r\n{lines}".encode())

    return send
