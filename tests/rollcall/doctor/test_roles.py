from __future__ import annotations

from urllib.parse import urlsplit

import redis

from resilience.heartbeats import ADDRESS, TICKED_AT, Heartbeats
from rollcall.doctor.case import InspectedSettings
from rollcall.doctor.examination import examine
from rollcall.doctor.finding import Status
from rollcall.doctor.roles import checks
from rollcall.settings import parse
from tests.support.receiver import receiver
from tests.support.redis_server import running, valkey_binary
from tests.support.stack import free_port


def test_where_systemd_starts_the_roles_it_is_to_start_the_missing_ones() -> None:
    with running(valkey_binary()) as server:  # heartbeats have one name
        settings = parse({"PORT": str(free_port()), "REDIS_URL": server.url})
        case = InspectedSettings(settings, is_managed=True)
        hints = {finding.id: finding.hint for finding in examine(checks(case), case)}
    assert hints == {
        "worker": "systemctl start rollcall-worker@all",
        "scheduler": "systemctl start rollcall-scheduler",
        "jobs": "systemctl start rollcall-jobs",
        "web": "systemctl start rollcall-web",
    }


def test_the_web_role_is_asked_where_it_listens_whatever_the_settings_here_say() -> None:
    with running(valkey_binary()) as server, receiver() as web:
        here = free_port()
        settings = parse({"PORT": str(here), "REDIS_URL": server.url})
        address = urlsplit(web.url).netloc
        with redis.Redis.from_url(server.url) as client:
            Heartbeats(client, 30).beat("web", "a:1", {ADDRESS: address})
        found = {
            finding.id: finding
            for finding in examine(checks(InspectedSettings(settings)), InspectedSettings(settings))
        }
    assert found["web"].seen == f"ready on {address} (the settings here say 127.0.0.1:{here})"


def test_a_scheduler_that_does_not_tick_fails() -> None:
    with running(valkey_binary()) as server:
        settings = parse({"PORT": str(free_port()), "REDIS_URL": server.url})
        with redis.Redis.from_url(server.url) as client:
            Heartbeats(client, 30).beat("scheduler", "a:1", {TICKED_AT: "1.0"})
        found = {
            finding.id: finding
            for finding in examine(checks(InspectedSettings(settings)), InspectedSettings(settings))
        }
    assert found["scheduler"].status is Status.FAILURE
    assert found["scheduler"].hint == "restart rollcall scheduler"
