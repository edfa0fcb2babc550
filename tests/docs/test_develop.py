"""The worked examples of docs/develop.md: each is applied to a copy of the source tree and run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).parents[2]
_EXAMPLE = re.compile(
    r"(New file|In) `(?P<path>[\w/.]+)`:\n\n```(python|diff|markdown)\n(?P<text>.*?)```\n", re.DOTALL
)
_PACKAGES = [
    path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name not in {"bench", "tests"}
]


def section(title: str, document: str) -> str:
    """The section of the document under the heading `title`."""
    text = (ROOT / "docs" / document).read_text()
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def apply(title: str, root: Path, document: str = "develop.md") -> list[str]:
    """Apply the example to the tree in `root`; the files that it touches."""
    touched = []
    for example in _EXAMPLE.finditer(section(title, document)):
        path = root / example["path"]
        if path.exists():
            text = path.read_text()
            for hunk in example["text"].split("@@\n"):
                old, new = (
                    "".join(line[1:] for line in hunk.splitlines(True) if line[0] in f" {sign}")
                    for sign in "-+"
                )
                assert text.count(old) == 1, (path, old)
                text = text.replace(old, new)
        else:
            text = example["text"]
        path.write_text(text)
        touched.append(example["path"])
    return touched


def copied_tree(target: Path) -> Path:
    """`target` with a copy of the source tree."""
    for name in _PACKAGES:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    (target / "tests").symlink_to(ROOT / "tests")
    return target


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return copied_tree(tmp_path)


def run(tree: Path, code: str, **values: str) -> str:
    """What `code` prints in the tree, with `SETTINGS` of a home and `values`."""
    settings = {
        "ROLLCALL_HOME": str(tree / "home"),
        "UNSUBSCRIBE_SECRET": "a secret for tests only",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    } | values
    program = f"SETTINGS = {settings!r}\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tree, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class _Handler(BaseHTTPRequestHandler):
    posted: list[tuple[str, bytes]] = []  # noqa: RUF012 - each server has a subclass of its own

    def do_GET(self) -> None:
        body = json.dumps({"12431": {"open": 3, "size": 30, "teacher": "Staff"}}).encode()
        self.send_response(200 if self.path == "/2261.json" else 404)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.posted.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[_Handler]]]:
    handler = type("Handler", (_Handler,), {"posted": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        thread = Thread(target=found.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}", handler
        found.shutdown()
        thread.join()


_CATALOGS = """
from domain.plugin import ProbeContext
from domain.section import SectionKey
from rollcall.settings import parse
from rollcall.wiring import build
services = build(parse(SETTINGS)).services
print(*services.sources, *services.breakers)
plugin = [each for each in parse(SETTINGS).source_plugins if each.name == "pinewood"][0]
print(plugin.examine(parse(SETTINGS), ProbeContext(services.clock, "")).note)
keys = [SectionKey("pinewood", term, number) for term in ("2261", "2262") for number in ("12431", "99999")]
source = services.sources["pinewood"]
for batch in source.plan(keys):
    print(*(type(outcome).__name__ for outcome in source.observe(batch)))
"""


def test_a_catalog_is_one_module_and_runs_beside_another(
    tree: Path, server: tuple[str, type[_Handler]]
) -> None:
    assert apply("A catalog", tree) == ["catalogs/pinewood.py", "rollcall/plugins.py"]
    values = {"PINEWOOD_URL": server[0], "SCRAPER_URL": "http://127.0.0.1:1", "SCRAPER_SECRET_TOKEN": "token"}
    assert run(tree, _CATALOGS, **values).splitlines() == [
        "scraper pinewood scraper pinewood mail",
        f"{server[0]} answers",
        "Observation Missing",
        "CheckFailure CheckFailure",
    ]


_CHANNELS = """
from datetime import UTC, datetime
from domain.alert import Alert, AlertNotification, AlertState
from rollcall.settings import parse
from rollcall.wiring import build
now = datetime.now(UTC)
alert = Alert("disk", AlertState.RAISED, 1, "The disk is full", "", "df -h", now)
for name, send in build(parse(SETTINGS)).services.operator.channels.items():
    send(AlertNotification(1, alert, name, now))
    print(name)
"""


def test_an_operator_channel_is_one_module(tree: Path, server: tuple[str, type[_Handler]]) -> None:
    assert apply("An operator channel", tree) == ["notifications/ntfy.py", "rollcall/plugins.py"]
    url, handler = server
    assert run(tree, _CHANNELS, NTFY_URL=f"{url}/alerts") == "ntfy\n"
    assert handler.posted == [("/alerts", b"The disk is full")]


_KINDS = """
from pathlib import Path
from domain.errors import InvalidInputError
from domain.job import NewJob, Profile
from providers.storage import Folder
from store import migrate
from store.database import Database
from store.jobs.jobs import Jobs
from tests.support.clock import FakeClock
from tests.support.memory_engine import MemoryEngine
from workflows.kinds import KINDS
from workflows.kind import JobContext
try:
    KINDS["section_list"].read({})
except InvalidInputError as error:
    print(*error.problems)
database, clock = Database("sqlite:///rollcall.db"), FakeClock()
migrate.upgrade(database)
jobs, context = Jobs(database), JobContext(clock, Folder(Path("storage")))
engine = MemoryEngine(KINDS, context, database, clock)
payload = {"term": "2261", "sections": ["12431"]}
job, _ = jobs.add(NewJob("section_list", Profile.BATCH, payload), clock.now())
engine.start(job)
engine.work()
job = jobs.get(job.id)
print(job.state, Path("storage", job.result["artifact"]).read_text().split())
"""


def test_a_job_kind_is_one_module(tree: Path) -> None:
    assert apply("A job kind", tree) == ["workflows/section_list.py", "workflows/kinds.py"]
    assert run(tree, _KINDS).splitlines() == ["term sections", "succeeded ['term,section', '2261,12431']"]


_WAITS = """
from pathlib import Path
from domain.job import NewJob, Profile, SignalName
from providers.storage import Folder
from store import migrate
from store.database import Database
from store.jobs.jobs import Jobs
from store.jobs.waits import JobWaits, Signal
from tests.support.clock import FakeClock
from tests.support.memory_engine import MemoryEngine
from workflows.kinds import KINDS
from workflows.kind import JobContext
database, clock = Database("sqlite:///rollcall.db"), FakeClock()
migrate.upgrade(database)
jobs, storage = Jobs(database), Folder(Path("storage"))
engine = MemoryEngine(KINDS, JobContext(clock, storage), database, clock)
def execute(job):
    engine.start(job)
    engine.work()
    return jobs.get(job.id)
for answer in SignalName:
    job, _ = jobs.add(NewJob("publication", Profile.BATCH, {"text": "Hello"}), clock.now())
    job = execute(job)
    print(job.state, job.waiting_for.kind, job.progress.message)
    JobWaits(database).signal(job.id, Signal("1", answer, 1), clock.now())
    job = execute(jobs.get(job.id))
    print(job.state, job.error, sorted(path.name for path in Path("storage", "jobs", job.id).glob("*.txt")))
"""


def test_a_job_that_waits_is_one_module(tree: Path) -> None:
    touched = apply("A job that waits for a person", tree)
    assert touched == ["workflows/publication.py", "workflows/kinds.py"]
    assert run(tree, _WAITS).splitlines() == [
        "waiting confirmation the draft is ready",
        "succeeded None ['draft.txt', 'published.txt']",
        "waiting confirmation the draft is ready",
        "cancelled it was rejected []",
    ]


_SETTINGS = """
from rollcall import settings_docs
from rollcall.settings import parse
from rollcall.wiring import build
print(build(parse(SETTINGS)).services.mailer.timeout_seconds)
print("RESEND_TIMEOUT_SECONDS" in settings_docs.example())
"""


def test_a_setting_is_one_field(tree: Path) -> None:
    assert apply("A setting", tree) == ["notifications/resend.py"]
    values = {
        "RESEND_API_KEY": "re_1",
        "NOTIFICATION_FROM_EMAIL": "a@example.edu",
        "RESEND_TIMEOUT_SECONDS": "7",
    }
    assert run(tree, _SETTINGS, **values) == "7\nTrue\n"


_ALERT = """
from dataclasses import replace
from observability import alert_rules
from observability.checks import findings
from store.notifications.outbox import Backlog
from tests.observability.checks.states import NOW, WELL
alert_rules.main()
for pending in (10_000, 10_001):
    found = {each.name: each for each in findings(replace(WELL, outbox=Backlog(pending, NOW, 0)))}
    print(pending, found["backlog/large"].severity.name)
print("alert: BacklogLarge" in alert_rules.RULES.read_text())
print("[BacklogLarge](#backlog-large) | warning | 15m" in alert_rules.GUIDE.read_text())
"""


def test_an_alert_is_one_check_and_one_section(tree: Path) -> None:
    for name in ("docs/operations.md", "deploy/prometheus/rollcall.rules.yml"):
        (tree / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tree / name)
    assert apply("An alert", tree) == ["observability/checks/pipeline.py", "docs/operations.md"]
    assert run(tree, _ALERT).splitlines() == ["10000 HEALTHY", "10001 DEGRADED", "True", "True"]


_ACTIONS = """
from click.testing import CliRunner
from operations.operation import execute
from operations.registry import OPERATIONS
from rollcall.cli.main import rollcall
from rollcall.settings import parse
from rollcall.wiring import build
from store import migrate
from store.schema import metadata
system = build(parse(SETTINGS))
migrate.upgrade(system.database)
(note,) = [each for each in OPERATIONS if each.name == "audit.note"]
print(execute(note, system.admin, note.input("The token changed."), "ada").message)
with system.database.read() as connection:
    (row,) = connection.execute(metadata.tables["audit"].select()).mappings()
print(row["action"], row["detail"])
print("TEXT" in CliRunner().invoke(rollcall, ["audit", "note", "--help"]).output)
"""


def test_an_operator_action_is_one_declaration(tree: Path) -> None:
    assert apply("An operator action", tree) == ["operations/notes.py", "operations/registry.py"]
    (tree / "home").mkdir()
    assert run(tree, _ACTIONS).splitlines() == [
        "Recorded.",
        "audit.note {'text': 'The token changed.'}",
        "True",
    ]
