"""Mail transport that sends nothing: it writes each message to an .eml file."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from domain.errors import TransientError
from domain.notification import Accepted, DeliveryResult, OutboundMessage
from domain.ports import Clock, unconditionally
from notifications.messages import to_mime

_MARK_LENGTH = 16
_EVENT = re.compile(r"(?P<kind>\w+);.*\bsection=(?P<section>[\w-]+)")


@dataclass(frozen=True, slots=True)
class Preview:
    """Writes messages to `folder` (mode 0600) and keeps the newest `keep` of them.

    Shape: files are `{time}-{kind}-{section}-{message and key}.eml`, so names sort by time; the name is the
    result's `provider_id`. A message repeated under its key is not written again; under another key it is, as
    a real transport would send it twice.
    """

    folder: Path
    clock: Clock
    keep: int = 1000

    @property
    def name(self) -> str:
        """The transport, as in `MAIL_TRANSPORT`."""
        return "preview"

    @property
    def batch_size(self) -> int:
        """As many as any transport accepts."""
        return 100

    @property
    def is_idempotent(self) -> bool:
        """True: a message repeated under its key is not written again."""
        return True

    @property
    def longest_send_seconds(self) -> float:
        """A disk has no timeout; this is far above the time for a hundred small files."""
        return 30.0

    def send(
        self,
        messages: Sequence[OutboundMessage],
        idempotency_key: str,
        before_handover: Callable[[], None] = unconditionally,
    ) -> list[DeliveryResult]:
        """Write `letters`; every one is accepted.

        Raises: TransientError when the folder cannot be written.
        """
        before_handover()
        try:
            return self._write_all(messages, idempotency_key)
        except OSError as error:
            raise TransientError(f"the preview folder cannot be written: {error}") from error

    def _write_all(self, messages: Sequence[OutboundMessage], idempotency_key: str) -> list[DeliveryResult]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = {path.stem[-_MARK_LENGTH:]: path.name for path in self.folder.glob("*.eml")}
        receipts: list[DeliveryResult] = []
        for message in messages:
            mark = _mark(message, idempotency_key)
            receipts.append(Accepted(written.get(mark) or self._write(message, mark)))
        self._prune()
        return receipts

    def _write(self, message: OutboundMessage, mark: str) -> str:
        now = self.clock.now()
        name = _file_name(message, now, mark)
        descriptor, unfinished = tempfile.mkstemp(dir=self.folder, suffix=".tmp")
        with os.fdopen(descriptor, "wb") as file:
            file.write(to_mime(message, now).as_bytes())
        Path(unfinished).replace(self.folder / name)
        return name

    def _prune(self) -> None:
        for path in sorted(self.folder.glob("*.eml"), reverse=True)[self.keep :]:
            path.unlink(missing_ok=True)


def _mark(message: OutboundMessage, idempotency_key: str) -> str:
    seed = f"{message.headers['Message-ID']}\0{idempotency_key}"
    return hashlib.sha256(seed.encode()).hexdigest()[:_MARK_LENGTH]


def _file_name(message: OutboundMessage, now: datetime, mark: str) -> str:
    event = _EVENT.match(message.headers.get("X-Rollcall-Event", ""))
    about = f"{event['kind']}-{event['section']}" if event else "letter"
    return f"{now:%Y%m%dT%H%M%S%fZ}-{about}-{mark}.eml"
