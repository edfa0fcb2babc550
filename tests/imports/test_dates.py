from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imports.dates import DateOrder, date_readings, read_date

DAY = date(2026, 8, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-08-03", {"YMD": DAY}),
        ("2026/8/3", {"YMD": DAY}),
        ("2026.08.03.", {"YMD": DAY}),
        ("20260803", {"YMD": DAY}),
        ("2026-08-03T23:59:59.123Z", {"YMD": DAY}),
        ("2026-08-03 23:59:59+02:00", {"YMD": DAY}),
        ("03/08/2026", {"DMY": DAY, "MDY": date(2026, 3, 8)}),
        ("03/08/2026 10:15 PM", {"DMY": DAY, "MDY": date(2026, 3, 8)}),
        ("26/06/2026", {"DMY": date(2026, 6, 26)}),
        ("06-26-2026", {"MDY": date(2026, 6, 26)}),
        ("3.8.26", {"DMY": DAY, "MDY": date(2026, 3, 8)}),
        ("03/08/26", {"DMY": DAY, "MDY": date(2026, 3, 8), "YMD": date(2003, 8, 26)}),
        ("28.02'2009", {"DMY": date(2009, 2, 28)}),
        ("6/ 4'18", {"DMY": date(2018, 4, 6), "MDY": date(2018, 6, 4)}),
        ("31/12'99", {"DMY": date(2099, 12, 31)}),
        ("31.12.99", {"DMY": date(1999, 12, 31)}),
        ("3 Aug 2026", dict.fromkeys(("YMD", "DMY", "MDY"), DAY)),
        ("August 3rd, 2026", dict.fromkeys(("YMD", "DMY", "MDY"), DAY)),
        ("03-AUG-26", dict.fromkeys(("YMD", "DMY", "MDY"), DAY)),
        ("2026-Aug-03", dict.fromkeys(("YMD", "DMY", "MDY"), DAY)),
    ],
)
def test_a_date_has_a_reading_in_each_order_that_can_read_it(text: str, expected: dict[str, date]) -> None:
    assert dict(date_readings(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "31/31/2026",
        "30.02.2026",
        "1026-08-03",
        "5",
        "12.50",
        "Augury 3, 2026",
        "00000000",
        "3/8",
        "1" + " " * 999_999,
    ],
)
def test_other_text_is_no_date(text: str) -> None:
    assert not date_readings(text)
    with pytest.raises(ValueError, match="is not a date in the order DMY"):
        read_date(text, DateOrder.DMY)


@given(
    st.dates(date(1969, 1, 1), date(2068, 12, 31)),
    st.sampled_from(["-", "/", "."]),
    st.sampled_from(list(DateOrder)),
    st.booleans(),
)
def test_a_date_written_in_an_order_is_read_in_it(
    day: date, separator: str, order: DateOrder, is_padded: bool
) -> None:
    width = "02" if is_padded else ""
    parts = {"Y": str(day.year), "M": format(day.month, width), "D": format(day.day, width)}
    assert read_date(separator.join(parts[letter] for letter in order), order) == day
