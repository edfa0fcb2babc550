"""The generated alert rules: one for each check, with the text of its runbook section."""

from __future__ import annotations

import re

import pytest

from domain.check import Check
from observability.alert_rules import (
    GUIDE,
    HISTORY_RULES,
    RULES,
    former_metrics,
    rules,
    rules_file,
    runbook_texts,
    with_index,
)
from observability.checks import CHECKS
from observability.checks.snapshot import SystemSnapshot

TEXTS = runbook_texts(GUIDE.read_text())


def test_the_committed_files_are_as_generated_by_make_docs() -> None:
    guide = GUIDE.read_text()
    assert with_index(guide) == guide
    assert rules_file(guide) == RULES.read_text()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_check_has_a_rule_and_a_runbook_section_that_begins_with_its_command(
    check: Check[SystemSnapshot],
) -> None:
    (rule,) = [rule for rule in rules() if check.name in rule.checks]
    assert rule.runbook == check.runbook
    assert TEXTS[check.runbook].command == check.command


def test_each_section_has_exactly_one_rule() -> None:
    assert sorted(rule.runbook for rule in rules()) == sorted(TEXTS)


def test_a_rule_is_as_urgent_and_as_patient_as_its_checks() -> None:
    found = {rule.name: rule for rule in rules()}
    checks = {check.name: check for check in CHECKS}
    assert found["DatabaseFailing"].checks == ("database", "database_errors")
    assert found["DatabaseFailing"].pending_for == checks["database"].pending_for
    assert (found["BreakerOpen"].severity, found["Paused"].severity) == ("critical", "warning")


def test_a_section_without_a_rule_text_stops_the_generation() -> None:
    with pytest.raises(KeyError, match="no-finished-run"):
        rules_file(GUIDE.read_text().replace("### no-finished-run", "### another"))


def test_rules_use_no_former_name() -> None:
    used = {name for rule in HISTORY_RULES for name in re.findall(r"rollcall_\w+", rule.expression)}
    assert used.isdisjoint(former_metrics())
