"""A mail transport in memory that honours idempotency keys, as the provider's contract says."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from domain.notification import Accepted, DeliveryResult, OutboundMessage
from domain.ports import unconditionally


@dataclass(slots=True)
class Post:
    """`sent` holds each accepted letter once; `troubles` are raised in turn, one a call.

    With `accepts_in_trouble` the letters of a call that raises were taken all the same: the answer was lost.
    One that is not `is_idempotent` takes a repeated letter again, under whatever key.
    """

    name: str = "post"
    batch_size: int = 100
    is_idempotent: bool = True
    longest_send_seconds: float = 60.0
    sent: list[OutboundMessage] = field(default_factory=list)
    troubles: deque[Exception | None] = field(default_factory=deque)
    accepts_in_trouble: bool = False
    keys: dict[str, list[DeliveryResult]] = field(default_factory=dict)
    calls: int = 0
    after_send: Callable[[], object] = unconditionally

    def send(
        self,
        messages: Sequence[OutboundMessage],
        idempotency_key: str,
        before_handover: Callable[[], None] = unconditionally,
    ) -> list[DeliveryResult]:
        self.calls += 1
        before_handover()
        trouble = self.troubles.popleft() if self.troubles else None
        if trouble is None or self.accepts_in_trouble:
            receipts = self._accept(messages, idempotency_key)
            self.after_send()
        if trouble is not None:
            raise trouble
        return receipts

    def _accept(self, messages: Sequence[OutboundMessage], key: str) -> list[DeliveryResult]:
        if key not in self.keys or not self.is_idempotent:
            self.keys[key] = [Accepted(f"{key}-{i}") for i in range(len(messages))]
            self.sent += messages
        return self.keys[key]
