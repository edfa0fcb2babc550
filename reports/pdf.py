"""PDFs made on this machine, each by a process of its own (`reports.printing`)."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import dataclass

from domain.errors import PermanentError, TransientError

_MARK = b"%PDF-"
_SHOWN = 300
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LocalPrinter:
    """Prints with PlutoPrint. The library's memory goes with the process, and so does what breaks it."""

    timeout_seconds: float = 90.0

    def __call__(self, html: str) -> bytes:
        """The PDF of `html`.

        Raises: TransientError when it was not done in time or the process was killed; PermanentError when
        the document cannot be printed.
        """
        # Nothing of our environment, which holds secrets, is needed for it.
        command = [sys.executable, "-m", "reports.printing"]
        try:
            done = subprocess.run(  # noqa: S603 - our own module
                command,
                input=html.encode(),
                capture_output=True,
                timeout=self.timeout_seconds,
                env={"PYTHONPATH": ":".join(sys.path)},
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TransientError(f"the PDF was not made in {self.timeout_seconds:g} s") from error
        if done.returncode < 0:
            raise TransientError(f"printing was ended by signal {-done.returncode}")
        if done.returncode or not done.stdout.startswith(_MARK):
            _log.error("cannot print", extra={"error": done.stderr.decode(errors="replace")[-_SHOWN:]})
            raise PermanentError("the PDF cannot be made")
        return done.stdout
