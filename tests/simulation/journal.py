"""A journal of every commit: triggers record each relevant change in its own transaction.

A rolled-back change leaves no line. The code under test is unaware of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

_WATCHED = {
    "section_history": {"INSERT": "n.section_id, n.open_seats, n.instructor"},
    "sections": {
        "UPDATE": "n.id, o.revision, n.revision, o.openings, n.openings,"
        " o.assignments, n.assignments, o.retirements, n.retirements, o.fillings, n.fillings,"
        " n.unreserved_seats, n.location, o.retired > n.retired"
    },
    "watches": dict.fromkeys(
        ("INSERT", "UPDATE"), "n.id, n.section_id, json(n.kinds), n.min_seats, n.ended_at_ms"
    ),
    "opt_outs": {"INSERT": "n.email, 1", "DELETE": "o.email, 0"},
    "runs": {"UPDATE": "n.number, o.state, n.state, n.failed - o.failed, n.deadline_at_ms"},
    "check_batches": {
        "INSERT": "n.id, (SELECT number FROM runs WHERE id = n.run_id), NULL, json(n.pending)",
        "UPDATE": "n.id, (SELECT number FROM runs WHERE id = n.run_id), json(o.pending), json(n.pending)",
        "DELETE": "o.id, (SELECT number FROM runs WHERE id = o.run_id), json(o.pending), NULL",
    },
    "watch_notifications": {
        "INSERT": "n.id, n.watch_id, n.kind, n.episode, NULL, n.state",
        "UPDATE": "n.id, n.watch_id, n.kind, n.episode, o.state, n.state",
    },
}


@dataclass(frozen=True, slots=True)
class Line:
    """One change of one row; `facts` are the columns that `_WATCHED` lists."""

    table: str
    facts: list[Any]


@dataclass(frozen=True, slots=True)
class Commit:
    """The changes of one transaction, in their order; `fence` is the newest that its writer was given."""

    at_ms: int
    fence: int | None
    lines: list[Line]

    def of(self, table: str) -> Iterator[list[Any]]:
        return (line.facts for line in self.lines if line.table == table)


def install(connection: sqlite3.Connection) -> None:
    """Make the table and the triggers."""
    connection.execute(
        "CREATE TABLE sim_journal (id INTEGER PRIMARY KEY, txn INTEGER, at_ms INTEGER, fence INTEGER,"
        " name TEXT, facts TEXT)"
    )
    for table, events in _WATCHED.items():
        for event, columns in events.items():
            facts = columns.replace("n.", "NEW.").replace("o.", "OLD.")
            connection.execute(
                f"CREATE TRIGGER sim_{table}_{event} AFTER {event} ON {table} BEGIN INSERT INTO sim_journal"  # noqa: S608
                f" (txn, at_ms, fence, name, facts) VALUES (sim_transaction(), sim_now(), sim_fence(),"
                f" '{table}', json_array({facts})); END"
            )


def read(connection: sqlite3.Connection) -> list[Commit]:
    """Every commit, oldest first."""
    rows = connection.execute("SELECT txn, at_ms, fence, name, facts FROM sim_journal ORDER BY id")
    found = []
    for (_, at_ms, fence), lines in groupby(rows, key=lambda row: row[:3]):
        found.append(Commit(at_ms, fence, [Line(row[3], json.loads(row[4])) for row in lines]))
    return found
