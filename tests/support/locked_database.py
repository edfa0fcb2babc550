"""A database that refuses to write for a while, as a locked file or a failover does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from store.database import Database


class LockedDatabase(Database):
    """Refuses the next `refusals` transactions, and then loses the answer to the next `lost` commits."""

    refusals = 0
    lost = 0

    @contextmanager
    def write(self) -> Iterator[Connection]:
        if self.refusals:
            self.refusals -= 1
            raise OperationalError("BEGIN IMMEDIATE", None, Exception("database is locked"))
        with super().write() as connection:
            yield connection
        if self.lost:
            self.lost -= 1
            raise OperationalError("COMMIT", None, Exception("server closed the connection unexpectedly"))
