"""Profiles: one TOML file describes one catalog of a family. Shipped profiles lie in `catalogs/profiles`."""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from catalogs.client import is_private, origin_of
from catalogs.family import Catalog, CatalogIdentity, Family, FamilyOptions
from domain.errors import ConfigurationError, InvalidInputError
from domain.section import SOURCE
from domain.text import invisible, time_zone

T = TypeVar("T")

SHIPPED: Final = Path(__file__).parent / "profiles"
PLACEHOLDERS: Final = frozenset({"term", "section"})
_MINUTE_SECONDS: Final = 60
_REQUESTS_PER_MINUTE: Final = 30
_PRIVATE_REQUESTS_PER_MINUTE: Final = 60_000
_DAILY_REQUESTS: Final = 1_000_000
_DAY_SECONDS: Final = 86_400
_PLACE = re.compile(r"(?P<problem>.*?)(?: - at `\$\.?(?P<key>.*)`)?", re.DOTALL)
_FIELD = re.compile(r"Object (?P<what>contains unknown|missing required) field `(?P<key>.*)`")


class Polling(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often a catalog may be asked: the table `polling` of a profile."""

    every_seconds: int
    requests_per_minute: int = _REQUESTS_PER_MINUTE
    daily_requests: int = 20_000


class _Common(Struct, frozen=True, kw_only=True):
    """The keys that every profile has, besides those of its family."""

    id: str
    name: str
    family: str
    timezone: str
    registration_url: str = ""
    polling: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Profile:
    """A catalog: its identity, its family with the family's options, and its polling.

    Shape: `registration_url` may contain {term} and {section}; it is empty if there is none.
    """

    path: Path
    id: str
    name: str
    family: Family[Any]
    options: FamilyOptions
    timezone: tzinfo
    registration_url: str
    polling: Polling

    def catalog(self) -> Catalog:
        """The catalog that the profile describes."""
        return self.family.build(CatalogIdentity(self.id, self.timezone), self.options)

    @property
    def identity(self) -> tuple[object, ...]:
        """What the answers of the catalog depend on."""
        return self.family.name, self.options, self.polling, str(self.timezone)


class Profiles:
    """The shipped profiles and those in `folder`, which need not exist.

    Shape: `families` are the names of the known families, which `family` loads; `reserved` are ids that name
    something else. Every method raises ConfigurationError for an invalid profile, in one line that names the
    file and the key.
    """

    def __init__(
        self,
        families: Collection[str],
        family: Callable[[str], Family[Any]],
        folder: Path,
        reserved: Collection[str] = frozenset(),
    ) -> None:
        self._families = sorted(families)
        self._load = family
        self.folder = folder
        self._reserved = frozenset(reserved)

    def all(self) -> list[Profile]:
        """Every profile, by id."""
        found: dict[str, Profile] = {}
        for folder in (SHIPPED, self.folder):
            for path in sorted(folder.glob("*.toml")):
                profile = self.read(path)
                _require_new(profile, found)
                found[profile.id] = profile
        return [found[name] for name in sorted(found)]

    def select(self, names: Iterable[str]) -> dict[str, Profile]:
        """The profile of each of `names`, by id, in this order. Raises: as `find`."""
        found: dict[str, Profile] = {}
        for name in names:
            profile = self.find(name)
            _require_new(profile, found)
            found[profile.id] = profile
        return found

    def find(self, name: str) -> Profile:
        """The profile with the id `name`, or that of the file if `name` ends with ".toml".

        Only this profile is validated: another one that is invalid stops nothing.
        Raises: InvalidInputError if there is none with this id.
        """
        if name.endswith(".toml"):
            return self.read(Path(name))
        shipped = SHIPPED / f"{name}.toml"  # is named for its id
        paths = [shipped] if SOURCE.problem(name) is None and shipped.is_file() else []
        paths += [path for path in sorted(self.folder.glob("*.toml")) if _keys(path).get("id") == name]
        if not paths:
            raise InvalidInputError({name: "is the id of no profile: `rollcall catalog ls` lists them"})
        if len(paths) > 1:
            raise _problem(paths[1], "id", f"{name} is also the id of {paths[0]}")
        return self.read(paths[0])

    def read(self, path: Path) -> Profile:
        """The profile in the file `path`."""
        return self._profile(_keys(path), path)

    def decode(self, text: str, path: Path) -> Profile:
        """The profile in `text`, which is or becomes the content of `path`."""
        return self._profile(_decode(text, path), path)

    def family(self, name: str) -> Family[Any]:
        """The family `name`. Raises: InvalidInputError if it is unknown."""
        if name not in self._families:
            known = ", ".join(self._families)
            raise InvalidInputError({"family": f"{name!r} is not a family; the families are {known}"})
        return self._load(name)

    def _profile(self, keys: Mapping[str, Any], path: Path) -> Profile:
        own = {name: value for name, value in keys.items() if name not in _Common.__struct_fields__}
        common = _convert(path, {name: keys[name] for name in keys.keys() - own.keys()}, _Common)
        try:
            family = self.family(common.family)
        except InvalidInputError as error:
            raise _problem(path, "family", error.problems["family"]) from error
        _check_common(path, common, self._reserved)
        options: FamilyOptions = _convert(path, own, family.options)
        _check_url(path, "base_url", options.base_url)
        if {"?", "#"}.intersection(options.base_url):
            raise _problem(path, "base_url", "must have neither a query nor a fragment")
        return Profile(
            path=path,
            id=common.id,
            name=common.name,
            family=family,
            options=options,
            timezone=_zone(path, common.timezone),
            registration_url=common.registration_url,
            polling=_polling(path, common.polling, family, options.base_url),
        )


def _keys(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError({str(path): f"cannot be read ({error.strerror})"}) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError({str(path): "must be UTF-8"}) from error
    return _decode(text, path)


def _decode(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError({str(path): f"is not TOML: {error}"}) from error


def _require_new(profile: Profile, found: Mapping[str, Profile]) -> None:
    if other := found.get(profile.id):
        raise _problem(profile.path, "id", f"{profile.id} is also the id of {other.path}")


def profile_text(keys: Mapping[str, str]) -> str:
    """`keys` as the text of a profile. A JSON string without escapes above U+007F is a TOML string."""
    return "".join(f"{name} = {msgspec.json.encode(value).decode()}\n" for name, value in keys.items())


def _check_common(path: Path, common: _Common, reserved: Collection[str]) -> None:
    if problem := SOURCE.problem(common.id):
        raise _problem(path, "id", problem)
    if common.id in reserved:
        raise _problem(path, "id", f"{common.id} names another source")
    if problem := invisible(common.name) or (None if common.name.strip() else "must not be empty"):
        raise _problem(path, "name", problem)
    if common.registration_url:
        _check_registration_url(path, common.registration_url)


def _check_registration_url(path: Path, template: str) -> None:
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise _problem(path, "registration_url", f"has an unpaired brace: {error}") from error
    for _, name, spec, conversion in parsed:
        if name is not None and (name not in PLACEHOLDERS or spec or conversion):
            raise _problem(path, "registration_url", "may contain only the placeholders {term} and {section}")
    _check_url(path, "registration_url", template)


def _check_url(path: Path, key: str, url: str) -> None:
    try:
        origin = origin_of(url)
    except (InvalidInputError, ValueError) as error:
        problem = "must be an https URL without credentials; http only on loopback and private hosts"
        raise _problem(path, key, problem) from error
    if invisible(url) or " " in url or "{" in origin:
        raise _problem(path, key, "is not a URL")


def _zone(path: Path, text: str) -> tzinfo:
    try:
        return time_zone(text)
    except ValueError as error:
        raise _problem(path, "timezone", str(error)) from error


def _polling(path: Path, table: Mapping[str, Any], family: Family[Any], base_url: str) -> Polling:
    found = _convert(path, {"every_seconds": family.every_seconds, **table}, Polling, "polling")
    rate = _PRIVATE_REQUESTS_PER_MINUTE if is_private(base_url) else _REQUESTS_PER_MINUTE
    limits = {
        "every_seconds": (min(_MINUTE_SECONDS, family.every_seconds), _DAY_SECONDS),
        "requests_per_minute": (1, rate),
        "daily_requests": (1, _DAILY_REQUESTS),
    }
    for key, (least, most) in limits.items():
        if not least <= getattr(found, key) <= most:
            raise _problem(path, f"polling.{key}", f"must be from {least} to {most}")
    return found


def _convert(path: Path, keys: Mapping[str, Any], shape: type[T], table: str = "") -> T:
    """`keys` as `shape`. Raises: ConfigurationError that names the first bad key."""
    try:
        return msgspec.convert(keys, shape)
    except msgspec.ValidationError as error:
        place = _PLACE.fullmatch(str(error))
        problem, key = (place["problem"], place["key"]) if place else (str(error), None)
        if field := _FIELD.fullmatch(problem):
            key = field["key"]
            problem = "is missing" if field["what"].startswith("missing") else "is not a key of profiles"
        raise _problem(path, ".".join(filter(None, (table, key))), problem) from error


def _problem(path: Path, key: str, problem: str) -> ConfigurationError:
    return ConfigurationError({f"{path}: {key}": problem})
