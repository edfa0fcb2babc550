"""PDFs rendered on this machine, each in a process of its own (`workflows.report.pdf_process`)."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import dataclass, field
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGXCPU
from subprocess import CompletedProcess
from threading import Lock

from domain.errors import PermanentError, TransientError

_MARK = b"%PDF-"
_SHOWN = 300
_FROM_OUTSIDE = {-SIGHUP, -SIGINT, -SIGKILL, -SIGTERM}
_OUT_OF_MEMORY = (b"memoryerror", b"bad_alloc", b"cannot allocate memory", b"out of memory")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LocalPdfRenderer:
    """Renders with PlutoPrint, one document at a time: the role's memory has room for one.

    The library's memory, and any crash of it, ends with the process.
    """

    timeout_seconds: float = 90.0
    _turn: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def __call__(self, html: str) -> bytes:
        """Return the PDF of `html`.

        Raises: TransientError on a timeout or when the process was killed; PermanentError when the document
        cannot be rendered, or not within its memory and time limits.
        """
        with self._turn:
            done = self._printed(html)
        if done.returncode in _FROM_OUTSIDE:
            raise TransientError(f"printing was ended by signal {-done.returncode}")
        if done.returncode or not done.stdout.startswith(_MARK):
            _log.error("cannot print", extra={"error": done.stderr.decode(errors="replace")[-_SHOWN:]})
            raise PermanentError(f"the PDF cannot be made{_reason(done)}")
        return done.stdout

    def _printed(self, html: str) -> CompletedProcess[bytes]:
        # The process needs nothing of our environment, which holds secrets.
        command = [sys.executable, "-m", "workflows.report.pdf_process"]
        try:
            return subprocess.run(  # noqa: S603 - our own module
                command,
                input=html.encode(),
                capture_output=True,
                timeout=self.timeout_seconds,
                env={"PYTHONPATH": ":".join(sys.path)},
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TransientError(f"the PDF was not made in {self.timeout_seconds:g} s") from error
        except OSError as error:
            raise TransientError(f"printing cannot be started ({error.strerror})") from error


def _reason(done: CompletedProcess[bytes]) -> str:
    if done.returncode == -SIGXCPU:
        return ": it takes too much time"
    return ": it takes too much memory" if any(text in done.stderr.lower() for text in _OUT_OF_MEMORY) else ""
