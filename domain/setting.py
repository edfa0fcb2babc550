"""Settings, each declared once: name, type, default and description.

A setting is a field of a `SettingsGroup` in the module that uses it. `.env.example`, docs/settings.md, the
help of the command line, the redaction of secrets and the detection of typos follow from the declaration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, TypeVar, overload
from urllib.parse import urlsplit

T = TypeVar("T")
MIN_SECRET_LENGTH = 16
_METADATA = "setting"


@dataclass(frozen=True, slots=True)
class SettingType(Generic[T]):
    """How the value of a setting is written.

    Shape: `parse` raises ValueError with the end of a sentence that begins with the setting's name.
    """

    description: str
    parse: Callable[[str], T]


@dataclass(frozen=True, slots=True)
class Setting:
    """The declaration of a setting.

    Shape: `unset` describes what applies without a value and without a `default`; `example` is a value that
    shows the form. No value of a setting is ever shown: a URL may contain a password.
    """

    name: str
    type: SettingType[Any]
    default: Any
    description: str
    unset: str
    example: str
    is_secret: bool


@overload
def setting(
    name: str, type_: SettingType[T], default: T, /, *, doc: str, unset: str = ..., example: str = ...
) -> T: ...
@overload
def setting(
    name: str, type_: SettingType[T], /, *, doc: str, unset: str = ..., example: str = ..., secret: bool = ...
) -> T | None: ...
def setting(  # noqa: PLR0913 - a declaration is complete
    name: str,
    type_: SettingType[Any],
    default: Any = None,
    /,
    *,
    doc: str,
    unset: str = "",
    example: str = "",
    secret: bool = False,
) -> Any:
    """Declare a setting as a field of a `SettingsGroup`; without a `default` its value may be None."""
    declared = Setting(name, type_, default, doc, unset, example, secret or type_ is SECRET)
    return field(default=default, repr=False, metadata={_METADATA: declared})


@dataclass(frozen=True, kw_only=True)
class SettingsGroup:
    """The settings of one module; the first line of the docstring is its title in the documentation."""

    @classmethod
    def declared(cls) -> dict[str, Setting]:
        """Return the settings by field."""
        return {each.name: each.metadata[_METADATA] for each in fields(cls) if _METADATA in each.metadata}

    @classmethod
    def parsed(cls, values: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the valid values by field, and the error of each invalid setting.

        An empty value counts as not set, except for a secret.
        """
        found: dict[str, Any] = {}
        problems: dict[str, str] = {}
        for field_name, each in cls.declared().items():
            text = values.get(each.name)
            if text is None or (text.strip() == "" and each.type is not SECRET):
                continue
            try:
                found[field_name] = each.type.parse(text.strip())
            except ValueError as error:
                problems[each.name] = str(error)
        return found, problems

    def conflicts(self) -> Mapping[str, str]:
        """Return the error of each setting that contradicts another one of the group."""
        return {}

    def current(self) -> Iterator[tuple[Setting, Any]]:
        """Yield each setting with its value."""
        for name, each in self.declared().items():
            yield each, getattr(self, name)


def integer(low: int, high: int, unit: str = "") -> SettingType[int]:
    """A whole number from `low` to `high`."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return SettingType(f"{low} to {high} {unit}".rstrip(), parse)


def number(above: float, high: float, unit: str = "") -> SettingType[float]:
    """A decimal number above `above` and at most `high`."""

    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or not above < float(text) <= high:
            raise ValueError(f"must be a number above {above:g} and at most {high:g}")
        return float(text)

    return SettingType(f"above {above:g}, at most {high:g} {unit}".rstrip(), parse)


def choice(*choices: str) -> SettingType[str]:
    """One of `choices`."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return SettingType(", ".join(f"`{each}`" for each in choices), parse)


def url(*schemes: str) -> SettingType[str]:
    """A URL with one of `schemes`, without a slash at the end."""

    def parse(text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in schemes or not (parts.netloc or parts.path):
            raise ValueError(f"must be a URL that starts with {' or '.join(f'{s}://' for s in schemes)}")
        return text.rstrip("/")

    return SettingType(", ".join(f"`{scheme}://`" for scheme in schemes), parse)


HTTP_URL = url("http", "https")


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_address = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if "?" in text or "#" in text or (is_address and parts.username):
        raise ValueError("must be a URL without a user, query or fragment")
    if not is_address or not text.isprintable() or " " in text:
        raise ValueError("must be a URL with a valid host and port, such as https://example.edu")
    return HTTP_URL.parse(text)


def _token(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be printable ASCII without spaces")
    return text


def _secret(text: str) -> str:
    if len(text) < MIN_SECRET_LENGTH or not text.isascii() or not text.isprintable():
        raise ValueError(f"must be at least {MIN_SECRET_LENGTH} printable ASCII characters")
    return text


BASE_URL = SettingType("URL that paths are appended to", _base_url)
TOKEN = SettingType("ASCII without spaces", _token)
SECRET = SettingType(f"secret of at least {MIN_SECRET_LENGTH} characters", _secret)
PATH = SettingType("path", Path)
