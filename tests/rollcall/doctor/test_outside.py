"""`public-url.reachable`: each way in which the address in mails can lead nowhere, and its fix."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from errno import EHOSTUNREACH
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rollcall.doctor import outside
from rollcall.doctor.case import InspectedSettings
from rollcall.doctor.examination import examine
from rollcall.doctor.finding import Finding, Status, Verdict
from rollcall.settings import parse
from tests.standins.smtp import SmtpStandIn
from tests.support.certificate import self_signed
from tests.support.receiver import Receiver, receiver
from tests.support.stack import free_port

PARTS = urlsplit("https://rollcall.example.edu")


def found(url: str, *, is_managed: bool = False) -> Finding:
    (finding,) = examine(outside.CHECKS, InspectedSettings(parse({"PUBLIC_URL": url}), is_managed=is_managed))
    return finding


def silence(error: OSError) -> Verdict:
    return outside._silence(error, PARTS, managed=True)


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def test_without_an_address_there_is_nothing_to_ask() -> None:
    (finding,) = examine(outside.CHECKS, InspectedSettings(parse({})))
    assert (finding.id, finding.status) == ("public-url.reachable", Status.OK)


def test_a_name_that_dns_does_not_know_is_to_be_entered_there() -> None:
    verdict = silence(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    assert verdict.status is Status.FAILURE
    assert verdict.seen == f"DNS does not know {PARTS.hostname} (Name or service not known)"
    assert verdict.hint == f"let the DNS record of {PARTS.hostname} name this machine, or correct PUBLIC_URL"


def test_a_resolver_that_is_away_says_nothing_of_the_name() -> None:
    verdict = silence(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))
    assert verdict.status is Status.WARNING
    assert verdict.hint.startswith("mend the machine's resolver")


def test_where_nothing_listens_the_front_is_to_be_started() -> None:
    port = free_port()
    by_hand, managed = (found(f"http://127.0.0.1:{port}", is_managed=each) for each in (False, True))
    assert by_hand.seen == managed.seen == f"nothing listens on 127.0.0.1:{port}"
    assert by_hand.hint.startswith(f"start what serves 127.0.0.1:{port}")
    assert managed.hint == "systemctl restart caddy, or correct PUBLIC_URL"


def test_a_certificate_that_nobody_vouches_for_leads_to_the_log_of_caddy(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(self_signed(tmp_path))
    with SmtpStandIn(tls, implicit_tls=True) as server:
        finding = found(f"https://127.0.0.1:{server.port}")
    assert finding.seen.startswith("browsers refuse the certificate of 127.0.0.1: self")
    assert finding.hint.startswith("journalctl -u caddy tells why it has no certificate for 127.0.0.1")


def test_a_server_without_tls_is_told_from_one_with_a_bad_certificate(server: Receiver) -> None:
    finding = found(server.url.replace("http://", "https://"))
    assert "cannot agree on TLS" in finding.seen
    assert "or correct PUBLIC_URL" in finding.hint


def test_what_does_not_speak_http_is_the_wrong_server() -> None:
    with SmtpStandIn() as server:
        finding = found(f"http://127.0.0.1:{server.port}")
    assert "does not speak HTTP" in finding.seen
    assert finding.hint == "correct PUBLIC_URL"


@pytest.mark.parametrize("error", [TimeoutError("timed out"), OSError(EHOSTUNREACH, "No route to host")])
def test_a_machine_that_cannot_reach_itself_is_only_a_warning(error: OSError) -> None:
    verdict = silence(error)
    assert verdict.status is Status.WARNING
    assert str(error.strerror or error) in verdict.seen
    assert verdict.hint.endswith("or open https://rollcall.example.edu/livez on a phone")


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (200, "lead that address to Rollcall (deploy/Caddyfile), or correct PUBLIC_URL"),
        (404, "lead that address to Rollcall (deploy/Caddyfile), or correct PUBLIC_URL"),
        (401, "let everybody ask for /livez"),
        (500, "journalctl -u caddy -u rollcall-web"),
        (502, "rollcall web"),
        (503, "rollcall web"),
    ],
)
def test_an_answer_that_is_not_ours_names_whose_it_may_be(server: Receiver, status: int, hint: str) -> None:
    server.statuses.append(status)
    finding = found(server.url)
    assert (finding.status, finding.hint) == (Status.FAILURE, hint)
    assert f"{server.url}/livez is answered with {status}" in finding.seen


def test_behind_a_front_that_systemd_starts_the_web_role_is_to_be_started_by_it(server: Receiver) -> None:
    server.statuses.append(502)
    assert found(server.url, is_managed=True).hint == "systemctl start rollcall-web"


def test_an_address_that_leads_on_is_to_be_replaced_by_where_it_leads(server: Receiver) -> None:
    server.statuses.append(308)
    server.headers["Location"] = "https://rollcall.example.edu/livez"
    assert found(server.url).hint == "set PUBLIC_URL to https://rollcall.example.edu"
    server.statuses.append(302)
    server.headers["Location"] = "/login"
    assert "lead that address to Rollcall" in found(server.url).hint


def test_the_path_of_the_address_is_asked_for_too(server: Receiver) -> None:
    found(f"{server.url}/seats/")
    assert [path for _, path, _ in server.requests] == ["/seats/livez"]
