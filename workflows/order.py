"""What a report is ordered with, as anybody may have written it."""

from __future__ import annotations

from dataclasses import dataclass

from domain.address import read_address
from domain.errors import InvalidInputError
from domain.job import Json, JsonObject
from domain.section import SectionKey

MAX_SECTIONS = 20


@dataclass(frozen=True, slots=True)
class ReportOrder:
    """A report on `sections`, for `email`; `payment` is the checkout session that paid for it, if any did."""

    email: str
    source: str
    term: str
    sections: tuple[str, ...]
    payment: str | None = None

    def keys(self) -> list[SectionKey]:
        """The sections, by their identity."""
        return [SectionKey(self.source, self.term, number) for number in self.sections]


def read(given: JsonObject) -> ReportOrder:
    """The order that `given` holds. Raises: InvalidInputError that names each bad field."""
    problems = {name: "is not a known field" for name in given if name not in ReportOrder.__slots__}
    texts = {name: _text(given, name, problems) for name in ("email", "source", "term")}
    address = None
    try:
        address = read_address(texts["email"])
    except ValueError as error:
        problems.setdefault("email", str(error))
    sections = _sections(given.get("sections"), problems)
    payment = given.get("payment")
    if payment is not None and not isinstance(payment, str):
        problems["payment"] = "must be a checkout session's id"
    for number in sections:
        problems |= _key_problems(SectionKey(texts["source"], texts["term"], number), problems)
    if problems or address is None:
        raise InvalidInputError(problems)
    return ReportOrder(
        address, texts["source"], texts["term"], sections, None if payment is None else str(payment)
    )


def _text(given: JsonObject, name: str, problems: dict[str, str]) -> str:
    value = given.get(name)
    if isinstance(value, str) and value:
        return value
    problems[name] = "is missing" if value is None else "must be a text"
    return ""


def _sections(value: Json, problems: dict[str, str]) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        found = tuple(dict.fromkeys(map(str, value)))
        if 0 < len(found) <= MAX_SECTIONS:
            return found
    problems["sections"] = f"must be a list of 1 to {MAX_SECTIONS} section numbers"
    return ()


def _key_problems(key: SectionKey, known: dict[str, str]) -> dict[str, str]:
    """What is wrong with `key` and not known yet; a number is one of the `sections`."""
    found = {"sections" if name == "section" else name: said for name, said in key.problems().items()}
    return {name: said for name, said in found.items() if name not in known}
