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
from sqlalchemy import inspect, text, update

from domain.errors import InvalidInputError, PermanentError
from store import migrate
from store.backup.archive import Manifest, Reader, UnusableArchiveError
from store.backup.dump import back_up
from store.backup.restore import NotEmptyError, check, restore
from store.database import VERSION_TABLE, Database
from store.migrate import UnknownSchemaError
from store.schema import metadata, sections
from store.watch_import import WatchRequest
from store.watches import StoredWatch
from tests.store.harness import ADA, ALAN, GRACE, StoreHarness, key
from tests.support.clock import FakeClock
from tests.support.harness import sqlite_url

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


def save(store: StoreHarness, file: Path) -> Manifest:
    return back_up(
        store.database, file, release="1.0", secrets=SECRETS, now=store.clock.now(), progress=lambda *_: None
    )


def load(database: Database, file: Path, *, replace: bool = False) -> None:
    with file.open("rb") as opened:
        restore(database, Reader(opened), replace=replace, progress=lambda *_: None)


def active(store: StoreHarness) -> list[StoredWatch]:
    return store.watches.page(email=None, section=None, after=None, limit=100)[0]


def fill(store: StoreHarness) -> None:
    """Something of everything: history, a letter of unknown fate, one on its way, pending ones, a pause."""
    for email in (ADA, GRACE):
        store.watch(email=email)
    store.watch("12431", ALAN)
    store.show(0, 2)
    store.attempted()
    store.show(0, 1, number="12431")
    store.send()
    store.show(0, 3, number="12431", seconds=4000)
    store.start([store.observation().key])
    now = store.clock.now()
    store.pauses.pause("scraper", now, "ünïcode \u2028 and 'quotes'", "operator", now)
    store.deliveries.record("evt_1", "bounced", provider_id=None, address=ADA, reason="gone", now=now)


def test_everything_comes_back_whatever_the_database(
    store: StoreHarness, target: Database, file: Path
) -> None:
    fill(store)
    before = store.dump()
    manifest = save(store, file)
    load(target, file)
    assert StoreHarness(target).dump() == before
    assert migrate.is_current(target)
    assert {name: contents.rows for name, contents in manifest.tables.items()} == {
        name: len(rows) for name, rows in before.items()
    }


def test_the_restored_database_works_on_with_new_numbers(
    store: StoreHarness, target: Database, file: Path
) -> None:
    fill(store)
    _, (last,) = store.start([store.observation().key])
    store.settle(last, store.observation(0))  # its row is gone, and its number must not come again
    save(store, file)
    load(target, file)
    after = StoreHarness(target, clock=store.clock, fences=store.fences)
    _, (batch_id,) = after.start([after.observation().key])
    assert batch_id > last
    assert after.watch("12499", ALAN).id > max(watch.id for watch in active(store))
    kept = store.dump()["mail_batches"][0]
    assert [row for row in after.dump()["mail_batches"] if row == kept] == [kept]


def test_numbers_that_the_replaced_database_gave_are_not_given_again(store: StoreHarness, file: Path) -> None:
    store.watch()
    save(store, file)
    for _ in range(3):
        _, (last,) = store.start([store.observation().key])
        store.settle(last, store.observation(0))
    load(store.database, file, replace=True)
    _, (batch_id,) = store.start([store.observation().key])
    assert batch_id > last


def test_a_backup_is_of_one_moment_while_others_write(
    store: StoreHarness, target: Database, file: Path
) -> None:
    fill(store)
    before = store.dump()
    written: list[StoredWatch] = []

    def write(done: int, total: int) -> None:
        if not written:
            written.append(store.watch("12440", f"late-{done}-{total}@example.edu"))

    back_up(store.database, file, release="1", secrets={}, now=store.clock.now(), progress=write)
    assert written
    assert store.dump() != before
    load(target, file)
    assert StoreHarness(target).dump() == before


def test_what_people_said_after_the_backup_stays_said(store: StoreHarness, file: Path) -> None:
    stopped = store.watch()
    store.watch("12431", ALAN)
    store.watch("12431", GRACE)
    save(store, file)
    now = store.clock.advance(60)
    store.watch("12499", ADA)
    store.opt_outs.stop_section(stopped.id, ADA, now)
    store.opt_outs.stop_section(active(store)[-1].id, ADA, now)  # of a section that the backup does not know
    store.opt_outs.stop_all(ALAN, now)
    store.deliveries.record("evt", "complained", provider_id=None, address=GRACE, reason="", now=now)
    load(store.database, file, replace=True)
    assert [stored.watch.email for stored in active(store)] == [GRACE]
    assert store.deliveries.suppression(GRACE) == "complained"
    assert store.opt_outs.has_stopped_all(ALAN)
    assert store.opt_outs.allow_section(stopped.id, ADA, store.clock.advance(1)) == 1
    results = store.watches.add_all(
        [WatchRequest(ADA, key("12499")), WatchRequest(ALAN, key())], store.clock.now()
    )
    assert [type(result) for result in results] == [InvalidInputError, InvalidInputError]


def test_opt_outs_come_back_from_a_backup(store: StoreHarness, target: Database, file: Path) -> None:
    store.watch()
    store.opt_outs.stop_all(ADA, store.clock.now())
    save(store, file)
    load(target, file)
    restored = StoreHarness(target, clock=store.clock)
    assert restored.opt_outs.has_stopped_all(ADA)
    assert restored.opt_outs.allow_all(ADA, store.clock.advance(1)) == 1


def test_a_backup_of_an_older_schema_is_brought_to_the_newest(empty: Database, file: Path) -> None:
    with empty.write() as connection:
        migrate.upgrade_to(connection, "0001")
        connection.execute(
            text("INSERT INTO suppressions (email, reason, created_at_ms) VALUES ('ada@example.edu', 'x', 1)")
        )
    save(StoreHarness(empty), file)
    migrate.upgrade(empty)
    load(empty, file, replace=True)
    assert migrate.is_current(empty)
    assert len(StoreHarness(empty).dump()["suppressions"]) == 1


def test_a_backup_of_a_schema_with_other_names_comes_back(
    store: StoreHarness, target: Database, file: Path
) -> None:
    fill(store)
    with store.database.write() as connection:
        connection.execute(update(sections).values(fillings=0))  # the older schema does not have it
    before = store.dump()
    migrate.downgrade(store.database, "0017")
    assert save(store, file).schema == "0017"
    migrate.upgrade(store.database)
    assert store.dump() == before
    load(target, file)
    assert migrate.is_current(target)
    assert StoreHarness(target).dump() == before


def test_a_database_with_other_names_is_replaced_and_its_numbers_are_not_given_again(
    store: StoreHarness, file: Path
) -> None:
    save(store, file)
    fill(store)
    last = max(number for number, *_ in store.dump()["watch_notifications"])
    migrate.downgrade(store.database, "0017")
    load(store.database, file, replace=True)
    store.watch(email=GRACE)
    store.show(0, 2)
    first = min(number for number, *_ in store.dump()["watch_notifications"])
    assert first == (1 if store.database.is_sqlite else last + 1)  # SQLite reuses the numbers of this table


def test_a_backup_of_a_newer_schema_is_refused(store: StoreHarness, file: Path) -> None:
    save(store, file)
    rewrite(file, schema="9999", release="7.0")
    with pytest.raises(UnknownSchemaError, match=r"schema 9999.*release 7\.0 or a newer one"):
        load(store.database, file)


def test_what_a_restore_would_refuse_can_be_known_before(store: StoreHarness, file: Path) -> None:
    save(store, file)
    with file.open("rb") as opened:
        check(store.database, Reader(opened), replace=False)
        fill(store)
        with pytest.raises(NotEmptyError):
            check(store.database, Reader(opened), replace=False)
        check(store.database, Reader(opened), replace=True)
    rewrite(file, schema="9999")
    with file.open("rb") as opened, pytest.raises(UnknownSchemaError):
        check(store.database, Reader(opened), replace=True)


def test_what_the_engine_of_jobs_kept_goes_with_a_restore(empty: Database, file: Path) -> None:
    migrate.upgrade(empty)
    save(StoreHarness(empty), file)
    run_dbos_database_migrations(system_database_url=empty.url.render_as_string(hide_password=False))
    schema = None if empty.is_sqlite else "dbos"

    def kept() -> set[str]:
        with empty.read() as connection:
            names = {*inspect(connection).get_table_names(schema)} - metadata.tables.keys() - {VERSION_TABLE}
        return {name for name in names if not name.startswith("section_search")}

    assert "workflow_status" in kept()
    load(empty, file)
    assert kept() == set()
    assert migrate.is_current(empty)


def test_what_a_database_holds_is_not_lost_by_mistake(store: StoreHarness, file: Path) -> None:
    save(store, file)
    fill(store)
    before = store.dump()
    with pytest.raises(NotEmptyError):
        load(store.database, file)
    assert store.dump() == before
    load(store.database, file, replace=True)
    assert active(store) == []


def test_a_restore_that_fails_leaves_everything_as_it_was(store: StoreHarness, file: Path) -> None:
    fill(store)
    save(store, file)
    store.watch("12480", GRACE)
    before = store.dump()

    def fail(done: int, total: int) -> None:
        if done == total:
            raise RuntimeError("the disk is full")

    with file.open("rb") as opened, pytest.raises(RuntimeError):
        restore(store.database, Reader(opened), replace=True, progress=fail)
    assert store.dump() == before
    assert migrate.is_current(store.database)


def test_the_file_is_its_owners_alone_and_replaces_the_last_one_at_once(
    store: StoreHarness, file: Path
) -> None:
    file.write_bytes(b"the last backup")
    file.chmod(0o644)

    def fail(*_: int) -> None:
        assert file.read_bytes() == b"the last backup"
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        back_up(store.database, file, release="1", secrets={}, now=store.clock.now(), progress=fail)
    assert [path.name for path in file.parent.iterdir() if "backup" in path.name] == [file.name]
    save(store, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_read_is_named_and_one_that_is_gone_is_left_out(
    store: StoreHarness, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"a")

    def save_with(**files: Path) -> Manifest:
        return back_up(
            store.database,
            file,
            release="1",
            secrets={},
            files=files.items(),
            now=store.clock.now(),
            progress=lambda *_: None,
        )

    (tmp_path / "b").mkdir()
    with pytest.raises(PermanentError, match=r"b cannot be read \(Is a directory\)"):
        save_with(a=tmp_path / "a", b=tmp_path / "b")
    assert not file.exists()
    assert save_with(a=tmp_path / "a", b=tmp_path / "c").parts.keys() >= {"files/a"}


def test_secrets_come_back(store: StoreHarness, file: Path) -> None:
    save(store, file)
    with file.open("rb") as opened:
        assert Reader(opened).secrets() == SECRETS


def test_a_damaged_file_is_refused(store: StoreHarness, file: Path) -> None:
    fill(store)
    save(store, file)
    whole = file.read_bytes()
    for damaged in (b"", b"PK", whole[: len(whole) // 2], whole[:300] + b"\x00" * 50 + whole[350:]):
        file.write_bytes(damaged)
        with pytest.raises(UnusableArchiveError):
            load(store.database, file, replace=True)


def test_a_changed_part_is_refused(store: StoreHarness, file: Path) -> None:
    fill(store)
    save(store, file)
    change(file, "tables/watches.jsonl", b"")
    with pytest.raises(UnusableArchiveError, match=r"watches\.jsonl is not what was written"):
        load(store.database, file, replace=True)


def test_another_format_is_refused(store: StoreHarness, file: Path) -> None:
    save(store, file)
    rewrite(file, format=2)
    with pytest.raises(UnusableArchiveError, match="its format is 2, not 1"):
        load(store.database, file)


def test_an_empty_database_is_not_backed_up(empty: Database, file: Path) -> None:
    with pytest.raises(PermanentError, match="rollcall init"):
        save(replace(StoreHarness(empty), clock=FakeClock()), file)
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


def test_every_table_is_in_a_backup(store: StoreHarness, file: Path) -> None:
    assert save(store, file).tables.keys() == metadata.tables.keys()
