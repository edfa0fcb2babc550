"""One poll of one term of a catalog: it asks for each unit, and records each answer as it arrives."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import random
from threading import Lock
from typing import Final, TypeVar

from actors.deliver import deliver
from actors.poll_judge import PollJudge
from actors.services import Services
from catalogs.active import ActiveCatalog
from catalogs.client import CatalogClient
from catalogs.family import Answer, CatalogRequest, Exchange, Unit, WatchedSection
from domain.catalog import CatalogFault, PartialAnswerError, SchemaError, SessionExpiredError, fault_of
from domain.catalog_poll import (
    MISS_INTERVAL,
    SWEEP_EVERY,
    GuardState,
    ListedRow,
    PollOutcome,
    ScopeProgress,
    may_hide_seats,
    next_due,
    retry_due,
    with_details,
)
from domain.errors import RollcallError
from domain.retry import breaker_outcome_of
from domain.section import SectionKey
from providers.http import HttpResponse
from store.catalogs.answers import AnswerDiff
from store.catalogs.polls import PollResult, RunningPoll

T = TypeVar("T")

_ONE_UNIT = frozenset({CatalogFault.SCHEMA, CatalogFault.WRONG_TERM, CatalogFault.PARTIAL})
"""Faults of one answer; any other concerns the whole catalog and ends the poll."""
_BAD_UNITS: Final = 3
"""After so many bad answers in one poll, the catalog is asked nothing else."""
_HIDDEN_SEATS: Final = 5
"""How many details of unchanged rows one poll reads; the sections take turns."""
_decoding = Lock()
"""Held while an answer is decoded: of many catalogs, one at a time needs the memory for it."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class TermPoller:
    """Runs the poll `running` of a term through `client`; each exchange passes the breaker.

    A poll that `is_stopping` ends early without an outcome, and the next repeats it.
    """

    services: Services
    active: ActiveCatalog
    client: CatalogClient
    running: RunningPoll
    is_stopping: Callable[[], bool]
    started_at: datetime
    outcome: PollOutcome = field(init=False)
    _is_sweep: bool = False
    _scopes: dict[str, ScopeProgress] = field(default_factory=dict)
    _covers: dict[str, frozenset[SectionKey]] = field(default_factory=dict)
    _recheck_at: datetime | None = None
    _judge: PollJudge = field(init=False)

    def __post_init__(self) -> None:
        self.outcome = PollOutcome(*self.running.term)
        self._judge = PollJudge(self.services, self.active, self.client, self.running.state)

    def run(self) -> PollOutcome:
        """Poll the term, and store the outcome.

        Raises: CircuitBreakerError if the breaker refuses; SupersededPollError if another worker polls the
        term; errors of the database. Nothing is concluded then.
        """
        asked, waited = self.client.requests, self.client.seconds
        is_done = self._read_units()
        self.outcome.requests = self.client.requests - asked
        self.outcome.seconds = self.client.seconds - waited
        if is_done:
            self._conclude()
        return self.outcome

    # Reading

    def _read_units(self) -> bool:
        """Read every unit; False if the poll was stopped."""
        units = deque(self._plan())
        for unit in units:
            self._scope(unit).pending += 1
        bad = 0
        while units:
            if self.is_stopping():
                return False
            unit = units.popleft()
            found = self._read(unit)
            if isinstance(found, RollcallError):
                self._scope(unit).fail()
                self._judge.refuse(found)
                self.outcome.error = self.outcome.error or found
                bad += 1
                if not _is_of_one_unit(found) or bad == _BAD_UNITS:
                    return True
                continue
            answer, diff = found
            if answer.continuation is not None:
                units.append(answer.continuation)
            self._scope(unit).add(
                (seen.key.number for seen in answer.observations),
                answer.total,
                continues=answer.continuation is not None,
            )
            if not self._record(diff):
                return True
        return True

    def _plan(self) -> Sequence[Unit]:
        """The units of the watched sections, or of the whole term where that is due or costs no more.

        After a bad poll the watched sections come first: what fails may be a part of the term without any.
        After a doubtful one the same is read again, which confirms or ends the doubt.
        """
        catalog, state, watched = self.active.catalog, self.running.state, self._watched()
        narrow = catalog.plan(state.term, watched, state.known_rows) if watched else []
        if not catalog.capabilities.lists_term:
            return narrow
        whole = catalog.plan(state.term, None, state.known_rows)
        is_due = self._is_sweep_due() or _requests(whole) <= _requests(narrow)
        self._is_sweep = not narrow or (is_due and state.fault in {None, CatalogFault.DOUBTFUL})
        return whole if self._is_sweep else narrow

    def _is_sweep_due(self) -> bool:
        """Whether the whole term was not read for a day, or for half an hour while a section is missing.

        Only the whole term shows whether the section is gone, or its term.
        """
        if None in self.running.courses.values():
            return True
        is_missing = any(row.is_missing and not row.is_retired for row in self.running.watched)
        wait, swept_at = MISS_INTERVAL if is_missing else SWEEP_EVERY, self.running.state.swept_at
        return swept_at is None or self.started_at - swept_at >= wait

    def _watched(self) -> list[WatchedSection]:
        poll = self.running
        listed = {row.number: row.course for row in poll.watched if not row.is_retired}
        courses = {number: course for course, number in poll.courses.items() if number is not None}
        return [
            WatchedSection(SectionKey(*poll.term, number), course)
            for number, course in (courses | listed).items()
        ]

    def _read(self, unit: Unit) -> tuple[Answer, AnswerDiff] | RollcallError:
        """The answer to `unit` and what it changes, or why it does not count."""
        answer = self._fetch(unit)
        if isinstance(answer, RollcallError):
            return answer
        self.outcome.rows += len(answer.observations)
        diff = self._judge.judge(unit, answer, is_whole=self._is_sweep and len(self._scopes) == 1)
        return diff if isinstance(diff, RollcallError) else (answer, diff)

    def _fetch(self, unit: Unit) -> Answer | RollcallError:
        """The answer to `unit`, or its fault; a session that has expired is opened again once."""
        found = self._ask(unit)
        if isinstance(found, SessionExpiredError):
            self.client.session.values.clear()
            found = self._ask(unit)
        if isinstance(found, RollcallError):
            extra = {"source": self.active.id, "term": unit.term, "scope": unit.scope}
            _log.warning("no usable answer", extra=extra | {"error": self.services.describe(found)})
        return found

    def _ask(self, unit: Unit) -> Answer | RollcallError:
        catalog, at = self.active.catalog, self.services.clock.now()
        breaker = self.services.breakers[self.active.id]
        found: Answer | RollcallError
        with breaker.calling() as permit:
            try:
                found = self.client.run(_one_at_a_time(catalog.fetch(unit, self.client.session, at)))
            except RollcallError as error:
                found = error
            except Exception as error:  # noqa: BLE001 - a fault of the answer to our code, logged
                _log.exception("a family failed", extra={"source": self.active.id, "scope": unit.scope})
                found = SchemaError(f"{self.active.id}: {type(error).__name__}: {error}")
            failed = found if isinstance(found, RollcallError) else None
            verdict = True if failed is None else breaker_outcome_of(failed)
            breaker.record(permit, [verdict], error=failed)
        self.outcome.has_answered |= failed is None
        return found

    def _scope(self, unit: Unit) -> ScopeProgress:
        self._covers[unit.scope] = self._covers.get(unit.scope, frozenset()) | unit.covers
        return self._scopes.setdefault(unit.scope, ScopeProgress())

    # Recording

    def _record(self, diff: AnswerDiff) -> bool:
        """Write what an answer changes; False if the catalog must be asked nothing else.

        A section whose details must be read first follows on its own. Without its details it stays as it
        was, and the next poll tries again.
        """
        if self._judge.is_withheld:
            return True
        self._deliver(self.services.store.answers.add(self.running, diff.new, self.services.clock.now()))
        units = self._detail_units(diff)
        self._write([ListedRow(seen, seen) for seen in diff.changed if seen.key not in units], diff)
        for seen in (*diff.changed, *diff.unchanged):
            if seen.key not in units or self.is_stopping():
                continue
            found = self._fetch(units[seen.key])
            if not isinstance(found, RollcallError):
                self._write([ListedRow(seen, with_details(seen, each)) for each in found.observations], diff)
            elif not _is_of_one_unit(found):
                self.outcome.error = found
                return False
        return True

    def _detail_units(self, diff: AnswerDiff) -> dict[SectionKey, Unit]:
        """The details to read of watched sections: of each that changed, and of some that may hide seats."""
        watched = {row.number: row for row in self.running.watched}
        units = {
            seen.key: unit
            for seen in diff.changed
            if seen.key.number in watched and (unit := self.active.catalog.details(seen)) is not None
        }
        hidden = [
            (seen.key, unit)
            for seen in diff.unchanged
            if (row := watched.get(seen.key.number)) is not None
            and may_hide_seats(row, seen)
            and (unit := self.active.catalog.details(seen)) is not None
        ]
        if hidden:
            first = self.running.state.polls * _HIDDEN_SEATS % len(hidden)
            units |= dict((hidden[first:] + hidden[:first])[:_HIDDEN_SEATS])
        return units

    def _write(self, rows: Sequence[ListedRow], diff: AnswerDiff) -> None:
        recorded = self.services.store.answers.record(
            self.running,
            rows,
            diff.unchanged,
            self.services.clock.now(),
            announces=self.running.state.guard is not GuardState.DISCARDED,
        )
        self.outcome.changed += recorded.changed
        self._recheck_at = self._recheck_at or recorded.recheck_at
        self._deliver(recorded.notifications)

    def _deliver(self, notifications: int) -> None:
        self.outcome.notifications += notifications
        if notifications:
            self.services.publish_or_defer(deliver.message())

    # The end

    def _conclude(self) -> None:
        """Count what complete scopes show to be missing, and store the outcome."""
        outcome, now = self.outcome, self.services.clock.now()
        listed = set[str]().union(*(scope.numbers for scope in self._scopes.values()))
        is_read = all(scope.is_complete for scope in self._scopes.values())
        is_complete = outcome.error is None and is_read
        if outcome.error is None and not is_read:
            outcome.error = PartialAnswerError(
                f"{self.active.id}: the answers have {len(listed)} sections of {self.running.state.term},"
                " not as many as the catalog states"
            )
        if is_complete:
            outcome.error = self._judge.judge_poll(len(listed) if self._is_sweep else None)
        outcome.error = error = self._judge.explain(outcome.error)
        # A poll whose answers are withheld completes nothing.
        is_complete = error is None and not self._judge.is_withheld
        if not self._judge.is_withheld:
            self._record_missing(listed, now, is_complete=is_complete)
        is_whole = is_complete and self._is_sweep
        scopes = {name: len(scope.numbers) for name, scope in self._scopes.items()}
        result = PollResult(
            due_at=self._due_at(now),
            requests=outcome.requests,
            changed=outcome.changed,
            is_complete=is_complete,
            rows=len(listed) if is_whole else None,
            as_of=self._judge.evidence.as_of,
            fault=None if error is None else fault_of(error),
            error=None if error is None else self.services.describe(error),
            **self._judge.verdict(error, now, None if self._is_sweep else scopes),
        )
        self.services.store.polls.finish(self.running, result, now)

    def _record_missing(self, listed: set[str], now: datetime, *, is_complete: bool) -> None:
        answers = self.services.store.answers
        watched = {row.number for row in self.running.watched if not row.is_retired}
        if self._is_sweep:
            missing = watched - listed if is_complete else set()
        else:
            covered = [
                {key.number for key in self._covers[name]} - scope.numbers
                for name, scope in self._scopes.items()
                if scope.is_complete
            ]
            missing = watched & set[str]().union(*covered)
        self._deliver(answers.record_missing(self.running, missing, now))
        if self._is_sweep and is_complete:
            answers.remove_unlisted(self.running, listed)

    def _due_at(self, now: datetime) -> datetime:
        every = timedelta(seconds=self.active.profile.polling.every_seconds)
        if self.outcome.error is not None:
            return retry_due(now, every, self.running.state.failures + 1, self.outcome.error)
        if not self.running.is_awaited:
            every = max(every, SWEEP_EVERY)
        due_at = next_due(self.started_at, now, every, random())  # noqa: S311 - not a secret
        return due_at if self._recheck_at is None else min(due_at, self._recheck_at)


def _is_of_one_unit(error: RollcallError) -> bool:
    """Whether other units may still be asked."""
    return fault_of(error) in _ONE_UNIT


def _requests(units: Iterable[Unit]) -> int:
    return sum(unit.requests for unit in units)


def _one_at_a_time(exchange: Exchange[T]) -> Exchange[T]:
    """`exchange`, whose own work excludes that of other polls; its requests do not."""
    advance = partial(next, exchange)
    while True:
        try:
            with _decoding:
                request: CatalogRequest = advance()
        except StopIteration as ended:
            result: T = ended.value
            return result
        try:
            response: HttpResponse = yield request
        except RollcallError as error:
            advance = partial(exchange.throw, error)
        else:
            advance = partial(exchange.send, response)
