"""The terms that polled catalogs list, and which of them is in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, bindparam, func, select, update

from domain.catalog import CatalogTerm
from domain.term import TermState
from store import audit
from store.audit import AuditEntry
from store.database import Database, from_ms, insert_new, to_ms
from store.schema import catalog_terms

_columns = catalog_terms.c
_IS_OF_SOURCE = _columns.source == bindparam("of_source")
_IS_TERM = _IS_OF_SOURCE & (_columns.code == bindparam("of_code"))
_SAVE = update(catalog_terms).where(_IS_TERM)
_SET = _SAVE.values(state=bindparam("new_state"))


@dataclass(frozen=True, slots=True)
class StoredTerm:
    """A term of a catalog, its state, and when the catalog last listed it."""

    source: str
    term: CatalogTerm
    state: TermState
    seen_at: datetime


class CatalogTerms:
    """The rows of `catalog_terms`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, source: str | None = None) -> list[StoredTerm]:
        """The known terms, of every catalog or of `source`, in the order of its list."""
        query = select(catalog_terms).order_by(_columns.source, _columns.position, _columns.code)
        with self._database.read() as connection:
            rows = connection.execute(query if source is None else query.where(_columns.source == source))
            return [_stored(row) for row in rows.mappings()]

    def current(self, source: str) -> str | None:
        """The term in use, None before an operator has chosen one."""
        query = select(_columns.code).where(_columns.source == source, _columns.state == TermState.CURRENT)
        with self._database.read() as connection:
            return connection.execute(query).scalar()

    def seen_at(self, source: str) -> datetime | None:
        """When the list was last read."""
        query = select(func.max(_columns.seen_at_ms)).where(_columns.source == source)
        with self._database.read() as connection:
            found = connection.execute(query).scalar()
        return from_ms(found) if found else None

    def record(self, source: str, listed: Sequence[CatalogTerm], proposed: str | None, now: datetime) -> None:
        """Write the list of a catalog, and the term that is `proposed`; states of other terms stay."""
        with self._database.write() as connection:
            for position, term in enumerate(listed):
                facts = {
                    "label": term.label,
                    "is_view_only": term.is_view_only,
                    "position": position,
                    "seen_at_ms": to_ms(now),
                }
                place = {"source": source, "code": term.code}
                if not insert_new(connection, catalog_terms, place | facts | {"state": TermState.LISTED}):
                    connection.execute(_SAVE.values(facts), {"of_source": source, "of_code": term.code})
            withdrawn = update(catalog_terms).where(_IS_OF_SOURCE, _columns.state == TermState.PROPOSED)
            connection.execute(withdrawn.values(state=TermState.LISTED), {"of_source": source})
            if proposed is not None:
                names = {"of_source": source, "of_code": proposed, "new_state": TermState.PROPOSED}
                connection.execute(_SET, names)

    def use(self, source: str, code: str, entry: AuditEntry | None = None) -> None:
        """Make `code` the term in use; the former one is past."""
        names = {"of_source": source, "of_code": code}
        with self._database.write() as connection:
            former = update(catalog_terms).where(_IS_OF_SOURCE, _columns.state == TermState.CURRENT)
            connection.execute(former.values(state=TermState.PAST), {"of_source": source})
            row = {"source": source, "code": code, "label": code, "position": 0, "seen_at_ms": 0}
            insert_new(connection, catalog_terms, row | {"state": TermState.CURRENT})
            connection.execute(_SET, names | {"new_state": TermState.CURRENT})
            audit.write(connection, entry)


def _stored(row: RowMapping) -> StoredTerm:
    term = CatalogTerm(row["code"], row["label"], row["is_view_only"])
    return StoredTerm(row["source"], term, TermState(row["state"]), from_ms(row["seen_at_ms"]))
