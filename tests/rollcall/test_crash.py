"""Workers killed in the middle of their work: nothing is lost, nothing comes twice."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from tests.standins.resend import ResendStandIn
from tests.standins.scraper import TOKEN, Reply, ScraperStandin
from tests.support import rabbitmq
from tests.support.stack import Stack, stack, wait_until

SECTIONS = [str(number) for number in range(20_000, 20_120)]
# As many of a batch as no mass change is: more would be asked for again after a minute.
OPENING = SECTIONS[::3]
FULL, OPEN = (
    Reply(fields={"seats_available": 0, "non_reserved_seats": None}),
    Reply(fields={"seats_available": 2, "non_reserved_seats": None}),
)


def settings(scraper: ScraperStandin, resend: ResendStandIn) -> dict[str, str]:
    return {
        "SCRAPER_URL": scraper.url,
        "SCRAPER_SECRET_TOKEN": TOKEN,
        "SCRAPER_REQUESTS_PER_MINUTE": "0",
        "RESEND_API_URL": resend.url,
        "RESEND_API_KEY": "re_test",
        "NOTIFICATION_FROM_EMAIL": "Rollcall <rollcall@example.edu>",
        "SCHEDULER": "off",
    }


def finish(running: Stack) -> dict[str, object]:
    """Trigger a run of all sections and wait until it ends."""
    run_id = start(running)
    wait_until(lambda: state(running, run_id)["state"] == "finished", "a finished run", seconds=90)
    return state(running, run_id)


def start(running: Stack) -> str:
    answer = running.post("/cron/section-checks?stagger=all&force=1")
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


def state(running: Stack, run_id: str) -> dict[str, object]:
    found: dict[str, object] = running.get(f"/cron/runs/{run_id}").json()
    return found


def test_a_worker_killed_in_the_middle_of_a_run_is_compensated_within_seconds(tmp_path: Path) -> None:
    kill_in_mid_run(tmp_path)


def test_with_rabbitmq_as_well(tmp_path: Path) -> None:
    with rabbitmq.running(rabbitmq.require_server()) as url:
        kill_in_mid_run(tmp_path, BROKER_URL=url)


def kill_in_mid_run(tmp_path: Path, **more: str) -> None:
    with ScraperStandin() as scraper, ResendStandIn() as resend:
        scraper.set_default(FULL)
        with stack(tmp_path / "home", settings(scraper, resend) | more) as running:
            lines = ["email,source,term,section", *(f"ada@example.edu,,2261,{number}" for number in SECTIONS)]
            content = "\n".join(lines).encode()
            imported = running.post("/watches/import", content=content, type="text/csv")
            assert imported.json()["created"] == len(SECTIONS)
            assert finish(running)["checked"] == len(SECTIONS)

            for number in OPENING:
                scraper.set_section(number, OPEN)
            scraper.latency_ms = 300
            asked = scraper.stats.requests
            run_id = start(running)
            wait_until(lambda: scraper.stats.requests >= asked + 30, "the run is under way")
            running.role("worker").kill()
            killed_at = time.monotonic()
            wait_until(lambda: state(running, run_id)["state"] == "finished", "a finished run", seconds=60)
            assert time.monotonic() - killed_at < 45
            ended = state(running, run_id)
            assert (ended["checked"], ended["failed"]) == (len(SECTIONS), 0)
            wait_until(lambda: len(resend.mails) >= len(OPENING), "every mail")
            wait_until(
                lambda: running.get("/health").json()["checks"]["outbox"]["pending"] == 0, "an empty outbox"
            )
    events = Counter(mail["headers"]["X-Rollcall-Event"] for mail in resend.mails)
    assert set(events.values()) == {1}
    assert len(events) == len(OPENING)
