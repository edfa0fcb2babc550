from __future__ import annotations

from actors import ACTORS, QUEUES
from actors.dispatch import trigger_run
from actors.reconcile import reconcile
from domain.notification import NotificationState
from domain.run import RunState
from domain.section import Stagger
from tests.support.catalog import Row
from tests.support.house import House


def test_a_run_whose_message_was_lost_is_carried_out(rollcall: House) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    rollcall.mailbox.clear()
    rollcall.pass_time(6)
    assert rollcall.reread(run).checked == 1


def test_a_batch_whose_message_was_lost_is_checked(rollcall: House) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row()
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    work_once(rollcall)
    assert [message.actor_name for message in rollcall.mailbox] == ["sections.check"]
    rollcall.mailbox.clear()
    rollcall.pass_time(6)
    assert rollcall.reread(run).state is RunState.FINISHED


def test_notifications_whose_message_was_lost_are_sent(rollcall: House) -> None:
    rollcall.watch()
    row = rollcall.catalog.rows[rollcall.key()] = Row(open_seats=0)
    rollcall.run()
    row.open_seats = 1
    rollcall.clock.advance(60)
    trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    work_once(rollcall)
    work_once(rollcall)
    assert [message.actor_name for message in rollcall.mailbox] == ["mail.deliver"]
    rollcall.mailbox.clear()
    rollcall.pass_time(6)
    assert [state for _, _, state in rollcall.states()] == [NotificationState.SENT]


def test_what_still_waits_in_a_queue_is_not_published_again(rollcall: House) -> None:
    rollcall.watch()
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    work_once(rollcall)
    rollcall.clock.advance(60)
    reconcile(rollcall.services, dict.fromkeys(QUEUES, 1))
    assert len(rollcall.mailbox) == 1
    assert rollcall.reread(run).state is RunState.RUNNING


def test_where_the_broker_cannot_say_what_waits_ten_minutes_must_have_passed(rollcall: House) -> None:
    rollcall.watch()
    trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    rollcall.mailbox.clear()
    rollcall.clock.advance(590)
    reconcile(rollcall.services, dict.fromkeys(QUEUES))
    assert rollcall.mailbox == []
    rollcall.clock.advance(11)
    reconcile(rollcall.services, dict.fromkeys(QUEUES))
    assert [message.actor_name for message in rollcall.mailbox] == ["sections.dispatch"]


def test_a_run_past_its_deadline_gives_up_and_frees_its_sections(rollcall: House) -> None:
    rollcall.watch()
    rollcall.services.breakers["scraper"].force_open("test")
    run = rollcall.run()
    rollcall.pass_time(1501)
    run = rollcall.reread(run)
    assert (run.state, run.checked, run.failed) == (RunState.FINISHED, 0, 1)
    rollcall.services.breakers["scraper"].reset("test")
    rollcall.catalog.rows[rollcall.key()] = Row()
    assert rollcall.run().checked == 1


def test_a_run_that_no_one_dispatched_fails_in_the_end(rollcall: House) -> None:
    run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    rollcall.mailbox.clear()
    rollcall.clock.advance(1501)
    reconcile(rollcall.services, dict.fromkeys(QUEUES, 5))
    assert rollcall.reread(run).state is RunState.FAILED


def work_once(rollcall: House) -> None:
    """Carry out the first message, and none that it publishes."""
    rest = rollcall.mailbox[1:]
    del rollcall.mailbox[1:]
    message = rollcall.mailbox.pop()
    next(spec for spec in ACTORS if spec.name == message.actor_name)(rollcall.services, *message.args)
    rollcall.mailbox[:0] = rest
