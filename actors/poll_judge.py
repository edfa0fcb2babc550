"""Judges one poll as its answers arrive, and what follows for the guard of its term."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from actors.services import Services
from catalogs.active import ActiveCatalog
from catalogs.client import CatalogClient
from catalogs.family import Answer, Unit
from catalogs.samples import Sample
from domain.catalog import CatalogFault, DoubtfulAnswerError, TermGoneError, WrongTermError, fault_of
from domain.catalog_poll import TermPoll
from domain.errors import RollcallError
from domain.poll_judgement import (
    BAD_POLLS,
    DRIFT,
    WITHHELD,
    PollEvidence,
    PollHistory,
    doubt_about_counts,
    doubt_about_openings,
    doubt_about_poll,
    doubt_about_rows,
    guard_after,
    learned,
)
from store.catalogs.answers import AnswerDiff

_MAY_BE_GONE: Final = DRIFT | {CatalogFault.SESSION, CatalogFault.ROUTE_GONE}
"""What a catalog may answer about a term that it does not have."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class PollJudge:
    """Judges a poll that began with `state`; `sample` is the first answer that it did not accept."""

    services: Services
    active: ActiveCatalog
    client: CatalogClient
    state: TermPoll
    evidence: PollEvidence = field(default_factory=PollEvidence)
    history: PollHistory = field(init=False)
    sample: Sample | None = None
    _is_held: bool = False

    def __post_init__(self) -> None:
        self.history = PollHistory.of(self.state.history)

    @property
    def is_withheld(self) -> bool:
        """Whether the answers are judged only: neither recorded nor announced."""
        return self.state.guard in WITHHELD

    def judge(self, unit: Unit, answer: Answer, *, is_whole: bool) -> AnswerDiff | RollcallError:
        """What the answer to `unit` changes, or why it is not credible; nothing of it counts then.

        Shape: the total of an answer that `is_whole` is that of the term.
        """
        state, seen = self.state, answer.observations
        if any(each.key.term != state.term for each in seen):
            return WrongTermError(f"{self.active.id}: sections of another term than {state.term}")
        diff = self.services.store.answers.diff((state.source, state.term), seen)
        self.evidence.add(seen, diff.openings, answer.as_of)
        openings = doubt_about_openings(state, self.history, self.evidence, self.services.clock.now())
        self._is_held = openings is not None
        doubt = openings or doubt_about_counts(state, len(seen), diff.uncounted)
        if answer.total is not None:
            known = state.known_rows if is_whole else self.history.scopes.get(unit.scope)
            doubt = doubt_about_rows(state, answer.total, known, "" if is_whole else unit.scope) or doubt
        return diff if doubt is None else self._doubtful(doubt)

    def refuse(self, error: RollcallError) -> None:
        """Keep the answer that has this `error` as the sample, if it is the first."""
        if fault_of(error) in DRIFT:
            self.sample = self.sample or self.client.sample

    def judge_poll(self, listed: int | None) -> RollcallError | None:
        """Why a poll with accepted answers is not credible; `listed` is None if it read only a part."""
        doubt = doubt_about_poll(self.state, self.history, self.evidence, listed, self.services.clock.now())
        if doubt is None:
            return None
        self.sample = self.client.sample
        return self._doubtful(doubt)

    def explain(self, error: RollcallError | None) -> RollcallError | None:
        """`error`, or TermGoneError if that is why: asked once, at the second bad poll."""
        if error is None or self.state.failures + 1 != BAD_POLLS or fault_of(error) not in _MAY_BE_GONE:
            return error
        try:
            terms = self.client.run(self.active.catalog.terms(self.client.session))
        except RollcallError as failure:
            _log.warning(
                "no terms", extra={"source": self.active.id, "error": self.services.describe(failure)}
            )
            return error
        if not terms or self.state.term in {each.code for each in terms}:
            return error
        return TermGoneError(f"{self.active.id} does not list the term {self.state.term} any more")

    def verdict(
        self, error: RollcallError | None, now: datetime, scopes: Mapping[str, int] | None
    ) -> dict[str, Any]:
        """The fields of `PollResult` about the guard and the history, after a poll with the fault `error`.

        Shape: `scopes` as for `learned`.
        """
        fault, state = None if error is None else fault_of(error), self.state
        guard = guard_after(state, fault, is_held=self._is_held)
        fields: dict[str, Any] = {"guard": guard}
        if guard in WITHHELD and guard is not state.guard and error is not None:
            reason = self.services.describe(error)
            fields |= {"guard_reason": reason, "guard_sample": self._save_sample(reason, now)}
        if error is None and not self.is_withheld:
            known = learned(state, self.history, self.evidence, now, scopes)
            fields |= {"history": known.to_dict()} if known != self.history else {}
        return fields

    def _save_sample(self, reason: str, now: datetime) -> str | None:
        if self.sample is None:
            return None
        return self.services.save_sample(self.active.id, self.sample, reason, now)

    def _doubtful(self, doubt: str) -> DoubtfulAnswerError:
        return DoubtfulAnswerError(f"{self.active.id}: {doubt}")
