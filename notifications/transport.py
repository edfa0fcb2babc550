"""The base class of the mail transports: the checks that precede every hand-over."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from domain.errors import RejectedError
from domain.notification import DeliveryResult, OutboundMessage
from domain.ports import unconditionally


class Transport(ABC):
    """A `domain.ports.Mailer`; a subclass implements `_send` and `longest_send_seconds`.

    Shape: `name` is that of `MAIL_TRANSPORT`; `batch_size` the maximum of messages per call. A transport that
    `is_idempotent` sends no mail twice if a call is repeated with the same messages and key.
    """

    name: ClassVar[str]
    batch_size: ClassVar[int]
    is_idempotent: ClassVar[bool]

    @property
    @abstractmethod
    def longest_send_seconds(self) -> float:
        """The maximum duration of one `send`."""

    def send(
        self,
        messages: Sequence[OutboundMessage],
        idempotency_key: str,
        before_handover: Callable[[], None] = unconditionally,
    ) -> list[DeliveryResult]:
        """Send `messages`; one result each, in order. Raises: as `domain.ports.Mailer`."""
        if len(messages) > self.batch_size:
            raise RejectedError(f"{self.name} sends at most {self.batch_size} messages per call")
        return self._send(messages, idempotency_key, before_handover) if messages else []

    @abstractmethod
    def _send(
        self, messages: Sequence[OutboundMessage], idempotency_key: str, before_handover: Callable[[], None]
    ) -> list[DeliveryResult]:
        """As `send`, for one to `batch_size` messages; calls `before_handover` before anything may leave."""


class SingleMessageTransport(Transport):
    """A transport of one message per call, without idempotency keys.

    If the response is lost, or the process dies before the result is stored, it remains unknown whether the
    message was sent; with several messages per call, that would hold for each of them.
    """

    batch_size = 1
    is_idempotent = False

    def _send(
        self,
        messages: Sequence[OutboundMessage],
        idempotency_key: str,  # noqa: ARG002 - no keys
        before_handover: Callable[[], None],
    ) -> list[DeliveryResult]:
        return [self._send_one(message, before_handover) for message in messages]

    @abstractmethod
    def _send_one(self, message: OutboundMessage, before_handover: Callable[[], None]) -> DeliveryResult:
        """As `send`."""
