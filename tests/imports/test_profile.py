from __future__ import annotations

import msgspec
import pytest

from domain.errors import InvalidInputError
from imports.dates import DateOrder
from imports.profile import Profile, parse_profile

KEYS: dict[str, object] = {
    "encoding": "windows-1252",
    "delimiter": ";",
    "quote": "'",
    "header_row": 7,
    "columns": {"date": "Datum", "amount": "#3"},
    "date_format": "DMY",
    "decimal": ",",
    "grouping": ".",
    "sign": "signed",
    "invert": True,
    "currency": "EUR",
    "drop_rows": ["Summe"],
}


def test_every_key_is_read_and_a_profile_survives_json() -> None:
    profile = parse_profile(KEYS)
    assert (profile.date_format, profile.drop_rows) == (DateOrder.DMY, ("Summe",))
    assert KEYS.keys() == set(Profile.__struct_fields__)
    assert parse_profile(msgspec.json.decode(msgspec.json.encode(profile))) == profile


def test_a_key_without_a_value_is_not_decided() -> None:
    assert parse_profile({"decimal": None}) == parse_profile({}) == Profile()


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("colour", 1, "is not a key of a profile"),
        ("encoding", "latin-9", "must be one of .*windows-1252"),
        ("delimiter", " ", r"must be one of \",\", \";\", \"\\t\", \"|\""),
        ("quote", 1, "must be one of"),
        ("header_row", -1, "must be a whole number from 0 to 100"),
        ("header_row", True, "must be a whole number"),
        ("header_row", "7", "must be a whole number"),
        ("columns", [], "must be a table"),
        ("columns", {"price": "x"}, "'price' is not a role; the roles are date, amount"),
        ("columns", {"date": ""}, "date must be the name of a column"),
        ("columns", {"date": 3}, "date must be the name of a column, or its number such as #3"),
        ("date_format", "YDM", 'must be one of "YMD", "DMY", "MDY"'),
        ("decimal", "", "must be one of"),
        ("grouping", "..", "must be one of"),
        ("sign", "both", "must be one of"),
        ("invert", 1, "must be true or false"),
        ("currency", "eur", "must be a code of ISO 4217"),
        ("drop_rows", "Total", "must be a list of at most 50 texts"),
        ("drop_rows", [""], "must be a list"),
        ("drop_rows", ["x"] * 51, "must be a list"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(key: str, value: object, problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem) as caught:
        parse_profile({key: value})
    assert list(caught.value.problems) == [key]


def test_all_wrong_keys_are_named_at_once() -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_profile({"a": 1, "sign": "", "invert": "no"})
    assert set(caught.value.problems) == {"a", "sign", "invert"}


@pytest.mark.parametrize(
    ("keys", "field"),
    [({"decimal": ".", "grouping": "."}, "grouping"), ({"decimal": ",", "grouping": ","}, "grouping")],
)
def test_keys_that_contradict_each_other_are_refused(keys: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_profile(keys)
    assert list(caught.value.problems) == [field]
