from __future__ import annotations

import hashlib
import io
import socket
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from ingress.context import WebContext
from operations.uploads import UploadPorts
from providers.clamd import Clamd
from providers.storage import Folder
from store.uploads import upload_key
from tests.ingress import site as sites
from tests.ingress.api.test_openapi import _require_described as require_described
from tests.ingress.site import API, CRON, Site, fields_of
from tests.support.clamd import EICAR, running_clamd
from tests.support.harness import Harness

CSV = b"date,amount\n2026-01-15,-12.50\n2026-01-16,3.00\n"


@pytest.fixture(scope="module")
def clamd() -> Iterator[str]:
    with running_clamd() as path:
        yield path


@pytest.fixture
def storage(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "uploads")


def ports(storage: Folder, scanner: str | None = None, *, required: bool = False) -> UploadPorts:
    found = None if scanner is None else Clamd(scanner, 10)
    return UploadPorts(storage, found, is_scan_required=required, limit_bytes=1_000_000)


@pytest.fixture
def site(stage: sites.Stage, rollcall: Harness, storage: Folder) -> Iterator[Site]:
    with sites.site(stage, rollcall, uploads=ports(storage)) as found:
        yield found


def send(site: Site, content: bytes | Iterator[bytes] = CSV, **parameters: str) -> httpx.Response:
    return site.client.post("/uploads", content=content, params=parameters, headers=API)


def test_a_file_is_stored(site: Site, storage: Folder) -> None:
    answer = send(site)
    require_described(answer, "/uploads")
    found = answer.json()
    assert answer.status_code == 201
    assert found == {
        "upload_id": found["upload_id"],
        "bytes": len(CSV),
        "sha256": hashlib.sha256(CSV).hexdigest(),
        "media_type": "text/csv",
        "scan": "not_scanned",
    }
    assert storage.get(upload_key(found["upload_id"])) == CSV


def test_the_same_bytes_are_two_uploads_without_a_key(site: Site) -> None:
    first, second = send(site).json(), send(site).json()
    assert first["upload_id"] != second["upload_id"]
    keyed, again = send(site, idempotency_key="k"), send(site, idempotency_key="k")
    assert (keyed.status_code, again.status_code) == (201, 200)
    assert keyed.json() == again.json()
    assert site.count("uploads") == 3


def workbook() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"date\tamount\n2026-01-15\t-12.50\n", "text/tab-separated-values"),
        (workbook(), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (b"OFXHEADER:100\nDATA:OFXSGML\n\n<OFX><BANKMSGSRSV1></OFX>", "application/x-ofx"),
        (b"!Type:Bank\nD01/15/2026\nT-12.50\n^\n", "application/qif"),
        (
            b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt/></Document>',
            "application/xml",
        ),
    ],
)
def test_the_content_decides_the_media_type(site: Site, content: bytes, kind: str) -> None:
    assert send(site, content).json()["media_type"] == kind


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n\0\0", b"<html></html>", b"a word"])
def test_a_file_that_no_importer_reads_is_refused(site: Site, content: bytes) -> None:
    answer = send(site, content)
    require_described(answer, "/uploads")
    assert answer.status_code == 415
    assert site.count("uploads") == 0


def test_a_compressed_body_is_refused(site: Site) -> None:
    answer = site.client.post("/uploads", content=CSV, headers=API | {"Content-Encoding": "gzip"})
    assert answer.status_code == 415


def test_too_large_a_file_is_refused_declared_or_not(site: Site, storage: Folder) -> None:
    chunks = (b"a,b\n" * 10_000 for _ in range(30))
    for content in (b"a,b\n" * 300_000, chunks):
        answer = send(site, content)
        assert (answer.status_code, fields_of(answer)) == (413, set())
    assert site.count("uploads") == 0


def test_a_declared_size_is_refused_before_the_body(site: Site) -> None:
    url = httpx.URL(site.url)
    with socket.create_connection((url.host, url.port or 0), 20) as connection:
        connection.sendall(
            b"POST /uploads HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\nAuthorization: "
            + API["Authorization"].encode()
            + b"\r\n\r\n"
        )
        assert b" 413 " in connection.recv(4096)


def test_only_the_api_token_may_upload(site: Site) -> None:
    assert site.client.post("/uploads", content=CSV).status_code == 401
    assert site.client.post("/uploads", content=CSV, headers=CRON).status_code == 401


def test_an_aborted_upload_leaves_nothing(site: Site, rollcall: Harness, storage: Folder) -> None:
    home = rollcall.admin.home
    before = set(home.iterdir()) if home else set()
    url = httpx.URL(site.url)
    with socket.create_connection((url.host, url.port or 0), 20) as connection:
        connection.sendall(
            b"POST /uploads HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\nAuthorization: "
            + API["Authorization"].encode()
            + b"\r\n\r\n"
            + CSV
        )
    assert send(site).status_code == 201
    assert site.count("uploads") == 1
    assert (set(home.iterdir()) if home else set()) == before


def test_a_clean_file_is_scanned(stage: sites.Stage, rollcall: Harness, storage: Folder, clamd: str) -> None:
    with sites.site(stage, rollcall, uploads=ports(storage, clamd, required=True)) as site:
        assert send(site).json()["scan"] == "clean"


def test_an_infected_file_is_refused_audited_and_not_stored(
    stage: sites.Stage, rollcall: Harness, storage: Folder, clamd: str, tmp_path: Path
) -> None:
    with sites.site(stage, rollcall, uploads=ports(storage, clamd)) as site:
        answer = send(site, b"a,b\n1,2\n" + EICAR)
        require_described(answer, "/uploads")
        assert answer.status_code == 422
        assert answer.json()["signature"].startswith("Eicar-Test")
        assert site.count("uploads") == 0
    entries, _ = rollcall.admin.services.store.audit.page(None, 10, action="upload.refuse")
    assert entries[0].entry.detail["signature"] == answer.json()["signature"]
    assert not (tmp_path / "uploads").exists()


@pytest.mark.parametrize(("required", "status"), [(True, 503), (False, 201)])
def test_a_scanner_that_does_not_answer_refuses_only_where_it_is_required(
    stage: sites.Stage, rollcall: Harness, storage: Folder, *, required: bool, status: int
) -> None:
    with sites.site(stage, rollcall, uploads=ports(storage, "/nowhere/clamd", required=required)) as site:
        answer = send(site)
        require_described(answer, "/uploads")
        assert answer.status_code == status
        assert answer.json().get("scan", "") == ("" if required else "not_scanned")


def test_a_context_has_the_configured_limit(rollcall: Harness) -> None:
    context: WebContext = sites.web_context(rollcall, sites.Reports())
    assert context.uploads.limit_bytes == 50 * 1_048_576
    assert replace(context).uploads.scanner is None
