"""After an upgrade or a rollback, a release finishes what another one left behind when it was killed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from resilience.dead_letters import DeadLetterQueue
from store.migrate import head
from tests.ingress.console.visitor import BROWSER
from tests.standins.docraptor import DocRaptorStandIn, errors
from tests.standins.gemini import GeminiStandIn
from tests.standins.resend import ResendStandIn
from tests.standins.scraper import TOKEN, Reply, ScraperStandin
from tests.standins.stripe import event, posted
from tests.support.broker import message, open_broker
from tests.support.commands import run
from tests.support.redis_server import running, valkey_binary
from tests.support.stack import API_TOKEN, Stack, wait_until

ROOT = Path(__file__).resolve().parents[2]
BEFORE = "d7329f5456c60a537807835846ab4225e5eae9c6"
STRIPE_SECRET = "whsec_of_the_tests"
LOST, PENDING, *QUIET = (str(number) for number in range(12_430, 12_450))
FULL = Reply(fields={"seats_available": 0, "non_reserved_seats": None})
OPEN = Reply(fields={"seats_available": 2, "non_reserved_seats": None})
AUDIT = "SELECT * FROM audit ORDER BY id"
DOWN = Reply(kind="status", status=500)


@dataclass
class Release:
    """One release: the tree that it is imported from (this one if None), and how it names what it stores."""

    tree: Path | None = None
    schema: str = ""
    frozen: str = "SELECT key, messages FROM mail_batches ORDER BY id"

    @property
    def settings(self) -> dict[str, str]:
        return {} if self.tree is None else {"PYTHONPATH": str(self.tree)}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The last release of generation 0, from the history of this repository."""
    found = subprocess.run(
        ["git", "-C", ROOT, "archive", "--format=tar", BEFORE], capture_output=True, check=False
    )
    if found.returncode != 0:
        pytest.skip(f"the history here does not reach back to {BEFORE}")
    tree = tmp_path_factory.mktemp("before")
    subprocess.run(["tar", "-x", "-C", tree], input=found.stdout, check=True)
    frozen = "SELECT key, letters FROM mail_batches ORDER BY id"
    return Release(tree, "0017", frozen)


@dataclass
class World:
    """The services around a home, and what the release that was killed had promised."""

    home: Path
    redis: redis.Redis
    redis_url: str
    scraper: ScraperStandin = field(default_factory=ScraperStandin)
    resend: ResendStandIn = field(default_factory=ResendStandIn)
    docraptor: DocRaptorStandIn = field(default_factory=DocRaptorStandIn)
    gemini: GeminiStandIn = field(default_factory=GeminiStandIn)
    stacks: list[Stack] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)

    @property
    def backup(self) -> Path:
        return self.home.parent / "rollcall.zip"

    @property
    def settings(self) -> dict[str, str]:
        return {
            "REDIS_URL": self.redis_url,
            "SCRAPER_URL": self.scraper.url,
            "SCRAPER_SECRET_TOKEN": TOKEN,
            "SCRAPER_REQUESTS_PER_MINUTE": "0",
            "RESEND_API_URL": self.resend.url,
            "RESEND_API_KEY": self.resend.api_key,
            "NOTIFICATION_FROM_EMAIL": "Rollcall <rollcall@example.edu>",
            "DOCRAPTOR_API_KEY": self.docraptor.api_key,
            "DOCRAPTOR_API_URL": self.docraptor.url,
            "GEMINI_API_KEY": self.gemini.api_key,
            "GEMINI_API_URL": self.gemini.url,
            "STRIPE_WEBHOOK_SECRET": STRIPE_SECRET,
            "BREAKER_RECOVERY_SECONDS": "1",
            "RENOTIFY_COOLDOWN_SECONDS": "0",
            "SCHEDULER": "off",
        }

    def command(self, release: Release, *arguments: str) -> str:
        done = run(self.home, *arguments, **self.settings, **release.settings)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.home / "rollcall.db", timeout=20)) as database:
            return database.execute(query).fetchall()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(valkey_binary()) as server, redis.Redis.from_url(server.url) as client:
        found = World(tmp_path / "home", client, server.url)
        with found.scraper, found.resend, found.docraptor, found.gemini:
            found.scraper.set_default(FULL)
            try:
                yield found
            finally:
                for stack in found.stacks:
                    kill(stack)


@dataclass
class System:
    """`release`, running on the home of `world`."""

    world: World
    release: Release
    stack: Stack

    def trigger(self) -> str:
        return str(self.stack.post("/cron/section-checks?stagger=all&force=1").json()["run_id"])

    def run_state(self, run_id: str) -> str:
        return str(self.stack.get(f"/cron/runs/{run_id}").json()["state"])

    def finish(self) -> None:
        run_id = self.trigger()
        wait_until(lambda: self.run_state(run_id) == "finished", "a finished run")

    def job_states(self) -> Counter[str]:
        return Counter(self.stack.get(f"/jobs/{job}").json()["state"] for job in self.world.jobs)

    def notifications(self) -> Counter[str]:
        return Counter(each["state"] for each in self.stack.get("/notifications").json()["items"])

    def order_report(self, session: str) -> None:
        """Have Stripe report a paid order."""
        metadata = {"report": "section_history", "term": "2261", "sections": LOST}
        body, headers = posted(STRIPE_SECRET, event(f"evt_{session}", id=session, metadata=metadata))
        answer = httpx.post(self.stack.url("/webhooks/stripe"), content=body, headers=headers, timeout=10)
        assert answer.status_code == 200, answer.text
        (self.world.jobs[len(self.world.jobs) :]) = [
            job["id"] for job in self.stack.get("/jobs").json()["items"] if job["id"] not in self.world.jobs
        ]


def kill(stack: Stack) -> None:
    """Kill every process, as a machine that loses its power does."""
    if stack.is_running:
        children = stack.processes().values()
        stack.stop(signal.SIGKILL)
        for child in children:
            child.kill()


def start(world: World, release: Release) -> System:
    stack = Stack(world.home, **world.settings, **release.settings)
    world.stacks.append(stack)
    stack.start()
    wait_until(stack.is_complete, "a process of every role")
    return System(world, release, stack)


def leave_work_behind(world: World, release: Release, name: str) -> None:
    """Everything that can be in progress, under way in `release` when it is killed."""
    system = start(world, release)
    sections = (LOST, PENDING, *QUIET)
    lines = ["email,source,term,section", *(f"ada@example.edu,,2261,{each}" for each in sections)]
    imported = system.stack.post("/watches/import", content="\n".join(lines).encode(), type="text/csv")
    assert imported.status_code == 200, imported.text
    system.finish()
    leave_mail(system)
    leave_jobs(system, name)
    leave_dead_letter(system)
    leave_people(system)
    world.command(release, "backup", str(world.backup))
    leave_runs(system)
    kill(system.stack)


def leave_mail(system: System) -> None:
    """A frozen batch that the provider took without an answer, and a notification that waits for a pause."""
    world = system.world
    taken = len(world.resend.mails)
    world.resend.fault({"kind": "lose_answer"})
    world.scraper.set_section(LOST, OPEN)
    system.finish()
    wait_until(lambda: len(world.resend.mails) == taken + 1, "a mail whose answer is lost")
    world.command(system.release, "source", "pause", "mail", "--for", "2h", "--reason", "an upgrade")
    world.scraper.set_section(PENDING, OPEN)
    system.finish()
    wait_until(lambda: system.notifications()["pending"] == 1, "a pending notification")
    assert system.notifications()["sending"] == 1


def leave_jobs(system: System, name: str) -> None:
    """A printed report that waits for mail, one that cannot be printed, and a picture that is retried."""
    world = system.world
    printed = len(world.docraptor.documents)
    system.order_report(f"cs_{name}_1")
    wait_until(lambda: len(world.docraptor.documents) == printed + 1, "a printed report")
    world.docraptor.answers.extend([errors(503, "Down")] * 1000)
    system.order_report(f"cs_{name}_2")
    wait_until(lambda: len(world.docraptor.answers) < 1000, "a report that cannot be printed")
    world.gemini.is_down = True
    asked = len(world.gemini.requests)
    world.command(system.release, "credit", "grant", "ada", "1", "--key", name)
    picture = {"kind": "generation", "input": {"account": "ada", "prompt": f"an owl, {name}"}}
    answer = httpx.post(
        system.stack.url("/jobs"), json=picture, headers={"Authorization": f"Bearer {API_TOKEN}"}, timeout=10
    )
    assert answer.status_code == 202, answer.text
    world.jobs.append(answer.json()["id"])
    wait_until(lambda: len(world.gemini.requests) > asked, "a request for a picture")


def leave_dead_letter(system: System) -> None:
    open_broker(system.world.redis, "dramatiq").enqueue(message("missing.actor", 1))
    wait_until(lambda: dead_letters(system.world) == 1, "a dead letter")


def dead_letters(world: World) -> int:
    return len(list(DeadLetterQueue(world.redis, ["check"]).find()))


def leave_runs(system: System) -> None:
    """A run whose batches wait for the catalog to recover, and one whose message no worker has taken."""
    world = system.world
    for number in (LOST, PENDING):
        world.scraper.sections.pop(number)
    world.scraper.set_default(DOWN)
    stats, asked = world.scraper.stats, world.scraper.stats.requests
    parked = system.trigger()
    wait_until(lambda: stats.requests > asked and not stats.in_flight, "a failed batch")
    wait_until(lambda: system.run_state(parked) == "running", "a running run")
    for title, process in system.stack.processes().items():
        if title.startswith("rollcall: worker"):
            process.send_signal(signal.SIGSTOP)
    queued = system.trigger()
    assert system.run_state(queued) == "queued"
    world.runs += [parked, queued]


def leave_people(system: System) -> None:
    """An operator who is signed in to the console, a link in a mail, and the cursor of a listing."""
    world = system.world
    with httpx.Client(headers=BROWSER) as client:
        entered = client.post(system.stack.url("/console/sign-in"), data={"token": API_TOKEN})
        assert entered.status_code == 303, entered.text
        world.cookies = client.cookies
    link = httpx.URL(world.resend.mails[0]["headers"]["List-Unsubscribe"].strip("<>"))
    cursor = system.stack.get("/watches?limit=2").json()["next_cursor"]
    world.pages = [f"{link.path}?{link.query.decode()}", f"/watches?limit=2&cursor={cursor}", "/console/"]


def require_people_go_on(system: System) -> None:
    with httpx.Client(headers=BROWSER, cookies=system.world.cookies) as client:
        client.headers["Authorization"] = f"Bearer {API_TOKEN}"
        answers = [client.get(system.stack.url(page)) for page in system.world.pages]
    # Sessions are signed differently since generation 1: operators are sent to the sign-in.
    assert [answer.status_code for answer in answers] == [200, 200, 303]


def finish_work(world: World, release: Release) -> None:
    """Let `release` finish what another one left behind: nothing is lost, and nothing done twice."""
    world.resend.fault()
    world.scraper.set_default(FULL)
    for number in (LOST, PENDING):
        world.scraper.set_section(number, OPEN)
    world.docraptor.answers.clear()
    world.gemini.is_down = False
    system = start(world, release)
    require_people_go_on(system)
    assert dead_letters(world) == 1
    world.command(release, "source", "resume", "mail")
    for run_id in world.runs:
        wait_until(lambda run_id=run_id: system.run_state(run_id) == "finished", "a finished run")  # type: ignore[misc]
    wait_until(lambda: system.notifications().keys() == {"sent"}, "all mail")
    wait_until(lambda: system.job_states().keys() == {"succeeded"}, "all jobs")
    assert system.stack.stop() == 0


def end_of_heartbeats(world: World) -> None:
    """What passes 30 s after the roles were killed."""
    world.redis.delete(*world.redis.scan_iter("rollcall:heartbeats:*"))


def require_nothing_lost_or_doubled(world: World, printed: int = 2) -> None:
    events = Counter(mail["headers"].get("X-Rollcall-Event", "a report") for mail in world.resend.mails)
    assert events.pop("a report") == 2
    assert set(events.values()) == {1}, events
    assert len(events) == 2
    keys = Counter(mail["key"] for mail in world.resend.mails)
    assert None not in keys
    assert world.resend.stats["replayed"] >= 1  # the frozen batch again, byte for byte
    assert world.resend.answers["409"] == 0
    assert len(world.docraptor.documents) == printed
    assert world.gemini.made == 1


def require_recorded_init(world: World, audited: list[tuple[Any, ...]]) -> None:
    """The audit log is as it was, and names the change of the schema."""
    *earlier, (_, _, _, action, *_) = world.rows(AUDIT)
    assert (earlier, action) == (audited, "installation.init")


def test_an_upgrade_loses_and_doubles_nothing_of_what_was_in_progress(world: World, before: Release) -> None:
    this = Release()
    leave_work_behind(world, before, "before")
    frozen, audited = world.rows(before.frozen), world.rows(AUDIT)
    end_of_heartbeats(world)
    assert f"schema {head()}, from {before.schema}" in world.command(this, "init")
    assert world.rows(this.frozen) == frozen
    require_recorded_init(world, audited)
    finish_work(world, this)
    require_nothing_lost_or_doubled(world)

    world.command(this, "restore", str(world.backup), "--replace")
    assert world.rows(this.frozen) == frozen
    assert world.rows(AUDIT)[:-1] == audited


def test_a_rollback_loses_and_doubles_nothing_of_what_was_in_progress(world: World, before: Release) -> None:
    this = Release()
    world.command(before, "init")
    world.command(this, "init")
    leave_work_behind(world, this, "this")
    frozen, audited = world.rows(this.frozen), world.rows(AUDIT)
    end_of_heartbeats(world)
    for command in ("init", "web", "worker"):  # they do not find the later schema, and cannot make their own
        done = run(world.home, command, **world.settings, **before.settings)
        assert done.returncode != 0
        assert "already exists" in done.stderr
    assert f"schema {before.schema}, from {head()}" in world.command(this, "init", "--down-to", before.schema)
    assert world.rows(before.frozen) == frozen
    require_recorded_init(world, audited)
    finish_work(world, before)
    # That release kept the outcomes of steps elsewhere: it begins the report that waited for mail again.
    require_nothing_lost_or_doubled(world, printed=3)
