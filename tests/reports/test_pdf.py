from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from bench.replay.season import load
from domain.errors import PermanentError, TransientError
from domain.history import SectionHistory
from domain.observation import Details
from reports.contents import TermFigures, contents_of
from reports.document import html_of
from reports.pdf import LocalPrinter
from tests.reports.examples import DATA, at, history, recorded

PRINT = LocalPrinter()


def html(*histories: SectionHistory) -> str:
    return html_of(contents_of("2261", histories, TermFigures(9, 3, 0.2, at(0)), at(100)))


def texts(pdf: bytes) -> list[str]:
    return [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages]


def fonts(pdf: bytes) -> set[str]:
    found: set[str] = set()
    for page in PdfReader(BytesIO(pdf)).pages:
        resources: Any = page["/Resources"]
        found |= {str(each.get_object()["/BaseFont"]) for each in resources["/Font"].values()}
    return {name.rpartition("+")[2] for name in found}


def test_a_report_has_a_page_for_each_section_with_header_and_number() -> None:
    seats: Sequence[tuple[float, int | None]] = [(0, 0), (2, 1), (5, 0)]
    first, *others = texts(PRINT(html(history(*seats), history(*seats, number="12431"))))
    assert all("Rollcall · Seat history Term 2261" in text for text in (first, *others))
    assert "Data collected 15 Jan 2026, 00:00 to 16 Jan 2026, 00:00 UTC" in first
    assert [f"section {number}" in text for number, text in zip((12430, 12431), others, strict=True)] == [
        True,
        True,
    ]
    assert all(f"Page {number} of 3" in text for number, text in enumerate((first, *others), start=1))


def test_it_prints_with_its_own_font_where_the_machine_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fonts.conf").write_text("<fontconfig><dir>/nonexistent</dir></fontconfig>")
    done = subprocess.run(
        [sys.executable, "-m", "reports.printing"],
        input=html(history((0, 3))).encode(),
        env={"FONTCONFIG_FILE": str(tmp_path / "fonts.conf"), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=True,
    )
    assert fonts(done.stdout) == {"SourceSansPro-Regular", "SourceSansPro-Semibold"}
    assert "Seat history" in texts(done.stdout)[0]


def test_a_section_that_was_never_observed_gets_a_line_and_no_page() -> None:
    first, second = texts(PRINT(html(history((0, 3)), history(number="99999", details=Details()))))
    assert "99999 Never observed — — — —" in first
    assert "Rollcall has never observed section 99999 in this term" in first
    assert "section 12430" in second


def test_what_the_catalog_wrote_is_text_and_fetches_nothing() -> None:
    title = '<img src="http://127.0.0.1:9/x.png"><script>alert(1)</script>'
    pdf = PRINT(html(history((0, 1), details=Details("<b>CSE</b>", title))))
    assert "<b>CSE</b>" in texts(pdf)[0]


@pytest.mark.skipif(not DATA.exists(), reason="the recorded season is not here")
def test_twenty_recorded_sections_make_a_report_of_moderate_size() -> None:
    season = load(DATA)
    busiest = sorted(season, key=lambda number: -len(season[number].times_ms))[:20]
    pdf = PRINT(html(*(recorded(season, number) for number in busiest)))
    found = texts(pdf)
    assert 21 <= len(found) <= 60
    assert all(any(f"section {number}" in text for text in found) for number in busiest)
    assert len(pdf) < 1_000_000


def test_a_document_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(TransientError, match=r"not made in 0.001 s"):
        LocalPrinter(timeout_seconds=0.001)(html(history((0, 3))))


def test_a_document_that_takes_too_much_memory_ends_only_its_own_process() -> None:
    with pytest.raises((TransientError, PermanentError)):
        PRINT("<p>" + "<table><tr><td>" * 400_000)
