from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from catalogs.family import WatchedSection
from catalogs.links import parameters, registered_domain, split_link, subject_searches
from domain.section import SectionKey


def key(number: str) -> SectionKey:
    return SectionKey("state", "1268", number)


def test_a_text_that_is_no_link_has_no_parts() -> None:
    assert split_link("https://[") is None
    assert (split_link(" https://a.example.edu/x ") or urlsplit("")).path == "/x"


def test_parameters_have_names_in_lower_case_and_one_value() -> None:
    assert parameters(urlsplit("/x?Term=1268&term=1&CRN=&a=b&a=c")) == {"term": "1", "a": "b"}


@pytest.mark.parametrize("host", ["registrar.example.edu", "example.edu", "a.b.example.edu:8443"])
def test_hosts_of_an_institution_share_its_domain(host: str) -> None:
    assert registered_domain(urlsplit(f"https://{host}/")) == "example.edu"


def test_watched_sections_are_searched_by_subject_or_by_its_only_course() -> None:
    searches, unknown = subject_searches(
        [
            WatchedSection(key("1"), "CS 1110"),
            WatchedSection(key("2"), "CS 1110"),
            WatchedSection(key("3"), "C S 101"),
            WatchedSection(key("4"), "C S 202"),
            WatchedSection(key("5")),
            WatchedSection(key("6"), "CS"),
        ]
    )
    assert [(each.subject, each.number, each.name) for each in searches] == [
        ("C S", "", "C S"),
        ("CS", "1110", "CS 1110"),
    ]
    assert [each.keys for each in searches] == [{key("3"), key("4")}, {key("1"), key("2")}]
    assert unknown == [key("5"), key("6")]
