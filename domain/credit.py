"""Credits: granted to an account, held while a job is under way, spent when it has delivered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.errors import PermanentError

MAX_GRANT = 1_000_000
ACCOUNT = "[A-Za-z0-9][A-Za-z0-9_-]{0,63}"


class NotEnoughCreditsError(PermanentError):
    """The account cannot pay for what was asked for."""


class AccountType(StrEnum):
    """Where the credits of an account are. Together they come to zero: what was issued is negative."""

    ISSUED = "issued"
    AVAILABLE = "available"
    HELD = "held"
    SPENT = "spent"


class EntryType(StrEnum):
    """Why credits move from one pot to another."""

    GRANT = "grant"
    RESERVE = "reserve"
    CAPTURE = "capture"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has."""

    available: int = 0
    held: int = 0
    spent: int = 0


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement of credits within an account; those of a job name it, grants name their key."""

    id: int
    account: str
    purpose: EntryType
    credits: int
    at: datetime
    job_id: str | None = None
    idempotency_key: str | None = None
    reason: str | None = None


def is_account(name: str) -> bool:
    """Whether `name` can name an account."""
    return re.fullmatch(ACCOUNT, name) is not None
