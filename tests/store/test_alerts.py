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


class Desk:
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

    def tell(self) -> list[tuple[str, str]]:
        """Tell everything; channel and state of each, in order."""
        found = []
        while notifications := self.claim():
            for notification in notifications:
                self.alerts.mark_sent(notification, self.clock.now())
                found.append((notification.channel, notification.alert.state.value))
        return found


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(Alerts(database, ("mail",)))


def test_what_holds_without_hold_off_is_raised_at_once_and_reported_once(desk: Desk) -> None:
    desk.see(FULL)
    assert desk.alerts.is_due(desk.clock.now())
    assert desk.tell() == [("mail", "raised")]
    desk.see(FULL, 3600)
    assert not desk.alerts.is_due(desk.clock.now())
    assert desk.tell() == []


def test_what_holds_for_less_than_its_hold_off_is_never_reported(desk: Desk) -> None:
    desk.see(OPEN, 570)
    desk.see(None)
    desk.see(OPEN, 570)
    desk.see(None, 600)
    assert desk.tell() == []
    assert desk.alerts.all() == []


def test_it_is_raised_when_the_hold_off_is_over_and_says_since_when(desk: Desk) -> None:
    began = desk.clock.now()
    desk.see(OPEN, 600)
    (alert,) = desk.alerts.all()
    assert (alert.state, alert.episode, alert.since) == (AlertState.RAISED, 1, began)
    (notification,) = desk.claim()
    assert (notification.alert, notification.at) == (alert, desk.clock.now())


def test_a_recovery_is_reported_once_it_has_lasted_a_minute(desk: Desk) -> None:
    desk.see(FULL)
    desk.tell()
    desk.clock.advance(30)
    desk.see(None, 30)
    assert desk.tell() == []
    desk.clock.advance(30)
    desk.see(None)
    assert desk.tell() == [("mail", "cleared")]
    desk.see(None, 3600)
    assert desk.tell() == []


def test_what_flaps_once_raised_stays_raised_and_is_reported_once(desk: Desk) -> None:
    desk.see(OPEN, 600)
    for _ in range(100):
        desk.see(None)
        desk.clock.advance(30)
        desk.see(OPEN)
        desk.clock.advance(30)
    assert desk.tell() == [("mail", "raised")]


def test_what_came_and_went_before_it_was_reported_is_reported_in_order(desk: Desk) -> None:
    desk.see(FULL)
    desk.see(None, 60)
    (first,) = desk.claim()
    assert first.alert.state is AlertState.RAISED
    assert desk.claim() == []
    desk.alerts.mark_sent(first, desk.clock.now())
    assert desk.tell() == [("mail", "cleared")]


def test_a_return_before_the_recovery_was_reported_spares_both(desk: Desk) -> None:
    desk.see(FULL)
    assert desk.tell() == [("mail", "raised")]
    for _ in range(50):
        desk.see(None, 60)
        desk.see(FULL)
    assert desk.tell() == []
    desk.see(None, 60)
    assert desk.tell() == [("mail", "cleared")]


def test_a_recovery_that_may_have_left_is_followed_by_the_next_episode(desk: Desk) -> None:
    desk.see(FULL)
    desk.tell()
    desk.see(None, 60)
    (recovery,) = desk.claim()
    desk.see(FULL)
    desk.alerts.postpone(recovery, desk.clock.now(), "no answer")
    assert desk.tell() == [("mail", "cleared"), ("mail", "raised")]
    assert desk.alerts.all()[0].episode == 2


def test_an_outage_of_the_channel_keeps_a_few_alert_notifications_however_long_it_flaps(desk: Desk) -> None:
    for _ in range(50):
        desk.see(FULL)
        for notification in desk.claim():
            desk.alerts.postpone(notification, desk.clock.now(), "refused")
        desk.see(None, 60)
    assert desk.tell() == [("mail", "raised"), ("mail", "cleared")]


def test_a_claim_comes_back_with_the_same_words_when_its_lease_is_over(desk: Desk) -> None:
    desk.see(FULL)
    (first,) = desk.claim()
    desk.see(AlertMessage("The disk is full", "0 MiB are free.", "df -h"))
    assert desk.claim() == []
    desk.clock.advance(121)
    (again,) = desk.claim()
    assert (again.id, again.alert, again.attempts) == (first.id, first.alert, 1)
    assert desk.alerts.all()[0].detail == "0 MiB are free."


def test_anyone_who_lost_the_lease_of_an_alert_notification_writes_nothing_of_it(desk: Desk) -> None:
    desk.see(FULL)
    (slow,) = desk.claim()
    desk.clock.advance(121)
    (again,) = desk.claim()
    desk.alerts.mark_sent(slow, desk.clock.now())
    desk.alerts.postpone(slow, desk.clock.now(), "no answer")
    assert desk.claim() == []  # it is still the other's
    desk.alerts.mark_sent(again, desk.clock.now())
    desk.clock.advance(121)
    assert desk.claim() == []


def test_each_channel_is_reported_by_itself(database: Database) -> None:
    desk = Desk(Alerts(database, ("mail", "webhook")))
    desk.see(FULL)
    notifications = {notification.channel: notification for notification in desk.claim()}
    desk.alerts.mark_sent(notifications["mail"], desk.clock.now())
    desk.alerts.postpone(notifications["webhook"], desk.clock.now() + timedelta(seconds=30), "refused")
    desk.clock.advance(30)
    assert desk.tell() == [("webhook", "raised")]


def test_what_could_not_be_judged_stays_as_it_is(desk: Desk) -> None:
    desk.see(FULL)
    desk.tell()
    desk.clock.advance(7200)
    desk.alerts.observe({}, desk.clock.now())
    assert desk.alerts.all()[0].state is AlertState.RAISED
    assert desk.tell() == []


def test_without_channels_the_alert_stands_and_nothing_is_to_be_reported(database: Database) -> None:
    desk = Desk(Alerts(database))
    desk.see(FULL)
    assert [alert.name for alert in desk.alerts.all()] == [NAME]
    assert desk.tell() == []


def test_concurrent_checks_raise_it_once(database: Database) -> None:
    desk = Desk(Alerts(database, ("mail",)))
    together(*[partial(desk.see, FULL)] * 6)
    assert desk.alerts.all()[0].episode == 1
    assert desk.tell() == [("mail", "raised")]


def test_concurrent_tellers_share_what_is_to_be_reported(database: Database) -> None:
    desk = Desk(Alerts(database, ("mail",)))
    desk.alerts.observe({f"disk/{number}": FULL for number in range(20)}, desk.clock.now())
    claims = together(*[desk.claim] * 4)
    ids = [notification.id for claim in claims for notification in claim]
    assert sorted(ids) == sorted(set(ids))
    assert len(ids) == 20
