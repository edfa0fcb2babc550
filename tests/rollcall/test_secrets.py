"""No secret in any text that an object gives of itself: it would end in a log or a traceback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

import rollcall
from domain.job import JobRecord, NewJob, Profile
from observability.logs import JsonLines, Text
from rollcall import wiring
from rollcall.roles.jobs import job_context
from rollcall.roles.web import health, web_context
from rollcall.settings import DECLARED, parse
from store.jobs.callbacks import JobCallback

MARK = "markersecret"  # base64 as it is
_SECRETS = {
    name: f"{MARK}-{name.lower()}"
    for name in DECLARED
    if any(word in name for word in ("SECRET", "TOKEN", "KEY"))
} | {
    "DATABASE_URL": f"postgresql+psycopg://rollcall:{MARK}@127.0.0.1:1/none",
    "REDIS_URL": f"redis://:{MARK}@127.0.0.1:1/0",
    "BROKER_URL": f"redis://:{MARK}@127.0.0.1:1/1",
    "OPERATOR_WEBHOOK_URL": f"https://hooks.example.edu/{MARK}",
    "HEARTBEAT_URL": f"https://ping.example.edu/{MARK}",
    "SMTP_URL": f"smtp://rollcall:{MARK}@127.0.0.1:25",
    "SCRAPER_URL": "https://scraper.example.edu",
    "NOTIFICATION_FROM_EMAIL": "rollcall@example.edu",
    "OPERATOR_EMAIL": "ada@example.edu",
    "RESEND_WEBHOOK_SECRET": f"whsec_{MARK}",
    "STORAGE_URL": "s3://bucket/prefix",
}
_WALKED = {path.parent.name for path in Path(rollcall.__file__).parents[1].glob("*/__init__.py")}
_WALKED |= {"redis", "dramatiq"}


def reached(root: object) -> Iterator[object]:
    """Every object that can be reached from `root` through ours."""
    waiting, seen = [root], set[int]()
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, dict):
            waiting += found.values()
        elif isinstance(found, list | tuple | set | frozenset):
            waiting += found
        elif type(found).__module__.partition(".")[0] in _WALKED:
            yield found
            waiting += getattr(found, "__dict__", {}).values()
            slots = [name for each in type(found).__mro__ for name in getattr(each, "__slots__", ())]
            waiting += [getattr(found, name, None) for name in slots if isinstance(name, str)]


@pytest.mark.parametrize("transport", ["resend", "postmark", "smtp"])
def test_no_object_that_is_built_of_the_settings_shows_a_secret(tmp_path: Path, transport: str) -> None:
    values = {"ROLLCALL_HOME": str(tmp_path), "MAIL_TRANSPORT": transport}
    system = wiring.build(parse(_SECRETS | values))
    try:
        roots: list[object] = [system, job_context(system), web_context(system, health(system))]
        found = [each for root in roots for each in reached(root)]
        assert len({type(each) for each in found}) > 40
        telling = {type(each).__qualname__ for each in found if MARK in f"{each!r} {each!s}"}
    finally:
        system.close()
    assert telling == set()


def test_a_log_line_that_is_given_the_settings_does_not_show_them() -> None:
    settings = parse(_SECRETS)
    record = logging.LogRecord("rollcall", logging.INFO, __file__, 0, "%s", (settings,), None)
    record.settings = settings
    assert all(MARK not in form.format(record) for form in (JsonLines(), Text()))


def test_what_callers_gave_as_their_webhook_is_theirs() -> None:
    url = f"https://caller.example.edu/{MARK}"
    assert MARK not in repr(NewJob("report", Profile.REALTIME, {}, webhook_url=url))
    assert MARK not in repr(JobCallback("0d4b", url, "{}", 0))
    assert "webhook_url" not in {each.name for each in fields(JobRecord) if each.repr}
