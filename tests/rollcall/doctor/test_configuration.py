from __future__ import annotations

from pathlib import Path

import pytest

from rollcall.doctor.case import InspectedSettings, load
from rollcall.doctor.configuration import CHECKS, findings
from rollcall.doctor.examination import examine
from rollcall.doctor.finding import Status
from rollcall.settings import parse

RESEND = {"RESEND_API_KEY": "re_1", "NOTIFICATION_FROM_EMAIL": "rollcall@example.edu"}


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, Status.OK),
        (RESEND, Status.WARNING),
        (RESEND | {"PUBLIC_URL": "http://rollcall.example.edu"}, Status.WARNING),
        (RESEND | {"PUBLIC_URL": "https://rollcall.example.edu"}, Status.OK),
    ],
)
def test_mail_that_leaves_needs_links_that_others_can_open(settings: dict[str, str], status: Status) -> None:
    (found,) = examine(CHECKS[1:2], InspectedSettings(parse(settings)))
    assert found.status is status
    assert ("PUBLIC_URL" in found.hint) is (status is not Status.OK)


def test_settings_that_others_can_read_are_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / ".env"
    file.write_text("PORT=8001\n")
    file.chmod(0o640)
    (found,) = examine(CHECKS[:1], load())
    assert (found.status, found.hint) == (Status.WARNING, f"chmod 600 {file}")
    file.chmod(0o600)
    assert examine(CHECKS[:1], load())[0].status is Status.OK


def test_a_file_that_is_no_text_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"PORT=\xff\xfe\n")
    (found,) = findings(load())
    assert (found.id, found.status) == ("settings..env", Status.FAILURE)


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, Status.OK),
        ({"REPORT_PRICES": "usd:900"}, Status.OK),
        ({"STRIPE_WEBHOOK_SECRET": "whsec_1"}, Status.WARNING),
        ({"STRIPE_WEBHOOK_SECRET": "whsec_1", "REPORT_PRICES": "usd:900"}, Status.OK),
    ],
)
def test_who_sells_reports_says_what_they_cost(settings: dict[str, str], status: Status) -> None:
    (found,) = examine(CHECKS[3:4], InspectedSettings(parse(settings)))
    assert found.status is status
    assert ("REPORT_PRICES" in found.hint) is (status is Status.WARNING)


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, Status.OK),
        ({"PROXY_SECRET": "0123456789abcdef"}, Status.OK),
        ({"PUBLIC_URL": "https://rollcall.example.edu"}, Status.WARNING),
        ({"PUBLIC_URL": "https://rollcall.example.edu", "PROXY_SECRET": "0123456789abcdef"}, Status.OK),
    ],
)
def test_a_proxy_that_is_not_known_is_a_warning(settings: dict[str, str], status: Status) -> None:
    (found,) = examine(CHECKS[2:3], InspectedSettings(parse(settings)))
    assert found.status is status
    assert ("PROXY_SECRET" in found.hint) is (status is Status.WARNING)


@pytest.mark.parametrize(
    ("settings", "operator", "heartbeat"),
    [
        ({}, Status.OK, Status.OK),
        (RESEND, Status.WARNING, Status.WARNING),
        (RESEND | {"OPERATOR_EMAIL": "ops@example.edu"}, Status.OK, Status.WARNING),
        (RESEND | {"OPERATOR_WEBHOOK_URL": "https://hooks.example.edu/x"}, Status.OK, Status.WARNING),
        (RESEND | {"HEARTBEAT_URL": "https://hc.example.edu/x"}, Status.WARNING, Status.OK),
    ],
)
def test_where_mail_leaves_an_operator_and_a_dead_mans_switch_are_missed(
    settings: dict[str, str], operator: Status, heartbeat: Status
) -> None:
    found = {finding.id: finding for finding in examine(CHECKS, InspectedSettings(parse(settings)))}
    assert (found["operator"].status, found["heartbeat"].status) == (operator, heartbeat)
    assert operator is Status.OK or "OPERATOR_EMAIL" in found["operator"].hint
    assert "HEARTBEAT_URL" in found["heartbeat"].seen
