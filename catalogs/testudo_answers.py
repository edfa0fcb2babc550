"""The sections that Testudo answers, as HTML, and the observations they mean. Pure.

Source: recorded answers of Maryland; public descriptions of 17,000 sections. Waitlist and holdfile have the
same class, and either may be absent: counts are read by their label. The holdfile is not the waitlist.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from html.parser import HTMLParser
from typing import Final, TypeAlias

from catalogs.answers import joined, section_key
from domain.availability import SeatFacts, join_instructors, observation
from domain.catalog import PartialAnswerError, SchemaError
from domain.observation import Details, Observation

Attributes: TypeAlias = list[tuple[str, str | None]]

SECTION: Final = re.compile("([A-Z]{4}[0-9]{3}[A-Z]{0,2})-([A-Z0-9]{1,8})")
"""The number of a section: its course, and its id in the course."""
_COUNT: Final = re.compile("-?[0-9]{1,6}")
_LABELS: Final = {
    "total-seats-count": {"Total"},
    "open-seats-count": {"Open"},
    "waitlist-count": {"Waitlist", "Holdfile"},
}
_MEETING: Final = (
    "section-days", "class-start-time", "class-end-time", "building-code", "class-room", "class-type",
)  # fmt: skip
_SAVE: Final = re.compile(r"saveSection\(\s*this\s*,\s*'([^']*)'\s*,\s*'([^']*)'")
_DAY: Final = re.compile("Tu|Th|Sa|Su|M|W|F")
_DAYS: Final = {"M": "Mon", "Tu": "Tue", "W": "Wed", "Th": "Thu", "F": "Fri", "Sa": "Sat", "Su": "Sun"}


class TextReader(HTMLParser):
    """An HTML parser that can take the text of one element at a time."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._end = ""
        self._text: list[str] = []
        self._take: Callable[[str], None] | None = None
        self._is_leaf = False

    def take_text(self, tag: str, take: Callable[[str], None], *, is_leaf: bool = False) -> None:
        """Pass the text up to the next end of `tag` to `take`, without repeated spaces.

        Shape: any other tag before that end is a SchemaError if the element `is_leaf`.
        """
        self._end, self._text, self._take, self._is_leaf = tag, [], take, is_leaf

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        """As `HTMLParser`."""
        del attrs
        self._check_leaf(tag)

    def handle_data(self, data: str) -> None:
        """As `HTMLParser`."""
        if self._take is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        """As `HTMLParser`."""
        if self._take is not None and tag == self._end:
            take, self._take = self._take, None
            take(" ".join("".join(self._text).split()))
        else:
            self._check_leaf(tag)

    def _check_leaf(self, tag: str) -> None:
        if self._take is not None and self._is_leaf:
            raise SchemaError(f"Testudo's answer has the tag {tag[:20]!r} inside a count")


@dataclass(slots=True)
class Section:
    """What the HTML of one section states; `ids` has each place that names the section, as (course, id)."""

    course: str
    ids: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    shows_open: bool = False
    instructors: list[str] = field(default_factory=list)
    meetings: list[dict[str, str]] = field(default_factory=list)

    def number(self) -> str:
        """The number of the section. Raises: SchemaError if it is not stated, or in two ways."""
        named = set(self.ids)
        number = "-".join(self.ids[0]) if len(named) == 1 else ""
        found = SECTION.fullmatch(number)
        if found is None or found[1] != self.course:
            raise SchemaError(f"Testudo's section of {self.course[:20]} has the ids {sorted(named)!r:.80}")
        return number

    def seat_facts(self) -> SeatFacts:
        """The counts. Raises: SchemaError if they are absent, or the page marks them as the opposite."""
        try:
            total, open_seats = self.counts["Total"], self.counts["Open"]
        except KeyError as error:
            raise SchemaError(f"Testudo's section of {self.course} has no count {error}") from None
        if self.shows_open != (open_seats > 0):
            raise SchemaError(f"Testudo's class has-open-seats contradicts the count {open_seats}")
        return SeatFacts(own=open_seats, capacity=total, waitlist_length=self.counts.get("Waitlist"))

    def observation(
        self, source: str, term: str, at: datetime, title: str, as_of: datetime | None
    ) -> Observation:
        """The section as an observation. Raises: SchemaError."""
        names = (name.removeprefix("Instructor:") for name in self.instructors)
        return observation(
            section_key(source, term, self.number(), "Testudo's field sectionId"),
            at,
            self.seat_facts(),
            taught_by=join_instructors(dict.fromkeys(names)),
            details=Details(
                self.course,
                title,
                joined(map(_place, self.meetings)),
                joined(map(_times, self.meetings)),
            ),
            as_of=as_of,
        )


def read_sections(body: bytes, asked: Collection[str]) -> dict[str, list[Section]]:
    """The sections of each course that has any.

    Raises: PartialAnswerError for an empty body, or a course that is repeated or was not asked for;
    SchemaError if the HTML is not complete.
    """
    if not body.strip():
        raise PartialAnswerError("Testudo answered with nothing")
    reader = _SectionsReader()
    reader.feed(body.decode("utf-8", "replace"))
    reader.close()
    if reader.depth or reader.rawdata or not reader.has_root:
        raise SchemaError("Testudo's answer is not one complete element div")
    if unasked := reader.courses.keys() - set(asked):
        raise PartialAnswerError(f"Testudo answered with {min(unasked)[:20]}, which was not asked for")
    return {course: sections for course, sections in reader.courses.items() if sections}


class _SectionsReader(TextReader):
    """Collects the sections of each course. Only `div` elements nest; all other elements are leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.courses: dict[str, list[Section]] = {}
        self.depth = 0
        self.has_root = False
        self._course: tuple[str, int] | None = None
        self._section: tuple[Section, int] | None = None
        self._days_depth = 0
        self._label = ""

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        super().handle_starttag(tag, attrs)
        named = dict(attrs)
        classes = frozenset((named.get("class") or "").split())
        if tag == "div":
            self._open_div(named.get("id") or "", classes)
        elif self._section is not None:
            self._read(self._section[0], tag, named, classes)

    def handle_endtag(self, tag: str) -> None:
        super().handle_endtag(tag)
        if tag != "div":
            return
        if self._section is not None and self.depth == self._section[1]:
            self._section = None
        if self._course is not None and self.depth == self._course[1]:
            self._course = None
        if self.depth == self._days_depth:
            self._days_depth = 0
        self.depth -= 1
        if self.depth < 0:
            raise SchemaError("Testudo's answer closes an element that is not open")

    def _open_div(self, name: str, classes: frozenset[str]) -> None:
        if self.depth == 0 and self.has_root:
            raise SchemaError("Testudo's answer has more than one root element")
        self.depth += 1
        self.has_root = True
        if "course-sections" in classes:
            self._open_course(name)
        elif "section" in classes:
            self._open_section()
        elif "class-days-container" in classes:
            self._days_depth = self.depth
        elif "row" in classes and self._days_depth and self._section is not None:
            self._section[0].meetings.append({})

    def _open_course(self, name: str) -> None:
        if self._course is not None:
            raise SchemaError(f"Testudo's course {name[:20]} is inside another course")
        if name in self.courses:
            raise PartialAnswerError(f"Testudo repeats the course {name[:20]}")
        self.courses[name] = []
        self._course = name, self.depth

    def _open_section(self) -> None:
        if self._course is None or self._section is not None:
            raise SchemaError("Testudo's section is not directly inside a course")
        self._label = ""
        section = Section(self._course[0])
        self.courses[section.course].append(section)
        self._section = section, self.depth

    def _read(
        self, section: Section, tag: str, named: dict[str, str | None], classes: frozenset[str]
    ) -> None:
        saved = _SAVE.search(named.get("onclick") or "")
        if saved:
            section.ids.append((saved[1], saved[2]))
        elif tag == "input" and named.get("name") == "sectionId":
            section.ids.append((section.course, (named.get("value") or "").strip()))
        elif tag == "span":
            self._read_span(section, classes)

    def _read_span(self, section: Section, classes: frozenset[str]) -> None:
        if "has-open-seats" in classes:
            section.shows_open = True
        if "section-id" in classes:
            self.take_text("span", lambda text: section.ids.append((section.course, text)))
        elif "section-instructor" in classes:
            self.take_text("span", section.instructors.append)
        elif "seats-info-label" in classes:
            self.take_text("span", self._take_label)
        elif counted := classes & _LABELS.keys():
            kind = min(counted)
            self.take_text("span", lambda text: self._take_count(section, kind, text), is_leaf=True)
        elif section.meetings and self._days_depth and (stated := classes.intersection(_MEETING)):
            meeting, name = section.meetings[-1], min(stated)
            self.take_text("span", partial(meeting.__setitem__, name))

    def _take_label(self, text: str) -> None:
        self._label = text.removesuffix(":")

    def _take_count(self, section: Section, kind: str, text: str) -> None:
        label, self._label = self._label, ""
        if label not in _LABELS[kind] or label in section.counts or not _COUNT.fullmatch(text):
            raise SchemaError(f"Testudo's {kind} has the label {label[:20]!r} and the text {text[:20]!r}")
        section.counts[label] = int(text)


def _place(meeting: dict[str, str]) -> str:
    return " ".join(filter(None, (meeting.get("building-code"), meeting.get("class-room"))))


def _times(meeting: dict[str, str]) -> str:
    """When a section meets: "Mon/Wed 1:00 PM - 1:50 PM", with its kind if that is stated."""
    days = meeting.get("section-days", "")
    tokens = _DAY.findall(days)
    named = "/".join(_DAYS[token] for token in tokens) if "".join(tokens) == days else days
    stated = filter(None, (meeting.get("class-start-time"), meeting.get("class-end-time")))
    hours = " - ".join(f"{time[:-2]} {time[-2:].upper()}" for time in stated)
    kind = meeting.get("class-type")
    return " ".join(filter(None, (named, hours, f"({kind})" if kind and named else "")))
