"""What is backed up comes back: from either kind of database, into either, all of it or nothing."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from dbos import run_dbos_database_migrations
from sqlalchemy import inspect, text

from domain.errors import InvalidInputError, PermanentError
from store import migrate
from store.backup.archive import Manifest, Reader, UnusableArchiveError
from store.backup.dump import back_up
from store.backup.restore import NotEmptyError, check, restore
from store.database import VERSION_TABLE, Database
from store.migrate import UnknownSchemaError
from store.schema import metadata
from store.watch_import import WatchRequest
from store.watches import StoredWatch
from tests.store.desk import ADA, ALAN, GRACE, Desk, key
from tests.support.clock import FakeClock
from tests.support.house import sqlite_url

SECRETS = {"API_TOKEN": "a token for tests only", "UNSUBSCRIBE_SECRET": "a secret for tests only"}


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database, of either kind whatever kind the other one is."""
    if request.param == "sqlite":
        with closing(Database(sqlite_url(tmp_path / "target"))) as database:
            (tmp_path / "target").mkdir()
            yield database
        return
    server, name = request.getfixturevalue("postgres"), f"target_{uuid4().hex[:12]}"
    server.create(name)
    with closing(Database(server.url(name))) as database:
        yield database
    server.drop(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rollcall.backup"


def save(desk: Desk, file: Path) -> Manifest:
    return back_up(
        desk.database, file, release="1.0", secrets=SECRETS, now=desk.clock.now(), progress=lambda *_: None
    )


def load(database: Database, file: Path, *, replace: bool = False) -> None:
    with file.open("rb") as opened:
        restore(database, Reader(opened), replace=replace, progress=lambda *_: None)


def active(desk: Desk) -> list[StoredWatch]:
    return desk.watches.page(email=None, section=None, after=None, limit=100)[0]


def fill(desk: Desk) -> None:
    """Something of everything: history, a letter of unknown fate, one on its way, pending ones, a pause."""
    for email in (ADA, GRACE):
        desk.watch(email=email)
    desk.watch("12431", ALAN)
    desk.show(0, 2)
    desk.attempted()
    desk.show(0, 1, number="12431")
    desk.send()
    desk.show(0, 3, number="12431", seconds=4000)
    desk.start([desk.seen().key])
    now = desk.clock.now()
    desk.pauses.pause("scraper", now, "ünïcode \u2028 and 'quotes'", "operator", now)
    desk.deliveries.record("evt_1", "bounced", provider_id=None, address=ADA, reason="gone", now=now)


def test_everything_comes_back_whatever_the_database(desk: Desk, target: Database, file: Path) -> None:
    fill(desk)
    before = desk.dump()
    manifest = save(desk, file)
    load(target, file)
    assert Desk(target).dump() == before
    assert migrate.is_current(target)
    assert {name: contents.rows for name, contents in manifest.tables.items()} == {
        name: len(rows) for name, rows in before.items()
    }


def test_the_restored_database_works_on_with_new_numbers(desk: Desk, target: Database, file: Path) -> None:
    fill(desk)
    _, (last,) = desk.start([desk.seen().key])
    desk.settle(last, desk.seen(0))  # its row is gone, and its number must not come again
    save(desk, file)
    load(target, file)
    after = Desk(target, clock=desk.clock, fences=desk.fences)
    _, (batch_id,) = after.start([after.seen().key])
    assert batch_id > last
    assert after.watch("12499", ALAN).id > max(watch.id for watch in active(desk))
    kept = desk.dump()["mail_batches"][0]
    assert [row for row in after.dump()["mail_batches"] if row == kept] == [kept]


def test_numbers_that_the_replaced_database_gave_are_not_given_again(desk: Desk, file: Path) -> None:
    desk.watch()
    save(desk, file)
    for _ in range(3):
        _, (last,) = desk.start([desk.seen().key])
        desk.settle(last, desk.seen(0))
    load(desk.database, file, replace=True)
    _, (batch_id,) = desk.start([desk.seen().key])
    assert batch_id > last


def test_a_backup_is_of_one_moment_while_others_write(desk: Desk, target: Database, file: Path) -> None:
    fill(desk)
    before = desk.dump()
    written: list[StoredWatch] = []

    def write(done: int, total: int) -> None:
        if not written:
            written.append(desk.watch("12440", f"late-{done}-{total}@example.edu"))

    back_up(desk.database, file, release="1", secrets={}, now=desk.clock.now(), progress=write)
    assert written
    assert desk.dump() != before
    load(target, file)
    assert Desk(target).dump() == before


def test_what_people_said_after_the_backup_stays_said(desk: Desk, file: Path) -> None:
    stopped = desk.watch()
    desk.watch("12431", ALAN)
    desk.watch("12431", GRACE)
    save(desk, file)
    now = desk.clock.advance(60)
    desk.watch("12499", ADA)
    desk.opt_outs.stop_section(stopped.id, ADA, now)
    desk.opt_outs.stop_section(active(desk)[-1].id, ADA, now)  # of a section that the backup does not know
    desk.opt_outs.stop_all(ALAN, now)
    desk.deliveries.record("evt", "complained", provider_id=None, address=GRACE, reason="", now=now)
    load(desk.database, file, replace=True)
    assert [stored.watch.email for stored in active(desk)] == [GRACE]
    assert desk.deliveries.suppression(GRACE) == "complained"
    assert desk.opt_outs.has_stopped_all(ALAN)
    assert desk.opt_outs.allow_section(stopped.id, ADA, desk.clock.advance(1)) == 1
    results = desk.watches.add_all(
        [WatchRequest(ADA, key("12499")), WatchRequest(ALAN, key())], desk.clock.now()
    )
    assert [type(result) for result in results] == [InvalidInputError, InvalidInputError]


def test_opt_outs_come_back_from_a_backup(desk: Desk, target: Database, file: Path) -> None:
    desk.watch()
    desk.opt_outs.stop_all(ADA, desk.clock.now())
    save(desk, file)
    load(target, file)
    restored = Desk(target, clock=desk.clock)
    assert restored.opt_outs.has_stopped_all(ADA)
    assert restored.opt_outs.allow_all(ADA, desk.clock.advance(1)) == 1


def test_a_backup_of_an_older_schema_is_brought_to_the_newest(empty: Database, file: Path) -> None:
    with empty.write() as connection:
        migrate.upgrade_to(connection, "0001")
        connection.execute(
            text("INSERT INTO suppressions (email, reason, created_at_ms) VALUES ('ada@example.edu', 'x', 1)")
        )
    save(Desk(empty), file)
    migrate.upgrade(empty)
    load(empty, file, replace=True)
    assert migrate.is_current(empty)
    assert len(Desk(empty).dump()["suppressions"]) == 1


def test_a_backup_of_a_schema_with_other_names_comes_back(desk: Desk, target: Database, file: Path) -> None:
    fill(desk)
    before = desk.dump()
    migrate.downgrade(desk.database, "0017")
    assert save(desk, file).schema == "0017"
    migrate.upgrade(desk.database)
    assert desk.dump() == before
    load(target, file)
    assert migrate.is_current(target)
    assert Desk(target).dump() == before


def test_a_database_with_other_names_is_replaced_and_its_numbers_are_not_given_again(
    desk: Desk, file: Path
) -> None:
    save(desk, file)
    fill(desk)
    last = max(number for number, *_ in desk.dump()["watch_notifications"])
    migrate.downgrade(desk.database, "0017")
    load(desk.database, file, replace=True)
    desk.watch(email=GRACE)
    desk.show(0, 2)
    first = min(number for number, *_ in desk.dump()["watch_notifications"])
    assert first == (1 if desk.database.is_sqlite else last + 1)  # SQLite reuses the numbers of this table


def test_a_backup_of_a_newer_schema_is_refused(desk: Desk, file: Path) -> None:
    save(desk, file)
    rewrite(file, schema="9999", release="7.0")
    with pytest.raises(UnknownSchemaError, match=r"schema 9999.*release 7\.0 or a newer one"):
        load(desk.database, file)


def test_what_a_restore_would_refuse_can_be_known_before(desk: Desk, file: Path) -> None:
    save(desk, file)
    with file.open("rb") as opened:
        check(desk.database, Reader(opened), replace=False)
        fill(desk)
        with pytest.raises(NotEmptyError):
            check(desk.database, Reader(opened), replace=False)
        check(desk.database, Reader(opened), replace=True)
    rewrite(file, schema="9999")
    with file.open("rb") as opened, pytest.raises(UnknownSchemaError):
        check(desk.database, Reader(opened), replace=True)


def test_what_the_engine_of_jobs_kept_goes_with_a_restore(empty: Database, file: Path) -> None:
    migrate.upgrade(empty)
    save(Desk(empty), file)
    run_dbos_database_migrations(system_database_url=empty.url.render_as_string(hide_password=False))
    schema = None if empty.is_sqlite else "dbos"

    def kept() -> set[str]:
        with empty.read() as connection:
            return {*inspect(connection).get_table_names(schema)} - metadata.tables.keys() - {VERSION_TABLE}

    assert "workflow_status" in kept()
    load(empty, file)
    assert kept() == set()
    assert migrate.is_current(empty)


def test_what_a_database_holds_is_not_lost_by_mistake(desk: Desk, file: Path) -> None:
    save(desk, file)
    fill(desk)
    before = desk.dump()
    with pytest.raises(NotEmptyError):
        load(desk.database, file)
    assert desk.dump() == before
    load(desk.database, file, replace=True)
    assert active(desk) == []


def test_a_restore_that_fails_leaves_everything_as_it_was(desk: Desk, file: Path) -> None:
    fill(desk)
    save(desk, file)
    desk.watch("12480", GRACE)
    before = desk.dump()

    def fail(done: int, total: int) -> None:
        if done == total:
            raise RuntimeError("the disk is full")

    with file.open("rb") as opened, pytest.raises(RuntimeError):
        restore(desk.database, Reader(opened), replace=True, progress=fail)
    assert desk.dump() == before
    assert migrate.is_current(desk.database)


def test_the_file_is_its_owners_alone_and_replaces_the_last_one_at_once(desk: Desk, file: Path) -> None:
    file.write_bytes(b"the last backup")
    file.chmod(0o644)

    def fail(*_: int) -> None:
        assert file.read_bytes() == b"the last backup"
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        back_up(desk.database, file, release="1", secrets={}, now=desk.clock.now(), progress=fail)
    assert [path.name for path in file.parent.iterdir() if "backup" in path.name] == [file.name]
    save(desk, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_read_is_named_and_one_that_is_gone_is_left_out(
    desk: Desk, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"a")

    def save_with(**files: Path) -> Manifest:
        return back_up(
            desk.database,
            file,
            release="1",
            secrets={},
            files=files.items(),
            now=desk.clock.now(),
            progress=lambda *_: None,
        )

    (tmp_path / "b").mkdir()
    with pytest.raises(PermanentError, match=r"b cannot be read \(Is a directory\)"):
        save_with(a=tmp_path / "a", b=tmp_path / "b")
    assert not file.exists()
    assert save_with(a=tmp_path / "a", b=tmp_path / "c").parts.keys() >= {"files/a"}


def test_secrets_come_back(desk: Desk, file: Path) -> None:
    save(desk, file)
    with file.open("rb") as opened:
        assert Reader(opened).secrets() == SECRETS


def test_a_damaged_file_is_refused(desk: Desk, file: Path) -> None:
    fill(desk)
    save(desk, file)
    whole = file.read_bytes()
    for damaged in (b"", b"PK", whole[: len(whole) // 2], whole[:300] + b"\x00" * 50 + whole[350:]):
        file.write_bytes(damaged)
        with pytest.raises(UnusableArchiveError):
            load(desk.database, file, replace=True)


def test_a_changed_part_is_refused(desk: Desk, file: Path) -> None:
    fill(desk)
    save(desk, file)
    change(file, "tables/watches.jsonl", b"")
    with pytest.raises(UnusableArchiveError, match=r"watches\.jsonl is not what was written"):
        load(desk.database, file, replace=True)


def test_another_format_is_refused(desk: Desk, file: Path) -> None:
    save(desk, file)
    rewrite(file, format=2)
    with pytest.raises(UnusableArchiveError, match="its format is 2, not 1"):
        load(desk.database, file)


def test_an_empty_database_is_not_backed_up(empty: Database, file: Path) -> None:
    with pytest.raises(PermanentError, match="rollcall init"):
        save(replace(Desk(empty), clock=FakeClock()), file)
    assert not file.exists()


def rewrite(file: Path, **changes: Any) -> None:
    """Change what the manifest says."""
    with zipfile.ZipFile(file) as old:
        manifest = json.loads(old.read("manifest.json"))
    change(file, "manifest.json", json.dumps(manifest | changes).encode())


def change(file: Path, name: str, content: bytes) -> None:
    with zipfile.ZipFile(file) as old:
        parts = {part: old.read(part) for part in old.namelist()}
    with zipfile.ZipFile(file, "w") as new:
        for part, kept in parts.items():
            new.writestr(part, content if part == name else kept)


def test_every_table_is_in_a_backup(desk: Desk, file: Path) -> None:
    assert save(desk, file).tables.keys() == metadata.tables.keys()
