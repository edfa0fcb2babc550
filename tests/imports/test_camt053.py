from __future__ import annotations

import pytest

from domain.errors import InvalidInputError
from imports.formats import Format
from tests.imports.reading import look, read, rows

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.{}"


def entry(
    amount: str = "12.80", direction: str = "DBIT", more: str = "", day: str = "<Dt>2026-08-03</Dt>"
) -> str:
    return (
        f'<Ntry><Amt Ccy="CHF">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd><Sts>BOOK</Sts>'
        f"<BookgDt>{day}</BookgDt><AcctSvcrRef>r1</AcctSvcrRef>{more}</Ntry>\n"
    )


def statement(*entries: str, version: str = "02") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE.format(version)}">'
        "<BkToCstmrStmt>\n"
        "<Stmt><Id>1</Id><Acct><Ccy>CHF</Ccy></Acct>"
        '<Bal><Amt Ccy="CHF">100.00</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>\n'
        f"{''.join(entries)}</Stmt></BkToCstmrStmt></Document>"
    )


def details(party: str, *texts: str) -> str:
    lines = "".join(f"<Ustrd>{text}</Ustrd>" for text in texts)
    return (
        '<NtryDtls><TxDtls><Amt Ccy="EUR">11.00</Amt><RltdPties><Dbtr><Nm>Own</Nm></Dbtr>'
        f"<Cdtr>{party}</Cdtr></RltdPties><RmtInf>{lines}</RmtInf></TxDtls></NtryDtls>"
    )


@pytest.mark.parametrize("party", ["<Nm>Café</Nm>", "<Pty><Nm>Café</Nm></Pty>"])
@pytest.mark.parametrize("version", ["02", "08", "13"])
def test_an_entry_has_its_booked_amount_and_the_other_party(party: str, version: str) -> None:
    found = read(statement(entry(more=details(party, "two", "lines")), version=version))
    (row,) = found.rows
    assert found.found.format is Format.CAMT053
    assert (row.date.isoformat(), str(row.amount), row.currency) == ("2026-08-03", "-12.80", "CHF")
    assert (row.description, row.provider_id, row.record.line) == ("Café two lines", "r1", 4)


def test_the_direction_is_that_of_the_entry_also_for_a_reversal() -> None:
    found = read(statement(entry("1.00", "CRDT", "<RvslInd>true</RvslInd>"), entry("2.00", "DBIT")))
    assert found.amounts == ["1.00", "-2.00"]


def test_a_date_with_a_time_and_a_pending_entry_are_read() -> None:
    pending = (
        entry(day="")
        .replace("BOOK", "PDNG")
        .replace("<BookgDt></BookgDt>", "<ValDt><Dt>2026-08-05</Dt></ValDt>")
    )
    found = read(statement(entry(day="<DtTm>2026-08-03T23:00:00+02:00</DtTm>"), pending))
    assert [(row.date.isoformat(), row.record.cells[-1]) for row in found.rows] == [
        ("2026-08-03", "BOOK"),
        ("2026-08-05", "PDNG"),
    ]


def test_a_batch_is_one_entry() -> None:
    assert read(statement(entry("30.00", more=details("<Nm>a</Nm>") * 3))).amounts == ["-30.00"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (entry("1,00"), "Amt '1,00' is not an amount"),
        (entry(direction="X"), "CdtDbtInd 'X' is neither CRDT nor DBIT"),
        (entry(day=""), "has neither BookgDt nor ValDt"),
        (entry(day="<Dt>2026-02-31</Dt>"), "BookgDt '2026-02-31' is not a date"),
    ],
)
def test_an_entry_that_cannot_be_read_stops_no_other(given: str, problem: str) -> None:
    found = read(statement(given, entry()))
    assert [reason for *_, reason in found.errors] == [problem]
    assert found.amounts == ["-12.80"]


def test_reading_resumes_behind_an_entry() -> None:
    content = statement(*(entry(f"{number}.00") for number in range(1, 2_000)))
    found = look(content)
    every = list(rows(content, found))
    assert len(every) == 1_999
    assert list(rows(content, found, every[1_500].record.after)) == every[1_501:]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (statement(entry()).replace("?>", '?><!DOCTYPE x [<!ENTITY a "aaaa">]>', 1), "has a document type"),
        (statement(entry()).replace("UTF-8", "UTF-9"), "is in an encoding that is not supported"),
        (statement(entry()).replace("UTF-8", "shift_jis"), "is in an encoding that is not supported"),
        (statement(entry())[:-20], "is not XML: .* in line 5"),
        (statement(entry(more="<A>" * 60 + "</A>" * 60)), "has more than 50 nested elements"),
        (
            statement(entry(more=f"<A>{'x' * 1_100_000}</A>")),
            "more than 1,048,576 characters in the entry of line 4",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_why(content: str, problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        look(content)


def test_other_xml_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="is XML or HTML, but neither OFX nor camt"):
        look('<?xml version="1.0"?><rss/>')
