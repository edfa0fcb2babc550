"""The pages of Testudo that list terms, departments, and the courses of a department. Pure.

Source: public descriptions of the pages. The time of the seats is on department pages only, in local time,
and only while registration is open. A term that was dropped has the same pages as a subject without courses.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from functools import partial
from typing import Final

from msgspec import Struct

from catalogs.testudo_answers import Attributes, TextReader
from domain.catalog import CatalogTerm, PartialAnswerError, SchemaError

_UPDATED: Final = re.compile(r"[0-9]{2}/[0-9]{2}/[0-9]{4} at [0-9]{1,2}:[0-9]{2} [AP]M")
_TERM: Final = re.compile("[0-9]{6}")


class DepartmentPage(Struct, frozen=True):
    """A department's page as read at `read_at`; `as_of` is the time of the seats, None if not stated.

    Shape: `titles` has the title of each course; `without_sections` are the courses that never have sections.
    """

    read_at: datetime
    as_of: datetime | None
    titles: dict[str, str]
    without_sections: list[str]


def read_terms(body: bytes) -> list[CatalogTerm]:
    """The terms, newest first. Raises: SchemaError if the page lists none."""
    reader = _TermsReader()
    reader.feed(body.decode("utf-8", "replace"))
    reader.close()
    terms = [CatalogTerm(code, label) for code, label in reader.terms.items() if _TERM.fullmatch(code)]
    if not terms:
        raise SchemaError("Testudo's page has no options in the element term-id-input")
    return sorted(terms, key=lambda term: term.code, reverse=True)


def read_departments(body: bytes) -> list[str]:
    """The departments of a term's page. Raises: PartialAnswerError if it lists none."""
    reader = _DepartmentsReader()
    reader.feed(body.decode("utf-8", "replace"))
    reader.close()
    if not reader.departments:
        raise PartialAnswerError("Testudo's page of a term lists no departments")
    return reader.departments


def read_department(body: bytes, at: datetime, timezone: tzinfo) -> DepartmentPage:
    """A department's page; without courses only if the page says so.

    Raises: SchemaError if the page is incomplete or its time cannot be read; PartialAnswerError if it has
    no courses and no message about that.
    """
    reader = _DepartmentReader()
    reader.feed(body.decode("utf-8", "replace"))
    reader.close()
    if not reader.is_complete:
        raise SchemaError("Testudo's page of a department has no end")
    if not reader.titles and not reader.says_empty:
        raise PartialAnswerError("Testudo's page of a department has neither courses nor a message")
    as_of = None if reader.updated is None else _moment(reader.updated, timezone)
    return DepartmentPage(at, as_of, reader.titles, reader.without_sections)


def _moment(text: str, timezone: tzinfo) -> datetime:
    """The local time in `text`, such as "Open Seats as of 09/24/2026 at 10:30 PM"."""
    found = _UPDATED.search(text)
    try:
        local = datetime.strptime(found[0] if found else "", "%m/%d/%Y at %I:%M %p")  # noqa: DTZ007 - set below
    except ValueError:
        raise SchemaError(f"Testudo's seats-update-time is not a time: {text[:60]!r}") from None
    return local.replace(tzinfo=timezone)


class _TermsReader(TextReader):
    def __init__(self) -> None:
        super().__init__()
        self.terms: dict[str, str] = {}
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        super().handle_starttag(tag, attrs)
        named = dict(attrs)
        if tag == "select":
            self._is_inside = named.get("id") == "term-id-input"
        elif tag == "option" and self._is_inside:
            code = (named.get("value") or "").strip()
            self.take_text("option", partial(self.terms.__setitem__, code))

    def handle_endtag(self, tag: str) -> None:
        super().handle_endtag(tag)
        if tag == "select":
            self._is_inside = False


class _DepartmentsReader(TextReader):
    def __init__(self) -> None:
        super().__init__()
        self.departments: list[str] = []

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        super().handle_starttag(tag, attrs)
        if "prefix-abbrev" in (dict(attrs).get("class") or "").split():
            self.take_text(tag, self.departments.append)


class _DepartmentReader(TextReader):
    def __init__(self) -> None:
        super().__init__()
        self.titles: dict[str, str] = {}
        self.without_sections: list[str] = []
        self.updated: str | None = None
        self.says_empty = False
        self.is_complete = False
        self._course = ""

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        super().handle_starttag(tag, attrs)
        named = dict(attrs)
        classes = (named.get("class") or "").split()
        if named.get("id") == "seats-update-time":
            self.take_text(tag, self._take_updated)
        elif "no-courses-message" in classes:
            self.says_empty = True
        elif tag == "div" and "course" in classes:
            self._course = named.get("id") or ""
            self.titles[self._course] = ""
        elif "course-title" in classes and self._course:
            self.take_text(tag, self._take_title)
        elif "individual-instruction-message" in classes and self._course:
            self.without_sections.append(self._course)

    def handle_endtag(self, tag: str) -> None:
        super().handle_endtag(tag)
        self.is_complete = self.is_complete or tag == "html"

    def _take_updated(self, text: str) -> None:
        self.updated = text

    def _take_title(self, text: str) -> None:
        self.titles[self._course] = text
