"""A host's clock that is set back must not hold work back for as long as it ran ahead."""

from __future__ import annotations

import logging
from datetime import timedelta

from actors.services import Services

PERIOD = timedelta(seconds=30)
_log = logging.getLogger(__name__)


def bound_stored_times(services: Services) -> None:
    """Stamp again what lies further ahead of now than it may (`store.clock_bounds`)."""
    now = services.clock.now()
    found = services.store.clock_bounds.enforce(now, run_lifetime=services.run_lifetime)
    if found:
        _log.warning("the clock was set back: stored times are stamped again", extra={"rows": found})
