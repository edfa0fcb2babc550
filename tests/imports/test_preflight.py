"""Inputs that broke other importers, and what a preflight asks."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from domain.errors import InvalidInputError
from tests.imports.reading import asked, look, read

FILES = Path(__file__).parent / "files"


def content(name: str) -> bytes:
    return (FILES / name).read_bytes()


def table(*amounts: str, delimiter: str = ";", dates: tuple[str, ...] = ()) -> str:
    """A file of one amount per row; by default all are on one day."""
    days = dates or ("2026-08-03",) * len(amounts)
    lines = (delimiter.join((day, amount)) for day, amount in zip(days, amounts, strict=True))
    return "\n".join((f"Date{delimiter}Amount", *lines))


def test_a_preamble_a_mark_and_thousands_with_points_in_a_file_of_semicolons() -> None:
    found = read(content("preamble_bom_thousands.csv"))
    assert found.found.header_row == 7
    assert found.found.encoding == "utf-8"
    assert found.amounts == ["-3000", "-1100"]
    assert [row.balance for row in found.rows] == [1000, 2000]
    assert [row.description for row in found.rows] == ["Café Espresso", "Shop; Ltd two lines"]
    assert {row.currency for row in found.rows} == {"EUR"}
    assert [(row.record.line, row.reason) for row in found.skipped] == [
        (11, "is a total or a balance"),
        (12, "is an end marker"),
    ]
    assert not found.bad


def test_thousands_are_a_question_where_the_delimiter_says_nothing() -> None:
    amounts = ("-3.000", "1.000")
    assert asked(table(*amounts, delimiter=",")) == ["decimal"]
    assert read(table(*amounts, delimiter=","), decimal=",").amounts == ["-3000", "1000"]
    assert read(table(*amounts, delimiter=","), decimal=".").amounts == ["-3.000", "1.000"]
    assert asked(table("-3,000", "1,000")) == ["decimal"]


def test_one_amount_decides_for_its_column() -> None:
    assert read(table("-3.000", "1.000", "2.50")).amounts == ["-3.000", "1.000", "2.50"]
    assert read(table("-100", "-14,99")).amounts == ["-100", "-14.99"]
    assert read(table("-3.000", "1.000.000", delimiter=",")).amounts == ["-3000", "1000000"]


def test_separators_that_contradict_each_other_are_a_question_with_the_line() -> None:
    (question,) = look(table("-12.80", "-200,00")).questions
    assert question.field == "decimal"
    assert question.message == (
        "No decimal separator reads all amounts: '-200,00' in line 3 contradicts those before."
    )
    found = read(table("-12.80", "-200,00"), decimal=".")
    assert found.amounts == ["-12.80"]
    assert found.errors == [(3, "Amount", "'-200,00' is not an amount with the decimal separator '.'")]


def test_signs_and_currencies_beside_the_amount() -> None:
    found = read(content("us_signs.csv"))
    assert found.amounts == ["-900.23", "1500", "-2.50"]
    assert {row.currency for row in found.rows} == {None}
    assert {row.currency for row in read(content("us_signs.csv"), currency="CAD").rows} == {"CAD"}
    (row,) = read(table("-110.7 €")).rows
    assert (str(row.amount), row.currency) == ("-110.7", "EUR")


def test_debits_and_credits_that_are_already_negative() -> None:
    found = read(content("debit_credit_signs.csv"))
    assert found.found.profile.sign == "debit_credit"
    assert found.amounts == ["-900.00", "20.00", "1500.50"]


def test_debits_of_both_signs_are_a_question() -> None:
    text = "Date,Debit,Credit\n2026-08-03,5.00,\n2026-08-03,-7.00,\n2026-08-03,,1.00\n"
    (question,) = look(text).questions
    assert (question.field, question.options) == ("sign", ("debit_credit", "debit_credit_signed"))
    assert read(text, sign="debit_credit").amounts == ["-5.00", "-7.00", "1.00"]
    assert read(text, sign="debit_credit_signed").amounts == ["-5.00", "7.00", "1.00"]


def test_a_row_has_either_a_debit_or_a_credit() -> None:
    text = (
        "Date,Debit,Credit\n2026-08-03,5.00,1.00\n2026-08-03,,\n2026-08-03,0.00,1.00\n2026-08-03,0.00,0.00\n"
    )
    found = read(text)
    assert found.amounts == ["1.00", "0.00"]
    assert found.errors == [
        (2, "Debit", "has a debit and a credit in one row"),
        (3, "amount", "has no amount"),
    ]


def test_an_indicator_gives_the_direction() -> None:
    found = read(content("indicator_dk.csv"))
    assert found.amounts == ["-3.50", "1500.00", "-2.00"]
    assert {row.currency for row in found.rows} == {"EUR"}


def test_an_indicator_that_says_nothing_or_contradicts_the_sign_is_an_error() -> None:
    text = "Date;Amount;D/K\n2026-08-03;1,00;D\n2026-08-03;1,00;K\n2026-08-03;1,00;X\n2026-08-03;-1,00;K\n"
    found = read(text)
    assert found.amounts == ["-1.00", "1.00"]
    assert found.errors == [
        (4, "D/K", "'X' does not say whether money goes in or out"),
        (5, "Amount", "-1.00 is negative, but 'K' is money in"),
    ]


def test_amounts_without_any_sign_are_a_question() -> None:
    (question,) = look(table("1.50", "2.50")).questions
    assert (question.field, question.options) == ("invert", (True, False))
    assert read(table("1.50", "2.50"), invert=True).amounts == ["-1.50", "-2.50"]
    assert read(table("1.50", "2.50"), invert=False).amounts == ["1.50", "2.50"]
    assert read(table("1.50", "-2.50"), invert=True).amounts == ["-1.50", "2.50"]


def test_columns_of_amounts_and_of_debits_are_a_question() -> None:
    text = "Date,Amount,Debit,Credit\n2026-08-03,5.00,5.00,\n"
    assert asked(text) == ["sign"]
    assert read(text, sign="debit_credit").amounts == ["-5.00"]


def test_utf_16_with_tabs_and_quoted_newlines() -> None:
    found = read(content("utf16le_tabs_quoted_newlines.txt"))
    assert (found.found.encoding, found.found.delimiter) == ("utf-16-le", "\t")
    assert [(row.record.line, row.description, str(row.amount)) for row in found.rows] == [
        (2, "Coffee and cake", "-4.50"),
        (4, "Bücher", "12.00"),
    ]


@pytest.mark.parametrize("name", ["windows1252.csv", "latin1.csv"])
def test_single_byte_encodings(name: str) -> None:
    found = read(content(name))
    assert found.found.encoding == "windows-1252"
    assert found.amounts[1] == "5.00"
    assert found.rows[0].description.startswith("Müller")


def test_errors_name_the_physical_line_the_column_and_the_reason() -> None:
    found = read(content("quoted_newline_errors.csv"))
    assert found.amounts == ["-1.00"]
    assert found.errors == [
        (5, "Amount", "'-1.0O' is not an amount with the decimal separator '.'"),
        (6, "Date", "'2026-13-04' is not a date in the order YMD"),
    ]


@pytest.mark.parametrize(
    "row",
    [
        "***END OF FILE***",
        "Total;-8.00",
        "Total:;-8.00",
        ";-8.00;",
        "Closing balance;100.00",
        "31/08/2026;100.00;Closing balance",
        "31/08/2026;100.00;Saldo końcowe 31.08.2026",
        "Generated for A. Example",
        "-----",
        "",
    ],
)
def test_what_is_no_transaction_is_never_money(row: str) -> None:
    text = f"Date;Amount;Text\n26/06/2026;-8.00;a\n{row}\n"
    found = read(text)
    assert found.amounts == ["-8.00"]
    assert [each.record.line for each in found.skipped] + [line for line, *_ in found.errors] == [3]
    assert bool(found.bad) == (row == ";-8.00;")


def test_a_merchant_named_like_a_total_is_a_transaction() -> None:
    text = "Date;Amount;Text\n2026-08-03;-8.00;Total Wine\n2026-08-03;-8.00;TOTAL\n"
    assert read(text).amounts == ["-8.00", "-8.00"]


def test_rows_are_dropped_by_their_beginning() -> None:
    text = "Date;Amount;Text\n2026-08-03;-8.00;a\nPENDING 2026-08-04;-9.00;b\n"
    found = read(text, drop_rows=["pending"])
    assert [each.reason for each in found.skipped] == ["begins with 'pending' (drop_rows)"]


def test_one_date_decides_the_order_however_late_it_comes() -> None:
    dates = ("03/08/2026",) * 2_000 + ("26/06/2026",)
    found = read(table(*["-1.50"] * 2_001, dates=dates))
    assert found.money[0] == ("2026-08-03", found.rows[0].amount)
    assert found.money[-1][0] == "2026-06-26"


def test_an_undecided_order_is_a_question_and_a_contradiction_too() -> None:
    ambiguous = table("-1.50", "-1.50", dates=("03/08/2026", "04/08/2026"))
    (question,) = look(ambiguous).questions
    assert (question.field, question.options) == ("date_format", ("DMY", "MDY"))
    assert question.examples == ("03/08/2026", "04/08/2026")
    assert read(ambiguous, date_format="MDY").money[0][0] == "2026-03-08"
    contradictory = table("-1.50", "-1.50", dates=("26/06/2026", "06/27/2026"))
    (question,) = look(contradictory).questions
    assert question.message == "No order reads all dates: '06/27/2026' in line 3 contradicts those before."


def test_dates_that_are_the_same_in_every_order_need_no_question() -> None:
    assert read(table("-1.50", "-1.50", dates=("03/03/2026", "04/04/2026"))).money[1][0] == "2026-04-04"


def test_a_column_that_no_name_explains_is_a_question() -> None:
    text = "When;What;How much\n2026-08-03;a;-5.00\n2026-08-04;b;1.00\n"
    found = {question.field: question.options for question in look(text).questions}
    assert found == {"columns.date": ("When",), "columns.amount": ("How much",)}
    assert look("Word,Other\na,b\nc,d\n").questions[0].options == ("Word", "Other")
    columns = {"date": "when", "amount": "#3", "description": "What"}
    assert read(text, columns=columns).amounts == ["-5.00", "1.00"]


def test_several_dates_or_amounts_are_a_question() -> None:
    text = "Transaction Date,Post Date,Amount,Amount EUR\n2026-08-03,2026-08-04,-5.00,-4.00\n"
    found = {question.field: question.options for question in look(text).questions}
    assert found == {
        "columns.date": ("Transaction Date", "Post Date"),
        "columns.amount": ("Amount", "Amount EUR"),
    }


def test_a_value_date_named_like_a_currency_is_none() -> None:
    text = "Buchungstag;Valuta;Betrag\n26.06.2026;27.06.2026;-5,00\n"
    assert look(text).profile.columns == {"date": "Buchungstag", "amount": "Betrag"}


def test_a_file_without_a_header_has_numbered_columns() -> None:
    text = "26.06.2026;-5,00;Café\n27.06.2026;-6,00;Bar\n"
    found = look(text)
    assert (found.header_row, found.columns) == (0, ("#1", "#2", "#3"))
    assert read(text, columns={"date": "#1", "amount": "#2"}).amounts == ["-5.00", "-6.00"]


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ({"columns": {"date": "Datum"}}, "columns.date"),
        ({"columns": {"date": "#9"}}, "columns.date"),
        ({"header_row": 9}, "header_row"),
    ],
)
def test_a_profile_that_does_not_fit_the_file_is_refused_by_key(keys: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        look(table("-5.00"), **keys)
    assert list(caught.value.problems) == [field]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (b"", "must not be empty"),
        (b"\n \n", "must not be empty"),
        (b"one\ntwo\n", "has no row of at least two cells"),
        (b"%PDF-1.7", "is a PDF: download the statement in another format"),
        (b"\x1f\x8b\x08", "is compressed: unpack it first"),
        (
            b"\xd0\xcf\x11\xe0\xa1",
            "is an Excel workbook that is old or has a password: save it as .xlsx without one, or as CSV",
        ),
        (b"Date;Amount\n2026-08-03;-5.00\x00\n", "has a NUL character in line 2"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(given: bytes, problem: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        look(given)
    assert caught.value.problems == {"body": problem}


def test_a_single_field_of_40_mb_is_refused() -> None:
    file = io.BytesIO(b"Date;Amount\n2026-08-03;" + b"9" * 40_000_000)
    with pytest.raises(
        InvalidInputError, match="more than 1,048,576 characters in the record that begins in line 2"
    ):
        look(file)


def test_500_000_very_short_rows_are_read() -> None:
    found = look(b"Date,Amount\n" + b",1\n" * 500_000)
    assert found.records == 500_000


def test_samples_show_what_the_rows_mean() -> None:
    found = look(table("-5.00", "x"))
    assert [(each.line, each.date, each.amount, each.problem) for each in found.samples] == [
        (2, "2026-08-03", "-5.00", None),
        (3, None, None, "Amount: 'x' is not an amount with the decimal separator '.'"),
    ]
    assert len(look(table(*["-5.00"] * 50)).samples) == 20


def test_the_profile_of_a_preflight_decides_everything_again() -> None:
    text = table("-3.000", "1.000")
    found = look(text)
    again = look(text, **{name: getattr(found.profile, name) for name in found.profile.__struct_fields__})
    assert again.profile == found.profile


def test_a_row_that_is_almost_an_end_marker_is_an_error_without_a_search() -> None:
    found = read(f"Date;Amount\n2026-08-03;-5.00\n{'*' * 100_000}x;-1.00\n-;-2.00\n")
    assert [(line, column) for line, column, _ in found.errors] == [(3, "Date"), (4, "Date")]


def test_samples_are_cut_and_few_if_the_records_are_long() -> None:
    row = "2026-08-03;-5.00;" + "x" * 100_000 + "\n"
    found = look("Date;Amount;Text\n" + row * 50)
    assert len(found.samples) < 20
    assert {len(cell) for sample in found.samples for cell in sample.cells} == {10, 5, 200}
