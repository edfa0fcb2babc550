from __future__ import annotations

from sqlalchemy import update

from domain.errors import InvalidInputError
from domain.notification import NotificationState
from domain.watch import NotificationKind, Watch
from store.audit import Audit
from store.refusals import ALL_MAIL, ONE_SECTION, OPTED_OUT
from store.schema import watches
from store.watch_import import WatchRequest
from tests.store.harness import ADA, GRACE, StoreHarness, key


def _active(store: StoreHarness) -> list[tuple[str, str]]:
    page, _ = store.watches.page(after=None, limit=99)
    return [(stored.watch.email, stored.watch.key.number) for stored in page]


def _refusal(store: StoreHarness, number: str = "12430", email: str = ADA) -> str | None:
    (result,) = store.watches.add_all([WatchRequest(email, key(number))], store.clock.now())
    return str(result) if isinstance(result, InvalidInputError) else None


def test_stopping_all_mail_ends_every_watch_of_the_person_and_refuses_new_ones(store: StoreHarness) -> None:
    for number in ("12430", "12431"):
        store.watch(number)
    store.watch(email=GRACE)
    assert store.opt_outs.stop_all(ADA, store.clock.now()) == 2
    assert store.opt_outs.stop_all(ADA, store.clock.advance(1)) == 0
    assert _active(store) == [(GRACE, "12430")]
    for number in ("12430", "777"):
        assert ALL_MAIL in (_refusal(store, number) or "")
    assert _refusal(store, email=GRACE) is None
    assert store.opt_outs.has_stopped_all(ADA)
    assert not store.opt_outs.has_stopped_all(GRACE)


def test_stopping_one_section_refuses_that_section_alone(store: StoreHarness) -> None:
    stopped = store.watch("12430")
    store.watch("12431")
    assert store.opt_outs.stop_section(stopped.id, ADA, store.clock.now()) == 1
    assert ONE_SECTION in (_refusal(store, "12430") or "")
    assert _refusal(store, "12431") is None
    assert _refusal(store, "777") is None
    assert store.opt_outs.has_stopped_section(stopped.id, ADA)
    assert not store.opt_outs.has_stopped_all(ADA)


def test_a_watch_that_was_ended_and_added_again_stops_with_the_link_of_the_old_one(
    store: StoreHarness,
) -> None:
    old = store.watch()
    store.watches.end(old.id, "stopped by the operator", store.clock.now())
    store.watch()
    assert store.opt_outs.stop_section(old.id, ADA, store.clock.advance(1)) == 1
    assert _active(store) == []


def test_the_number_of_another_persons_watch_stops_nothing(store: StoreHarness) -> None:
    watch = store.watch(email=GRACE)
    assert store.opt_outs.stop_section(watch.id, ADA, store.clock.now()) == 0
    assert store.opt_outs.stop_section(404, ADA, store.clock.now()) == 0
    assert _active(store) == [(GRACE, "12430")]
    assert _refusal(store) is None


def test_allowing_all_mail_restores_the_watches_that_were_stopped_with_their_preferences(
    store: StoreHarness,
) -> None:
    earlier = store.watch("12431")
    store.opt_outs.stop_section(earlier.id, ADA, store.clock.now())
    ended = store.watch("12432")
    store.watches.end(ended.id, "stopped by the operator", store.clock.advance(1))
    store.watch("12430", kinds=(NotificationKind.SEAT_AVAILABLE,), min_seats=3)
    store.opt_outs.stop_all(ADA, store.clock.advance(1))

    assert store.opt_outs.allow_all(ADA, store.clock.advance(1)) == 1
    (restored,), _ = store.watches.page(after=None, limit=99)
    assert restored.watch == Watch(ADA, key("12430"), (NotificationKind.SEAT_AVAILABLE,), 3)
    assert store.opt_outs.allow_all(ADA, store.clock.advance(1)) == 0
    assert store.opt_outs.has_stopped_section(earlier.id, ADA)


def test_allowing_a_section_restores_nothing_while_all_mail_is_stopped(store: StoreHarness) -> None:
    watch = store.watch()
    store.opt_outs.stop_section(watch.id, ADA, store.clock.now())
    store.opt_outs.stop_all(ADA, store.clock.advance(1))
    assert store.opt_outs.allow_section(watch.id, ADA, store.clock.advance(1)) == 0
    assert _active(store) == []
    store.opt_outs.allow_all(ADA, store.clock.advance(1))
    assert _refusal(store) is None


def test_a_bounce_stays_when_the_person_allows_mail_again(store: StoreHarness) -> None:
    store.watch()
    store.opt_outs.stop_all(ADA, store.clock.now())
    store.deliveries.record(
        "e", "bounced", provider_id=None, address=ADA, reason="full", now=store.clock.now()
    )
    assert store.opt_outs.allow_all(ADA, store.clock.now()) == 0
    assert store.deliveries.suppression(ADA) == "full"


def test_lifting_a_bounce_leaves_the_opt_out(store: StoreHarness) -> None:
    store.opt_outs.stop_all(ADA, store.clock.now())
    store.deliveries.record(
        "e", "bounced", provider_id=None, address=ADA, reason="full", now=store.clock.now()
    )
    assert store.deliveries.lift(ADA)
    assert not store.deliveries.lift(ADA)
    assert store.deliveries.suppression(ADA) == ALL_MAIL
    assert ALL_MAIL in (_refusal(store) or "")


def test_opt_outs_are_listed_with_suppressions_each_address_once(store: StoreHarness) -> None:
    for email in (GRACE, ADA):
        store.deliveries.record(
            email, "bounced", provider_id=None, address=email, reason="full", now=store.clock.now()
        )
    store.opt_outs.stop_all(ADA, store.clock.now())
    store.opt_outs.stop_all("zoe@example.edu", store.clock.now())
    found, after = store.deliveries.suppressed(None, 2)
    assert [(each.email, each.is_own) for each in found] == [(ADA, True), (GRACE, False)]
    assert [each.email for each in store.deliveries.suppressed(after, 2)[0]] == ["zoe@example.edu"]


def test_what_waits_for_a_person_who_opted_out_is_withdrawn(store: StoreHarness) -> None:
    watch = store.watch()
    store.show(0, 1)
    store.opt_outs.stop_section(watch.id, ADA, store.clock.now())
    assert store.claim() is None
    assert [(stored.state, stored.reason) for stored in store.notifications()] == [
        (NotificationState.SUPPRESSED, OPTED_OUT)
    ]


def test_a_watch_that_slipped_in_beside_the_opt_out_is_not_mailed_and_does_not_go_on(
    store: StoreHarness,
) -> None:
    stopped, other = store.watch("12430"), store.watch("12431")
    store.opt_outs.stop_section(stopped.id, ADA, store.clock.now())
    moved = update(watches).where(watches.c.id == other.id).values(section_id=1)
    with store.database.write() as connection:  # as a rival transaction would have left it
        connection.execute(moved)
    assert store.watches.pause(other.id, store.clock.now())
    assert not store.watches.pause(other.id, None)
    store.show(0, 1)
    assert store.claim() is None


def test_opting_out_and_in_is_recorded(store: StoreHarness) -> None:
    store.watch()
    store.opt_outs.stop_all(ADA, store.clock.now())
    store.opt_outs.stop_all(ADA, store.clock.now())
    store.opt_outs.allow_all(ADA, store.clock.now())
    records = [record.entry for record in Audit(store.database).page(None, 9)[0]]
    assert [(entry.by, entry.action, entry.subject, entry.count) for entry in records] == [
        ("the person", "mail.opt-in", f"address/{ADA}", 1),
        ("the person", "mail.opt-out", f"address/{ADA}", 1),
    ]
