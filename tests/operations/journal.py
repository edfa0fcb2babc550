"""Executes operations on a harness, and reads its audit log."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import Struct

from operations.inputs import decode
from operations.operation import Operation, OperationResult, execute
from store.audit import AuditEntry
from tests.support.harness import Harness

I = TypeVar("I", bound=Struct)  # noqa: E741 - as in `operations.operation`
R = TypeVar("R")


def do(
    rollcall: Harness, operation: Operation[I, R], by: str = "ada", /, **fields: Any
) -> OperationResult[R]:
    """Execute `operation` with `fields` as every surface does."""
    given = decode(operation.input, fields, operation.choices(rollcall.admin))
    return execute(operation, rollcall.admin, given, by)


def recorded(rollcall: Harness) -> list[tuple[str, str, str, int]]:
    """Who did what to what and how much of it, the oldest first."""
    return [(entry.by, entry.action, entry.subject, entry.count) for entry in entries(rollcall)]


def entries(rollcall: Harness) -> list[AuditEntry]:
    """Every entry, the oldest first."""
    records, _ = rollcall.services.store.audit.page(None, 1000)
    return [record.entry for record in reversed(records)]
