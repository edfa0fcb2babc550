"""A concurrency limit that the threads of a process share."""

from __future__ import annotations

from threading import Lock, get_ident


class ConcurrencyLimiter:
    """At most `limit` slots are held across all threads; each thread states its total demand.

    The slots of a thread are one number, not a balance of acquires and releases: an interrupt between two
    bytecodes can leave it outdated, but the thread's next claim corrects it. It uses plain locks because an
    interrupt inside a Condition could leave it locked permanently.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[int, int] = {}
        self._lock = Lock()
        self._gate = Lock()  # locked: no slot is free
        self._gate.acquire()
        self.is_closed = False

    def claim(self, wanted: int) -> int:
        """The slots that the calling thread now holds: `wanted`, or as many as are free.

        Slots that it already holds stay with it, up to `wanted`.

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
        """Release all slots of the calling thread."""
        with self._lock:
            if self._held.pop(get_ident(), 0):
                self._open_gate()

    def wait(self, seconds: float) -> None:
        """Wait until a slot may be free, at most `seconds`."""
        self._gate.acquire(timeout=seconds)

    def close(self) -> None:
        """Reject all further claims: each thread's next `claim` raises."""
        self.is_closed = True
        with self._lock:
            self._open_gate()

    def _open_gate(self) -> None:
        if self._gate.locked():
            self._gate.release()
