"""The rules by which fields are read; each raises ValueError with what is wrong."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from domain.section import SectionKey
from domain.watch import Kind, normal_address
from ingress.syntax import INT64_MAX

T = TypeVar("T")
MAX_LENGTH = 1024
_SOUND_KEY = SectionKey("source", "1", "1")
_UNSOUND = {"Cc", "Cs"}  # control characters such as NUL, and lone surrogates


def text(value: object) -> str:
    """A text of 1 to 1024 characters without control characters or lone surrogates."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_LENGTH:
        raise ValueError(f"must be a text of 1 to {MAX_LENGTH} characters")
    if any(unicodedata.category(character) in _UNSOUND for character in value):
        raise ValueError("must not contain control characters or lone surrogates")
    return value


def address(value: object) -> str:
    """An e-mail address, in the spelling under which it is kept."""
    found = normal_address(text(value))
    if found is None:
        raise ValueError("must be an e-mail address")
    return found


def term(value: object) -> str:
    """A term, such as 2261."""
    return _sound("term", replace(_SOUND_KEY, term=text(value))).term


def section(value: object) -> str:
    """The number of a section, such as 12431."""
    return _sound("section", replace(_SOUND_KEY, number=text(value))).number


def kinds(value: object) -> tuple[Kind, ...]:
    """Some of the kinds of news, each once."""
    if not isinstance(value, list) or not value or len(value) != len({*map(str, value)}):
        raise ValueError(f"must be a list of some of {', '.join(Kind)}, each once")
    return tuple(map(one_of(Kind), value))


def integer(low: int, high: int = INT64_MAX) -> Callable[[object], int]:
    """A whole number from `low` to `high`."""

    def rule(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return rule


def digits(low: int, high: int = INT64_MAX) -> Callable[[object], int]:
    """As `integer`, from a text."""

    def rule(value: object) -> int:
        written = text(value)
        is_number = written.isascii() and written.isdecimal() and len(written) <= len(str(INT64_MAX))
        return integer(low, high)(int(written) if is_number else None)

    return rule


def one_of(choices: Iterable[T]) -> Callable[[object], T]:
    """One of `choices`, by its text."""
    named = {str(choice): choice for choice in choices}

    def rule(value: object) -> T:
        if not isinstance(value, str) or value not in named:
            raise ValueError(f"must be one of {', '.join(named)}")
        return named[value]

    return rule


def unless_blank(rule: Callable[[object], T]) -> Callable[[object], T | None]:
    """As `rule`; an empty text stands for "not given", as in `?email=&section=`."""
    return lambda value: None if value == "" else rule(value)


def _sound(field: str, key: SectionKey) -> SectionKey:
    problems = key.problems()
    if field in problems:
        raise ValueError(problems[field])
    return key
