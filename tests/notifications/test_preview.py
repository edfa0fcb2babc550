from __future__ import annotations

import email
import stat
from pathlib import Path

import pytest

from domain.errors import TransientError
from domain.notification import Accepted
from notifications.preview import Preview
from tests.notifications.examples import message, messages
from tests.support.clock import FakeClock


def test_a_letter_becomes_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    [receipt] = Preview(tmp_path / "outbox", FakeClock()).send([message()], "key")
    [path] = (tmp_path / "outbox").iterdir()
    assert receipt == Accepted(path.name)
    assert path.name.startswith("20260115T090000000000Z-seat_available-12431-")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert email.message_from_bytes(path.read_bytes())["To"] == "ada@example.edu"


def test_a_repeated_batch_doubles_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    outbox = Preview(tmp_path, clock)
    first = outbox.send(messages(3), "key")
    clock.advance(60)
    assert outbox.send(messages(3), "key") == first
    assert len(list(tmp_path.iterdir())) == 3


def test_a_letter_sent_under_two_keys_shows_twice(tmp_path: Path) -> None:
    outbox = Preview(tmp_path, FakeClock())
    outbox.send([message()], "one key")
    outbox.send([message()], "another key")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_only_the_newest_letters_are_kept(tmp_path: Path, keep: int) -> None:
    clock = FakeClock()
    outbox = Preview(tmp_path, clock, keep=keep)
    receipts = []
    for mail in messages(4):
        receipts += outbox.send([mail], "key")
        clock.advance(1)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [receipt.provider_id for receipt in receipts if isinstance(receipt, Accepted)][4 - keep :]


def test_a_folder_that_cannot_be_written_is_tried_again_later(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file in the way")
    with pytest.raises(TransientError, match="preview"):
        Preview(tmp_path / "outbox", FakeClock()).send([message()], "key")
