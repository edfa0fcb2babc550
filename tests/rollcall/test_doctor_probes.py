from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from domain.check import Severity
from rollcall.doctor_probes import (
    probe_dotenv,
    probe_heartbeat,
    probe_operator,
    probe_proxy,
    probe_public_url,
    probe_report_prices,
    remedy,
)
from rollcall.settings import parse

RESEND = {"RESEND_API_KEY": "re_1", "NOTIFICATION_FROM_EMAIL": "rollcall@example.edu"}
DENIED = PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize(
    ("settings", "is_well"),
    [
        ({}, True),
        (RESEND, False),
        (RESEND | {"PUBLIC_URL": "http://rollcall.example.edu"}, False),
        (RESEND | {"PUBLIC_URL": "https://rollcall.example.edu"}, True),
    ],
)
def test_mail_that_is_sent_needs_links_that_others_can_open(settings: dict[str, str], is_well: bool) -> None:
    failure = probe_public_url(parse(settings)).failure
    assert (failure is None) is is_well
    assert failure is None or "PUBLIC_URL" in failure.command


def test_settings_that_others_can_read_are_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / ".env"
    file.write_text("PORT=8001\n")
    file.chmod(0o640)
    found = probe_dotenv()
    assert found.failure is not None
    assert (found.severity, found.failure.command) == (Severity.DEGRADED, f"chmod 600 {file}")
    file.chmod(0o600)
    assert probe_dotenv().failure is None


@pytest.mark.parametrize(
    ("settings", "is_well"),
    [
        ({}, True),
        ({"REPORT_PRICES": "usd:900"}, True),
        ({"STRIPE_WEBHOOK_SECRET": "whsec_1"}, False),
        ({"STRIPE_WEBHOOK_SECRET": "whsec_1", "REPORT_PRICES": "usd:900"}, True),
    ],
)
def test_where_reports_are_sold_their_prices_must_be_set(settings: dict[str, str], is_well: bool) -> None:
    failure = probe_report_prices(parse(settings)).failure
    assert (failure is None) is is_well
    assert failure is None or "REPORT_PRICES" in failure.command


@pytest.mark.parametrize(
    ("settings", "is_well"),
    [
        ({}, True),
        ({"PROXY_SECRET": "0123456789abcdef"}, True),
        ({"PUBLIC_URL": "https://rollcall.example.edu"}, False),
        ({"PUBLIC_URL": "https://rollcall.example.edu", "PROXY_SECRET": "0123456789abcdef"}, True),
    ],
)
def test_an_unknown_proxy_is_a_warning(settings: dict[str, str], is_well: bool) -> None:
    failure = probe_proxy(parse(settings)).failure
    assert (failure is None) is is_well
    assert failure is None or "PROXY_SECRET" in failure.command


@pytest.mark.parametrize(
    ("settings", "has_operator", "has_heartbeat"),
    [
        ({}, True, True),
        (RESEND, False, False),
        (RESEND | {"OPERATOR_EMAIL": "ops@example.edu"}, True, False),
        (RESEND | {"OPERATOR_WEBHOOK_URL": "https://hooks.example.edu/x"}, True, False),
        (RESEND | {"HEARTBEAT_URL": "https://hc.example.edu/x"}, False, True),
    ],
)
def test_where_mail_is_sent_an_operator_and_a_dead_mans_switch_are_expected(
    settings: dict[str, str], has_operator: bool, has_heartbeat: bool
) -> None:
    operator, heartbeat = probe_operator(parse(settings)), probe_heartbeat(parse(settings))
    assert (operator.failure is None, heartbeat.failure is None) == (has_operator, has_heartbeat)
    assert operator.failure is None or "OPERATOR_EMAIL" in operator.failure.command


def test_the_owner_of_a_read_only_home_makes_it_writable(tmp_path: Path) -> None:
    assert remedy(tmp_path, DENIED, user_id=tmp_path.stat().st_uid) == f"chmod u+w {tmp_path}"


def test_a_home_of_another_user_changes_its_owner(tmp_path: Path) -> None:
    another = tmp_path.stat().st_uid + 4711  # a user without a name
    assert remedy(tmp_path, DENIED, user_id=another) == f"chown -R {another} {tmp_path}"


def test_a_read_only_file_system_is_mounted_writable() -> None:
    read_only = OSError(errno.EROFS, os.strerror(errno.EROFS))
    assert remedy(Path("/proc/sys"), read_only) == "mount -o remount,rw /proc"


def test_a_full_disk_needs_free_space(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert remedy(tmp_path, full) == f"free space on the disk of {tmp_path}"
