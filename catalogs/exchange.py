"""Drives an exchange by hand: one response after the other. `catalogs.client` adds manners and sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from catalogs.family import CatalogRequest, Exchange
from providers.http import HttpResponse

T = TypeVar("T")


def run_exchange(exchange: Exchange[T], send: Callable[[CatalogRequest], HttpResponse]) -> T:
    """The result of `exchange` over `send`. Raises: as `send` and the exchange."""
    try:
        request = next(exchange)
        while True:
            try:
                response = send(request)
            except Exception as error:  # noqa: BLE001 - the exchange may clean up, and decides what it means
                request = exchange.throw(error)
            else:
                request = exchange.send(response)
    except StopIteration as ended:
        result: T = ended.value
        return result
