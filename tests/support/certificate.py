"""A certificate for servers on this machine, generated for each run of the tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


def self_signed(folder: Path) -> Path:
    """A file in `folder` with a key and its certificate for 127.0.0.1, signed by no authority."""
    path = folder / "both.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    request += ["-subj", "/CN=standin", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path)]
    try:
        made = subprocess.run([*request, "-out", "-"], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed, so there is no certificate to test with")
    with path.open("ab") as file:
        file.write(made.stdout)
    return path
