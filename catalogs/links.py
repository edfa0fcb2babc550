"""Links to catalogs and the courses of watched sections: what families read from texts. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, urlsplit

from catalogs.family import WatchedSection
from domain.section import SectionKey


def split_link(text: str) -> SplitResult | None:
    """The parts of a link; None if `text` is none."""
    try:
        return urlsplit(text.strip())
    except ValueError:
        return None


def parameters(link: SplitResult) -> dict[str, str]:
    """The first value of each parameter of `link`, by its name in lower case."""
    return {name.lower(): values[0] for name, values in parse_qs(link.query).items()}


def registered_domain(link: SplitResult) -> str:
    """The domain of the institution, which may have several hosts."""
    return ".".join((link.hostname or "").split(".")[-2:])


@dataclass(frozen=True, slots=True)
class SubjectSearch:
    """What one search by subject covers: the only watched course of the subject if `number` is not empty."""

    subject: str
    number: str
    keys: frozenset[SectionKey]

    @property
    def name(self) -> str:
        """The course or the subject."""
        return f"{self.subject} {self.number}".strip()


def subject_searches(watched: Sequence[WatchedSection]) -> tuple[list[SubjectSearch], list[SectionKey]]:
    """The searches that cover `watched`, by subject, and the sections whose course is not known."""
    subjects: dict[str, dict[str, set[SectionKey]]] = defaultdict(lambda: defaultdict(set))
    unknown: list[SectionKey] = []
    for each in watched:
        subject, _, number = each.course.strip().rpartition(" ")
        if subject:
            subjects[subject][number].add(each.key)
        else:
            unknown.append(each.key)
    searches = [
        SubjectSearch(
            subject, next(iter(courses)) if len(courses) == 1 else "", frozenset().union(*courses.values())
        )
        for subject, courses in sorted(subjects.items())
    ]
    return searches, unknown
