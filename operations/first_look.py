"""Asking a catalog about a section that somebody begins to watch, before its next run is due.

The answer turns nobody away: a catalog may be down, and a section may be listed later.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Thread

from actors.check import check
from actors.services import Services
from domain.errors import TransientError
from domain.observation import Missing
from domain.section import SectionKey, Stagger
from operations import section_check
from operations.watches import Listing, listing
from store.watches import StoredWatch

LIMIT_SECONDS = 3.0
UNKNOWN = "unknown section: its catalog does not list it"
_at_once = BoundedSemaphore(2)  # more callers are not worth a thread each; the next run asks for theirs
_log = logging.getLogger(__name__)


def first_look(services: Services, stored: StoredWatch, *, limit_seconds: float = LIMIT_SECONDS) -> Listing:
    """How the section of a new watch is listed; its catalog is asked where that was never seen.

    Through the breaker and the rate limit. Nothing is stored, and no error comes of it: what cannot be learnt
    within the limit stays `UNCHECKED`.
    """
    known = listing(stored.section)
    if known is not Listing.UNCHECKED or not _at_once.acquire(blocking=False):
        return known
    answer: SimpleQueue[Listing] = SimpleQueue()
    Thread(target=_look, args=(services, stored.watch.key, answer), daemon=True).start()
    try:
        return answer.get(timeout=limit_seconds)
    except Empty:
        return known


def look_at_all(services: Services, keys: Iterable[SectionKey], origin: str) -> int:
    """Have workers check those of `keys` that never were, as a run of their own; how many.

    Where a run is just beginning, or none can be begun, they wait for the next one.
    """
    unchecked = services.store.sections.unchecked(keys)
    by_source: dict[str, list[SectionKey]] = defaultdict(list)
    for key in unchecked:
        by_source[key.source].append(key)
    batches = [batch for source, its in by_source.items() for batch in services.sources[source].plan(its)]
    if not batches:
        return 0
    try:
        for batch_id in section_check.begin(services, batches, Stagger.ALL, origin):
            services.publish(check.message(batch_id))
    except TransientError as error:
        _log.info(
            "new sections wait for the next run", extra={"sections": len(unchecked), "error": str(error)}
        )
        return 0
    return len(unchecked)


def _look(services: Services, key: SectionKey, answer: SimpleQueue[Listing]) -> None:
    found = Listing.UNCHECKED
    try:
        told = section_check.ask(services, key)
        found = Listing.UNKNOWN if isinstance(told, Missing) else Listing.LISTED
    except Exception as error:  # noqa: BLE001 - the watch is made; the log says why it stays unchecked
        _log.warning(
            "a new watch's catalog does not answer", extra={"section": str(key), "error": repr(error)}
        )
    finally:
        _at_once.release()
        answer.put(found)
