"""The credit ledger: double-entry and append-only (triggers reject updates and deletes).

A transfer moves credits between two accounts of one owner with two entries that sum to zero. Each entry holds
the balance after it. Only the balance of `issued` may be negative.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select

from domain.errors import InvalidInputError, PermanentError
from domain.money import AccountType, Balance, EntryType, NotEnoughCreditsError, Transfer
from store import audit
from store.audit import AuditEntry
from store.database import Database, from_ms, insert_new, to_ms
from store.schema import credit_accounts, credit_entries, credit_transfers

Row = dict[str, Any]
_COLUMNS = credit_transfers.c


class CreditLedger:
    """The rows of `credit_accounts`, `credit_transfers` and `credit_entries`.

    A job reserves, captures and refunds at most once each; repeated calls change nothing. Calls for one
    account are serialised.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def grant(
        self,
        account: str,
        amount: int,
        key: str,
        now: datetime,
        *,
        reason: str | None = None,
        entry: AuditEntry | None = None,
    ) -> tuple[Transfer, bool]:
        """A new grant of `amount` credits and True, or the earlier grant with `key` and False.

        Raises: InvalidInputError if the earlier grant has another amount.
        """
        with self._locked(account, now) as connection:
            earlier = _found(connection, account=account, idempotency_key=key)
            if earlier is not None:
                if earlier["credits"] != amount:
                    raise InvalidInputError({"credits": f"was {earlier['credits']} when the key was new"})
                return _transfer(earlier), False
            row = _row(account, EntryType.GRANT, amount, now) | {"idempotency_key": key, "reason": reason}
            made = _move(connection, row, AccountType.ISSUED, AccountType.AVAILABLE)
            audit.write(connection, entry)
        return made, True

    def reserve(self, account: str, job_id: str, amount: int, now: datetime) -> None:
        """Hold `amount` credits for a job. Raises: NotEnoughCreditsError; PermanentError once refunded."""
        with self._locked(account, now) as connection:
            if _of_job(connection, job_id, EntryType.REFUND) is not None:
                raise PermanentError("the job's credits were given back already")
            if _of_job(connection, job_id, EntryType.RESERVE) is not None:
                return
            available = _balance_of(connection, account, AccountType.AVAILABLE)
            if available < amount:
                raise NotEnoughCreditsError(f"not enough credits: it takes {amount}, {available} available")
            row = _row(account, EntryType.RESERVE, amount, now) | {"job_id": job_id}
            _move(connection, row, AccountType.AVAILABLE, AccountType.HELD)

    def capture(self, account: str, job_id: str, now: datetime) -> None:
        """Spend the credits held for a job. Raises: PermanentError if there are none, or after a refund."""
        with self._locked(account, now) as connection:
            reserved = _of_job(connection, job_id, EntryType.RESERVE)
            if reserved is None or _of_job(connection, job_id, EntryType.REFUND) is not None:
                raise PermanentError("no credits are held for the job")
            if _of_job(connection, job_id, EntryType.CAPTURE) is None:
                row = _row(account, EntryType.CAPTURE, reserved["credits"], now) | {"job_id": job_id}
                _move(connection, row, AccountType.HELD, AccountType.SPENT)

    def refund(self, account: str, job_id: str, now: datetime) -> int:
        """Refund the credits that a job reserved or captured; return their number.

        A refund of zero is recorded too, so that the job cannot reserve credits afterwards.
        """
        with self._locked(account, now) as connection:
            refunded = _of_job(connection, job_id, EntryType.REFUND)
            if refunded is not None:
                return int(refunded["credits"])
            reserved = _of_job(connection, job_id, EntryType.RESERVE)
            amount = 0 if reserved is None else int(reserved["credits"])
            is_spent = _of_job(connection, job_id, EntryType.CAPTURE) is not None
            row = _row(account, EntryType.REFUND, amount, now) | {"job_id": job_id}
            _move(connection, row, AccountType.SPENT if is_spent else AccountType.HELD, AccountType.AVAILABLE)
        return amount

    def balance(self, account: str) -> Balance | None:
        """The balance of the account, or None if it never received a grant."""
        last = select(func.max(credit_entries.c.id)).where(credit_entries.c.account == account)
        query = select(credit_entries.c.account_type, credit_entries.c.balance).where(
            credit_entries.c.id.in_(last.group_by(credit_entries.c.account_type))
        )
        with self._database.read() as connection:
            found: dict[str, int] = {row.account_type: row.balance for row in connection.execute(query)}
        if not found:
            return None
        return Balance(
            **{
                account_type.value: found.get(account_type, 0)
                for account_type in (AccountType.AVAILABLE, AccountType.HELD, AccountType.SPENT)
            }
        )

    def page(self, account: str, before: int | None, limit: int) -> tuple[list[Transfer], int | None]:
        """The newest transfers of the account, older than the cursor `before`, and the next cursor."""
        query = select(credit_transfers).where(_COLUMNS.account == account, _COLUMNS.credits > 0)
        query = query.order_by(_COLUMNS.id.desc())
        if before is not None:
            query = query.where(_COLUMNS.id < before)
        return self._database.page(query, limit, "id", _transfer)

    @contextmanager
    def _locked(self, account: str, now: datetime) -> Iterator[Connection]:
        """A transaction with a lock on the account."""
        with self._database.write() as connection:
            insert_new(connection, credit_accounts, {"name": account, "created_at_ms": to_ms(now)})
            mine = select(credit_accounts).where(credit_accounts.c.name == account)
            connection.execute(mine.with_for_update())
            yield connection


def _row(account: str, entry_type: EntryType, amount: int, now: datetime) -> Row:
    return {"account": account, "entry_type": entry_type, "credits": amount, "at_ms": to_ms(now)}


def _move(connection: Connection, row: Row, source: AccountType, target: AccountType) -> Transfer:
    made = connection.execute(insert(credit_transfers).values(row).returning(credit_transfers))
    transfer = _transfer(made.mappings().one())
    if transfer.credits:
        _enter(connection, transfer, source, -transfer.credits)
        _enter(connection, transfer, target, transfer.credits)
    return transfer


def _enter(connection: Connection, transfer: Transfer, account_type: AccountType, amount: int) -> None:
    balance = _balance_of(connection, transfer.account, account_type) + amount
    row = {"transfer_id": transfer.id, "account": transfer.account, "account_type": account_type}
    connection.execute(insert(credit_entries).values(row | {"amount": amount, "balance": balance}))


def _balance_of(connection: Connection, account: str, account_type: AccountType) -> int:
    mine = select(credit_entries.c.balance).where(
        credit_entries.c.account == account, credit_entries.c.account_type == account_type
    )
    return connection.execute(mine.order_by(credit_entries.c.id.desc()).limit(1)).scalar() or 0


def _of_job(connection: Connection, job_id: str, entry_type: EntryType) -> RowMapping | None:
    return _found(connection, job_id=job_id, entry_type=entry_type)


def _found(connection: Connection, **wanted: str) -> RowMapping | None:
    query = select(credit_transfers).filter_by(**wanted)
    return connection.execute(query).mappings().first()


def _transfer(row: RowMapping) -> Transfer:
    names = ("id", "account", "credits", "job_id", "idempotency_key", "reason")
    copied: dict[str, Any] = {name: row[name] for name in names}
    return Transfer(**copied, entry_type=EntryType(row["entry_type"]), at=from_ms(row["at_ms"]))
