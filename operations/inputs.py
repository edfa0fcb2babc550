"""Input models: msgspec structs whose fields are read one by one, so that every bad field is named at once.

    class PauseWatch(Struct, frozen=True):
        id: PositiveId
        length: DurationText = "7d"

HTTP bodies, query strings, forms of the console and the command line share the types below. A type may bring
its own parser: `Meta(extra={"parse": …})`, which raises ValueError with the problem. Other types are those of
msgspec. A field named like a Python keyword is declared with `msgspec.field(name=…)`.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct, inspect, structs

from domain.address import ADDRESS, read_address
from domain.address import MAX_LENGTH as MAX_ADDRESS_LENGTH
from domain.errors import InvalidInputError
from domain.job import JOB_ID, JOB_KIND
from domain.money import ACCOUNT
from domain.run import RUN_ID
from domain.section import SECTION_NUMBER, SOURCE, TERM
from domain.text import DURATION, Identifier, duration, plural
from domain.watch import COURSE, MAX_SEATS, NotificationKind

M = TypeVar("M", bound=Struct)
Parse = Callable[[object], Any]
Choices = Mapping[str, Collection[str]]
INT64_MAX = 2**63 - 1
MAX_LENGTH = 1024
_PAIR = 2
_BETWEEN_ITEMS = re.compile(r"[,\s]+")
_UNSOUND = {"Cc", "Cs"}  # control characters such as NUL, and lone surrogates


def decode(model: type[M], given: Mapping[str, object], choices: Choices | None = None) -> M:
    """Decode JSON members as a `model`; `choices` restricts fields to what this installation has.

    Raises: InvalidInputError naming every unknown, missing and invalid field.
    """
    return _decode(model, given, choices, is_text=False)


def decode_text(model: type[M], given: Mapping[str, object], choices: Choices | None = None) -> M:
    """As `decode`, from texts: numbers are read from digits, and a blank optional field is not given.

    The items of a list are separated by commas or spaces.
    """
    return _decode(model, given, choices, is_text=True)


def is_optional(node: inspect.Type) -> bool:
    """Return whether a field of this type may be None: not given, or blank."""
    if isinstance(node, inspect.Metadata):
        return is_optional(node.type)
    return isinstance(node, inspect.UnionType) and node.includes_none


def base_type(annotation: Any) -> inspect.Type:
    """Return the type of a field without its metadata, and without None."""
    node = inspect.type_info(annotation) if not isinstance(annotation, inspect.Type) else annotation
    match node:
        case inspect.Metadata():
            return base_type(node.type)
        case inspect.UnionType(types=members) if node.includes_none and len(members) == _PAIR:
            return base_type(next(member for member in members if not isinstance(member, inspect.NoneType)))
    return node


def _decode(model: type[M], given: Mapping[str, object], choices: Choices | None, *, is_text: bool) -> M:
    fields = _fields(model, is_text=is_text)
    problems = {name: "is not a known field" for name in given if name not in fields}
    problems |= {n: "is missing" for n, field in fields.items() if field.is_required and n not in given}
    values: dict[str, Any] = {}
    for name in (name for name in fields if name in given):
        try:
            values[fields[name].attribute] = fields[name].parse(given[name])
            if choices and name in choices and given[name] != "":
                one_of(given[name], choices[name])
        except ValueError as error:
            problems[name] = str(error)
    if problems:
        raise InvalidInputError(problems)
    return model(**values)


@dataclass(frozen=True, slots=True)
class _Field:
    attribute: str
    is_required: bool
    parse: Parse


@functools.cache
def _fields(model: type[Struct], *, is_text: bool) -> dict[str, _Field]:
    return {
        field.encode_name: _Field(field.name, field.required, _parser(field.type, is_text=is_text))
        for field in structs.fields(model)
    }


def _parser(annotation: Any, *, is_text: bool) -> Parse:
    node = inspect.type_info(annotation)
    parse = _parser_of(node, is_text=is_text) or functools.partial(_convert, annotation, is_text=is_text)
    if is_text and isinstance(base_type(node), inspect.VarTupleType):
        parse = functools.partial(_listed, parse)
    return (lambda given: None if given == "" else parse(given)) if is_text and is_optional(node) else parse


def _listed(parse: Parse, given: object) -> Any:
    return parse(_BETWEEN_ITEMS.sub(" ", given).split() if isinstance(given, str) else given)


def _parser_of(node: inspect.Type, *, is_text: bool) -> Parse | None:
    if isinstance(node, inspect.Metadata | inspect.UnionType):
        own: Parse | None = (getattr(node, "extra", None) or {}).get("parse")
        return own or _parser_of(_wrapped(node), is_text=is_text)
    match node:
        case inspect.VarTupleType(item_type=item, min_length=low):
            return _list_parser(_parser_of(item, is_text=is_text), low=0 if is_text else low or 0)
        case inspect.IntType(ge=low, le=high):
            return functools.partial(_integer, low=low or 0, high=high or INT64_MAX, is_text=is_text)
        case inspect.EnumType(cls=cls):
            return lambda given: cls(one_of(given, list(cls)))
        case inspect.LiteralType(values=values):
            return lambda given: one_of(given, values)
    return None


def _wrapped(node: inspect.Metadata | inspect.UnionType) -> inspect.Type:
    if isinstance(node, inspect.Metadata):
        return node.type
    (inner,) = (member for member in node.types if not isinstance(member, inspect.NoneType))
    return inner


def _list_parser(parse: Parse | None, *, low: int) -> Parse | None:
    return None if parse is None else functools.partial(_items, parse, low=low)


def _items(parse: Parse, given: object, *, low: int) -> tuple[Any, ...]:
    if not isinstance(given, list) or len(given) < low:
        raise ValueError(f"must be a list of at least {plural(low, 'item')}" if low else "must be a list")
    return tuple(map(parse, given))


def _convert(annotation: Any, given: object, *, is_text: bool) -> Any:
    if given is None:
        raise ValueError("must not be null")
    try:
        return msgspec.convert(given, annotation, strict=not is_text)
    except msgspec.ValidationError as error:
        raise ValueError(f"is not valid: {error}") from error


def text(given: object) -> str:
    """Return a text of 1 to 1024 characters without control characters or lone surrogates."""
    if not isinstance(given, str) or not 0 < len(given) <= MAX_LENGTH:
        raise ValueError(f"must be a text of 1 to {MAX_LENGTH} characters")
    if not given.isprintable() and any(unicodedata.category(character) in _UNSOUND for character in given):
        raise ValueError("must not contain control characters or lone surrogates")
    return given


def one_of(given: object, choices: Collection[Any]) -> str:
    """Return a text that is one of `choices`."""
    if not isinstance(given, str) or given not in choices:
        raise ValueError(f"must be one of {', '.join(map(str, choices))}")
    return given


def digits(given: object, low: int = 0, high: int = INT64_MAX) -> int:
    """Return a whole number from its decimal digits."""
    return _integer(given, low=low, high=high, is_text=True)


def _integer(given: object, *, low: int, high: int, is_text: bool) -> int:
    if is_text:
        written = text(given)
        is_number = written.isascii() and written.isdecimal() and len(written) <= len(str(INT64_MAX))
        given = int(written) if is_number else None
    if not isinstance(given, int) or isinstance(given, bool) or not low <= given <= high:
        raise ValueError(f"must be a whole number from {low} to {high}")
    return given


def _duration(given: object) -> str:
    duration(text(given))
    return str(given)


def _web_url(given: object) -> str:
    url = text(given)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError("must be an http or https URL") from error
    is_plain = url.isascii() and not re.search(r"[\s\\]", url) and port != 0
    if not is_plain or parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be an http or https URL without credentials")
    return url


def _kinds(given: object) -> tuple[NotificationKind, ...]:
    if not isinstance(given, list) or not given or len(given) != len({*map(str, given)}):
        raise ValueError(f"must be a list of some of {', '.join(NotificationKind)}, each once")
    return tuple(NotificationKind(one_of(kind, list(NotificationKind))) for kind in given)


def _json_object(given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ValueError("must be a JSON object")  # noqa: TRY004 - a parser raises ValueError
    return given


def _identifier(rule: Identifier, description: str, example: str) -> Meta:
    def parse(given: object) -> str:
        problem = rule.problem(text(given))
        if problem is not None:
            raise ValueError(problem)
        return str(given)

    return _meta(parse, description, example, pattern=f"^{rule.pattern}$")


def _meta(parse: Parse, description: str, *examples: object, **schema: object) -> Meta:
    return Meta(
        description=description, examples=list(examples), extra={"parse": parse}, extra_json_schema=schema
    )


_TEXT = {"minLength": 1, "maxLength": MAX_LENGTH}
_ID = "0d4b3c6f1f6a4f0c9d0e5a7b8c9d0e1f"

Text = Annotated[str, Meta(extra={"parse": text}, extra_json_schema=_TEXT)]
Email = Annotated[
    str,
    _meta(
        lambda given: read_address(text(given)),
        "An e-mail address; stored in lower case, with its domain in ASCII (punycode).",
        "ada@example.edu",
        maxLength=MAX_ADDRESS_LENGTH,
        pattern=f"^{ADDRESS}$",
    ),
]
SourceName = Annotated[str, _identifier(SOURCE, "The name of a catalog.", "scraper")]
Term = Annotated[str, _identifier(TERM, "An academic term.", "2261")]
SectionNumber = Annotated[str, _identifier(SECTION_NUMBER, "The number of a section.", "12431")]
Course = Annotated[str, _identifier(COURSE, "A course.", "CSE 310")]
Account = Annotated[str, _identifier(ACCOUNT, "The name of an account with credits.", "ada-7")]
RunId = Annotated[str, _identifier(RUN_ID, "The run_id of a run.", _ID)]
JobId = Annotated[str, _identifier(JOB_ID, "The id of a job.", _ID)]
JobKindName = Annotated[str, _identifier(JOB_KIND, "The name of a job kind.", "section_history")]
DurationText = Annotated[
    str,
    _meta(
        _duration, "A duration, such as 90s, 15m, 2h or 7d; at most a year.", "7d", pattern=f"^{DURATION}$"
    ),
]
WebUrl = Annotated[
    str,
    _meta(
        _web_url,
        "An http or https URL without credentials.",
        "https://example.edu/jobs/ended",
        format="uri",
        maxLength=MAX_LENGTH,
    ),
]
Kinds = Annotated[
    tuple[NotificationKind, ...],
    _meta(
        _kinds,
        "Kinds of notification, each once.",
        [NotificationKind.SEAT_AVAILABLE],
        minItems=1,
        uniqueItems=True,
    ),
]
PositiveId = Annotated[int, Meta(ge=1, le=INT64_MAX)]
MinSeats = Annotated[int, Meta(ge=1, le=MAX_SEATS)]
MaxWaitlist = Annotated[int, Meta(ge=0, le=MAX_SEATS)]
JsonMembers = Annotated[
    dict[str, Any], _meta(_json_object, "A JSON object; its members depend on the kind.", {})
]
