"""The console as a person meets it: a real browser, and a real running stack."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from playwright.sync_api import Browser, expect

from actors.dispatch import dispatch
from rollcall.embedded_valkey import redis_url
from tests.standins.scraper import TOKEN, Reply, ScraperStandin
from tests.support import browser as browsers
from tests.support.broker import add_dead_letter
from tests.support.browser import DESK, PHONE, Scheme, Tab
from tests.support.stack import API_TOKEN, Stack, stack, wait_until

pytestmark = pytest.mark.skipif(
    browsers.chromium() is None, reason="needs Chromium (apt-get install chromium)"
)

SECTION, OTHER = "12430", "12431"
RESTART_MS = 20_000  # the supervisor starts the web role again, and a page asks for it every few seconds
PATHS = (
    "/console/",
    "/console/sections",
    f"/console/sections/scraper/2261/{SECTION}",
    "/console/watches",
    "/console/watches/import",
    "/console/timeline",
    "/console/timeline/watch/1",
    "/console/runs",
    "/console/jobs",
    "/console/mail",
    "/console/mail/1",
    "/console/mail/suppressions",
    "/console/dead",
    "/console/audit",
    "/runbook/no-worker",
    "/console/nowhere",
)


@dataclass
class Scene:
    """A stack that has seen a seat open and mailed it, and a browser that is signed in to its console."""

    running: Stack
    scraper: ScraperStandin
    browser: Browser
    cookies: Any

    @property
    def url(self) -> str:
        return self.running.url("")

    def seats(self, count: int, number: str = SECTION) -> None:
        self.scraper.set_section(number, Reply(fields={"seats_available": count}))

    def check(self) -> dict[str, Any]:
        """Have every section checked; the run once it is over."""
        triggered = self.running.post("/cron/section-checks?stagger=all&force=1").json()
        wait_until(lambda: self._run(triggered["run_id"])["state"] == "finished", "the run finished")
        return self._run(triggered["run_id"])

    def add_dead_letter(self) -> None:
        """Let a message be dead that would do no harm if it lived."""
        with redis.Redis.from_url(redis_url(self.running.home)) as client:
            add_dead_letter(client, "dramatiq", dispatch.message("0" * 32))

    def _run(self, run_id: str) -> dict[str, Any]:
        return dict(self.running.get(f"/cron/runs/{run_id}").json())


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    home = tmp_path_factory.mktemp("console") / "home"
    with ScraperStandin() as scraper:
        settings = {
            "SCRAPER_URL": scraper.url,
            "SCRAPER_SECRET_TOKEN": TOKEN,
            "SCHEDULER": "off",
            "RENOTIFY_COOLDOWN_SECONDS": "0",
        }
        with stack(home, settings) as running, browsers.browsing() as browser:
            found = Scene(running, scraper, browser, _cookies(browser, running))
            _live_a_little(found, home)
            yield found


@pytest.fixture
def store(scene: Scene) -> Iterator[Tab]:
    with browsers.tab(scene.browser, scene.url, cookies=scene.cookies) as found:
        yield found
        assert found.complaints == []


def _cookies(browser: Browser, running: Stack) -> Any:
    with browsers.tab(browser, running.url("")) as found:
        found.sign_in(API_TOKEN)
        return found.page.context.storage_state()


def _live_a_little(scene: Scene, home: Path) -> None:
    for number in (SECTION, OTHER):
        body = f'{{"email":"ada@example.edu","term":"2261","section":"{number}"}}'.encode()
        assert scene.running.post("/watches", body, "application/json").status_code == 201
        scene.seats(0, number)
    scene.check()
    scene.seats(3)
    assert scene.check()["changed"] == 1
    wait_until(lambda: any((home / "outbox").glob("*.eml")), "a mail in the outbox")


def test_a_wrong_token_is_refused_and_the_right_one_lets_in_and_out(scene: Scene) -> None:
    with browsers.tab(scene.browser, scene.url) as found:
        page = found.page
        found.open("/console/runs")
        expect(page).to_have_url(f"{scene.url}/console/sign-in?next=/console/runs")
        expect(page.get_by_label("API token")).to_be_focused()
        page.keyboard.type("not the token")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("The token is not valid.")
        page.get_by_label("API token").fill(API_TOKEN)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{scene.url}/console/runs")
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(f"{scene.url}/console/sign-in")


def test_an_opening_shows_on_the_open_page_by_itself(scene: Scene, store: Tab) -> None:
    store.open("/console/")
    runs = store.page.locator("#runs")
    expect(store.page.get_by_text("Live.")).to_be_visible()
    scene.seats(0)
    scene.check()
    store.page.evaluate("window.isSamePage = true")
    scene.seats(2)
    found = scene.check()
    expect(runs.get_by_text("2 checked, 1 changed")).to_be_visible()
    expect(runs.locator(f'a[href$="{found["run_id"]}"]')).to_be_visible()
    assert store.page.evaluate("window.isSamePage") is True


def test_a_page_that_lost_the_server_says_so_and_goes_on_when_it_is_back(scene: Scene) -> None:
    with browsers.tab(scene.browser, scene.url, cookies=scene.cookies) as found:
        page = found.page
        found.open("/console/")
        expect(page.get_by_text("Live.")).to_be_visible()
        said = page.locator("h1").inner_text()
        scene.running.role("web").kill()
        expect(page.locator("h1")).to_contain_text("Unknown: the connection to the server is lost.")
        expect(page.locator("#verdict li.unknown")).to_have_count(3)
        expect(page.get_by_role("status")).to_contain_text("Unknown: the connection to the server is lost.")
        assert found.violations() == []
        expect(page.locator("h1")).to_have_text(said, timeout=RESTART_MS)
        expect(page.locator("body")).not_to_have_class("stale")


def test_a_page_does_not_trust_a_server_that_has_fallen_silent(scene: Scene) -> None:
    with browsers.tab(scene.browser, scene.url, cookies=scene.cookies) as found:
        page = found.page
        page.clock.install()
        found.open("/console/")
        expect(page.get_by_text("Live.")).to_be_visible()
        web = scene.running.role("web")
        web.suspend()
        try:
            page.clock.fast_forward(60_000)
            expect(page.locator("h1")).to_contain_text("Unknown: the connection to the server is lost.")
        finally:
            web.resume()
        expect(page.locator("h1")).not_to_contain_text("Unknown: this page")


def test_a_page_whose_session_has_ended_leads_to_the_sign_in_and_back(scene: Scene) -> None:
    with browsers.tab(scene.browser, scene.url, cookies=scene.cookies) as found:
        page = found.page
        found.open("/console/#content")
        expect(page.get_by_text("Live.")).to_be_visible()
        page.context.clear_cookies()
        scene.running.role(
            "web"
        ).kill()  # its streams end with it, and another is asked for without a session
        expect(page).to_have_url(re.compile(r"/console/sign-in\?next=/console/"), timeout=RESTART_MS)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "windows-1252"]
)
def test_a_chosen_file_is_read_in_the_encoding_that_it_has(store: Tab, tmp_path: Path, encoding: str) -> None:
    sheet = tmp_path / "watches.csv"
    text = f"email;term;section\nada@b\u00fccher.example;2261;{OTHER}\n"
    sheet.write_bytes(text.encode(encoding))
    store.open("/console/watches/import")
    store.page.get_by_label("File").set_input_files(sheet)
    expect(store.page.get_by_label("CSV content")).to_have_value(text)


def test_a_chosen_file_fills_the_sheet(store: Tab, tmp_path: Path) -> None:
    sheet = tmp_path / "watches.csv"
    lines = (f"somebody-{number}@example.edu,,2261,{OTHER}" for number in range(2000))
    sheet.write_text("\n".join(("\ufeffemail,source,term,section", *lines)), encoding="utf-8")
    store.open("/console/watches/import")
    store.page.get_by_label("File").set_input_files(sheet)
    expect(store.page.get_by_label("CSV content")).to_have_value(re.compile("somebody-1999"))
    store.page.get_by_role("button", name="Preview…").click()
    expect(store.page.get_by_role("dialog")).to_contain_text(re.compile("2.000 lines are watches"))


def test_a_breaker_is_held_open_and_reset_with_the_keyboard_alone(store: Tab) -> None:
    store.open("/console/")
    page, mail = store.page, store.page.locator("#breakers tr", has_text="mail")
    mail.get_by_role("button", name="Open…").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Force open the breaker mail?")
    expect(dialog.get_by_text("It refuses every request")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(mail.get_by_role("button", name="Open…")).to_be_focused()

    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Force open")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The breaker mail is forced open.")).to_be_visible()
    expect(page.locator("h1")).to_contain_text("the breaker of mail is held open")

    mail.get_by_role("button", name="Reset…").focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Reset").press("Enter")
    expect(page.get_by_text("The breaker mail is reset.")).to_be_visible()
    expect(mail.get_by_text("closed", exact=True)).to_be_visible()


def test_the_first_tab_skips_to_the_content_and_what_has_the_focus_shows_it(store: Tab) -> None:
    store.open("/console/")
    page = store.page
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    for _ in range(4):
        page.keyboard.press("Tab")
        width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert width not in ("", "0px"), page.evaluate("document.activeElement.outerHTML")
        assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_dead_letters_are_counted_retried_and_gone(scene: Scene, store: Tab) -> None:
    scene.add_dead_letter()
    store.open("/console/dead")
    page = store.page
    page.get_by_role("button", name="Retry").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1")
    dialog.get_by_role("button", name="Retry").click()
    expect(page.locator(".said")).to_be_visible()
    wait_until(lambda: _dead(scene) == 0, "no dead letter left")


def _dead(scene: Scene) -> int:
    queues = scene.running.get("/health").json()["checks"]["queues"]
    return sum(int(reading["dead"]) for reading in queues.values())


def test_a_watch_reports_the_result_of_it(store: Tab) -> None:
    store.open("/console/timeline/watch/1")
    story = store.page.locator("main").inner_text().lower()
    assert "ada@example.edu" in story
    assert all(word in story for word in ("seen", "queued", "sent")), story


def test_everything_can_be_done_without_a_script(scene: Scene) -> None:
    with browsers.tab(scene.browser, scene.url, has_script=False, cookies=scene.cookies) as found:
        page = found.page
        found.open("/console/")
        page.locator("#mail").get_by_role("button", name="Pause all…").click()
        expect(page.get_by_role("heading", name="Pause all mail?")).to_be_visible()
        page.get_by_label("For").select_option("4 hours")
        page.get_by_label("Why").fill("a test")
        page.get_by_role("button", name="Pause all mail").click()
        expect(page.locator(".said")).to_contain_text("Paused all mail")
        expect(page.locator("#mail")).to_contain_text("a test")
        page.locator("#mail").get_by_role("button", name="Resume…").click()
        page.get_by_role("button", name="Resume all mail").click()
        expect(page.locator(".said")).to_have_text("Resumed all mail.")


def test_a_chosen_theme_beats_the_system_s(store: Tab) -> None:
    store.open("/console/runs")
    light = _background(store)
    store.page.get_by_role("button", name="dark").click()
    expect(store.page.get_by_role("button", name="dark")).to_have_attribute("aria-pressed", "true")
    assert _background(store) != light


def _background(found: Tab) -> str:
    return str(found.page.evaluate("getComputedStyle(document.body).backgroundColor"))


@pytest.mark.parametrize(("scheme", "rules"), [("light", ()), ("dark", ("color-contrast",))])
def test_no_page_shuts_anyone_out(scene: Scene, scheme: Scheme, rules: tuple[str, ...]) -> None:
    # In the dark nothing but the colours is another.
    scene.add_dead_letter()
    found = {}
    with browsers.tab(scene.browser, scene.url, scheme=scheme) as stranger:
        stranger.open("/console/sign-in")
        found["/console/sign-in"] = stranger.violations(*rules)
    with browsers.tab(scene.browser, scene.url, scheme=scheme, cookies=scene.cookies) as guest:
        for path in PATHS:
            guest.open(path)
            found[path] = guest.violations(*rules)
        guest.open("/console/")
        guest.page.locator("#mail").get_by_role("button", name="Pause all…").click()
        guest.page.get_by_role("dialog").wait_for()
        found["a question"] = guest.violations(*rules)
    assert {path: problems for path, problems in found.items() if problems} == {}


def test_every_page_fits_a_phone(scene: Scene) -> None:
    scene.add_dead_letter()
    with browsers.tab(scene.browser, scene.url, size=PHONE, cookies=scene.cookies) as phone:
        overflow = {}
        for path in PATHS:
            phone.open(path)
            overflow[path] = phone.overflow_px()
    assert {path: px for path, px in overflow.items() if px > 0} == {}


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_no_button_is_clipped_beside_a_long_address(scene: Scene, size: tuple[int, int]) -> None:
    address = "a.rather.long.address.of.a.student@students.example-university.edu"
    watch = {
        "email": address,
        "term": "2261",
        "section": OTHER,
        "kinds": ["seat_available", "section_retired"],
    }
    found = scene.running.post("/watches", json.dumps(watch).encode(), "application/json").json()
    scene.running.post(f"/watches/{found['id']}/pause", b'{"for":"7d"}', "application/json")
    with browsers.tab(scene.browser, scene.url, size=size, cookies=scene.cookies) as window:
        clipped = {}
        for path in PATHS[:-1]:
            window.open(path)
            clipped[path] = window.clipped()
    assert {path: buttons for path, buttons in clipped.items() if buttons} == {}


def test_no_page_asks_for_what_its_policy_forbids(store: Tab) -> None:
    for path in PATHS[:-1]:
        store.open(path)
        assert store.complaints == [], path
