from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imports.amounts import Money, amount_readings, read_amount


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-100", {".": "-100", ",": "-100"}),
        ("1.000", {".": "1.000", ",": "1000"}),
        ("-3.000", {".": "-3.000", ",": "-3000"}),
        ("1,000", {".": "1000", ",": "1.000"}),
        ("-14,99", {",": "-14.99"}),
        ("0.125", {".": "0.125"}),
        ("1234.567", {".": "1234.567"}),
        ("1.234.567", {",": "1234567"}),
        ("1.234,56", {",": "1234.56"}),
        ("1,234,567.89", {".": "1234567.89"}),
        ("12,34,567.89", {".": "1234567.89"}),
        ("1 234,50", {",": "1234.50"}),
        ("1\u202f234,50", {",": "1234.50"}),
        ("12\u2019345.60", {".": "12345.60"}),
        (".5", {".": "0.5"}),
        ("12.", {".": "12"}),
        ("\u221212,50", {",": "-12.50"}),
        ("12.50-", {".": "-12.50"}),
        ("+12.50", {".": "12.50"}),
        ("(900.23)", {".": "-900.23"}),
        ("100.00 DR", {".": "-100.00"}),
        ("100.00Cr.", {".": "100.00"}),
    ],
)
def test_an_amount_has_a_reading_with_each_separator_that_can_read_it(
    text: str, expected: dict[str, str]
) -> None:
    assert {mark: str(money.amount) for mark, money in amount_readings(text).items()} == expected


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("-110.7 €", "-110.7", "EUR"),
        ("($900.23)", "-900.23", None),
        ("$(900.23)", "-900.23", None),
        ("$+1500", "1500", None),
        ("-$5.00", "-5.00", None),
        ("EUR -5.25", "-5.25", "EUR"),
        ("5.25 PLN", "5.25", "PLN"),
        ("£1,000.00", "1000.00", "GBP"),
        ("R$ 10.00", "10.00", "BRL"),
        ("10.00 kr", "10.00", None),
    ],
)
def test_a_currency_beside_the_amount_is_read_where_it_is_unique(
    text: str, amount: str, currency: str | None
) -> None:
    assert read_amount(text, ".") == Money(Decimal(amount), currency)


@pytest.mark.parametrize(
    "text",
    ["", "-", "--5", "(-5)", "-5-", "(5", "5)", "1.2.3", "1 00", "12,34,5", "1,23E+05", "100%", "5 EUR USD",
     "€5€", "five", "٣", "1'00.5", "01,000", "9" * 25, "-5 DR", "NaN", "Infinity", "1_000"],
)  # fmt: skip
def test_other_text_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount with the decimal separator"):
        read_amount(text, ".")


def test_a_stated_grouping_excludes_the_others() -> None:
    assert read_amount("1.000,50", ",", ".").amount == Decimal("1000.50")
    with pytest.raises(ValueError, match="not an amount"):
        read_amount("1 000,50", ",", ".")
    with pytest.raises(ValueError, match="not an amount"):
        read_amount("1.000,50", ",", "")


@given(
    st.decimals(-(10**9), 10**9, places=2, allow_nan=False, allow_infinity=False),
    st.sampled_from([(".", ","), (".", "'"), (".", " "), (",", "."), (",", " "), (",", ""), (".", "")]),
    st.sampled_from(["-{}", "({})", "{}-", "\u2212{} €", "EUR -{}"]),
)
def test_an_amount_written_in_a_style_is_read_in_it(
    amount: Decimal, style: tuple[str, str], negative: str
) -> None:
    decimal, grouping = style
    digits = f"{abs(amount):,.2f}".replace(",", "g").replace(".", decimal).replace("g", grouping)
    text = negative.format(digits) if amount < 0 else digits
    assert read_amount(text, decimal, grouping).amount == amount
    assert read_amount(text, decimal).amount == amount


@pytest.mark.parametrize(
    "text", ["-" + " " * 60 + "x", "1 " * 30 + "x", "9" * 1_000_000, "(" + " " * 1_000_000]
)
def test_long_or_blank_text_is_refused_without_a_search(text: str) -> None:
    assert not amount_readings(text)
    with pytest.raises(ValueError, match="is not an amount"):
        read_amount(text, ".")
