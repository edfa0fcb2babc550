"""Checks the section of a new watch against its catalog before the next run is due.

The result never rejects the watch: a catalog may be down, and a section may be listed later.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Thread

from actors.check import check
from actors.dispatch import plan_batches
from actors.services import Services
from domain.errors import TransientError
from domain.observation import Missing
from domain.section import SectionKey, Stagger
from operations import section_check
from operations.watches import Listing, listing
from store.watches import StoredWatch

LIMIT_SECONDS = 3.0
UNKNOWN = "unknown section: its catalog does not list it"
_at_once = BoundedSemaphore(2)  # the next run checks the sections of further callers
_log = logging.getLogger(__name__)


def initial_check(
    services: Services, stored: StoredWatch, *, limit_seconds: float = LIMIT_SECONDS
) -> Listing:
    """Return how the section of a new watch is listed; ask its catalog if it was never seen.

    The request passes the breaker and the rate limiter. Nothing is stored, and no error is raised: what
    cannot be learned within the time limit stays `UNCHECKED`, and so does a section of a polled catalog.
    """
    known = listing(stored.section)
    is_checked = stored.watch.key.source in services.sources
    if known is not Listing.UNCHECKED or not is_checked or not _at_once.acquire(blocking=False):
        return known
    answer: SimpleQueue[Listing] = SimpleQueue()
    Thread(target=_look, args=(services, stored.watch.key, answer), daemon=True).start()
    try:
        return answer.get(timeout=limit_seconds)
    except Empty:
        return known


def check_all(services: Services, keys: Iterable[SectionKey], origin: str) -> int:
    """Dispatch a run for those of `keys` that were never checked; return how many.

    While another run begins, or when none can begin, they wait for the next run.
    """
    checked = [key for key in keys if key.source in services.sources]  # polls find the others
    unchecked = services.store.sections.unchecked(checked)
    batches = list(plan_batches(services, unchecked))
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
        outcome = section_check.ask(services, key)
        found = Listing.UNKNOWN if isinstance(outcome, Missing) else Listing.LISTED
    except Exception as error:  # noqa: BLE001 - the watch is made; the log says why it stays unchecked
        _log.warning(
            "a new watch's catalog does not answer", extra={"section": str(key), "error": repr(error)}
        )
    finally:
        _at_once.release()
        answer.put(found)
