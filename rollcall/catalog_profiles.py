"""Profiles of this installation, and readers of their catalogs. Needs neither Redis nor an installation."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import structs

from catalogs.active import ActiveCatalog
from catalogs.client import TIMEOUT_SECONDS, CatalogClient, origin_of
from catalogs.family import Family, FamilyOptions
from catalogs.profile import Profile, Profiles, profile_text
from catalogs.reader import CatalogReader
from domain.catalog import CatalogTerm
from domain.errors import ConfigurationError, InvalidInputError, UnreachableError
from domain.notification import MAIL
from domain.ports import Clock, HostGatePort, HostUsage
from resilience.host_gate import CommandHostGate, HostGate, HostLimits, LocalHostGate
from rollcall import plugins
from rollcall.settings import Settings

if TYPE_CHECKING:
    import redis

_FLIGHT_MARGIN_SECONDS = 15  # a request that takes longer has died with its process


def open_profiles(settings: Settings) -> Profiles:
    """The shipped profiles and those of the installation's home."""
    named = (*plugins.CATALOGS, *plugins.PROVIDERS)  # each has a circuit breaker, as a catalog and mail have
    reserved = {MAIL, *(plugin.name for plugin in named)}
    return Profiles(plugins.FAMILIES, plugins.family, settings.home.absolute() / "catalogs", reserved)


def named_profiles(settings: Settings) -> dict[str, Profile]:
    """The profiles that the setting CATALOGS names, by id, in its order.

    Raises: ConfigurationError that names an unknown id, or the file and the key of an invalid profile.
    """
    try:
        return open_profiles(settings).select(settings.catalogs or ())
    except ConfigurationError:
        raise
    except InvalidInputError as error:
        raise ConfigurationError(
            {f"CATALOGS: {name}": text for name, text in error.problems.items()}
        ) from error


def active_catalogs(
    settings: Settings, client: redis.Redis, clock: Clock, *, prefix: str, now_ms: Callable[[], int] | None
) -> dict[str, ActiveCatalog]:
    """The catalogs of `named_profiles`, with the host gates of the fleet in Redis."""

    def gate(profile: Profile) -> HostGate:
        return HostGate(client, _host(profile), _limits(profile), now_ms=now_ms, prefix=prefix)

    return {
        name: _active(settings, profile, partial(gate, profile), gate(profile).read, clock)
        for name, profile in named_profiles(settings).items()
    }


def open_reader(settings: Settings, name: str) -> CatalogReader:
    """The reader of the catalog whose profile has the id or path `name`. Raises: as `Profiles.find`."""
    return _reader(settings, open_profiles(settings).find(name))


def usage(settings: Settings, profile: Profile) -> HostUsage | None:
    """What the fleet has used of the limits of the host; None where Redis is unreachable."""
    from rollcall.wiring import redis_client  # noqa: PLC0415 - imports every part

    try:
        return HostGate(redis_client(settings), _host(profile), _limits(profile)).read()
    except UnreachableError:
        return None


def write_profile(
    settings: Settings,
    family: str,
    url: str,
    options: Mapping[str, str],
    *,
    name: str | None,
    title: str | None,
) -> tuple[Profile, Sequence[CatalogTerm]]:
    """Write a profile for the catalog at `url`, and return it with the catalog's terms.

    Nothing is written unless the catalog lists its terms. `url` is the `base_url` where the family does not
    recognise it; `options` are further keys of the family. The time zone is that of the settings.
    Raises: InvalidInputError for an id that is in use or a key that is missing; the catalog's faults;
    ConfigurationError.
    """
    profiles = open_profiles(settings)
    host = _host_in(url)
    identity = name or _id_of(host)
    if other := next((each for each in profiles.all() if each.id == identity), None):
        raise InvalidInputError({"--id": f"{identity} is the id of {other.path}"})
    own = {**_recognised(profiles, family, url), **options}
    _require_keys(profiles.family(family), own)
    common = {"id": identity, "name": title or host, "family": family}
    text = profile_text({**common, "timezone": str(settings.timezone), **own})
    profile = profiles.decode(text, profiles.folder / f"{identity}.toml")
    terms = _reader(settings, profile).terms()
    _write(settings.home, profile.path, text)
    return profile, terms


def _reader(settings: Settings, profile: Profile) -> CatalogReader:
    from rollcall.wiring import SystemClock, redis_client  # noqa: PLC0415 - imports every part

    clock, host, limits = SystemClock(), _host(profile), _limits(profile)
    gate = HostGate(redis_client(settings), host, limits)
    shared = CommandHostGate(gate, LocalHostGate(host, limits))
    return CatalogReader(_active(settings, profile, lambda: shared, gate.read, clock), clock)


def _active(
    settings: Settings,
    profile: Profile,
    gate: Callable[[], HostGatePort],
    usage: Callable[[], HostUsage],
    clock: Clock,
) -> ActiveCatalog:
    def connect() -> CatalogClient:
        return CatalogClient(
            profile.id,
            profile.options.base_url,
            user_agent=_user_agent(settings),
            gate=gate(),
            clock=clock,
        )

    return ActiveCatalog(profile, profile.catalog(), connect, usage)


def _host(profile: Profile) -> str:
    return origin_of(profile.options.base_url).partition("://")[2]


def _limits(profile: Profile) -> HostLimits:
    polling = profile.polling
    flight_seconds = TIMEOUT_SECONDS + _FLIGHT_MARGIN_SECONDS
    return HostLimits(polling.requests_per_minute, polling.daily_requests, flight_seconds)


def _user_agent(settings: Settings) -> str:
    """Our name, and where the catalog's operator finds out about us."""
    contact = f" (+{settings.public_url})" if settings.public_url else ""
    return f"Rollcall/{version('rollcall')}{contact}"


def _require_keys(family: Family[Any], options: Mapping[str, str]) -> None:
    """Raises: InvalidInputError if the family needs a key that is not in `options`."""
    needed = [each.name for each in structs.fields(family.options) if each.required]
    if missing := [name for name in needed if name not in options]:
        named = " ".join(f"--set {name}=…" for name in missing)
        problem = f"is not an address that states {', '.join(missing)}: add {named}"
        raise InvalidInputError({"--url": problem})


def _recognised(profiles: Profiles, family: str, url: str) -> dict[str, str]:
    """The keys of the family that differ from their defaults."""
    options: FamilyOptions | None = profiles.family(family).recognises(url)
    if options is None:
        return {"base_url": url}
    return {
        field.name: value
        for field in structs.fields(options)
        if (value := getattr(options, field.name)) != field.default
    }


def _host_in(url: str) -> str:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host:
        raise InvalidInputError({"--url": "must be a URL, such as https://registration.example.edu/"})
    return host


def _id_of(host: str) -> str:
    """The name of the host's domain: okstate for registration.okstate.edu."""
    labels = re.sub(r"[^a-z0-9.-]", "", host).split(".")
    if len(labels) > 1 and not _is_address(host):
        return labels[-2]
    raise InvalidInputError({"--id": "is needed: the host has no domain"})


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _write(home: Path, path: Path, text: str) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)  # as `rollcall init`: private to the operator
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigurationError({str(path): f"cannot be written ({error.strerror})"}) from error
