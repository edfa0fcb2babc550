from __future__ import annotations

import email
import stat
from pathlib import Path

import pytest

from domain.notification import Accepted
from notifications.preview import Preview
from tests.notifications.examples import message, messages
from tests.support.clock import FakeClock


def test_a_message_becomes_a_file_that_only_its_owner_can_read(tmp_path: Path) -> None:
    [result] = Preview(tmp_path / "outbox", FakeClock()).send([message()], "key")
    [path] = (tmp_path / "outbox").iterdir()
    assert result == Accepted(path.name)
    assert path.name.startswith("20260115T090000000000Z-seat_available-12431-")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert email.message_from_bytes(path.read_bytes())["To"] == "ada@example.edu"


def test_a_message_sent_under_two_keys_is_written_twice(tmp_path: Path) -> None:
    outbox = Preview(tmp_path, FakeClock())
    outbox.send([message()], "one key")
    outbox.send([message()], "another key")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_only_the_newest_messages_are_kept(tmp_path: Path, keep: int) -> None:
    clock = FakeClock()
    outbox = Preview(tmp_path, clock, keep=keep)
    results = []
    for mail in messages(4):
        results += outbox.send([mail], "key")
        clock.advance(1)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [result.provider_id for result in results if isinstance(result, Accepted)][4 - keep :]
