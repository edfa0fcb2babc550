from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec import Meta, Struct

from domain.errors import InvalidInputError
from domain.watch import NotificationKind
from operations.inputs import (
    DurationText,
    Email,
    JobId,
    Kinds,
    PositiveId,
    RunId,
    SectionNumber,
    SourceName,
    Term,
    Text,
    WebUrl,
    decode,
    decode_text,
)

HIGHEST = 99
Number = Annotated[int, Meta(ge=1, le=HIGHEST)]


class Sample(Struct, frozen=True):
    email: Email
    count: Number = 1
    kind: NotificationKind | None = None
    half: Literal["even", "odd"] | None = None
    for_: DurationText = msgspec.field(default="7d", name="for")


def _problems(decoder: Any, *args: Any) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        decoder(*args)
    return caught.value.problems


def test_members_become_the_fields_of_the_model() -> None:
    members = {"email": "Ada@Example.edu", "count": 3, "kind": "section_retired", "half": "odd", "for": "2h"}

    assert decode(Sample, members) == Sample(
        "ada@example.edu", 3, NotificationKind.SECTION_RETIRED, "odd", "2h"
    )


def test_every_unknown_missing_and_invalid_field_is_named_at_once() -> None:
    members = {"count": True, "kind": "x", "half": None, "for": "soon", "color": "red"}

    assert _problems(decode, Sample, members) == {
        "email": "is missing",
        "color": "is not a known field",
        "count": "must be a whole number from 1 to 99",
        "kind": f"must be one of {', '.join(NotificationKind)}",
        "half": "must be one of even, odd",
        "for": "must be a time such as 90s, 15m, 2h or 3d, a year at most",
    }


def test_a_number_in_a_text_is_read_from_its_digits() -> None:
    assert decode_text(Sample, {"email": "a@example.edu", "count": "07"}).count == 7
    assert decode_text(Sample, {"email": "a@example.edu", "count": "99"}).count == HIGHEST
    for wrong in ("", "0", "100", "-1", "1.0", "1 ", "²", "9" * 30):
        assert _problems(decode_text, Sample, {"email": "a@example.edu", "count": wrong}).keys() == {"count"}
    assert _problems(decode, Sample, {"email": "a@example.edu", "count": "7"}).keys() == {"count"}


def test_a_blank_text_is_not_given_where_the_field_is_optional() -> None:
    blank = {"email": "a@example.edu", "kind": "", "half": ""}

    assert decode_text(Sample, blank) == Sample("a@example.edu")
    assert _problems(decode, Sample, blank).keys() == {"kind", "half"}
    assert _problems(decode_text, Sample, {"email": "", "for": ""}).keys() == {"email", "for"}


def test_choices_restrict_a_field_to_what_this_installation_has() -> None:
    class Placed(Struct):
        source: SourceName | None = None

    choices = {"source": ["scraper", "demo"]}

    assert decode(Placed, {"source": "demo"}, choices).source == "demo"
    assert decode_text(Placed, {"source": ""}, choices).source is None
    assert _problems(decode, Placed, {"source": "other"}, choices) == {
        "source": "must be one of scraper, demo"
    }


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=40)
    | st.lists(st.sampled_from(NotificationKind))
)


@settings(deadline=None)
@given(
    value=st.from_regex("[A-Za-z0-9 .@-]{1,40}", fullmatch=True) | VALUES,
    of=st.sampled_from([SourceName, Term, SectionNumber, RunId, JobId, Kinds, Number, PositiveId]),
)
def test_a_type_accepts_what_its_schema_says(value: object, of: Any) -> None:
    assert _accepts(of, value) is _is_described(of, value)


@pytest.mark.parametrize(
    ("value", "is_address"),
    [("ada@example.edu", True), ("Ada.L+x@EXAMPLE.co.uk", True), ("a@b", False), ("a@b.1c", False),
     ("a..b@example.edu", False), ("a@-b.edu", False), ("a@b-.edu", False), ("=a@example.edu", False),
     ("", False), (1, False)],
)  # fmt: skip
def test_an_address_is_what_its_schema_says(value: object, is_address: bool) -> None:
    assert _accepts(Email, value) is is_address
    assert _is_described(Email, value) is is_address


def test_a_web_url_has_no_credentials_and_no_blanks() -> None:
    assert _accepts(WebUrl, "https://example.edu:8443/jobs/ended?x=1")
    for wrong in (
        "ftp://example.edu",
        "https://u:p@example.edu",
        "https://a b",
        "https://é.edu",
        "https://a:0",
        "https:",
    ):
        assert not _accepts(WebUrl, wrong)


def test_a_text_has_no_control_characters() -> None:
    assert _accepts(Text, "é\u2003x")
    for wrong in ("", "a\0b", "\ud800", "x" * 1025, 1):
        assert not _accepts(Text, wrong)


def _accepts(of: Any, value: object) -> bool:
    model = msgspec.defstruct("Model", [("field", of)])
    try:
        decode(model, {"field": value})
    except InvalidInputError:
        return False
    return True


def _is_described(of: Any, value: object) -> bool:
    return Draft202012Validator(json.loads(msgspec.json.encode(msgspec.json.schema(of)))).is_valid(value)
