from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from domain.alert import AlertMessage, AlertNotification, AlertState
from store.alerts import Alerts
from store.database import Database
from tests.store.rivals import together
from tests.support.clock import FakeClock

LEASE = timedelta(minutes=2)
NAME = "breakers/scraper"
OPEN = AlertMessage("The breaker is open", "Ten failures.", "rollcall breaker ls", timedelta(minutes=10))
FULL = AlertMessage("The disk is full", "1 MiB is free.", "df -h")


class AlertHarness:
    def __init__(self, alerts: Alerts) -> None:
        self.alerts = alerts
        self.clock = FakeClock()

    def see(self, symptom: AlertMessage | None, seconds: float = 0, *, every: float = 30) -> None:
        """It is so now, and at every look of the next `seconds`."""
        self.alerts.observe({NAME: symptom}, self.clock.now())
        for _ in range(int(seconds // every)):
            self.clock.advance(every)
            self.alerts.observe({NAME: symptom}, self.clock.now())

    def claim(self) -> list[AlertNotification]:
        """Everything that is due."""
        found = []
        while notification := self.alerts.claim(self.clock.now(), lease=LEASE):
            found.append(notification)
        return found

    def send(self) -> list[tuple[str, str]]:
        """Send every due alert; the channel and state of each, in order."""
        found = []
        while notifications := self.claim():
            for notification in notifications:
                self.alerts.mark_sent(notification, self.clock.now())
                found.append((notification.channel, notification.alert.state.value))
        return found


@pytest.fixture
def store(database: Database) -> AlertHarness:
    return AlertHarness(Alerts(database, ("mail",)))


def test_what_holds_without_hold_off_is_raised_at_once_and_reported_once(store: AlertHarness) -> None:
    store.see(FULL)
    assert store.alerts.is_due(store.clock.now())
    assert store.send() == [("mail", "raised")]
    store.see(FULL, 3600)
    assert not store.alerts.is_due(store.clock.now())
    assert store.send() == []


def test_what_holds_for_less_than_its_hold_off_is_never_reported(store: AlertHarness) -> None:
    store.see(OPEN, 570)
    store.see(None)
    store.see(OPEN, 570)
    store.see(None, 600)
    assert store.send() == []
    assert store.alerts.all() == []


def test_it_is_raised_when_the_hold_off_is_over_and_says_since_when(store: AlertHarness) -> None:
    began = store.clock.now()
    store.see(OPEN, 600)
    (alert,) = store.alerts.all()
    assert (alert.state, alert.episode, alert.since) == (AlertState.RAISED, 1, began)
    (notification,) = store.claim()
    assert (notification.alert, notification.at) == (alert, store.clock.now())


def test_a_recovery_is_reported_once_it_has_lasted_a_minute(store: AlertHarness) -> None:
    store.see(FULL)
    store.send()
    store.clock.advance(30)
    store.see(None, 30)
    assert store.send() == []
    store.clock.advance(30)
    store.see(None)
    assert store.send() == [("mail", "cleared")]
    store.see(None, 3600)
    assert store.send() == []


def test_what_flaps_once_raised_stays_raised_and_is_reported_once(store: AlertHarness) -> None:
    store.see(OPEN, 600)
    for _ in range(100):
        store.see(None)
        store.clock.advance(30)
        store.see(OPEN)
        store.clock.advance(30)
    assert store.send() == [("mail", "raised")]


def test_what_came_and_went_before_it_was_reported_is_reported_in_order(store: AlertHarness) -> None:
    store.see(FULL)
    store.see(None, 60)
    (first,) = store.claim()
    assert first.alert.state is AlertState.RAISED
    assert store.claim() == []
    store.alerts.mark_sent(first, store.clock.now())
    assert store.send() == [("mail", "cleared")]


def test_a_return_before_the_recovery_was_reported_spares_both(store: AlertHarness) -> None:
    store.see(FULL)
    assert store.send() == [("mail", "raised")]
    for _ in range(50):
        store.see(None, 60)
        store.see(FULL)
    assert store.send() == []
    store.see(None, 60)
    assert store.send() == [("mail", "cleared")]


def test_a_recovery_that_may_have_left_is_followed_by_the_next_episode(store: AlertHarness) -> None:
    store.see(FULL)
    store.send()
    store.see(None, 60)
    (recovery,) = store.claim()
    store.see(FULL)
    store.alerts.postpone(recovery, store.clock.now(), "no answer")
    assert store.send() == [("mail", "cleared"), ("mail", "raised")]
    assert store.alerts.all()[0].episode == 2


def test_an_outage_of_the_channel_keeps_a_few_alert_notifications_however_long_it_flaps(
    store: AlertHarness,
) -> None:
    for _ in range(50):
        store.see(FULL)
        for notification in store.claim():
            store.alerts.postpone(notification, store.clock.now(), "refused")
        store.see(None, 60)
    assert store.send() == [("mail", "raised"), ("mail", "cleared")]


def test_a_claim_comes_back_with_the_same_words_when_its_lease_is_over(store: AlertHarness) -> None:
    store.see(FULL)
    (first,) = store.claim()
    store.see(AlertMessage("The disk is full", "0 MiB are free.", "df -h"))
    assert store.claim() == []
    store.clock.advance(121)
    (again,) = store.claim()
    assert (again.id, again.alert, again.attempts) == (first.id, first.alert, 1)
    assert store.alerts.all()[0].detail == "0 MiB are free."


def test_anyone_who_lost_the_lease_of_an_alert_notification_writes_nothing_of_it(store: AlertHarness) -> None:
    store.see(FULL)
    (slow,) = store.claim()
    store.clock.advance(121)
    (again,) = store.claim()
    store.alerts.mark_sent(slow, store.clock.now())
    store.alerts.postpone(slow, store.clock.now(), "no answer")
    assert store.claim() == []  # it is still the other's
    store.alerts.mark_sent(again, store.clock.now())
    store.clock.advance(121)
    assert store.claim() == []


def test_each_channel_is_reported_by_itself(database: Database) -> None:
    store = AlertHarness(Alerts(database, ("mail", "webhook")))
    store.see(FULL)
    notifications = {notification.channel: notification for notification in store.claim()}
    store.alerts.mark_sent(notifications["mail"], store.clock.now())
    store.alerts.postpone(notifications["webhook"], store.clock.now() + timedelta(seconds=30), "refused")
    store.clock.advance(30)
    assert store.send() == [("webhook", "raised")]


def test_what_could_not_be_judged_stays_as_it_is(store: AlertHarness) -> None:
    store.see(FULL)
    store.send()
    store.clock.advance(7200)
    store.alerts.observe({}, store.clock.now())
    assert store.alerts.all()[0].state is AlertState.RAISED
    assert store.send() == []


def test_without_channels_the_alert_stands_and_nothing_is_to_be_reported(database: Database) -> None:
    store = AlertHarness(Alerts(database))
    store.see(FULL)
    assert [alert.name for alert in store.alerts.all()] == [NAME]
    assert store.send() == []


def test_concurrent_checks_raise_it_once(database: Database) -> None:
    store = AlertHarness(Alerts(database, ("mail",)))
    together(*[partial(store.see, FULL)] * 6)
    assert store.alerts.all()[0].episode == 1
    assert store.send() == [("mail", "raised")]


def test_concurrent_tellers_share_what_is_to_be_reported(database: Database) -> None:
    store = AlertHarness(Alerts(database, ("mail",)))
    store.alerts.observe({f"disk/{number}": FULL for number in range(20)}, store.clock.now())
    claims = together(*[store.claim] * 4)
    ids = [notification.id for claim in claims for notification in claim]
    assert sorted(ids) == sorted(set(ids))
    assert len(ids) == 20
