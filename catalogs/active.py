"""A catalog that this installation polls: its profile, the code that reads it, and clients of its host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from catalogs.client import CatalogClient
from catalogs.family import Catalog
from catalogs.profile import Profile
from domain.ports import HostUsage

_LONGEST_PROBE_SECONDS: Final = 180.0


@dataclass(frozen=True, slots=True)
class ActiveCatalog:
    """A catalog in use, for any thread.

    Shape: `connect` returns a new client with a session of its own, for one thread at a time. `usage` reads
    what the fleet has used of the host's limits; it raises UnreachableError.
    """

    profile: Profile
    catalog: Catalog
    connect: Callable[[], CatalogClient]
    usage: Callable[[], HostUsage]

    @property
    def id(self) -> str:
        """The source in the keys of its sections."""
        return self.profile.id

    @property
    def longest_probe_seconds(self) -> float:
        """The maximum duration of one exchange: the requests that open a session and one more, with turns."""
        return _LONGEST_PROBE_SECONDS
