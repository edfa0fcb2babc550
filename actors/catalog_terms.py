"""Reads the terms that a polled catalog lists, once a day, and proposes the next one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from actors.services import Services
from catalogs.active import ActiveCatalog
from catalogs.client import CatalogClient
from domain.catalog import CatalogTerm
from domain.errors import RollcallError
from domain.term import next_terms

REFRESH_EVERY: Final = timedelta(days=1)
_log = logging.getLogger(__name__)


def refresh_terms(services: Services, active: ActiveCatalog, client: CatalogClient) -> None:
    """Read and store the terms if that was not done for a day.

    A failure is logged, and the next poll tries again. It says nothing about the sections that are polled.
    """
    store, now = services.store.catalog_terms, services.clock.now()
    seen_at = store.seen_at(active.id)
    if seen_at is not None and now - seen_at < REFRESH_EVERY:
        return
    current = store.current(active.id)
    try:
        listed = client.run(active.catalog.terms(client.session))
        proposed = None if current is None else _with_sections(services, active, client, listed, current)
    except RollcallError as error:
        extra = {"source": active.id, "error": services.describe(error)}
        _log.warning("the terms could not be read", extra=extra)
        return
    store.record(active.id, listed, proposed, now)


def _with_sections(
    services: Services,
    active: ActiveCatalog,
    client: CatalogClient,
    listed: Sequence[CatalogTerm],
    current: str,
) -> str | None:
    """The next term, once its catalog lists sections of it: the first unit of the whole term has rows."""
    if not active.catalog.capabilities.lists_term:
        return next((term.code for term in next_terms(listed, current)), None)
    for term in next_terms(listed, current):
        unit = active.catalog.plan(term.code, None)[0]
        answer = client.run(active.catalog.fetch(unit, client.session, services.clock.now()))
        if answer.observations:
            return term.code
    return None
