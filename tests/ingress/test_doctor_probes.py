"""Each way in which the web role, or the address in mails, can fail to answer, and its fix."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from errno import EHOSTUNREACH
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from domain.alert import AlertMessage
from domain.check import Result, Severity
from ingress.doctor_probes import probe_public_url, probe_web, unanswered
from tests.standins.smtp import SmtpStandIn
from tests.support.certificate import self_signed
from tests.support.receiver import Receiver, receiver
from tests.support.stack import free_port

PARTS = urlsplit("https://rollcall.example.edu")


def found(url: str, *, managed: bool = False) -> AlertMessage:
    """The failure of probing `url`."""
    return failure_of(probe_public_url(url, managed=managed, start="rollcall web"))


def silence(error: OSError) -> Result:
    return unanswered(error, PARTS, managed=True)


def failure_of(result: Result) -> AlertMessage:
    assert result.failure is not None
    return result.failure


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def test_a_name_that_dns_does_not_know_needs_a_record() -> None:
    result = silence(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    assert result.severity is Severity.UNHEALTHY
    assert failure_of(result).subject == f"DNS does not know {PARTS.hostname} (Name or service not known)"
    command = f"point the DNS record of {PARTS.hostname} to this machine, or correct PUBLIC_URL"
    assert failure_of(result).command == command


def test_a_resolver_that_is_down_says_nothing_about_the_name() -> None:
    result = silence(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))
    assert result.severity is Severity.DEGRADED
    assert failure_of(result).command.startswith("repair the machine's resolver")


def test_where_nothing_listens_the_proxy_is_to_be_started() -> None:
    port = free_port()
    by_hand, managed = (found(f"http://127.0.0.1:{port}", managed=each) for each in (False, True))
    assert by_hand.subject == managed.subject == f"nothing listens on 127.0.0.1:{port}"
    assert by_hand.command.startswith(f"start what serves 127.0.0.1:{port}")
    assert managed.command == "systemctl restart caddy, or correct PUBLIC_URL"


def test_an_untrusted_certificate_leads_to_the_log_of_caddy(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(self_signed(tmp_path))
    with SmtpStandIn(tls, implicit_tls=True) as server:
        finding = found(f"https://127.0.0.1:{server.port}")
    assert finding.subject.startswith("browsers refuse the certificate of 127.0.0.1: self")
    assert finding.command.startswith("journalctl -u caddy shows why it has no certificate for 127.0.0.1")


def test_a_server_without_tls_is_distinguished_from_one_with_a_bad_certificate(server: Receiver) -> None:
    finding = found(server.url.replace("http://", "https://"))
    assert "cannot agree on TLS" in finding.subject
    assert "or correct PUBLIC_URL" in finding.command


def test_what_does_not_speak_http_is_the_wrong_server() -> None:
    with SmtpStandIn() as server:
        finding = found(f"http://127.0.0.1:{server.port}")
    assert "does not speak HTTP" in finding.subject
    assert finding.command == "correct PUBLIC_URL"


@pytest.mark.parametrize("error", [TimeoutError("timed out"), OSError(EHOSTUNREACH, "No route to host")])
def test_a_machine_that_cannot_reach_itself_is_only_a_warning(error: OSError) -> None:
    result = silence(error)
    assert result.severity is Severity.DEGRADED
    assert str(error.strerror or error) in failure_of(result).subject
    assert failure_of(result).command.endswith("or open https://rollcall.example.edu/livez on a phone")


@pytest.mark.parametrize(
    ("status", "command"),
    [
        (200, "route that address to Rollcall (deploy/Caddyfile), or correct PUBLIC_URL"),
        (404, "route that address to Rollcall (deploy/Caddyfile), or correct PUBLIC_URL"),
        (401, "allow everyone to get /livez"),
        (500, "journalctl -u caddy -u rollcall-web"),
        (502, "rollcall web"),
        (503, "rollcall web"),
    ],
)
def test_an_answer_of_another_server_suggests_which_one_it_is(
    server: Receiver, status: int, command: str
) -> None:
    server.statuses.append(status)
    finding = found(server.url)
    assert finding.command == command
    assert f"{server.url}/livez is answered with {status}" in finding.subject


def test_an_address_that_redirects_is_to_be_replaced_by_its_target(server: Receiver) -> None:
    server.statuses.append(308)
    server.headers["Location"] = "https://rollcall.example.edu/livez"
    assert found(server.url).command == "set PUBLIC_URL to https://rollcall.example.edu"
    server.statuses.append(302)
    server.headers["Location"] = "/login"
    assert "route that address to Rollcall" in found(server.url).command


def test_the_path_of_the_address_is_kept(server: Receiver) -> None:
    probe_public_url(f"{server.url}/seats", managed=False, start="rollcall web")
    assert [path for _, path, _ in server.requests] == ["/seats/livez"]


def test_a_web_role_that_is_ready_shows_its_address(server: Receiver) -> None:
    address = urlsplit(server.url).netloc
    assert probe_web(address, "rollcall web").note == f"ready on {address}"


@pytest.mark.parametrize(
    ("status", "severity", "command"),
    [(503, Severity.DEGRADED, "fix what else failed here"), (404, Severity.UNHEALTHY, "correct PORT")],
)
def test_a_web_role_that_is_not_ready_is_distinguished_from_another_server(
    server: Receiver, status: int, severity: Severity, command: str
) -> None:
    server.statuses.append(status)
    result = probe_web(urlsplit(server.url).netloc, "rollcall web")
    assert (result.severity, failure_of(result).command) == (severity, command)


def test_a_web_role_that_does_not_answer_is_to_be_started() -> None:
    assert failure_of(probe_web(f"127.0.0.1:{free_port()}", "rollcall web")).command == "rollcall web"
