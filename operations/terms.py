"""Ends terms that are over."""

from __future__ import annotations

from actors.deliver import deliver
from actors.services import Services
from domain.errors import InvalidInputError
from domain.term import Presence
from operations.operation import entry
from store.terms import EndedTerm


def end(services: Services, source: str, term: str, by: str, *, force: bool = False) -> EndedTerm:
    """End the watches of a term; each person with an active watch gets one mail.

    Raises: InvalidInputError for a term without watches, or, unless `force`, one that the catalog still lists
    in part.
    """
    presence = presence_of(services, source, term)
    if presence is not None and not presence.is_gone and not force:
        listed = presence.tracked - presence.missing
        raise InvalidInputError({"term": f"is still listed: {listed} of {presence.tracked} sections"})
    told = entry(services, by, "term.end", f"term/{source}/{term}")
    ended = services.store.terms.end((source, term), services.clock.now(), told)
    if not ended.watches:
        raise InvalidInputError({"term": f"nobody watches a section of {source}/{term}"})
    services.publish(deliver.message())
    return ended


def presence_of(services: Services, source: str, term: str) -> Presence | None:
    """Return how much of a term is missing; None if none of its watched sections was ever seen."""
    return services.store.terms.all().get((source, term))
