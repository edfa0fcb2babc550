from __future__ import annotations

from datetime import timedelta

import pytest

from store.audit import Audit, AuditEntry
from store.database import Database
from store.pauses import Pauses
from tests.store.harness import StoreHarness


@pytest.fixture
def audit(database: Database) -> Audit:
    return Audit(database)


def entry(
    store: StoreHarness, action: str = "source.pause", subject: str = "mail", by: str = "ada"
) -> AuditEntry:
    return AuditEntry(store.clock.now(), by, action, subject, {"seconds": 60.0, "tags": ["a", None]}, 3)


def test_what_was_recorded_is_read_as_it_was_the_newest_first(audit: Audit, store: StoreHarness) -> None:
    first, second = entry(store), entry(store, "mail.lift", "address/ada@example.edu")
    audit.record(first)
    audit.record(second)
    records, following = audit.page(None, 10)
    assert [record.entry for record in records] == [second, first]
    assert following is None


def test_records_come_in_pages(audit: Audit, store: StoreHarness) -> None:
    for number in range(5):
        audit.record(entry(store, by=f"person {number}"))
    seen, before = [], None
    while True:
        page, before = audit.page(before, 2)
        seen += [record.entry.by for record in page]
        if before is None:
            break
    assert seen == [f"person {number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize("wanted", [{"by": "bob"}, {"action": "mail.lift"}, {"subject": "watch/1"}])
def test_a_filter_leaves_out_the_rest(
    audit: Audit, store: StoreHarness, wanted: dict[str, str | None]
) -> None:
    audit.record(entry(store))
    audit.record(entry(store, "mail.lift", "watch/1", "bob"))
    records, _ = audit.page(None, 10, **wanted)
    assert [record.entry.by for record in records] == ["bob"]


def test_what_was_done_to_several_things_is_found_at_once(audit: Audit, store: StoreHarness) -> None:
    for subject in ("watch/1", "watch/2", "watch/3"):
        audit.record(entry(store, subject=subject))
    assert [record.entry.subject for record in audit.on(["watch/1", "watch/3"])] == ["watch/3", "watch/1"]
    assert [record.entry.subject for record in audit.on(["watch/1", "watch/3"], 1)] == ["watch/3"]
    assert len(audit.on(["watch/1", "watch/3"], None)) == 2


def test_an_effect_that_fails_leaves_no_record(audit: Audit, store: StoreHarness, database: Database) -> None:
    unwritable = AuditEntry(store.clock.now(), "ada", "source.pause", "mail", {"reason": object()})
    now = store.clock.now()
    with pytest.raises(Exception, match="serializable"):
        Pauses(database).pause("mail", now + timedelta(hours=1), "a flood", "ada", now, unwritable)
    assert Pauses(database).find("mail") is None
    assert audit.page(None, 10) == ([], None)


def test_what_had_no_effect_is_not_recorded(audit: Audit, store: StoreHarness, database: Database) -> None:
    assert not Pauses(database).resume("mail", entry(store, "source.resume"))
    assert not store.deliveries.lift("ada@example.edu", entry(store, "mail.lift"))
    assert not store.watches.end(1, "stopped", store.clock.now(), entry(store, "watch.end"))
    assert not store.watches.pause(1, store.clock.now(), entry(store, "watch.pause"))
    assert audit.page(None, 10) == ([], None)
