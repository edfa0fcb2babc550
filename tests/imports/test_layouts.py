"""Layouts of real exports, with our own data: what is clear is read, and the rest is asked."""

from __future__ import annotations

import pytest

from tests.imports.reading import asked, read

US_CHECKING = """\
Details,Posting Date,Description,Amount,Type,Balance,Check or Slip #
DEBIT,08/25/2026,"RENT, APT",-900.00,ACH_DEBIT,1200.55,,
CREDIT,08/24/2026,PAY,1500.00,ACH_CREDIT,2100.55,,
"""
US_SUMMARY = """\
Description,,Summary Amt.
Beginning balance as of 08/01/2026,,"1,000.00"
Total credits,,"500.00"

Date,Description,Amount,Running Bal.
08/01/2026,Beginning balance as of 08/01/2026,,"1,000.00"
08/15/2026,"PAY, INC","500.00","1,500.00"
08/16/2026,Shop,"-200.00","1,300.00"
"""
UK_TWO_COLUMNS = """\
Date,Type,Description,Paid out,Paid in,Balance
25 Aug 2026,VIS,SHOP,12.50,,100.00
24 Aug 2026,BP,PAY,,"1,500.00",112.50
"""
DUTCH = """\
"Datum","Naam / Omschrijving","Rekening","Code","Af Bij","Bedrag (EUR)","Mededelingen"
"20260825","Winkel","NL1","BA","Af","12,50","brood"
"20260824","Baas","NL1","OV","Bij","1500,00","loon"
"""
GERMAN = """\
"Kontonummer:";"DE12 / Girokonto";

"Von:";"01.08.2026";
"Kontostand vom 31.08.2026:";"1.234,56 EUR";

"Buchungstag";"Wertstellung";"Text";"Beguenstigter/Zahlungspflichtiger";"Verwendungszweck";"Betrag (EUR)";
"25.08.2026";"25.08.2026";"Lastschrift";"Laden";"Einkauf";"-12,50";
"""
ESTONIAN = """\
"Kuupäev";"Saaja/Maksja";"Selgitus";"Summa";"Valuuta";"Deebet/Kreedit";"Arhiveerimistunnus";
"01.08.2026";"";"Algsaldo";"1000,00";"EUR";"K";"";
"25.08.2026";"Pood";"Toit";"12,50";"EUR";"D";"2026A";
"31.08.2026";"";"Käive";"12,50";"EUR";"D";"";
"31.08.2026";"";"lõppsaldo";"987,50";"EUR";"K";"";
"""
POLISH = """\
#Data operacji;#Opis operacji;#Rachunek;#Kwota;
2026-08-25;"SKLEP";"eKonto";-12,50 PLN;;
2026-08-24;"PENSJA";"eKonto";1 500,00 PLN;;
"""
INDIAN = (
    "Txn Date\tDescription\tRef No.\t   Debit\tCredit\tBalance\n"
    "25 Aug 2026\tUPI\t \t 1,23,456.50\t \t 1,00,000.00\n"
)


@pytest.mark.parametrize(
    ("content", "expected", "first", "skipped"),
    [
        (US_CHECKING, [("2026-08-25", "-900.00"), ("2026-08-24", "1500.00")], "RENT, APT", 0),
        (US_SUMMARY, [("2026-08-15", "500.00"), ("2026-08-16", "-200.00")], "PAY, INC", 1),
        (UK_TWO_COLUMNS, [("2026-08-25", "-12.50"), ("2026-08-24", "1500.00")], "SHOP", 0),
        (DUTCH, [("2026-08-25", "-12.50"), ("2026-08-24", "1500.00")], "Winkel brood", 0),
        (GERMAN, [("2026-08-25", "-12.50")], "Laden Einkauf", 0),
        (ESTONIAN, [("2026-08-25", "-12.50")], "Pood Toit", 3),
        (POLISH, [("2026-08-25", "-12.50"), ("2026-08-24", "1500.00")], "SKLEP", 0),
        (INDIAN, [("2026-08-25", "-123456.50")], "UPI", 0),
    ],
    ids=["us_checking", "us_summary", "uk", "dutch", "german", "estonian", "polish", "indian"],
)
def test_a_layout_is_read(content: str, expected: list[tuple[str, str]], first: str, skipped: int) -> None:
    found = read(content)
    assert [(day, str(amount)) for day, amount in found.money] == expected
    assert found.rows[0].description == first
    assert (len(found.skipped), found.bad) == (skipped, [])


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("Transaction Date,Posted Date,Text,Debit,Credit\n2026-08-25,2026-08-26,a,1.00,\n", ["columns.date"]),
        ('"08/25/2026","-12.34","*","","SHOP"\n', ["columns.date", "columns.amount"]),
        ('"Date","Name","Gross","Fee","Net"\n"25/08/2026","a","-2,50","0,00","-2,50"\n', ["columns.amount"]),
        ("Date,Description,Amount\n25/08/2026,SHOP,12.50\n", ["invert"]),
    ],
)
def test_a_layout_that_leaves_something_open_asks(content: str, fields: list[str]) -> None:
    assert asked(content) == fields
