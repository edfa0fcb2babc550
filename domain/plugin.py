"""Plug-ins: a catalog family, a channel or a provider is one module with its settings and its client.

`rollcall/plugins.py` lists them. Heavy imports belong inside `build`: every process imports every
declaration, but builds only the clients that it uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from domain.alert import RunbookLink
from domain.check import Result, healthy, unhealthy
from domain.errors import InvalidInputError, RollcallError, UnauthorisedError
from domain.ports import Clock, Mailer, Pacer, RateLimiterPort
from domain.section import SectionKey
from domain.setting import SettingsGroup

S = TypeVar("S", bound=SettingsGroup)
P = TypeVar("P")
T = TypeVar("T")
G = TypeVar("G", bound=SettingsGroup)


class SettingsByGroup(Protocol):
    """The settings of this process."""

    def of(self, group: type[G]) -> G:
        """Return the settings of `group`."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What the composition root offers to every client.

    Shape: `pacer(name, per_minute, burst)` reserves slots of a rate limit of the whole fleet, and
    `rate_limiter(name, per_minute)` waits for them. `home` is the state folder.
    """

    clock: Clock
    home: Path
    pacer: Callable[[str, int, int], Pacer]
    rate_limiter: Callable[[str, int], RateLimiterPort]


@dataclass(frozen=True, slots=True)
class ChannelPorts:
    """What the composition root offers to the operator's channels; `links` returns an alert's links."""

    mailer: Mailer
    sender: str
    links: Callable[[str], RunbookLink]


PROBE_SECONDS = 8.0
"""Within this time a probe should have its answer."""


@dataclass(frozen=True, slots=True)
class ProbeContext:
    """What a probe may use: the `sender` of mail, and a watched `section` of the catalog, if there is one."""

    clock: Clock
    sender: str
    section: SectionKey | None = None


@dataclass(frozen=True, slots=True)
class Plugin(Generic[S, P, T]):
    """A plug-in.

    Shape: `name` also names its circuit breaker and its rate limit. The setting `key` enables it; one without
    a key is the fallback of its list. `longest_seconds` limits one call of a client behind a circuit breaker.
    `probe` is what `rollcall doctor` runs: whether the other side accepts the settings, without any effect.
    """

    name: str
    settings: type[S]
    build: Callable[[S, P], T]
    key: str = ""
    longest_seconds: float = 0.0
    probe: Callable[[S, ProbeContext], Result] | None = None

    def is_enabled(self, settings: SettingsByGroup) -> bool:
        """Return whether the setting `key` has a value."""
        group = settings.of(self.settings)
        return any(declared.name == self.key and value is not None for declared, value in group.current())

    def make(self, settings: SettingsByGroup, ports: P) -> T:
        """Build the client. Raises: as `build`."""
        return self.build(settings.of(self.settings), ports)

    def client(self, settings: SettingsByGroup, ports: P) -> T | None:
        """Build the client if the plug-in is enabled."""
        return self.make(settings, ports) if self.is_enabled(settings) else None

    def examine(self, settings: SettingsByGroup, context: ProbeContext) -> Result:
        """Return the result of `probe`; without one, healthy."""
        if self.probe is None:
            return healthy("nothing to probe")
        try:
            return self.probe(settings.of(self.settings), context)
        except (InvalidInputError, UnauthorisedError) as error:
            return unhealthy(str(error), f"correct {self.key}")
        except RollcallError as error:
            return unhealthy(str(error), f"make the provider reachable from here, or correct {self.key}")


A = TypeVar("A", bound=Plugin[Any, Any, Any])


def enabled(plugins: Iterable[A], settings: SettingsByGroup) -> list[A]:
    """Return the enabled plug-ins in order, or else the fallback."""
    known = list(plugins)
    found = [each for each in known if each.is_enabled(settings)]
    return found or [each for each in known if not each.key]
