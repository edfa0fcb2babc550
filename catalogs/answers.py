"""What reading the answers of every platform has in common: decoding, identity and joined texts. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from domain.catalog import PartialAnswerError, SchemaError
from domain.observation import Observation
from domain.section import SECTION_NUMBER, SectionKey

T = TypeVar("T")


def decode(body: bytes, shape: type[T], platform: str) -> T:
    """The JSON in `body` as `shape`. Raises: SchemaError that names the `platform` and the field."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SchemaError(f"{platform}'s answer is not of the expected shape: {error}") from error


def section_key(source: str, term: str, number: str, field: str) -> SectionKey:
    """The key of a section. Raises: SchemaError, naming `field`, if `number` cannot identify one."""
    if problem := SECTION_NUMBER.problem(number):
        raise SchemaError(f"{field} {problem}")
    return SectionKey(source, term, number)


def distinct(found: list[Observation], message: str) -> list[Observation]:
    """`found`. Raises: PartialAnswerError with `message` if a section is repeated."""
    if len({seen.key for seen in found}) < len(found):
        raise PartialAnswerError(message)
    return found


def joined(texts: Iterable[str]) -> str:
    """The distinct non-empty `texts` in order, for people."""
    return "; ".join(dict.fromkeys(filter(None, texts)))
