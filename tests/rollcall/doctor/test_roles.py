from __future__ import annotations

from rollcall.doctor.case import Case
from rollcall.doctor.examination import examine
from rollcall.doctor.roles import checks
from rollcall.settings import parse
from tests.support.redis_server import running, valkey_binary
from tests.support.stack import free_port


def test_where_systemd_starts_the_roles_it_is_to_start_the_missing_ones() -> None:
    with running(valkey_binary()) as server:  # heartbeats have one name
        settings = parse({"PORT": str(free_port()), "REDIS_URL": server.url})
        case = Case(settings, is_managed=True)
        hints = {finding.id: finding.hint for finding in examine(checks(case), case)}
    assert hints == {
        "worker": "systemctl start rollcall-worker@all",
        "scheduler": "systemctl start rollcall-scheduler",
        "jobs": "systemctl start rollcall-jobs",
        "web": "systemctl start rollcall-web",
    }
