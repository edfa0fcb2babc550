"""List, retry and purge dead letters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated

from msgspec import Meta, Struct

from actors import QUEUES
from domain.text import duration, plural
from operations.context import AdminContext
from operations.inputs import DurationText, Text, one_of
from operations.operation import Command, Operation, OperationResult, Option, Plan
from resilience.dead_letters import CauseGroup, DeadLetterFilter, DeadLetterQueue, grouped
from store.audit import AuditEntry

Rate = Annotated[float, Meta(gt=0, le=1_000_000)]
_Queue = Annotated[
    str, Meta(extra={"parse": lambda given: one_of(given, QUEUES)}, extra_json_schema={"enum": list(QUEUES)})
]
_Process = Callable[[DeadLetterQueue, DeadLetterFilter, float | None, int | None], Iterator[int]]


class DeadLetterInput(Struct, frozen=True, kw_only=True):
    """The filter, and the rate; what is not given does not filter."""

    queue: Annotated[_Queue | None, Option(f"In this queue: {', '.join(QUEUES)}.")] = None
    actor: Annotated[Text | None, Option("For this actor, such as mail.deliver.")] = None
    cause: Annotated[Text | None, Option("Whose cause contains this.")] = None
    older_than: Annotated[DurationText | None, Option("Dead for longer: 90s, 30m, 12h, 7d.")] = None
    message_ids: Annotated[tuple[Text, ...], Meta(min_length=1), Option(metavar="MESSAGE_IDS")] = ()
    exact_cause: Annotated[Text | None, Option("Of exactly this cause.")] = None
    rate: Annotated[Rate | None, Option("How many a second at most.")] = None

    @property
    def filter(self) -> DeadLetterFilter:
        """The combined filter."""
        age = None if self.older_than is None else duration(self.older_than)
        return DeadLetterFilter(self.queue, self.actor, self.cause, age, self.message_ids, self.exact_cause)

    @property
    def given(self) -> dict[str, str]:
        """The filter as form fields, including blank ones."""
        names = ("queue", "actor", "cause", "older_than", "exact_cause")
        texts = {name: getattr(self, name) or "" for name in names}
        return texts | {"message_ids": " ".join(self.message_ids)}


def groups(context: AdminContext, wanted: DeadLetterFilter, limit: int) -> list[CauseGroup]:
    """Return the dead letters that match `wanted` by cause, most frequent first, the last `limit` of each."""
    return grouped(context.letters().find(wanted), limit)


def _operation(
    verb: str, title: str, done: str, effect: str, process: _Process
) -> Operation[DeadLetterInput, int]:
    def plan(context: AdminContext, given: DeadLetterInput) -> Plan:
        count, (limit, rate) = context.letters().count(given.filter), context.bounds(given.rate)
        if not count:
            return Plan.nothing(f"{title} dead letters?", "No dead letter matches.")
        effects = [f"{plural(count, 'dead letter matches', 'dead letters match')} the filter."]
        if given.exact_cause is not None:
            effects.append(f"All have exactly this cause: {given.exact_cause}.")
        if limit is not None and count > limit:
            effects.append(f"Only the oldest {limit} are taken, {rate:g} a second; repeat it for more.")
            count = limit
        question = f"{title} {plural(count, 'dead letter')}?"
        return Plan(question, title, (*effects, effect), is_irreversible=verb == "purge", count=count)

    def run(context: AdminContext, given: DeadLetterInput, entry: AuditEntry) -> OperationResult[int]:
        matched = context.letters().count(given.filter)
        if not matched:
            return OperationResult("No dead letter matches.", 0, count=0)
        limit, rate = context.bounds(given.rate)
        context.record(replace(entry, count=matched if limit is None else min(matched, limit)))
        count = sum(process(context.letters(), given.filter, rate, limit))
        return OperationResult(f"{done} {plural(count, 'dead letter')}.", count, count=count)

    return Operation(
        f"dead.{verb}",
        f"{title} the dead letters that match the filters and MESSAGE_IDS. {effect}",
        DeadLetterInput,
        lambda _: "dead letters",
        plan,
        run,
        detail=lambda given: given.filter.criteria,
        commands=(Command(f"queue dead {verb}"),),
        is_bulk=True,
    )


def _retry(
    letters: DeadLetterQueue, wanted: DeadLetterFilter, rate: float | None, limit: int | None
) -> Iterator[int]:
    return letters.retry(wanted, per_second=rate, limit=limit)


def _purge(
    letters: DeadLetterQueue, wanted: DeadLetterFilter, rate: float | None, limit: int | None
) -> Iterator[int]:
    return letters.purge(wanted, per_second=rate, limit=limit)


RETRY = _operation(
    "retry",
    "Retry",
    "Requeued",
    "They return to their queues as new messages. No mail is sent twice: the database knows what was sent.",
    _retry,
)
PURGE = _operation(
    "purge",
    "Delete",
    "Deleted",
    "Only the messages are deleted; pending work stays pending in the database.",
    _purge,
)
