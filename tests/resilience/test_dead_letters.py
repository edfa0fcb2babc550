from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dramatiq
import pytest
import redis
from dramatiq import Broker

from actors import ACTORS, QUEUES
from actors.dispatch import trigger_run
from actors.reconcile import reconcile
from actors.registry import install
from domain.errors import PermanentError, UnreachableError
from domain.notification import NotificationState
from domain.run import RunState
from domain.section import Stagger
from resilience.dead_letter_cause import EXPIRED, UNKNOWN
from resilience.dead_letters import ALL, DeadLetterFilter, DeadLetterQueue, grouped
from tests.support.broker import (
    RETRIES,
    add_dead_letter,
    counts,
    is_idle,
    message,
    open_broker,
    open_dead_letters,
    process_all,
    waiting,
)
from tests.support.catalog import Row
from tests.support.harness import Harness, harness, sqlite_url

DAY_MS = 86_400_000


@pytest.fixture
def letters(redis_client: redis.Redis, prefix: str) -> DeadLetterQueue:
    return open_dead_letters(redis_client, prefix)


@pytest.fixture
def broker(redis_client: redis.Redis, prefix: str) -> Broker:
    return open_broker(redis_client, prefix)


def test_a_message_without_retries_left_is_found_with_its_cause_and_history(
    broker: Broker, letters: DeadLetterQueue, redis_client: redis.Redis, prefix: str
) -> None:
    @dramatiq.actor(broker=broker, queue_name="check", actor_name="work.do")
    def do(_number: int) -> None:
        raise UnreachableError("no route")

    sent = do.send(7)
    process_all(broker, redis_client, prefix)
    (letter,) = letters.find()
    assert (letter.message_id, letter.queue, str(letter.message)) == (sent.message_id, "check", "work.do(7)")
    assert letter.cause == "UnreachableError in tests.resilience.test_dead_letters:do"
    assert (letter.failures, letter.retried, letter.deaths) == (RETRIES + 1, 0, [])
    assert letter.traceback[-1] == "domain.errors.UnreachableError: no route"
    assert letter.enqueued_at == sent.message_datetime < letter.died_at
    assert letter.expires_at - letter.died_at == timedelta(days=7)


def test_every_kind_of_death_has_its_cause(
    broker: Broker, letters: DeadLetterQueue, redis_client: redis.Redis, prefix: str
) -> None:
    def fail() -> None:
        raise PermanentError("wrong key")

    @dramatiq.actor(broker=broker, queue_name="check", actor_name="work.fail")
    def once() -> None:
        fail()

    @dramatiq.actor(broker=broker, queue_name="check", actor_name="work.throw", throws=KeyError)
    def expected() -> None:
        raise KeyError("known")

    once.send()
    expected.send()
    once.send_with_options(max_age=1, delay=5)
    broker.enqueue(message("missing.actor"))
    process_all(broker, redis_client, prefix)
    assert counts(letters) == {
        "PermanentError in tests.resilience.test_dead_letters:fail": 1,
        "KeyError in tests.resilience.test_dead_letters:expected": 1,
        EXPIRED: 1,
        "unknown actor missing.actor": 1,
    }
    ends = {letter.cause.partition(" ")[0]: letter.traceback[-1:] for letter in letters.find()}
    assert ends == {
        "PermanentError": ["domain.errors.PermanentError: wrong key"],
        "KeyError": ["KeyError: 'known'"],
        "expired": [],
        "unknown": [],
    }


def test_a_death_without_a_recorded_cause_is_described_by_its_last_traceback(
    letters: DeadLetterQueue, redis_client: redis.Redis, prefix: str
) -> None:
    add_dead_letter(redis_client, prefix, message(traceback="Traceback\n  File\nValueError: no\n"))
    add_dead_letter(redis_client, prefix, message())
    add_dead_letter(redis_client, prefix, message(traceback="Traceback\n: no"))
    assert counts(letters) == {"ValueError": 1, UNKNOWN: 2}


def test_recording_a_cause_does_not_restore_a_message_that_another_worker_has_finished(
    broker: Broker, redis_client: redis.Redis, prefix: str
) -> None:
    gone = dramatiq.MessageProxy(message(redis_message_id="gone"))
    gone.stuff_exception(ValueError("late"))
    broker.emit_before("nack", gone)
    assert is_idle(redis_client, prefix)


def test_filters_select_letters_and_causes_are_counted(redis_client: redis.Redis, prefix: str) -> None:
    letters = open_dead_letters(redis_client, prefix, now_ms=lambda: 10 * DAY_MS)
    for day in range(5):
        add_dead_letter(
            redis_client, prefix, message("work.a", day, rollcall_cause="ValueError in a:b"), day * DAY_MS
        )
    last = message("work.b", queue="deliver", rollcall_cause="expired")
    add_dead_letter(redis_client, prefix, last, 9 * DAY_MS)

    first, second = grouped(letters.find(), limit=2)
    assert (first.cause, first.count, [g.message.args for g in first.letters]) == (
        "ValueError in a:b",
        5,
        [(4,), (3,)],
    )
    assert (second.cause, second.count) == ("expired", 1)
    for wanted, count in {
        DeadLetterFilter(queue="deliver"): 1,
        DeadLetterFilter(actor="work.a"): 5,
        DeadLetterFilter(cause="valueerror"): 5,
        DeadLetterFilter(exact_cause="ValueError in a:b"): 5,
        DeadLetterFilter(exact_cause="ValueError"): 0,
        DeadLetterFilter(older_than=timedelta(days=8)): 3,
        DeadLetterFilter(older_than=timedelta(days=8), actor="work.b"): 0,
        DeadLetterFilter(message_ids=(last.message_id,)): 1,
        ALL: 6,
    }.items():
        assert letters.count(wanted) == count


def test_a_retried_letter_is_reset_keeps_its_history_and_moves_once(
    letters: DeadLetterQueue, redis_client: redis.Redis, prefix: str
) -> None:
    old = message("work.do", 1, retries=6, traceback="x\nE: y", rollcall_cause="E in a:b", max_age=1000)
    old = replace(old, message_timestamp=4 * DAY_MS)
    key = add_dead_letter(redis_client, prefix, old, 5 * DAY_MS)
    (letter,) = letters.find()
    assert sum(letters.retry(ALL)) == 1
    assert sum(letters.retry(ALL)) == letters.count() == letters._retry("check", [letter]) == 0

    (found,) = waiting(redis_client, prefix)
    assert (found.message_id, found.args, found.options["max_age"]) == (old.message_id, (1,), 1000)
    assert found.options.keys().isdisjoint({"retries", "traceback", "rollcall_cause"})
    assert found.options["redis_message_id"] != key
    assert found.message_timestamp > 1000 * DAY_MS  # or it would expire again

    add_dead_letter(redis_client, prefix, found, 6 * DAY_MS)
    (again,) = letters.find()
    assert (again.retried, again.enqueued_at) == (1, old.message_datetime)
    assert [(death["cause"], death["failures"]) for death in again.deaths] == [("E in a:b", 6)]
    assert again.deaths[0]["at"] == letter.died_at


def test_a_message_of_an_unknown_actor_runs_once_the_actor_exists(
    broker: Broker, letters: DeadLetterQueue, redis_client: redis.Redis, prefix: str
) -> None:
    broker.declare_queue("check")
    broker.enqueue(message("work.late", 3))
    process_all(broker, redis_client, prefix)
    assert counts(letters) == {"unknown actor work.late": 1}

    ran: list[int] = []
    dramatiq.actor(broker=broker, queue_name="check", actor_name="work.late")(ran.append)
    assert sum(letters.retry(ALL)) == 1
    process_all(broker, redis_client, prefix)
    assert (ran, letters.count()) == ([3], 0)


def test_concurrent_operators_move_every_letter_exactly_once(
    letters: DeadLetterQueue, redis_client: redis.Redis, prefix: str
) -> None:
    numbers = range(450)
    for number in numbers:
        add_dead_letter(redis_client, prefix, message("work.do", number))
    start = threading.Barrier(4)

    def act(who: int) -> int:
        start.wait()
        return sum(letters.retry(ALL)) if who % 2 else sum(letters.purge(DeadLetterFilter(actor="work.do")))

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(act, range(4)))
    moved = waiting(redis_client, prefix)
    assert sum(done) == len(numbers)
    assert len({found.message_id for found in moved}) == len(moved) == done[1] + done[3]
    assert (letters.count(), redis_client.hlen(f"{prefix}:check.XQ.msgs")) == (0, 0)
    assert redis_client.hlen(f"{prefix}:check.msgs") == len(moved)


def test_a_rate_spaces_the_chunks_and_later_deaths_are_not_included(
    redis_client: redis.Redis, prefix: str
) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        add_dead_letter(redis_client, prefix, message())

    letters = open_dead_letters(redis_client, prefix, wait=wait)
    for _ in range(5):
        add_dead_letter(redis_client, prefix, message())
    assert sum(letters.retry(ALL, per_second=2.5)) == 5
    assert waits == [0, 0.8, 0.8]
    assert letters.count() == 3


def test_at_most_the_limit_is_moved_oldest_first(
    letters: DeadLetterQueue, redis_client: redis.Redis, prefix: str
) -> None:
    for number in range(5):
        add_dead_letter(redis_client, prefix, message("work.do", number), number * DAY_MS)
    assert sum(letters.retry(ALL, limit=3)) == 3
    assert [found.args for found in waiting(redis_client, prefix)] == [(0,), (1,), (2,)]


def test_progress_is_reported_per_chunk(redis_client: redis.Redis, prefix: str) -> None:
    def wait(seconds: float) -> None:
        if seconds:
            raise KeyboardInterrupt

    letters = open_dead_letters(redis_client, prefix, wait=wait)
    for _ in range(3):
        add_dead_letter(redis_client, prefix, message(), 0)
    chunks = letters.retry(DeadLetterFilter(queue="check"), per_second=1)
    assert next(chunks) == 1
    with pytest.raises(KeyboardInterrupt):
        next(chunks)


def test_an_unreachable_redis_is_not_an_empty_list(unreachable: redis.Redis, prefix: str) -> None:
    letters = open_dead_letters(unreachable, prefix)
    with pytest.raises(UnreachableError):
        letters.count()
    with pytest.raises(UnreachableError):
        sum(letters.purge(ALL))


def test_letters_retried_after_the_reconciler_did_their_work_have_no_effect(
    tmp_path: Path, letters: DeadLetterQueue, redis_client: redis.Redis, prefix: str
) -> None:
    broker = open_broker(redis_client, prefix, retries=0)
    with harness(sqlite_url(tmp_path), redis_client, prefix) as rollcall:
        install(broker, rollcall.services, ACTORS)

        def carry_out() -> None:
            while rollcall.messages:
                broker.enqueue(rollcall.messages.pop(0))
            process_all(broker, redis_client, prefix)

        open_a_seat_in_trouble(rollcall, carry_out)
        assert counts(letters) == {
            "AttributeError in tests.support.catalog:_outcome": 1,
            "RuntimeError in tests.support.mailer:send": 1,
        }
        before = whole_state(rollcall)
        assert before[:2] == (["seat_available"], [("seat_available", 1, NotificationState.SENT)])

        assert sum(letters.retry(ALL)) == 2
        process_all(broker, redis_client, prefix)
        assert (whole_state(rollcall), letters.count(), rollcall.messages) == (before, 0, [])


def test_a_check_without_crash_budget_is_given_up_and_does_not_return_under_another_message(
    tmp_path: Path, letters: DeadLetterQueue, redis_client: redis.Redis, prefix: str
) -> None:
    broker = open_broker(redis_client, prefix)
    with harness(sqlite_url(tmp_path), redis_client, prefix) as rollcall:
        install(broker, rollcall.services, ACTORS)
        rollcall.watch()
        run, _ = trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
        broker.enqueue(rollcall.messages.pop())
        process_all(broker, redis_client, prefix)
        sent = broker.enqueue(rollcall.messages.pop())
        redis_client.set(f"{prefix}:starts:{sent.options['redis_message_id']}", 3)
        process_all(broker, redis_client, prefix)
        ended = rollcall.reload(run)
        assert (ended.state, ended.failed, ended.reason) == (
            RunState.FINISHED,
            1,
            "crashed its worker 3 times",
        )
        (letter,) = letters.find()
        assert letter.given_up == f"1 sections of run {run.id}"
        rollcall.advance(60)
        assert (rollcall.catalog.calls, rollcall.messages) == ([], [])


def open_a_seat_in_trouble(rollcall: Harness, carry_out: Callable[[], None]) -> None:
    """A seat opens; its check and its delivery die in their worker, and the reconciler has both repeated."""
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row(open_seats=0)
    rollcall.run()
    rollcall.clock.advance(60)
    trigger_run(rollcall.services, "test", Stagger.ALL, force=True)
    carry_out()
    rollcall.catalog.rows[rollcall.key()] = "no row"  # type: ignore[assignment]
    carry_out()

    rollcall.catalog.rows[rollcall.key()] = Row(open_seats=1)
    rollcall.clock.advance(6)
    reconcile(rollcall.services, dict.fromkeys(QUEUES, 0))
    carry_out()
    rollcall.mailer.accepts_despite_errors = True
    rollcall.mailer.errors.append(RuntimeError("after the letters were taken"))
    carry_out()
    rollcall.advance(130)


def whole_state(rollcall: Harness) -> tuple[object, ...]:
    """Who was mailed what, what is noted, and how often the outside world was asked."""
    kinds = [event.partition(";")[0] for _, event in rollcall.events()]
    return kinds, rollcall.states(), rollcall.mailer.calls, len(rollcall.catalog.calls)
