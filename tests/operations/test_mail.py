from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import (
    IdempotencyKeyUsedError,
    InvalidInputError,
    RejectedError,
    RollcallError,
    UpstreamError,
)
from domain.notification import Accepted, NotificationState
from domain.observation import UNASSIGNED
from domain.watch import NotificationKind
from operations import mail
from store.dead_mail import DeadMail
from tests.operations.journal import do, recorded
from tests.support.catalog import Row
from tests.support.harness import Harness

EVE = "eve@example.edu"


def suppress(rollcall: Harness, email: str) -> None:
    rollcall.services.store.deliveries.record(
        email, "bounced", provider_id=None, address=email, reason="no such user", now=rollcall.clock.now()
    )


def test_a_preview_is_the_message_as_it_left(rollcall: Harness) -> None:
    rollcall.watch()
    for open_seats in (0, 2):
        rollcall.catalog.rows[rollcall.key()] = Row(open_seats)
        rollcall.run()
        rollcall.clock.advance(1)
    assert [mail.preview(rollcall.services, 1)] == rollcall.mailer.sent


def test_a_notification_that_does_not_exist_has_no_preview(rollcall: Harness) -> None:
    with pytest.raises(InvalidInputError) as caught:
        mail.preview(rollcall.services, 1)
    assert set(caught.value.problems) == {"notification_id"}


@pytest.mark.parametrize("kind", list(NotificationKind))
def test_a_test_leaves_at_once_and_says_that_it_is_one(rollcall: Harness, kind: NotificationKind) -> None:
    sent = do(rollcall, mail.TEST, "bob", to="Ada@Example.edu", kind=kind)
    assert isinstance(sent.value, Accepted)
    assert sent.message == f"post accepted the message to ada@example.edu as {sent.value}."
    (message,) = rollcall.mailer.sent
    assert (message.to, message.subject[:6]) == ("ada@example.edu", "Test: ")
    assert message.headers["X-Rollcall-Event"].startswith(f"{kind}; ")
    assert recorded(rollcall) == [("bob", "mail.test", "address/ada@example.edu", 1)]


def test_each_test_is_a_message_of_its_own(rollcall: Harness) -> None:
    for _ in range(2):
        do(rollcall, mail.TEST, to=EVE)
    assert len(rollcall.mailer.sent) == 2


@pytest.mark.parametrize("to", ["", "nobody", EVE])
def test_nothing_is_sent_to_what_is_no_address_or_suppressed(rollcall: Harness, to: str) -> None:
    suppress(rollcall, EVE)
    with pytest.raises(InvalidInputError) as caught:
        do(rollcall, mail.TEST, to=to)
    assert set(caught.value.problems) == {"to"}
    assert (rollcall.mailer.sent, recorded(rollcall)) == ([], [])


def test_what_the_transport_says_is_raised_as_it_is(rollcall: Harness) -> None:
    rollcall.mailer.errors.append(UpstreamError("HTTP 500"))
    with pytest.raises(UpstreamError):
        do(rollcall, mail.TEST, to=EVE)
    assert recorded(rollcall) == [("ada", "mail.test", f"address/{EVE}", 1)]


def lose_letters(rollcall: Harness, *errors: RollcallError) -> None:
    """One opening for each error, whose letter dies of it."""
    for i, error in enumerate(errors):
        number = str(12430 + 2 * i)
        rollcall.watch(number, email=f"student{i}@example.edu")
        row = rollcall.catalog.rows[rollcall.key(number)] = Row(open_seats=0)
        rollcall.run()
        row.open_seats = 1
        rollcall.clock.advance(60)
        rollcall.mailer.errors.append(error)
        rollcall.run()


def test_dead_letters_are_sent_again_by_their_cause_and_that_is_recorded(rollcall: Harness) -> None:
    lose_letters(rollcall, RejectedError("no such domain"), RejectedError("too large"))
    assert [state for _, _, state in rollcall.states()] == [NotificationState.DEAD] * 2
    wanted = DeadMail(cause="NO SUCH")
    assert rollcall.services.store.dead_mail.count(wanted, rollcall.clock.now()) == 1
    assert do(rollcall, mail.RETRY, cause="NO SUCH").value == 1
    rollcall.advance(1)
    assert [state for _, _, state in rollcall.states()] == [NotificationState.SENT, NotificationState.DEAD]
    (record, *_), _ = rollcall.services.store.audit.page(None, 10)
    assert (record.entry.action, record.entry.count, record.entry.detail) == (
        "mail.retry",
        1,
        {"cause": "NO SUCH"},
    )


def test_a_dead_letter_is_judged_before_it_is_sent_again(rollcall: Harness) -> None:
    lose_letters(rollcall, RejectedError("no such domain"))
    rollcall.services.store.watches.end(1, "deleted", rollcall.clock.now())
    assert do(rollcall, mail.RETRY).value == 1
    rollcall.advance(1)
    assert [state for _, _, state in rollcall.states()] == [NotificationState.SUPPRESSED]


def test_at_a_rate_an_hours_worth_is_revived_and_nothing_leaves_in_a_burst(rollcall: Harness) -> None:
    lose_letters(rollcall, *[RejectedError("no such domain")] * 4)
    assert do(rollcall, mail.RETRY, rate=1 / 1800).value == 3
    now, bounds = rollcall.clock.now(), rollcall.services.store.clock_bounds
    assert bounds.enforce(now, run_lifetime=timedelta(hours=1)) == {}
    assert rollcall.services.store.dead_mail.count(DeadMail(), now) == 1


def test_an_instructor_whom_a_later_message_names_is_not_sent_again(rollcall: Harness) -> None:
    rollcall.watch("12430", email="student@example.edu")
    row = rollcall.catalog.rows[rollcall.key("12430")] = Row(open_seats=0, instructor=UNASSIGNED)
    rollcall.run()
    rollcall.mailer.errors.append(RejectedError("no such domain"))
    for instructor in ("Ada", UNASSIGNED, "Ada"):
        row.instructor = instructor
        rollcall.clock.advance(60)
        rollcall.run()
    assert [state for _, _, state in rollcall.states()] == [NotificationState.DEAD, NotificationState.SENT]
    assert do(rollcall, mail.RETRY).value == 0
    rollcall.advance(1)
    assert [state for _, _, state in rollcall.states()] == [
        NotificationState.SUPPRESSED,
        NotificationState.SENT,
    ]


def test_what_may_have_been_sent_is_sent_again_only_when_that_is_said(rollcall: Harness) -> None:
    lose_letters(rollcall, IdempotencyKeyUsedError("409"))
    assert do(rollcall, mail.RETRY).value == 0
    assert do(rollcall, mail.RETRY, include_unknown=True).value == 1


def test_dead_letters_are_sent_again_by_age_and_at_a_rate(rollcall: Harness) -> None:
    lose_letters(rollcall, *[RejectedError("no")] * 3)
    assert do(rollcall, mail.RETRY, older_than="1h").value == 0
    rollcall.clock.advance(3601)
    assert do(rollcall, mail.RETRY, older_than="1h", rate=0.1).value == 3
    sent = len(rollcall.mailer.sent)
    rollcall.advance(1)
    assert len(rollcall.mailer.sent) == sent + 1


def test_a_suppression_is_lifted_once_and_that_is_recorded(rollcall: Harness) -> None:
    suppress(rollcall, EVE)
    do(rollcall, mail.LIFT, "bob", email="EVE@example.edu")
    assert rollcall.services.store.deliveries.suppression(EVE) is None
    assert recorded(rollcall) == [("bob", "mail.lift", f"address/{EVE}", 1)]
    for email, wrong in ((EVE, "is not suppressed"), ("nobody", "must be an e-mail address")):
        with pytest.raises(InvalidInputError, match=wrong):
            do(rollcall, mail.LIFT, email=email)


def test_the_opt_out_of_a_person_is_not_lifted(rollcall: Harness) -> None:
    services = rollcall.services
    services.store.opt_outs.stop_all(EVE, services.clock.now())
    for _ in range(2):
        with pytest.raises(InvalidInputError, match="only they can allow it again"):
            do(rollcall, mail.LIFT, email=EVE)
    suppress(rollcall, EVE)
    with pytest.raises(InvalidInputError, match="report of the provider is lifted, but the person stopped"):
        do(rollcall, mail.LIFT, email=EVE)
    assert services.store.opt_outs.has_stopped_all(EVE)
    with pytest.raises(InvalidInputError, match="the person stopped all mail"):
        do(rollcall, mail.TEST, to=EVE)
