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

from domain.check import Result, healthy
from domain.errors import TransientError
from domain.notification import Accepted, DeliveryResult, OutboundMessage
from domain.plugin import Plugin, Ports, ProbeContext
from domain.ports import Clock, Mailer
from domain.setting import SettingsGroup
from notifications.messages import to_mime
from notifications.transport import Transport

_ID_LENGTH = 16
_EVENT = re.compile(r"(?P<kind>\w+);.*\bsection=(?P<section>[\w-]+)")


@dataclass(frozen=True)
class Preview(Transport):
    """Writes messages to `folder` (mode 0600) and keeps the newest `keep` of them.

    Shape: files are `{time}-{kind}-{section}-{message and key}.eml`, so names sort by time; the name is the
    result's `provider_id`. A message repeated under its key is not written again; under another key it is, as
    a real transport would send it twice.
    """

    name = "preview"
    batch_size = 100
    is_idempotent = True

    folder: Path
    clock: Clock
    keep: int = 1000

    @property
    def longest_send_seconds(self) -> float:
        """A disk has no timeout; this is far above the time for a hundred small files."""
        return 30.0

    def _send(
        self, messages: Sequence[OutboundMessage], idempotency_key: str, before_handover: Callable[[], None]
    ) -> list[DeliveryResult]:
        """Write `messages`; each is accepted. Raises: TransientError when the folder cannot be written."""
        before_handover()
        try:
            return self._write_all(messages, idempotency_key)
        except OSError as error:
            raise TransientError(f"the preview folder cannot be written: {error}") from error

    def _write_all(self, messages: Sequence[OutboundMessage], idempotency_key: str) -> list[DeliveryResult]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = {path.stem[-_ID_LENGTH:]: path.name for path in self.folder.glob("*.eml")}
        results: list[DeliveryResult] = []
        for message in messages:
            file_id = _file_id(message, idempotency_key)
            results.append(Accepted(written.get(file_id) or self._write(message, file_id)))
        self._prune()
        return results

    def _write(self, message: OutboundMessage, file_id: str) -> str:
        now = self.clock.now()
        name = _file_name(message, now, file_id)
        descriptor, unfinished = tempfile.mkstemp(dir=self.folder, suffix=".tmp")
        with os.fdopen(descriptor, "wb") as file:
            file.write(to_mime(message, now).as_bytes())
        Path(unfinished).replace(self.folder / name)
        return name

    def _prune(self) -> None:
        for path in sorted(self.folder.glob("*.eml"), reverse=True)[self.keep :]:
            path.unlink(missing_ok=True)


def _file_id(message: OutboundMessage, idempotency_key: str) -> str:
    seed = f"{message.headers['Message-ID']}\0{idempotency_key}"
    return hashlib.sha256(seed.encode()).hexdigest()[:_ID_LENGTH]


def _file_name(message: OutboundMessage, now: datetime, file_id: str) -> str:
    event = _EVENT.match(message.headers.get("X-Rollcall-Event", ""))
    about = f"{event['kind']}-{event['section']}" if event else "message"
    return f"{now:%Y%m%dT%H%M%S%fZ}-{about}-{file_id}.eml"


def _build(_settings: SettingsGroup, ports: Ports) -> Mailer:
    return Preview(ports.home / "outbox", ports.clock)


def _probe(_settings: SettingsGroup, _context: ProbeContext) -> Result:
    return healthy("mail goes to the preview outbox")


PLUGIN = Plugin("preview", SettingsGroup, _build, probe=_probe)
