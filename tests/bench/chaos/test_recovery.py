from __future__ import annotations

from dataclasses import dataclass, field

import redis

from bench.chaos.broker import Message
from bench.chaos.recovery import Recoveries

ONE, TWO = Message("check", "one"), Message("deliver", "two")


@dataclass
class Broker:
    """A broker's state, set by hand."""

    hands: dict[str, set[Message]] = field(default_factory=dict)
    messages: set[Message] = field(default_factory=lambda: {ONE, TWO})
    is_down: bool = False

    def unacknowledged(self) -> dict[str, set[Message]]:
        if self.is_down:
            raise redis.ConnectionError
        return {worker: set(messages) for worker, messages in self.hands.items()}

    def unfinished(self, messages: set[Message]) -> set[Message]:
        return messages & self.messages


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def killed(broker: Broker) -> tuple[Recoveries, Clock]:
    clock = Clock()
    recoveries = Recoveries(broker, clock)
    recoveries.record_kill()
    return recoveries, clock


def test_a_worker_killed_without_messages_is_no_loss() -> None:
    recoveries, _ = killed(Broker())
    assert not recoveries.has_work_at_risk()
    assert recoveries.waiting == 0


def test_a_loss_is_due_while_an_active_worker_has_messages() -> None:
    broker = Broker({"first": {ONE}})
    recoveries, _ = killed(broker)
    assert not recoveries.has_work_at_risk()
    broker.hands["second"] = {TWO}
    assert recoveries.has_work_at_risk()


def test_a_loss_lasts_until_another_worker_has_every_message() -> None:
    broker = Broker({"first": {ONE, TWO}})
    recoveries, clock = killed(broker)
    for now, hands in (
        (105.0, {"first": {ONE, TWO}}),
        (116.0, {"second": {ONE}}),
        (117.0, {"second": {TWO}}),
    ):
        clock.now, broker.hands = now, hands
        recoveries.update()
    assert recoveries.seconds == [17.0]
    assert recoveries.requeued == [16.0]
    assert recoveries.waiting == 0


def test_a_message_that_has_ended_is_recovered() -> None:
    broker = Broker({"first": {ONE}})
    recoveries, clock = killed(broker)
    clock.now, broker.hands, broker.messages = 103.0, {}, set()
    recoveries.update()
    assert recoveries.seconds == [3.0]


def test_each_kill_is_a_loss_of_its_own() -> None:
    broker = Broker({"first": {ONE}})
    recoveries, clock = killed(broker)
    clock.now, broker.hands = 116.0, {"second": {ONE}}
    recoveries.update()
    recoveries.record_kill()
    clock.now, broker.hands = 131.0, {"third": {ONE}}
    recoveries.update()
    assert recoveries.seconds == [16.0, 15.0]


def test_what_redis_lost_is_not_measured() -> None:
    broker = Broker({"first": {ONE}})
    recoveries, _ = killed(broker)
    recoveries.discard()
    broker.hands, broker.messages = {}, set()
    recoveries.update()
    assert (recoveries.seconds, recoveries.discarded, recoveries.waiting) == ([], 1, 0)


def test_nothing_is_concluded_while_redis_is_down() -> None:
    broker = Broker({"first": {ONE}})
    recoveries, _ = killed(broker)
    broker.is_down = True
    recoveries.update()
    assert (recoveries.seconds, recoveries.waiting) == ([], 1)
