from __future__ import annotations

from sqlalchemy import update

from domain.errors import InvalidInputError
from domain.notification import NotificationState
from domain.watch import NotificationKind, Watch
from store.audit import Audit
from store.refusals import ALL_MAIL, ONE_SECTION, OPTED_OUT
from store.schema import watches
from store.watch_import import WatchRequest
from tests.store.desk import ADA, GRACE, Desk, key


def _active(desk: Desk) -> list[tuple[str, str]]:
    page, _ = desk.watches.page(after=None, limit=99)
    return [(stored.watch.email, stored.watch.key.number) for stored in page]


def _refusal(desk: Desk, number: str = "12430", email: str = ADA) -> str | None:
    (result,) = desk.watches.add_all([WatchRequest(email, key(number))], desk.clock.now())
    return str(result) if isinstance(result, InvalidInputError) else None


def test_stopping_all_mail_ends_every_watch_of_the_person_and_refuses_new_ones(desk: Desk) -> None:
    for number in ("12430", "12431"):
        desk.watch(number)
    desk.watch(email=GRACE)
    assert desk.opt_outs.stop_all(ADA, desk.clock.now()) == 2
    assert desk.opt_outs.stop_all(ADA, desk.clock.advance(1)) == 0
    assert _active(desk) == [(GRACE, "12430")]
    for number in ("12430", "777"):
        assert ALL_MAIL in (_refusal(desk, number) or "")
    assert _refusal(desk, email=GRACE) is None
    assert desk.opt_outs.has_stopped_all(ADA)
    assert not desk.opt_outs.has_stopped_all(GRACE)


def test_stopping_one_section_refuses_that_section_alone(desk: Desk) -> None:
    stopped = desk.watch("12430")
    desk.watch("12431")
    assert desk.opt_outs.stop_section(stopped.id, ADA, desk.clock.now()) == 1
    assert ONE_SECTION in (_refusal(desk, "12430") or "")
    assert _refusal(desk, "12431") is None
    assert _refusal(desk, "777") is None
    assert desk.opt_outs.has_stopped_section(stopped.id, ADA)
    assert not desk.opt_outs.has_stopped_all(ADA)


def test_a_watch_that_was_ended_and_added_again_stops_with_the_link_of_the_old_one(desk: Desk) -> None:
    old = desk.watch()
    desk.watches.end(old.id, "stopped by the operator", desk.clock.now())
    desk.watch()
    assert desk.opt_outs.stop_section(old.id, ADA, desk.clock.advance(1)) == 1
    assert _active(desk) == []


def test_the_number_of_another_persons_watch_stops_nothing(desk: Desk) -> None:
    watch = desk.watch(email=GRACE)
    assert desk.opt_outs.stop_section(watch.id, ADA, desk.clock.now()) == 0
    assert desk.opt_outs.stop_section(404, ADA, desk.clock.now()) == 0
    assert _active(desk) == [(GRACE, "12430")]
    assert _refusal(desk) is None


def test_allowing_all_mail_restores_the_watches_that_were_stopped_with_their_preferences(desk: Desk) -> None:
    earlier = desk.watch("12431")
    desk.opt_outs.stop_section(earlier.id, ADA, desk.clock.now())
    ended = desk.watch("12432")
    desk.watches.end(ended.id, "stopped by the operator", desk.clock.advance(1))
    desk.watch("12430", kinds=(NotificationKind.SEAT_AVAILABLE,), min_seats=3)
    desk.opt_outs.stop_all(ADA, desk.clock.advance(1))

    assert desk.opt_outs.allow_all(ADA, desk.clock.advance(1)) == 1
    (restored,), _ = desk.watches.page(after=None, limit=99)
    assert restored.watch == Watch(ADA, key("12430"), (NotificationKind.SEAT_AVAILABLE,), 3)
    assert desk.opt_outs.allow_all(ADA, desk.clock.advance(1)) == 0
    assert desk.opt_outs.has_stopped_section(earlier.id, ADA)


def test_allowing_a_section_restores_nothing_while_all_mail_is_stopped(desk: Desk) -> None:
    watch = desk.watch()
    desk.opt_outs.stop_section(watch.id, ADA, desk.clock.now())
    desk.opt_outs.stop_all(ADA, desk.clock.advance(1))
    assert desk.opt_outs.allow_section(watch.id, ADA, desk.clock.advance(1)) == 0
    assert _active(desk) == []
    desk.opt_outs.allow_all(ADA, desk.clock.advance(1))
    assert _refusal(desk) is None


def test_a_bounce_stays_when_the_person_allows_mail_again(desk: Desk) -> None:
    desk.watch()
    desk.opt_outs.stop_all(ADA, desk.clock.now())
    desk.deliveries.record("e", "bounced", provider_id=None, address=ADA, reason="full", now=desk.clock.now())
    assert desk.opt_outs.allow_all(ADA, desk.clock.now()) == 0
    assert desk.deliveries.suppression(ADA) == "full"


def test_lifting_a_bounce_leaves_the_opt_out(desk: Desk) -> None:
    desk.opt_outs.stop_all(ADA, desk.clock.now())
    desk.deliveries.record("e", "bounced", provider_id=None, address=ADA, reason="full", now=desk.clock.now())
    assert desk.deliveries.lift(ADA)
    assert not desk.deliveries.lift(ADA)
    assert desk.deliveries.suppression(ADA) == ALL_MAIL
    assert ALL_MAIL in (_refusal(desk) or "")


def test_opt_outs_are_listed_with_suppressions_each_address_once(desk: Desk) -> None:
    for email in (GRACE, ADA):
        desk.deliveries.record(
            email, "bounced", provider_id=None, address=email, reason="full", now=desk.clock.now()
        )
    desk.opt_outs.stop_all(ADA, desk.clock.now())
    desk.opt_outs.stop_all("zoe@example.edu", desk.clock.now())
    found, after = desk.deliveries.suppressed(None, 2)
    assert [(each.email, each.is_own) for each in found] == [(ADA, True), (GRACE, False)]
    assert [each.email for each in desk.deliveries.suppressed(after, 2)[0]] == ["zoe@example.edu"]


def test_what_waits_for_a_person_who_opted_out_is_withdrawn(desk: Desk) -> None:
    watch = desk.watch()
    desk.show(0, 1)
    desk.opt_outs.stop_section(watch.id, ADA, desk.clock.now())
    assert desk.claim() is None
    assert [(stored.state, stored.reason) for stored in desk.notifications()] == [
        (NotificationState.SUPPRESSED, OPTED_OUT)
    ]


def test_a_watch_that_slipped_in_beside_the_opt_out_is_not_mailed_and_does_not_go_on(desk: Desk) -> None:
    stopped, other = desk.watch("12430"), desk.watch("12431")
    desk.opt_outs.stop_section(stopped.id, ADA, desk.clock.now())
    moved = update(watches).where(watches.c.id == other.id).values(section_id=1)
    with desk.database.write() as connection:  # as a rival transaction would have left it
        connection.execute(moved)
    assert desk.watches.pause(other.id, desk.clock.now())
    assert not desk.watches.pause(other.id, None)
    desk.show(0, 1)
    assert desk.claim() is None


def test_opting_out_and_in_is_recorded(desk: Desk) -> None:
    desk.watch()
    desk.opt_outs.stop_all(ADA, desk.clock.now())
    desk.opt_outs.stop_all(ADA, desk.clock.now())
    desk.opt_outs.allow_all(ADA, desk.clock.now())
    records = [record.entry for record in Audit(desk.database).page(None, 9)[0]]
    assert [(entry.by, entry.action, entry.subject, entry.count) for entry in records] == [
        ("the person", "mail.opt-in", f"address/{ADA}", 1),
        ("the person", "mail.opt-out", f"address/{ADA}", 1),
    ]
