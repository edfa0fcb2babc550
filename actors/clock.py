"""Bounds stored times after a host's clock was set back, so that work does not wait for the old time."""

from __future__ import annotations

import logging
from datetime import timedelta

from actors.services import Services

PERIOD = timedelta(seconds=30)
_log = logging.getLogger(__name__)


def bound_stored_times(services: Services) -> None:
    """Reset stored times that are too far in the future (`store.clock_bounds`)."""
    now = services.clock.now()
    found = services.store.clock_bounds.enforce(now, run_lifetime=services.run_lifetime)
    if found:
        _log.warning("the clock was set back: stored times are stamped again", extra={"rows": found})
