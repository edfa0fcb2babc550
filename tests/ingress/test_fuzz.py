from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingress.site import API, CRON, Site, Stage
from tests.ingress.site import site as on
from tests.support.harness import harness, sqlite_url

TEXTS = st.text(max_size=20) | st.sampled_from(
    ["ada@example.edu", "2261", "12431", "scraper", "\ud800", "\0"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["email", "term", "section", "source", "kinds", "min_seats", "state", "cursor"])
CELLS = st.sampled_from(['"', ",", "\n", "\r", "email", "term", "\0", "\ufeff", "é"]) | TEXTS
LINES = st.lists(CELLS, max_size=12).map("".join)
PATHS = (
    *("/watches", "/notifications", "/cron/section-checks", "/cron/runs", "/sections/scraper/2261/1"),
    *("/sections", "/", "/docs"),
    *("/unsubscribe", "/health", "/metrics"),
)
BODIES = (
    ("/watches", "application/json"),
    ("/watches/import", "text/csv"),
    ("/watches/1/pause", "application/json"),
    ("/watches/1/resume", "application/json"),
    ("/unsubscribe", "multipart/form-data"),
    ("/webhooks/resend", "application/json"),
)
KINDS = st.sampled_from(["email.bounced", "email.delivered", "email.complained", "contact.created"])
MOMENTS = st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()) | TEXTS
DATA = st.fixed_dictionaries(
    {"email_id": TEXTS, "to": st.lists(TEXTS, max_size=2) | VALUES},
    optional={"bounce": VALUES, "complained": VALUES},
)
EVENTS = st.fixed_dictionaries({"type": KINDS | TEXTS, "created_at": MOMENTS, "data": DATA | VALUES})
quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _quoted(part: str | bytes) -> str:
    return quote(part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass"), safe="")


PAIRS = st.lists(st.tuples(NAMES | st.text(max_size=5), st.text(max_size=20)), max_size=4)
QUERIES = st.binary(max_size=20).map(quote) | PAIRS.map(
    lambda pairs: "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)
)


@pytest.fixture(scope="module")
def steady_site(
    stage: Stage, empty_database: Path, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("fuzz") / "rollcall"
    shutil.copytree(empty_database, folder)
    with (
        redis.Redis.from_url(redis_url) as client,
        harness(sqlite_url(folder), client, f"test-{folder.parent.name}-fuzz") as found,
        on(stage, found) as site,
    ):
        yield site


@quick
@given(body=st.dictionaries(NAMES | TEXTS, VALUES, max_size=6) | VALUES)
def test_no_json_body_breaks_it(steady_site: Site, body: object) -> None:
    answer = steady_site.client.post(
        "/watches", content=json.dumps(body), headers=API | {"Content-Type": "application/json"}
    )
    assert answer.status_code < 500, answer.text


@quick
@given(body=st.binary(max_size=200), target=st.sampled_from(BODIES))
def test_no_bytes_break_it(steady_site: Site, body: bytes, target: tuple[str, str]) -> None:
    path, kind = target
    answer = steady_site.client.post(path, content=body, headers=API | {"Content-Type": kind})
    assert answer.status_code < 500, answer.text


@quick
@given(event_id=st.text(alphabet="abc", min_size=1, max_size=3), event=EVENTS)
def test_no_signed_event_breaks_it(steady_site: Site, event_id: str, event: dict[str, object]) -> None:
    assert steady_site.event(event_id, event).status_code in (200, 422)


@quick
@given(lines=LINES)
def test_no_csv_text_breaks_it(steady_site: Site, lines: str) -> None:
    text = f"email,source,term,section,kinds,min_seats\n{lines}".encode("utf-8", "surrogatepass")
    assert steady_site.upload(text).status_code < 500


@quick
@given(query=QUERIES, path=st.sampled_from(PATHS))
def test_no_query_breaks_it(steady_site: Site, query: str, path: str) -> None:
    answer = steady_site.client.get(f"{path}?{query}", headers=CRON if path.startswith("/cron") else API)
    assert answer.status_code < 500, answer.text


@quick
@given(
    parts=st.lists(st.text(max_size=10) | st.binary(max_size=6), min_size=1, max_size=4),
    start=st.sampled_from(["watches", "cron/runs", "sections", "sections/scraper/2261"]),
    method=st.sampled_from(["GET", "DELETE"]),
)
def test_no_path_breaks_it(steady_site: Site, parts: list[str | bytes], start: str, method: str) -> None:
    tail = "/".join(map(_quoted, parts))
    answer = steady_site.client.request(method, f"/{start}/{tail}", headers=API)
    assert answer.status_code < 500, answer.text
