"""Observations of one section, and a reader's view of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from domain.notification_policy import unmet_preference
from domain.observation import UNASSIGNED, Observation
from domain.section import SectionKey
from domain.section_state import SectionEvent, SectionState, advance
from domain.watch import NotificationKind, Watch, kind_of

KEY = SectionKey("scraper", "2261", "12430")
START = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def seen(minute: int, open_seats: int | None = None, instructor: str | None = None) -> Observation:
    return Observation(KEY, at(minute), open_seats, None, instructor)


def fold(
    observations: Iterable[Observation], state: SectionState | None = None
) -> tuple[SectionState, list[SectionEvent]]:
    """The state after all of `observations` in the order in which they came, and all their changes."""
    state, changes = state or SectionState(KEY), list[SectionEvent]()
    for observation in observations:
        state, made = advance(state, observation)
        changes += made
    return state, changes


def wants(watch: Watch, change: SectionEvent) -> bool:
    return unmet_preference(watch, change) is None


def notifications(watch: Watch, changes: Iterable[SectionEvent]) -> list[tuple[NotificationKind, int]]:
    """The notifications of `watch`, each kind and episode once, in order (the unique key)."""
    return list(
        dict.fromkeys((kind_of(change), change.episode) for change in changes if wants(watch, change))
    )


OBSERVATIONS = st.builds(
    seen,
    st.integers(min_value=0, max_value=12),
    st.one_of(st.none(), st.integers(min_value=0, max_value=4)),
    st.sampled_from([None, UNASSIGNED, "Ada Lovelace", "Grace Hopper"]),
)
TIMELINES = st.lists(OBSERVATIONS, max_size=14)
