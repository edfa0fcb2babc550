"""Reading of files of banks: preflight and transactions in rows per second, and the growth of the process.

    python -m bench.import_files --rows 1000000

Every file holds the same rows. Exits with 1 if a row is missing or a sum is wrong.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter

import psutil

from imports.formats import open_file
from imports.preflight import preflight
from imports.profile import Profile
from imports.transactions import Row, Transactions

_FIRST_DAY = date(2020, 1, 1)
_DAYS = 2_000
_MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Figures:
    """Rows per second of preflight and reading, the growth of the process, and whether all is right."""

    preflight: float
    read: float
    growth_bytes: int
    is_right: bool


def transactions(count: int) -> Iterator[tuple[date, Decimal, str]]:
    """Yield `count` rows that follow from their numbers."""
    for number in range(count):
        cents = (number * 7_919) % 100_000 - 60_000
        yield _FIRST_DAY + timedelta(number % _DAYS), Decimal(cents).scaleb(-2), f"Payment {number}"


def _delimited(count: int) -> Iterator[str]:
    yield "Date;Payee;Text;Amount;Currency\n"
    for day, amount, text in transactions(count):
        yield f"{day:%d.%m.%Y};Shop;{text};{str(amount).replace('.', ',')};EUR\n"


def _ofx(count: int) -> Iterator[str]:
    yield "OFXHEADER:100\nCHARSET:NONE\n\n<OFX><CURDEF>EUR<BANKTRANLIST>\n"
    for number, (day, amount, text) in enumerate(transactions(count)):
        yield f"<STMTTRN><DTPOSTED>{day:%Y%m%d}<TRNAMT>{amount}<FITID>{number}<NAME>{text}</STMTTRN>\n"
    yield "</BANKTRANLIST></OFX>\n"


def _qif(count: int) -> Iterator[str]:
    yield "!Type:Bank\n"
    for day, amount, text in transactions(count):
        yield f"D{day:%d.%m.%Y}\nT{amount}\nP{text}\n^\n"


def _camt053(count: int) -> Iterator[str]:
    yield "<Document><BkToCstmrStmt><Stmt>"
    for day, amount, text in transactions(count):
        direction = "DBIT" if amount < 0 else "CRDT"
        yield (
            f'<Ntry><Amt Ccy="EUR">{abs(amount)}</Amt><CdtDbtInd>{direction}</CdtDbtInd>'
            f"<BookgDt><Dt>{day}</Dt></BookgDt><AddtlNtryInf>{text}</AddtlNtryInf></Ntry>\n"
        )
    yield "</Stmt></BkToCstmrStmt></Document>"


WRITERS: dict[str, Callable[[int], Iterator[str]]] = {
    "delimited": _delimited,
    "ofx": _ofx,
    "qif": _qif,
    "camt.053": _camt053,
}


def measure(name: str, count: int, folder: Path) -> Figures:
    """Write a file of `count` rows, and read it twice: for the preflight, and for the rows."""
    path = folder / name
    with path.open("w", encoding="utf-8") as target:
        target.writelines(WRITERS[name](count))
    process = psutil.Process()
    before_bytes = process.memory_info().rss
    with path.open("rb") as file:
        start = perf_counter()
        found = preflight(file, Profile())
        middle = perf_counter()
        rows, total = 0, Decimal(0)
        for row in Transactions(open_file(file, found.profile).table, found.profile):
            if isinstance(row, Row):
                rows, total = rows + 1, total + row.amount
        end = perf_counter()
    expected = sum((amount for _, amount, _ in transactions(count)), Decimal(0))
    return Figures(
        preflight=count / (middle - start),
        read=count / (end - middle),
        growth_bytes=process.memory_info().rss - before_bytes,
        is_right=not found.questions and (rows, total) == (count, expected),
    )


def main() -> None:
    """Print the figures of each format."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    options = parser.parse_args()
    is_right = True
    with tempfile.TemporaryDirectory() as folder:
        for name in WRITERS:
            found = measure(name, options.rows, Path(folder))
            is_right = is_right and found.is_right
            print(
                f"{name:<10} preflight {found.preflight:9,.0f} rows/s  read {found.read:9,.0f} rows/s"
                f"  growth {found.growth_bytes / _MEGABYTE:4.1f} MB{'' if found.is_right else '  WRONG'}"
            )
    sys.exit(0 if is_right else 1)


if __name__ == "__main__":
    main()
