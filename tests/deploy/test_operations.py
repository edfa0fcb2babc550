"""docs/operations.md and docs/scale-out.md: their commands exist, and each alert has a section."""

from __future__ import annotations

import re
import shlex
from fnmatch import filter as matching
from pathlib import Path

import click
import pytest

from domain.check import UNREADABLE
from observability.checks import CHECKS
from rollcall.cli.main import rollcall

ROOT = Path(__file__).resolve().parents[2]
MANUAL = (ROOT / "docs/scale-out.md").read_text() + (ROOT / "docs/operations.md").read_text()
RULES = (ROOT / "deploy/prometheus/rollcall.rules.yml").read_text()
_SPANS = re.compile(r"`((?:sudo )?rollcall\s[^`]+)`")
_LINES = re.compile(r"^\s*((?:sudo )?rollcall .+)$", re.MULTILINE)


def code() -> str:
    return "\n".join(re.findall(r"^ *```\n(.*?)^ *```", MANUAL, re.MULTILINE | re.DOTALL))


def commands() -> list[str]:
    """Return every `rollcall` command line, from blocks and from running text."""
    found = _SPANS.findall(MANUAL.replace("```", "")) + _LINES.findall(code())
    return sorted({" ".join(line.removeprefix("sudo ").split()) for line in found})


def resolve(line: str) -> None:
    """Raises: click.ClickException if the command or one of its options does not exist."""
    arguments = shlex.split(line)
    context = click.Context(rollcall, info_name=arguments.pop(0))
    command: click.Command = rollcall
    while isinstance(command, click.Group):
        _, found, arguments = command.resolve_command(context, arguments)
        assert found is not None, line
        command = found
        context = click.Context(command, parent=context)
    known = {name for option in command.params for name in option.opts}
    for each in arguments:
        if each.startswith("-") and each not in known:
            raise click.NoSuchOption(each, ctx=context)


def sections() -> dict[str, str]:
    """Return the sections of the alerts, by anchor."""
    _, *parts = re.split(r"^### ", MANUAL, flags=re.MULTILINE)
    return {part.partition("\n")[0]: part for part in parts}


@pytest.mark.parametrize("line", commands())
def test_every_command_exists_with_its_options(line: str) -> None:
    resolve(line)


def test_an_unknown_command_or_option_is_detected() -> None:
    for line in ("rollcall mail stop", "rollcall cron ls --verbose", "rollcall alerts"):
        with pytest.raises(click.ClickException):
            resolve(line)
    assert len(commands()) > 20


def test_every_alert_has_a_section() -> None:
    anchors = re.findall(r"/runbook/([a-z-]+)", RULES)
    assert len(anchors) == len(re.findall(r"- alert:", RULES))
    assert set(anchors) == set(sections())


@pytest.mark.parametrize("anchor", sorted(set(sections()) - {"watchdog"}))
def test_a_section_begins_with_symptom_impact_and_first_command(anchor: str) -> None:
    assert all(f"**{word}:**" in sections()[anchor] for word in ("Symptom", "Impact", "First"))


def test_every_alert_of_rollcall_is_named_by_a_section() -> None:
    named = set(re.findall(r"`([a-z_]+)/[a-z…]+`", "".join(sections().values())))
    assert named == {UNREADABLE, *(check.name for check in CHECKS)}


def test_a_move_and_a_restore_stop_every_role_that_writes() -> None:
    stops = re.findall(r"^systemctl stop (.+)$", code(), re.MULTILINE)
    assert len(stops) == 2
    for stop in stops:
        writers = {"rollcall-web.socket", "rollcall-web", "rollcall-scheduler", "rollcall-jobs"}
        assert set(shlex.split(stop)) == writers | {"rollcall.target", "rollcall-worker@*"}
        assert "'rollcall-worker@*'" in stop  # quoted, so that the shell does not expand it
    move = MANUAL.partition("## Move to PostgreSQL")[2]
    assert move.index("systemctl stop") < move.index("rollcall backup") < move.index("rollcall restore")


def test_restart_patterns_match_the_roles_and_neither_the_backup_nor_valkey() -> None:
    units = [path.name for path in (ROOT / "deploy/systemd").glob("rollcall*.*")]
    patterns = re.findall(
        r"systemctl restart '([^']+)'", MANUAL + (ROOT / "deploy/etc/rollcall.env").read_text()
    )
    assert len(patterns) >= 4
    for pattern in patterns:
        roles = {f"rollcall-{role}.service" for role in ("web", "worker@", "scheduler", "jobs")}
        assert set(matching(units, pattern)) == roles


def test_rotating_a_secret_restarts_every_role_that_reads_it() -> None:
    section = MANUAL.partition("## Rotate a secret")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE))
    alone = {name for name, steps in rows.items() if re.search(r"restart `rollcall-", steps)}
    assert alone == {"RESEND_WEBHOOK_SECRET"}  # the web role alone reads it
    assert all(
        "restart the roles" in rows[name]
        for name in ("CRON_SECRET", "RESEND_API_KEY", "SCRAPER_SECRET_TOKEN")
    )
