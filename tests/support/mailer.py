"""A mail transport in memory that honours idempotency keys, as the provider's contract says."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from domain.notification import Accepted, DeliveryResult, OutboundMessage
from domain.ports import unconditionally


@dataclass(slots=True)
class FakeMailer:
    """`sent` holds each accepted message once; `errors` are raised in turn, one per call.

    With `accepts_despite_errors`, a call that raises accepts its messages: the response was lost. Without
    `is_idempotent`, a repeated message is accepted again under any key.
    """

    name: str = "post"
    batch_size: int = 100
    is_idempotent: bool = True
    longest_send_seconds: float = 60.0
    sent: list[OutboundMessage] = field(default_factory=list)
    errors: deque[Exception | None] = field(default_factory=deque)
    accepts_despite_errors: bool = False
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
        error = self.errors.popleft() if self.errors else None
        if error is None or self.accepts_despite_errors:
            receipts = self._accept(messages, idempotency_key)
            self.after_send()
        if error is not None:
            raise error
        return receipts

    def _accept(self, messages: Sequence[OutboundMessage], key: str) -> list[DeliveryResult]:
        if key not in self.keys or not self.is_idempotent:
            self.keys[key] = [Accepted(f"{key}-{i}") for i in range(len(messages))]
            self.sent += messages
        return self.keys[key]
