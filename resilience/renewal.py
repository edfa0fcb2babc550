"""Keeping a lease alive while its holder works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from domain.errors import UnreachableError


@contextmanager
def keep_renewed(renew: Callable[[], bool], every_seconds: float) -> Iterator[None]:
    """Call `renew` every `every_seconds` for the length of the block, or until it says that all is lost.

    An attempt that does not reach the server is made again at the next turn: at a third of the time to
    live there are two turns left. Nobody is told of the loss: what the lease protects refuses the fence.
    """
    done = threading.Event()
    thread = threading.Thread(target=_renew, args=(renew, every_seconds, done), name="renewal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _renew(renew: Callable[[], bool], every_seconds: float, done: threading.Event) -> None:
    while not done.wait(every_seconds):
        try:
            if not renew():
                return
        except UnreachableError:
            continue
