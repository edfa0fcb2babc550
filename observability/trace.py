"""One thread through everything that a trigger causes: ids in every log line, from the request to the mail.

Who begins something binds its ids; a message takes along those that were bound where it was published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from dramatiq import Broker, Message, MessageProxy, Middleware

_OPTION = "rollcall_ids"
_TAKEN_ALONG = frozenset({"request_id", "run"})
_NONE: Mapping[str, object] = MappingProxyType({})
_bound: ContextVar[Mapping[str, object]] = ContextVar("ids", default=_NONE)


def ids() -> Mapping[str, object]:
    """What is bound here and now."""
    return _bound.get()


@contextmanager
def bind_ids(**named: object) -> Iterator[None]:
    """Bind ids beside those that are bound, for the length of the block."""
    token = _bound.set({**_bound.get(), **named})
    try:
        yield
    finally:
        _bound.reset(token)


class TraceMiddleware(Middleware):
    """Gives messages the ids of their publisher, and those who work on them the message's.

    Put it first, so that what the other middleware logs bears them too.
    """

    def before_enqueue(self, _broker: Broker, message: Message[object], _delay: int | None) -> None:
        """Write the ids into the message; one that is enqueued again keeps its own."""
        if _OPTION not in message.options:
            message.options[_OPTION] = {name: id_ for name, id_ in ids().items() if name in _TAKEN_ALONG}

    def before_process_message(self, _broker: Broker, message: MessageProxy) -> None:
        """Bind the message's ids on this thread."""
        own = {"actor": message.actor_name, "message_id": message.message_id}
        _bound.set({**message.options.get(_OPTION, {}), **own})

    def after_process_message(
        self,
        _broker: Broker,
        _message: MessageProxy,
        *,
        result: object = None,  # noqa: ARG002 - Dramatiq passes it by name
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        """Bind nothing any more."""
        _bound.set(_NONE)

    def after_skip_message(self, _broker: Broker, _message: MessageProxy) -> None:
        """Bind nothing any more."""
        _bound.set(_NONE)
