"""Our own `@actor`, which only records; `install` binds the recorded actors to a broker and services.

So nothing connects at import, and two brokers in one process share nothing. The log records of an actor carry
the ids of its message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Concatenate, Generic, ParamSpec

import dramatiq
from dramatiq import Broker, Message

from actors.services import Services
from observability.logs import bind_ids

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class ActorSpec(Generic[P]):
    """A recorded actor: its name (`noun.verb`), its queue, and its function.

    `give_up` ends work that has spent its crash budget: it takes the services, the reason and the arguments
    of the work, and returns what it gave up.
    """

    name: str
    queue: str
    handler: Callable[Concatenate[Services, P], None]
    options: Mapping[str, Any]
    give_up: Callable[..., str] | None = None

    def message(self, *args: P.args, **kwargs: P.kwargs) -> Message[None]:
        """Return the message that requests one call of this actor."""
        return Message(queue_name=self.queue, actor_name=self.name, args=args, kwargs=kwargs, options={})

    def __call__(self, services: Services, *args: P.args, **kwargs: P.kwargs) -> None:
        """Run the function here and now, with the ids among its arguments bound for logs."""
        code = self.handler.__code__
        named = dict(zip(code.co_varnames[1 : code.co_argcount], args, strict=False)) | kwargs
        with bind_ids(**{name: value for name, value in named.items() if name.endswith("_id")}):
            self.handler(services, *args, **kwargs)


def actor(
    *,
    name: str,
    queue: str,
    give_up: Callable[..., str] | None = None,
    **options: Any,
) -> Callable[[Callable[Concatenate[Services, P], None]], ActorSpec[P]]:
    """Record a function as an actor; its first parameter is the services. `options` are Dramatiq's."""
    return lambda handler: ActorSpec(name, queue, handler, options, give_up)


def install(broker: Broker, services: Services, specs: Iterable[ActorSpec[Any]]) -> None:
    """Register `specs` with `broker`. The wiring of a worker calls it once."""
    for spec in specs:
        bound, options = partial(spec, services), dict(spec.options)
        if spec.give_up is not None:
            options["give_up"] = partial(spec.give_up, services)
        dramatiq.actor(actor_name=spec.name, queue_name=spec.queue, broker=broker, **options)(
            _named(bound, spec)
        )


def _named(bound: Callable[..., None], spec: ActorSpec[Any]) -> Callable[..., None]:
    # Dramatiq reads a function's name and documentation; a partial has none.
    bound.__name__, bound.__doc__ = spec.handler.__name__, spec.handler.__doc__
    return bound
