from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import UnreachableError, UpstreamTimeoutError, is_retryable
from providers.clamd import CLAMD_ADDRESS, Clamd, InfectedError, ScanLimitError
from tests.support.clamd import EICAR, running_clamd


@pytest.fixture(scope="module")
def scanner() -> Iterator[Clamd]:
    with running_clamd("3M") as path:
        yield Clamd(path, 20)


def test_a_clean_file_passes(scanner: Clamd) -> None:
    scanner.scan(io.BytesIO(b"date,amount\n2026-01-15,1.00\n" * 20_000))
    scanner.scan(io.BytesIO(b""))


@pytest.mark.parametrize("before", [0, 200_000])
def test_a_virus_is_named(scanner: Clamd, before: int) -> None:
    with pytest.raises(InfectedError) as refused:
        scanner.scan(io.BytesIO(b"a" * before + EICAR))
    assert refused.value.signature.startswith("Eicar-Test")
    assert not is_retryable(refused.value)


def test_a_file_beyond_the_limit_of_the_scanner_is_refused(scanner: Clamd) -> None:
    with pytest.raises(ScanLimitError, match="StreamMaxLength"):
        scanner.scan(io.BytesIO(b"a" * 4_000_000))


def test_the_version_is_reported(scanner: Clamd) -> None:
    assert scanner.version().startswith("ClamAV ")


@pytest.mark.parametrize("address", ["/nowhere/clamd", "127.0.0.1:9"])
def test_a_missing_scanner_is_retryable(address: str) -> None:
    with pytest.raises(UnreachableError):
        Clamd(address, 2).scan(io.BytesIO(b"a"))


def test_a_silent_scanner_times_out(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        with pytest.raises(UpstreamTimeoutError):
            Clamd(str(tmp_path / "s"), 0.2).scan(io.BytesIO(b"a"))


@pytest.mark.parametrize("text", ["/run/clamav/clamd.ctl", "127.0.0.1:3310", "localhost:3310", "[::1]:3310"])
def test_a_private_address_is_accepted(text: str) -> None:
    assert CLAMD_ADDRESS.parse(text) == text


@pytest.mark.parametrize(
    "text", ["8.8.8.8:3310", "scanner.example.edu:3310", "127.0.0.1", "127.0.0.1:0", "x"]
)
def test_any_other_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        CLAMD_ADDRESS.parse(text)
