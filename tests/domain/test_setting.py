from __future__ import annotations

from dataclasses import dataclass

import pytest

from domain.setting import (
    BASE_URL,
    SECRET,
    TOKEN,
    SettingsGroup,
    SettingType,
    choice,
    integer,
    number,
    setting,
    url,
)


@dataclass(frozen=True, kw_only=True)
class Example(SettingsGroup):
    """An example."""

    size: int = setting("SIZE", integer(1, 9), 3, doc="a size")
    key: str | None = setting("KEY", SECRET, doc="a secret")


def test_valid_values_are_parsed_and_every_invalid_one_is_named() -> None:
    assert Example.parsed({"SIZE": " 5 ", "OTHER": "x"}) == ({"size": 5}, {})
    found, problems = Example.parsed({"SIZE": "10", "KEY": "short"})
    assert found == {}
    assert problems == {
        "SIZE": "must be a whole number from 1 to 9",
        "KEY": "must be at least 16 printable ASCII characters",
    }


def test_an_empty_value_counts_as_not_set_unless_it_is_a_secret() -> None:
    assert Example.parsed({"SIZE": " "}) == ({}, {})
    assert Example.parsed({"KEY": " "})[1].keys() == {"KEY"}


def test_no_value_is_in_the_text_of_a_group() -> None:
    assert "the one and only secret" not in repr(Example(key="the one and only secret"))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (number(0, 1), "0.5", 0.5),
        (choice("on", "off"), "off", "off"),
        (url("s3"), "s3://bucket/", "s3://bucket"),
        (BASE_URL, "https://example.edu/a/", "https://example.edu/a"),
        (TOKEN, "a-token", "a-token"),
    ],
)
def test_each_type_reads_its_form(kind: SettingType[object], text: str, value: object) -> None:
    assert kind.parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (integer(1, 9), "\uff15"),
        (number(0, 1), "nan"),
        (choice("on", "off"), "maybe"),
        (url("s3"), "file:///a"),
        (BASE_URL, "https://example.edu/?a"),
        (BASE_URL, "https://example.edu/#top"),
        (BASE_URL, "https://user:password@example.edu"),
        (BASE_URL, "https://example.edu:99999"),
        (BASE_URL, "https://example .edu"),
        (BASE_URL, "https://"),
        (BASE_URL, "example.edu"),
        (BASE_URL, "ftp://example.edu"),
        (TOKEN, "two words"),
        (TOKEN, "line\r\nbreak"),
        (TOKEN, "schlüssel"),
    ],
)
def test_each_type_refuses_another_form(kind: SettingType[object], text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be "):
        kind.parse(text)
