"""One line in place of a traceback where the database is away, or is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError

from domain.errors import UnreachableError
from rollcall.doctor.case import InspectedSettings
from rollcall.settings import Settings

_OURS = (DataError, IntegrityError, NotSupportedError, ProgrammingError)


@contextmanager
def describe_outage(settings: Settings) -> Iterator[None]:
    """Raises: UnreachableError, without any secret, where the block fails because of the database itself."""
    try:
        yield
    except _OURS:
        raise  # the database is there, and refuses what we ask: whoever mends that needs the traceback
    except DBAPIError as error:
        reason = InspectedSettings(settings).redact(str(error.orig).partition("\n")[0])
        message = f"the database cannot be reached: {reason}; rollcall doctor tells more"
        raise UnreachableError(message) from error
