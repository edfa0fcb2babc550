from __future__ import annotations

from actors import ACTORS, QUEUES
from actors.dispatch import trigger_run
from actors.reconcile import reconcile
from domain.notification import NotificationState
from domain.run import RunState
from domain.section import Stagger
from tests.support.catalog import Row
from tests.support.harness import Harness


def test_a_run_whose_message_was_lost_is_carried_out(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    rollcall.messages.clear()
    rollcall.advance(6)
    assert rollcall.reload(run).checked == 1


def test_a_batch_whose_message_was_lost_is_checked(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    work_once(rollcall)
    assert [message.actor_name for message in rollcall.messages] == ["sections.check"]
    rollcall.messages.clear()
    rollcall.advance(6)
    assert rollcall.reload(run).state is RunState.FINISHED


def test_notifications_whose_message_was_lost_are_sent(rollcall: Harness) -> None:
    rollcall.watch()
    row = rollcall.catalog.rows[rollcall.key()] = Row(open_seats=0)
    rollcall.run()
    row.open_seats = 1
    rollcall.clock.advance(60)
    trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    work_once(rollcall)
    work_once(rollcall)
    assert [message.actor_name for message in rollcall.messages] == ["mail.deliver"]
    rollcall.messages.clear()
    rollcall.advance(6)
    assert [state for _, _, state in rollcall.states()] == [NotificationState.SENT]


def test_what_still_waits_in_a_queue_is_not_published_again(rollcall: Harness) -> None:
    rollcall.watch()
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    work_once(rollcall)
    rollcall.clock.advance(60)
    reconcile(rollcall.services, dict.fromkeys(QUEUES, 1))
    assert len(rollcall.messages) == 1
    assert rollcall.reload(run).state is RunState.RUNNING


def test_where_the_broker_cannot_say_what_waits_ten_minutes_must_have_passed(rollcall: Harness) -> None:
    rollcall.watch()
    trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    rollcall.messages.clear()
    rollcall.clock.advance(590)
    reconcile(rollcall.services, dict.fromkeys(QUEUES))
    assert rollcall.messages == []
    rollcall.clock.advance(11)
    reconcile(rollcall.services, dict.fromkeys(QUEUES))
    assert [message.actor_name for message in rollcall.messages] == ["sections.dispatch"]


def test_a_run_past_its_deadline_gives_up_and_frees_its_sections(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.services.breakers["scraper"].force_open("test")
    run = rollcall.run()
    rollcall.advance(1501)
    run = rollcall.reload(run)
    assert (run.state, run.checked, run.failed) == (RunState.FINISHED, 0, 1)
    rollcall.services.breakers["scraper"].reset("test")
    rollcall.catalog.rows[rollcall.key()] = Row()
    assert rollcall.run().checked == 1


def test_a_run_that_no_one_dispatched_fails_in_the_end(rollcall: Harness) -> None:
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    rollcall.messages.clear()
    rollcall.clock.advance(1501)
    reconcile(rollcall.services, dict.fromkeys(QUEUES, 5))
    assert rollcall.reload(run).state is RunState.FAILED


def work_once(rollcall: Harness) -> None:
    """Carry out the first message, and none that it publishes."""
    rest = rollcall.messages[1:]
    del rollcall.messages[1:]
    message = rollcall.messages.pop()
    next(spec for spec in ACTORS if spec.name == message.actor_name)(rollcall.services, *message.args)
    rollcall.messages[:0] = rest
