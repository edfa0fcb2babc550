"""Profiles of this installation, and readers of their catalogs. Needs neither Redis nor an installation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import structs

from catalogs.family import FamilyOptions
from catalogs.profile import Profile, Profiles, profile_text
from catalogs.reader import CatalogReader
from domain.catalog import CatalogTerm
from domain.errors import ConfigurationError, InvalidInputError
from domain.notification import MAIL
from rollcall import plugins
from rollcall.settings import Settings


def open_profiles(settings: Settings) -> Profiles:
    """The shipped profiles and those of the installation's home."""
    reserved = {MAIL, *(plugin.name for plugin in plugins.CATALOGS)}
    return Profiles(plugins.families(), _folder(settings), reserved)


def open_reader(settings: Settings, name: str) -> CatalogReader:
    """The reader of the catalog whose profile has the id or path `name`. Raises: as `Profiles.find`."""
    return _reader(settings, open_profiles(settings).find(name))


def write_profile(
    settings: Settings, family: str, url: str, *, name: str | None, title: str | None
) -> tuple[Profile, Sequence[CatalogTerm]]:
    """Write a profile for the catalog at `url`, and return it with the catalog's terms.

    Nothing is written unless the catalog lists its terms. `url` is the `base_url` where the family does not
    recognise it; the time zone is that of the settings.
    Raises: InvalidInputError for an id that is in use; the catalog's faults; ConfigurationError.
    """
    profiles = open_profiles(settings)
    host = _host(url)
    identity = name or _id_of(host)
    if other := next((each for each in profiles.all() if each.id == identity), None):
        raise InvalidInputError({"--id": f"{identity} is the id of {other.path}"})
    options = _recognised(profiles, family, url)
    common = {"id": identity, "name": title or host, "family": family}
    text = profile_text({**common, "timezone": str(settings.timezone), **options})
    profile = profiles.decode(text, profiles.folder / f"{identity}.toml")
    terms = _reader(settings, profile).terms()
    _write(settings.home, profile.path, text)
    return profile, terms


def _folder(settings: Settings) -> Path:
    return settings.home.absolute() / "catalogs"


def _reader(settings: Settings, profile: Profile) -> CatalogReader:
    from resilience.rate_limiter import (  # noqa: PLC0415 - imports the Redis client
        BlockingRateLimiter,
        ProcessRateLimiter,
    )
    from rollcall.wiring import SystemClock  # noqa: PLC0415 - imports every part

    limiter = ProcessRateLimiter(profile.polling.requests_per_minute)
    return CatalogReader(
        profile,
        user_agent=_user_agent(settings),
        limiter=BlockingRateLimiter(limiter, patience_seconds=60),
        clock=SystemClock(),
    )


def _user_agent(settings: Settings) -> str:
    """Our name, and where the catalog's operator finds out about us."""
    contact = f" (+{settings.public_url})" if settings.public_url else ""
    return f"Rollcall/{version('rollcall')}{contact}"


def _recognised(profiles: Profiles, family: str, url: str) -> dict[str, str]:
    """The keys of the family that differ from their defaults."""
    options: FamilyOptions | None = profiles.families[family].recognises(url)
    if options is None:
        return {"base_url": url}
    return {
        field.name: value
        for field in structs.fields(options)
        if (value := getattr(options, field.name)) != field.default
    }


def _host(url: str) -> str:
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
