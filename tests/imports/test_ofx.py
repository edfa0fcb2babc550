from __future__ import annotations

import io

import pytest

from domain.errors import InvalidInputError
from imports.formats import Format, open_file
from imports.profile import Profile
from imports.table import Record
from tests.imports.reading import look, read, rows

SGML_HEADER = "OFXHEADER:100\r\nDATA:OFXSGML\r\nVERSION:102\r\nENCODING:USASCII\r\nCHARSET:{}\r\n\r\n"
XML_HEADER = '<?xml version="1.0" encoding="{}"?>\n<?OFX OFXHEADER="200" VERSION="220"?>\n'


def transaction(
    amount: str = "-12.80", fitid: str = "1", more: str = "", day: str = "20260803120000[-5:EST]"
) -> str:
    return f"<STMTTRN>\n<TRNTYPE>DEBIT\n<DTPOSTED>{day}\n<TRNAMT>{amount}\n<FITID>{fitid}\n{more}</STMTTRN>\n"


def sgml(*transactions: str, charset: str = "1252") -> str:
    return (
        f"{SGML_HEADER.format(charset)}<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>EUR<BANKTRANLIST>\n"
        f"<DTSTART>20260801<DTEND>20260831\n{''.join(transactions)}</BANKTRANLIST>"
        "<LEDGERBAL><BALAMT>100.00<DTASOF>20260831</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>"
    )


def test_tags_without_an_end_are_read() -> None:
    found = read(sgml(transaction(more="<NAME>Caf&amp; &lt;Bar&gt;\n<MEMO>Coffee & cake\n")))
    (row,) = found.rows
    assert found.found.format is Format.OFX
    assert (row.date.isoformat(), str(row.amount), row.currency) == ("2026-08-03", "-12.80", "EUR")
    assert (row.description, row.provider_id, row.record.line) == ("Caf& <Bar> Coffee & cake", "1", 9)


def test_xml_is_read() -> None:
    body = (
        "<OFX><CREDITCARDMSGSRSV1><CURDEF>USD</CURDEF><BANKTRANLIST><STMTTRN><TRNTYPE>DEBIT</TRNTYPE>"
        "<DTPOSTED>2026-08-03</DTPOSTED><TRNAMT>-5.25</TRNAMT><FITID>a</FITID><PAYEE><NAME>Shop</NAME></PAYEE>"
        "<MEMO><![CDATA[x < y]]></MEMO></STMTTRN></BANKTRANLIST></CREDITCARDMSGSRSV1></OFX>"
    )
    (row,) = read(XML_HEADER.format("UTF-8") + body).rows
    assert (str(row.amount), row.currency, row.description) == ("-5.25", "USD", "Shop x < y")


def test_both_decimal_separators_in_one_file() -> None:
    amounts = ("-12.80", "-200,00", "+5", "1.234,56", "1,234.56", "-0,5")
    found = read(sgml(*map(transaction, amounts)))
    assert found.amounts == ["-12.80", "-200.00", "5", "1234.56", "1234.56", "-0.5"]


@pytest.mark.parametrize("fitid", ["", "same"])
def test_rows_with_the_same_id_or_none_are_all_kept(fitid: str) -> None:
    found = read(sgml(transaction(fitid=fitid), transaction(fitid=fitid), transaction(fitid=fitid)))
    assert found.amounts == ["-12.80"] * 3
    assert {row.provider_id for row in found.rows} == {fitid or None}


@pytest.mark.parametrize("charset", ["1252", "NONE", "ISO-8859-1"])
@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252"])
def test_the_text_decides_about_its_encoding_against_the_header(charset: str, encoding: str) -> None:
    content = sgml(transaction(more="<NAME>Müller\n"), charset=charset).encode(encoding)
    assert [row.description for row in read(content).rows] == ["Müller"]


def test_the_header_decides_between_single_byte_encodings() -> None:
    content = sgml(transaction(more="<NAME>Kč\n"), charset="1250").encode("windows-1250")
    found = read(content)
    assert (found.found.encoding, found.rows[0].description) == ("windows-1250", "Kč")


def test_an_original_currency_is_not_that_of_the_amount() -> None:
    original = "<ORIGCURRENCY><CURRATE>1.1<CURSYM>USD</ORIGCURRENCY>\n"
    own = "<CURRENCY><CURRATE>1.1<CURSYM>CHF</CURRENCY>\n"
    found = read(sgml(transaction(more=original), transaction(more=own)))
    assert [row.currency for row in found.rows] == ["EUR", "CHF"]


def test_a_statement_of_deposits_only_is_no_question() -> None:
    assert not look(sgml(transaction("5.00"))).questions


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (transaction("five"), "TRNAMT 'five' is not an amount"),
        (transaction(""), "TRNAMT '' is not an amount"),
        (transaction(day="2026"), "DTPOSTED '2026' is not a date"),
        (transaction(day="20260231"), "DTPOSTED '20260231' is not a date"),
    ],
)
def test_a_transaction_that_cannot_be_read_stops_no_other(given: str, problem: str) -> None:
    found = read(sgml(given, transaction()))
    assert [reason for *_, reason in found.errors] == [problem]
    assert found.amounts == ["-12.80"]


def test_a_file_without_line_ends_is_read_in_constant_parts_and_resumed() -> None:
    content = sgml(*(transaction(f"-{number}.00", str(number)) for number in range(1, 5_000)))
    content = content.replace("\r\n", " ").replace("\n", "")
    found = look(content)
    every = list(rows(content, found))
    assert len(every) == 4_999
    assert list(rows(content, found, every[4_000].record.after)) == every[4_001:]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("<OFX><STMTTRN><TRNAMT>1.00", "ends within the transaction that begins in line 1"),
        ("<OFX><MEMO>" + "x" * 3_000_000, "more than 1,048,576 characters without a tag in line 1"),
        ("<OFX>\0", "has a NUL character"),
        ("<OFX>é\n".encode() + b"\xff", "has bytes that are not utf-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(content: str | bytes, problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        look(content)


def test_entities_of_a_document_type_are_not_expanded() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    content = (
        XML_HEADER.format("UTF-8") + bomb + sgml(transaction(more="<MEMO>&b;</MEMO>")).split("\r\n\r\n")[1]
    )
    table = open_file(io.BytesIO(content.encode()), Profile()).table
    found: list[Record] = list(table.records())
    assert found[0].cells[4] == "&b;"


def test_sections_of_characters_that_never_end_are_refused_without_a_search() -> None:
    with pytest.raises(InvalidInputError, match="without a tag"):
        look("<OFX><![CDATA[]]>" + "<![CDATA[" * 400_000)
