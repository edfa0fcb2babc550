from __future__ import annotations

from datetime import timedelta

import pytest

from store.audit import Audit, AuditEntry
from store.database import Database
from store.pauses import Pauses
from tests.store.desk import Desk


@pytest.fixture
def audit(database: Database) -> Audit:
    return Audit(database)


def entry(desk: Desk, action: str = "source.pause", subject: str = "mail", by: str = "ada") -> AuditEntry:
    return AuditEntry(desk.clock.now(), by, action, subject, {"seconds": 60.0, "tags": ["a", None]}, 3)


def test_what_was_recorded_is_read_as_it_was_the_newest_first(audit: Audit, desk: Desk) -> None:
    first, second = entry(desk), entry(desk, "mail.lift", "address/ada@example.edu")
    audit.record(first)
    audit.record(second)
    records, following = audit.page(None, 10)
    assert [record.entry for record in records] == [second, first]
    assert following is None


def test_records_come_in_pages(audit: Audit, desk: Desk) -> None:
    for number in range(5):
        audit.record(entry(desk, by=f"person {number}"))
    seen, before = [], None
    while True:
        page, before = audit.page(before, 2)
        seen += [record.entry.by for record in page]
        if before is None:
            break
    assert seen == [f"person {number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize("wanted", [{"by": "bob"}, {"action": "mail.lift"}, {"subject": "watch/1"}])
def test_a_filter_leaves_out_the_rest(audit: Audit, desk: Desk, wanted: dict[str, str | None]) -> None:
    audit.record(entry(desk))
    audit.record(entry(desk, "mail.lift", "watch/1", "bob"))
    records, _ = audit.page(None, 10, **wanted)
    assert [record.entry.by for record in records] == ["bob"]


def test_what_was_done_to_several_things_is_found_at_once(audit: Audit, desk: Desk) -> None:
    for subject in ("watch/1", "watch/2", "watch/3"):
        audit.record(entry(desk, subject=subject))
    assert [record.entry.subject for record in audit.on(["watch/1", "watch/3"])] == ["watch/3", "watch/1"]
    assert [record.entry.subject for record in audit.on(["watch/1", "watch/3"], 1)] == ["watch/3"]
    assert len(audit.on(["watch/1", "watch/3"], None)) == 2


def test_an_effect_that_fails_leaves_no_record(audit: Audit, desk: Desk, database: Database) -> None:
    unwritable = AuditEntry(desk.clock.now(), "ada", "source.pause", "mail", {"reason": object()})
    now = desk.clock.now()
    with pytest.raises(Exception, match="serializable"):
        Pauses(database).pause("mail", now + timedelta(hours=1), "a flood", "ada", now, unwritable)
    assert Pauses(database).find("mail") is None
    assert audit.page(None, 10) == ([], None)


def test_what_had_no_effect_is_not_recorded(audit: Audit, desk: Desk, database: Database) -> None:
    assert not Pauses(database).resume("mail", entry(desk, "source.resume"))
    assert not desk.deliveries.lift("ada@example.edu", entry(desk, "mail.lift"))
    assert not desk.watches.end(1, "stopped", desk.clock.now(), entry(desk, "watch.end"))
    assert not desk.watches.pause(1, desk.clock.now(), entry(desk, "watch.pause"))
    assert audit.page(None, 10) == ([], None)
