from __future__ import annotations

from domain.errors import UnreachableError
from observability.checks.snapshot import Server, Unavailable


def test_a_server_that_cannot_be_reached_is_asked_once() -> None:
    server, asked = Server(), list[str]()

    def ask(name: str, error: Exception | None = None) -> str:
        asked.append(name)
        if error is not None:
            raise error
        return name

    assert server.read(lambda: ask("first")) == "first"
    assert server.read(lambda: ask("odd", ValueError("odd"))) == Unavailable("ValueError: odd")
    away = server.read(lambda: ask("second", UnreachableError("silent")))
    assert away == Unavailable("UnreachableError: silent")
    assert server.read(lambda: ask("third")) == away
    assert asked == ["first", "odd", "second"]
