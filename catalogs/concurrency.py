"""A concurrency limit that the threads of a process share."""

from __future__ import annotations

from threading import Lock, get_ident


class ConcurrencyLimiter:
    """At most `limit` slots are held, over all threads; each thread says how many it wants in total.

    What a thread holds is one number under its name, not a balance of takes and returns: an interrupt
    between any two bytecodes can leave it outdated, but the thread's next claim sets it right. Plain locks
    for the same reason: an interrupt inside a Condition may leave it locked for ever.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[int, int] = {}
        self._lock = Lock()
        self._gate = Lock()  # locked: nothing is free
        self._gate.acquire()
        self.is_closed = False

    def claim(self, wanted: int) -> int:
        """How many slots the calling thread holds from now on: `wanted`, or as many as the others leave it.

        What it already holds it keeps, as far as it wants it still.

        Raises: RuntimeError after `close`.
        """
        if self.is_closed:
            raise RuntimeError("it is closed")
        me = get_ident()
        with self._lock:
            held = self._held
            held.pop(me, None)
            free = self._limit - sum(held.values())
            if granted := min(wanted, free):
                held[me] = granted
            if granted < free:
                self._open_gate()
        return granted

    def release(self) -> None:
        """The calling thread holds nothing any more."""
        with self._lock:
            if self._held.pop(get_ident(), 0):
                self._open_gate()

    def wait(self, seconds: float) -> None:
        """Until a slot may be free, `seconds` at most."""
        self._gate.acquire(timeout=seconds)

    def close(self) -> None:
        """End every claim: each thread learns of it with its next one."""
        self.is_closed = True
        with self._lock:
            self._open_gate()

    def _open_gate(self) -> None:
        if self._gate.locked():
            self._gate.release()
