"""The alert rules and the dashboard against the metrics that a running stack really shows."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from ingress.pages.runbook import sections
from tests.standins import banner9
from tests.standins.banner9 import Banner9Standin
from tests.standins.scraper import TOKEN, ScraperStandin
from tests.support.commands import run
from tests.support.prometheus import DEPLOY, RULES, Prometheus, prometheus, require
from tests.support.stack import Stack, stack, wait_until

DOCS = DEPLOY.parent / "docs"
NAME = re.compile(r"\brollcall_[a-z_]+\b")
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)

PROFILE = """
id = "state"
name = "State University"
family = "banner9"
base_url = "{}"
timezone = "America/Chicago"
"""


@dataclass(frozen=True)
class Watched:
    """A Prometheus that has scraped a stack, and the last metrics of the stack."""

    prometheus: Prometheus
    text: str

    @property
    def series(self) -> set[str]:
        """The names of all samples."""
        return {sample.name for family in self._families() for sample in family.samples}

    def described(self) -> dict[str, tuple[str, set[str]]]:
        """Each family's type and labels, by the name to ask for."""
        found = {}
        for family in self._families():
            if family.name.startswith("rollcall_"):
                suffix = "_total" if family.type == "counter" else ""
                found[family.name + suffix] = (family.type, set(family.samples[0].labels) - {"le"})
        return found

    def _families(self) -> list[Metric]:
        return list(text_string_to_metric_families(self.text))


def families(running: Stack) -> list[Metric]:
    return list(text_string_to_metric_families(running.get("/metrics").text))


def without_samples(running: Stack) -> list[str]:
    return [family.name for family in families(running) if not family.samples]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A healthy stack that uses all that has metrics: a scraper, a public catalog, and a check schedule."""
    require("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    with ScraperStandin() as scraper, Banner9Standin(banner9.row("12431")) as site:
        (folder / "state.toml").write_text(PROFILE.format(site.base_url))
        settings = {
            "SCRAPER_URL": scraper.url,
            "SCRAPER_SECRET_TOKEN": TOKEN,
            "CATALOGS": str(folder / "state.toml"),
            "CHECK_SCHEDULE": "budget",
        }
        with stack(folder / "home", settings) as running, prometheus(folder, running.port) as server:
            wait_until(running.is_complete, "a process of every role")
            for command in (
                ("watch", "add", "ada@example.edu", "2261", "12431", "--source", "scraper"),
                ("watch", "add", "ada@example.edu", "202710", "12431", "--source", "state"),
                ("backup", str(folder / "backup.zip")),
            ):
                found = run(folder / "home", *command, **settings)
                assert found.returncode == 0, found.stderr
            # The last to come are the times of the first run and of the scheduler's first tick.
            wait_until(lambda: not without_samples(running), "a sample of every metric", 120)
            yield Watched(server, running.get("/metrics").text)


def dashboard() -> list[str]:
    """Every expression of the dashboard, with Grafana's own variables filled in."""
    text = (DEPLOY / "grafana" / "rollcall.json").read_text()
    found = json.loads(text)
    targets = [target["expr"] for panel in found["panels"] for target in panel.get("targets", [])]
    annotations = [each["expr"] for each in found["annotations"]["list"]]
    return [expression.replace("$__rate_interval", "1m") for expression in targets + annotations]


@pytest.mark.parametrize(
    "words", ["check config prometheus.yml", "check rules rollcall.rules.yml", "test rules rollcall.test.yml"]
)
def test_promtool_accepts_it(words: str) -> None:
    done = subprocess.run(
        [require("promtool"), *words.split()],
        cwd=DEPLOY / "prometheus",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    alerts = set(re.findall(r"alert: (\w+)", RULES.read_text()))
    cases = set(re.findall(r'alertname(?:="|: )(\w+)', RULES.with_name("rollcall.test.yml").read_text()))
    assert alerts == cases
    assert len(alerts) > 15


def test_every_alert_has_its_place_in_the_operations_guide() -> None:
    runbooks = set(re.findall(r"/runbook/([a-z-]+)", RULES.read_text()))
    assert runbooks <= set(sections())
    assert len(runbooks) > 15


def test_every_target_is_up(watched: Watched) -> None:
    up = {"rollcall": "up", "prometheus": "up"}
    wait_until(lambda: watched.prometheus.targets() == up, "every target up")


def test_every_alert_can_be_evaluated_and_none_fires_on_a_healthy_stack(watched: Watched) -> None:
    wait_until(lambda: all(rule["health"] != "unknown" for rule in watched.prometheus.rules()), "evaluations")
    rules = watched.prometheus.rules()
    assert {(rule["name"], rule["health"], rule.get("lastError", "")) for rule in rules} == {
        (rule["name"], "ok", "") for rule in rules
    }
    alerts = [rule for rule in rules if rule["type"] == "alerting"]
    # Disks of build machines are as full as they are.
    firing = {rule["name"] for rule in alerts if rule["state"] != "inactive"} - {"DiskNearlyFull"}
    assert firing == {"Watchdog"}


def test_every_alert_says_what_it_is_and_what_to_do(watched: Watched) -> None:
    for rule in watched.prometheus.rules():
        if rule["type"] == "recording":
            continue
        words = rule["annotations"]
        anchor = re.sub(r"(?<!^)(?=[A-Z])", "-", rule["name"]).lower()
        assert rule["labels"]["severity"] in {"critical", "warning", "none"}
        assert words["runbook_url"] == f"{{{{ $externalLabels.rollcall_url }}}}/runbook/{anchor}"
        assert "First: " in words["description"] or rule["name"] == "Watchdog"
        assert words["summary"]


def test_every_metric_that_is_used_exists(watched: Watched) -> None:
    rules = [rule["query"] for rule in watched.prometheus.rules()]
    used = {name for expression in rules + dashboard() for name in NAME.findall(expression)}
    assert len(used) > 25
    assert used - watched.series == set()


def test_every_expression_of_the_dashboard_can_be_evaluated(watched: Watched) -> None:
    for expression in dashboard():
        watched.prometheus.ask("query", query=expression)


def test_the_guide_names_every_metric_with_its_type_and_labels(watched: Watched) -> None:
    rows = ROW.findall((DOCS / "metrics.md").read_text())
    guide = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert guide == watched.described()


def test_no_label_holds_a_person_or_a_section(watched: Watched) -> None:
    assert "@" not in watched.text
    labels = {label for _, labels in watched.described().values() for label in labels}
    things = {
        "actor",
        "breaker",
        "check",
        "class",
        "fault",
        "kind",
        "mode",
        "name",
        "queue",
        "role",
        "source",
        "subject",
        "version",
    }
    assert labels <= things | {"outcome", "state", "to"}
