from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from psutil import Process
from pypdf import PdfReader

from bench.replay.season import load
from domain.errors import PermanentError, TransientError
from domain.history import SectionHistory
from domain.observation import Details
from tests.workflows.report.examples import DATA, ROOT, at, history, recorded
from workflows.report.contents import TermFigures, contents_of, render_html
from workflows.report.pdf import LocalPdfRenderer
from workflows.report.pdf_process import MEMORY_BYTES
from workflows.report.workflow import MAX_SECTIONS

PRINT = LocalPdfRenderer()


def html(*histories: SectionHistory) -> str:
    return render_html(contents_of("2261", histories, TermFigures(9, 3, 0.2, at(0)), at(100)))


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
        [sys.executable, "-m", "workflows.report.pdf_process"],
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
        LocalPdfRenderer(timeout_seconds=0.001)(html(history((0, 3))))


def test_a_document_that_takes_too_much_memory_ends_only_its_own_process_and_says_so() -> None:
    with pytest.raises(PermanentError, match="it takes too much memory"):
        PRINT("<p>" + "<table><tr><td>" * 400_000)


def test_twice_what_can_be_ordered_is_printed_though_it_changes_each_hour_of_a_season() -> None:
    seats = [(float(hour), hour % 5) for hour in range(80 * 24)]
    sections = (history(*seats, number=str(10_000 + each), until=80 * 24) for each in range(2 * MAX_SECTIONS))
    assert len(PdfReader(BytesIO(PRINT(html(*sections)))).pages) > 2 * MAX_SECTIONS


def test_the_role_and_the_one_document_that_it_prints_fit_into_the_memory_of_its_unit() -> None:
    unit = (ROOT / "deploy" / "systemd" / "rollcall-jobs.service").read_text()
    (limit_mib,) = re.findall(r"^MemoryMax=(\d+)M$", unit, re.MULTILINE)
    role_mib = 160  # 95 at rest
    assert role_mib + MEMORY_BYTES // 1024**2 <= int(limit_mib)


def test_documents_are_printed_one_at_a_time() -> None:
    printer, document, others = LocalPdfRenderer(), html(history((0, 3))), len(Process().children())
    most = 0
    threads = [Thread(target=printer, args=(document,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most = max(most, len(Process().children()) - others)
    assert most == 1


def test_a_process_that_cannot_be_started_is_a_passing_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nobody/here")
    with pytest.raises(TransientError, match="printing cannot be started"):
        PRINT("<p>")
