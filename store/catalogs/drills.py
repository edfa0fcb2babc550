"""The last fire drill of each polled catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select

from domain.catalog import CatalogFault
from store import audit
from store.audit import AuditEntry
from store.database import Database, from_ms, to_ms
from store.schema import catalog_drills


@dataclass(frozen=True, slots=True)
class Drill:
    """One section followed from its catalog to a mail.

    Shape: `seconds` maps each stage that was passed to its duration. `fault` and `error` say why the next
    stage failed; None if all were passed. `section` is None if none was found.
    """

    source: str
    at: datetime
    seconds: Mapping[str, float]
    term: str | None = None
    section: str | None = None
    fault: CatalogFault | None = None
    error: str | None = None


class Drills:
    """The rows of `catalog_drills`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, drill: Drill, entry: AuditEntry | None = None) -> None:
        """Replace the last drill of the catalog."""
        row = {
            "source": drill.source,
            "at_ms": to_ms(drill.at),
            "term": drill.term,
            "section": drill.section,
            "seconds": dict(drill.seconds),
            "fault": drill.fault,
            "error": drill.error,
        }
        with self._database.write() as connection:
            connection.execute(delete(catalog_drills).where(catalog_drills.c.source == drill.source))
            connection.execute(insert(catalog_drills), row)
            audit.write(connection, entry)

    def all(self) -> dict[str, Drill]:
        """The last drill of each catalog."""
        with self._database.read() as connection:
            rows = connection.execute(select(catalog_drills)).mappings()
            return {
                row["source"]: Drill(
                    row["source"],
                    from_ms(row["at_ms"]),
                    row["seconds"],
                    row["term"],
                    row["section"],
                    None if row["fault"] is None else CatalogFault(row["fault"]),
                    row["error"],
                )
                for row in rows
            }
