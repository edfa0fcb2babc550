"""Digests of the settings of each upstream. Only a digest is stored, because settings hold secrets."""

from __future__ import annotations

from sqlalchemy import update

from store.database import Database, insert_new
from store.schema import upstreams


class Upstreams:
    """The rows of `upstreams`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def adopt(self, name: str, settings_digest: str) -> bool:
        """Store the current settings of `name`; True for exactly one caller if they replace others."""
        row = {"name": name, "settings_digest": settings_digest}
        differs = (upstreams.c.name == name) & (upstreams.c.settings_digest != settings_digest)
        with self._database.write() as connection:
            insert_new(connection, upstreams, row)
            return connection.execute(update(upstreams).where(differs).values(row)).rowcount > 0
