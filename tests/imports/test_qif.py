from __future__ import annotations

import pytest

from imports.formats import Format
from tests.imports.reading import asked, look, read, rows

BANK = "!Type:Bank\n"


def entry(day: str, amount: str, payee: str = "Shop") -> str:
    return f"D{day}\nT{amount}\nP{payee}\nMnote\nLFood\n^\n"


@pytest.mark.parametrize(
    ("day", "expected"),
    [("28.02'2009", "2009-02-28"), ("28/2'09", "2009-02-28"), ("2009-02-28", "2009-02-28")],
)
def test_dates_of_quicken_are_read(day: str, expected: str) -> None:
    found = read(BANK + entry(day, "-1,234.50"))
    (row,) = found.rows
    assert found.found.format is Format.QIF
    assert (row.date.isoformat(), str(row.amount), row.description) == (expected, "-1234.50", "Shop note")
    assert row.record.line == 2


def test_a_blank_in_a_date_is_a_digit_and_the_order_is_decided_by_the_column() -> None:
    ambiguous = BANK + entry("6/ 4'18", "-1.00")
    assert asked(ambiguous) == ["date_format"]
    assert read(ambiguous, date_format="MDY").money[0][0] == "2018-06-04"
    found = read(ambiguous + entry("6/24'18", "-2.00"))
    assert [day for day, _ in found.money] == ["2018-06-04", "2018-06-24"]


def test_amounts_are_decided_by_the_column() -> None:
    assert asked(BANK + entry("2026-08-03", "-1.000")) == ["decimal"]
    assert read(BANK + entry("2026-08-03", "-1.000") + entry("2026-08-03", "-2,50")).amounts == [
        "-1000",
        "-2.50",
    ]


def test_only_transactions_of_money_are_read() -> None:
    content = (
        "!Option:AutoSwitch\n!Account\nNChecking\nTBank\n^\n!Type:Cat\nNFood\nDwhat one eats\nE\n^\n"
        + BANK
        + entry("2026-08-03", "-1.00")
        + "!Type:Invst\nD2026-08-03\nNBuy\nT10.00\n^\n"
        + "!Type:CCard\r\n"
        + entry("2026-08-04", "-2.00").replace("\n", "\r\n")
    )
    found = read(content)
    assert found.amounts == ["-1.00", "-2.00"]
    assert [reason for *_, reason in found.errors] == ["is a transaction of investments, which are not read"]


def test_splits_are_part_of_their_transaction_and_the_last_end_may_be_missing() -> None:
    content = BANK + "D2026-08-03\nT-30.00\nPShop\nSFood\n$-10.00\nSHome\n$-20.00\n^\nD2026-08-04\nT-1.00"
    assert read(content).amounts == ["-30.00", "-1.00"]


def test_an_opening_balance_is_no_transaction() -> None:
    found = read(BANK + entry("2026-08-01", "500.00", "Opening Balance") + entry("2026-08-03", "-1.00"))
    assert found.amounts == ["-1.00"]
    assert [row.reason for row in found.skipped] == ["is a balance or a total"]


def test_reading_resumes_behind_a_record() -> None:
    content = BANK + "".join(entry("2026-08-03", f"-{number}.00") for number in range(1, 20))
    found = look(content)
    every = list(rows(content, found))
    assert list(rows(content, found, every[7].record.after)) == every[8:]
