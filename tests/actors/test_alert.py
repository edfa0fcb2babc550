from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from dramatiq import Message

from actors.alert import ping, send_alerts
from actors.services import OperatorChannels
from domain.alert import AlertMessage, AlertNotification
from domain.errors import RejectedError, UnauthorisedError, UnreachableError, UpstreamTimeoutError
from domain.notification import NotificationState
from domain.ports import Mailer
from domain.run import RunState
from notifications.operator_mail import OperatorMail
from notifications.operator_webhook import DeadMansSwitch, OperatorWebhook
from observability.checks import runbook_link
from tests.support.catalog import Row
from tests.support.harness import Harness, harness, sqlite_url
from tests.support.receiver import Receiver, receiver

LINKS = partial(runbook_link, "https://rollcall.example.edu")
SOURCES = "https://rollcall.example.edu/console/#sources"
SILENT = AlertMessage(
    "The source scraper is silent", "People who watch its sections: 41.", "rollcall source ls"
)


@dataclass
class Watched:
    """A harness with an operator, whose webhook and dead man's switch are real servers."""

    rollcall: Harness
    hook: Receiver
    switch: Receiver
    waits: list[float]

    def see(self, symptom: AlertMessage | None, seconds: float = 0) -> None:
        """Observe the symptom now and after `seconds`, then send the due alerts."""
        for pause in (0, seconds):
            self.rollcall.clock.advance(pause)
            self.rollcall.services.store.alerts.observe(
                {"sources/scraper": symptom}, self.rollcall.clock.now()
            )
        self.send()

    def send(self) -> None:
        self.rollcall.services.publish(send_alerts.message())
        self.rollcall.process_messages()

    @property
    def subjects(self) -> list[str]:
        return [
            message.subject for message in self.rollcall.mailer.sent if message.to == "operator@example.edu"
        ]

    @property
    def hooked(self) -> list[tuple[str, int]]:
        said = [json.loads(body) for _, _, body in self.hook.requests]
        return [(each["state"], each["episode"]) for each in said]


Found = Callable[..., AbstractContextManager[Watched]]


@pytest.fixture
def found(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Found:
    @contextmanager
    def make(*, email: bool = True, webhook: bool = True) -> Iterator[Watched]:
        waits: list[float] = []
        with receiver() as hook, receiver() as switch:

            def operator(mailer: Mailer) -> OperatorChannels:
                mail = OperatorMail(mailer, "Rollcall <rollcall@example.edu>", "operator@example.edu", LINKS)
                channels: dict[str, Any] = {"mail": mail.send} if email else {}
                channels |= {"webhook": OperatorWebhook(f"{hook.url}/hook", LINKS).send} if webhook else {}
                return OperatorChannels(
                    channels, DeadMansSwitch(f"{switch.url}/uuid", wait=waits.append).ping
                )

            with harness(sqlite_url(tmp_path), redis_client, prefix, operator=operator) as built:
                yield Watched(built, hook, switch, waits)

    return make


@pytest.fixture
def watched(found: Found) -> Iterator[Watched]:
    with found() as built:
        yield built


def test_an_alert_reaches_the_operator_once_over_each_channel_and_so_does_its_end(watched: Watched) -> None:
    for _ in range(5):
        watched.see(SILENT, 30)
    assert watched.subjects == ["The source scraper is silent"]
    for _ in range(5):
        watched.see(None, 60)
    assert watched.subjects == ["The source scraper is silent", "Resolved: The source scraper is silent"]
    assert watched.hooked == [("raised", 1), ("cleared", 1)]


def test_the_mail_names_who_is_affected_what_to_type_and_where_to_look(watched: Watched) -> None:
    watched.see(SILENT)
    (message,) = watched.rollcall.mailer.sent
    for said in ("2026-01-15 09:00 UTC", "sections: 41", "    rollcall source ls", SOURCES):
        assert said in message.text
    assert "List-Unsubscribe" not in message.headers


def test_no_student_hears_of_it(watched: Watched) -> None:
    watched.rollcall.watch(email="ada@example.edu")
    watched.see(SILENT)
    assert {message.to for message in watched.rollcall.mailer.sent} == {"operator@example.edu"}


def test_a_transport_that_is_down_loses_no_alert_and_the_webhook_does_not_wait_for_it(
    watched: Watched,
) -> None:
    watched.rollcall.mailer.errors.extend([UnreachableError("refused")] * 5)
    watched.see(SILENT)
    assert (watched.subjects, watched.hooked) == ([], [("raised", 1)])
    for _ in range(6):
        watched.see(SILENT, 600)
    assert (watched.subjects, watched.hooked) == ([SILENT.subject], [("raised", 1)])


def test_a_webhook_that_fails_is_tried_again_and_the_mail_is_not_repeated(watched: Watched) -> None:
    watched.hook.statuses.extend([500, 401, 302])
    watched.see(SILENT)
    for _ in range(4):
        watched.see(SILENT, 600)
    assert (watched.rollcall.mailer.calls, len(watched.hook.requests)) == (1, 4)


def test_an_answer_that_was_lost_is_repeated_with_the_same_message_under_the_same_key(
    watched: Watched,
) -> None:
    watched.rollcall.mailer.accepts_despite_errors = True
    watched.rollcall.mailer.errors.append(UpstreamTimeoutError("no answer"))
    watched.see(SILENT)
    watched.see(replace(SILENT, detail="Now it is 42 people."), 600)
    assert (watched.rollcall.mailer.calls, watched.subjects) == (2, [SILENT.subject])


def test_a_refused_message_is_tried_again_for_the_address_can_be_mended(watched: Watched) -> None:
    watched.rollcall.mailer.errors.append(RejectedError("no such domain"))
    watched.see(SILENT)
    watched.see(SILENT, 600)
    assert watched.subjects == [SILENT.subject]


def test_an_open_breaker_of_mail_does_not_silence_the_operator(watched: Watched) -> None:
    watched.rollcall.services.breakers["mail"].force_open("test")
    watched.see(SILENT)
    assert (watched.subjects, watched.hooked) == ([SILENT.subject], [("raised", 1)])


def test_alerts_that_fail_do_not_open_the_breaker_of_mail(watched: Watched) -> None:
    watched.rollcall.mailer.errors.extend([UnreachableError("refused")] * 12)
    watched.see(SILENT)
    for _ in range(11):
        watched.see(SILENT, 600)
    assert watched.rollcall.services.breakers["mail"].snapshot().state == "closed"


def test_paused_mail_holds_the_students_messages_back_and_not_the_operators(watched: Watched) -> None:
    services, clock = watched.rollcall.services, watched.rollcall.clock
    services.store.pauses.pause("mail", clock.now() + timedelta(hours=2), "a flood", "ada", clock.now())
    open_a_seat(watched.rollcall)
    watched.see(SILENT)
    assert [message.to for message in watched.rollcall.mailer.sent] == ["operator@example.edu"]
    assert [state for _, _, state in watched.rollcall.states()] == [NotificationState.PENDING]
    services.store.pauses.resume("mail")
    watched.rollcall.advance(2)
    assert [state for _, _, state in watched.rollcall.states()] == [NotificationState.SENT]


def test_without_addresses_nothing_is_sent_the_alert_stands_and_the_log_says_so(
    found: Found, caplog: pytest.LogCaptureFixture
) -> None:
    with found(email=False, webhook=False) as watched, caplog.at_level(logging.WARNING):
        watched.see(SILENT)
        assert (watched.rollcall.mailer.calls, watched.hook.requests) == (0, [])
        assert [alert.name for alert in watched.rollcall.services.store.alerts.all()] == ["sources/scraper"]
        (said,) = [record for record in caplog.records if "OPERATOR_EMAIL" in record.getMessage()]
        assert vars(said)["subject"] == SILENT.subject


def test_a_finished_run_pings_once_even_if_its_message_comes_twice(watched: Watched) -> None:
    watched.rollcall.watch()
    watched.rollcall.catalog.rows[watched.rollcall.key()] = Row()
    run = watched.rollcall.run()
    assert watched.switch.requests == [("GET", "/uuid", b"")]
    watched.rollcall.services.publish(ping.message(run.id))
    watched.rollcall.process_messages()
    assert len(watched.switch.requests) == 1


def test_a_run_with_nothing_to_check_pings_too(watched: Watched) -> None:
    assert watched.rollcall.run().state is RunState.FINISHED
    assert len(watched.switch.requests) == 1


def test_a_run_that_checked_nothing_sends_no_ping_and_says_why(watched: Watched) -> None:
    watched.rollcall.watch()
    watched.rollcall.services.breakers["scraper"].force_open("test")
    run = watched.rollcall.run()
    watched.rollcall.advance(1501)
    ended = watched.rollcall.reload(run)
    assert (ended.state, ended.checked, ended.is_success) == (RunState.FINISHED, 0, False)
    assert ended.reason
    assert watched.switch.requests == []
    assert watched.rollcall.services.store.runs.last_succeeded_at() is None


def test_a_run_that_is_under_way_does_not_ping(watched: Watched) -> None:
    watched.rollcall.watch()
    watched.rollcall.services.breakers["scraper"].force_open("test")
    run = watched.rollcall.run()
    watched.rollcall.services.publish(ping.message(run.id))
    watched.rollcall.process_messages()
    assert watched.switch.requests == []


def test_a_ping_that_fails_is_tried_twice_more_and_the_run_does_not_mind(watched: Watched) -> None:
    watched.switch.statuses.extend([500, 503, 404])
    run = watched.rollcall.run()
    assert (run.state, len(watched.switch.requests)) == (RunState.FINISHED, 3)
    assert watched.waits == [1.0, 4.0]


def test_a_broker_that_is_gone_when_the_run_ends_costs_the_ping_alone(watched: Watched) -> None:
    services = watched.rollcall.services

    def publish(message: Message[Any]) -> None:
        if message.actor_name == ping.name:
            raise UnreachableError("the broker is gone")
        services.publish(message)

    broken = replace(watched.rollcall, services=replace(services, publish=publish))
    assert broken.run().state is RunState.FINISHED
    assert watched.switch.requests == []


def test_refused_credentials_pause_the_source_and_cost_its_sections_nothing(watched: Watched) -> None:
    rollcall = watched.rollcall
    rollcall.watch()
    rollcall.catalog.errors[rollcall.key()] = UnauthorisedError("401")
    run = rollcall.run()
    pause = rollcall.services.store.pauses.paused("scraper", rollcall.clock.now())
    assert pause is not None
    assert pause.until == rollcall.clock.now() + timedelta(minutes=15)
    assert "refuses our credentials: 401" in pause.reason
    for _ in range(10):
        rollcall.advance(60)
    assert len(rollcall.catalog.calls) == 1
    rollcall.catalog.errors.clear()
    rollcall.catalog.rows[rollcall.key()] = Row()
    rollcall.advance(301)
    run = rollcall.reload(run)
    assert (run.state, run.checked, run.failed) == (RunState.FINISHED, 1, 0)
    assert rollcall.services.store.pauses.all() == {}


def open_a_seat(rollcall: Harness) -> None:
    rollcall.watch()
    row = rollcall.catalog.rows[rollcall.key()] = Row(open_seats=0)
    rollcall.run()
    row.open_seats = 1
    rollcall.clock.advance(60)
    rollcall.run()


def test_many_alert_notifications_over_a_slow_channel_are_reported_once_each(watched: Watched) -> None:
    """A second teller comes while the first is at work, as a repeated message does."""
    services, sent = watched.rollcall.services, []

    def slow(notification: AlertNotification) -> None:
        sent.append(notification.alert.name)
        watched.rollcall.clock.advance(10)
        if len(sent) % 4 == 0:
            send_alerts(replace(services, operator=OperatorChannels({"mail": quick, "webhook": quick})))

    def quick(notification: AlertNotification) -> None:
        sent.append(notification.alert.name)

    symptoms = {f"sources/{i}": SILENT for i in range(20)}
    services.store.alerts.observe(symptoms, watched.rollcall.clock.now())
    slow_operator = OperatorChannels({"mail": slow, "webhook": slow}, longest_send_seconds=10)
    send_alerts(replace(services, operator=slow_operator))
    assert sorted(sent) == sorted([*symptoms, *symptoms])
