"""The rules that parse fields; each raises ValueError with the reason."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar
from urllib.parse import urlsplit

from domain.address import MAX_LENGTH as MAX_ADDRESS_LENGTH
from domain.address import read_address
from domain.money import ACCOUNT
from domain.section import SectionKey
from domain.text import duration
from domain.watch import NotificationKind
from ingress.rules import Rule, rule
from operations.inputs import INT64_MAX

T = TypeVar("T")
MAX_LENGTH = 1024
_SOUND_KEY = SectionKey("source", "1", "1")
_UNSOUND = {"Cc", "Cs"}  # control characters such as NUL, and lone surrogates
_FIRST, _ATOM = "[A-Za-z0-9!#$%&'*/?^_`{|}~]", r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_RUN_ID, _JOB_KIND = "[0-9a-f]{32}", "[a-z][a-z0-9_]{0,31}"
_TOP = "[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"


@rule(type="string", minLength=1, maxLength=MAX_LENGTH)
def text(value: object) -> str:
    """A text of 1 to 1024 characters without control characters or lone surrogates."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_LENGTH:
        raise ValueError(f"must be a text of 1 to {MAX_LENGTH} characters")
    if any(unicodedata.category(character) in _UNSOUND for character in value):
        raise ValueError("must not contain control characters or lone surrogates")
    return value


@rule(
    type="string",
    maxLength=MAX_ADDRESS_LENGTH,
    pattern=rf"^(?={_FIRST}){_ATOM}(\.{_ATOM})*@({_LABEL}\.)+{_TOP}$",
    examples=["ada@example.edu"],
)
def address(value: object) -> str:
    """An e-mail address; it is kept in lower case, its domain in ASCII (punycode)."""
    return read_address(text(value))


@rule(type="string", pattern="^[a-z][a-z0-9_-]{0,31}$", examples=["scraper"])
def source(value: object) -> str:
    """The name of a catalog, such as scraper."""
    return _sound("source", replace(_SOUND_KEY, source=text(value))).source


@rule(type="string", pattern="^[A-Za-z0-9]{1,16}$", examples=["2261"])
def term(value: object) -> str:
    """A term, such as 2261."""
    return _sound("term", replace(_SOUND_KEY, term=text(value))).term


@rule(type="string", pattern="^[A-Za-z0-9-]{1,32}$", examples=["12431"])
def section(value: object) -> str:
    """The number of a section, such as 12431."""
    return _sound("section", replace(_SOUND_KEY, number=text(value))).number


@rule(type="string", pattern="^[0-9]{1,8}[smhd]$", examples=["7d"])
def length(value: object) -> timedelta:
    """How long, such as 90s, 15m, 2h or 7d; a year at most."""
    return duration(text(value))


@rule(type="string", pattern=f"^{_RUN_ID}$", examples=["0d4b3c6f1f6a4f0c9d0e5a7b8c9d0e1f"])
def run_id(value: object) -> str:
    """The run_id of a run."""
    if not isinstance(value, str) or not re.fullmatch(_RUN_ID, value):
        raise ValueError("must be a run_id")
    return value


@rule(type="string", pattern=f"^{_RUN_ID}$", examples=["0d4b3c6f1f6a4f0c9d0e5a7b8c9d0e1f"])
def job_id(value: object) -> str:
    """The id of a job."""
    if not isinstance(value, str) or not re.fullmatch(_RUN_ID, value):
        raise ValueError("must be the id of a job")
    return value


@rule(type="string", pattern=f"^{_JOB_KIND}$", examples=["section_history"])
def job_kind(value: object) -> str:
    """The name of a kind of jobs, such as section_history."""
    if not isinstance(value, str) or not re.fullmatch(_JOB_KIND, value):
        raise ValueError("must be the name of a kind of jobs")
    return value


@rule(type="string", pattern=f"^{ACCOUNT.pattern}$", examples=["ada-7"])
def account(value: object) -> str:
    """The name of an account that has credits."""
    if not isinstance(value, str) or not ACCOUNT.matches(value):
        raise ValueError("must be the name of an account")
    return value


@rule(type="object", examples=[{}])
def json_members(value: object) -> dict[str, object]:
    """A JSON object; what it must hold depends on the kind."""
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")  # noqa: TRY004 - a rule says what is wrong by ValueError
    return value


@rule(type="string", format="uri", maxLength=MAX_LENGTH, examples=["https://example.edu/jobs/ended"])
def web_address(value: object) -> str:
    """An http or https URL, without credentials."""
    url = text(value)
    try:
        parts = urlsplit(url)
        port = parts.port or 1
    except ValueError as error:
        raise ValueError("must be an http or https URL") from error
    is_plain = url.isascii() and not re.search(r"[\s\\]", url) and port > 0
    if not is_plain or parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be an http or https URL without credentials")
    return url


@rule(
    type="array",
    items={"type": "string", "enum": list(NotificationKind)},
    minItems=1,
    uniqueItems=True,
    examples=[[NotificationKind.SEAT_AVAILABLE]],
)
def kinds(value: object) -> tuple[NotificationKind, ...]:
    """Some of the kinds of news, each once."""
    if not isinstance(value, list) or not value or len(value) != len({*map(str, value)}):
        raise ValueError(f"must be a list of some of {', '.join(NotificationKind)}, each once")
    return tuple(map(one_of(NotificationKind), value))


def integer(low: int, high: int = INT64_MAX) -> Rule[int]:
    """A whole number from `low` to `high`."""

    @rule(type="integer", minimum=low, maximum=high)
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return read


def digits(low: int, high: int = INT64_MAX) -> Rule[int]:
    """As `integer`, from a text."""
    number = integer(low, high)

    def read(value: object) -> int:
        written = text(value)
        is_number = written.isascii() and written.isdecimal() and len(written) <= len(str(INT64_MAX))
        return number(int(written) if is_number else None)

    return Rule(read, number.schema)


def one_of(choices: Iterable[T]) -> Rule[T]:
    """One of `choices`, by its text."""
    named = {str(choice): choice for choice in choices}

    @rule(type="string", enum=list(named))
    def read(value: object) -> T:
        if not isinstance(value, str) or value not in named:
            raise ValueError(f"must be one of {', '.join(named)}")
        return named[value]

    return read


def unless_blank(given: Rule[T]) -> Rule[T | None]:
    """As `given`; an empty text stands for "not given", as in `?email=&section=`."""
    schema = {"anyOf": [given.schema, {"type": "string", "const": ""}]}
    return Rule(lambda value: None if value == "" else given(value), schema)


def _sound(field: str, key: SectionKey) -> SectionKey:
    problems = key.problems()
    if field in problems:
        raise ValueError(problems[field])
    return key
