from __future__ import annotations

import re
import subprocess
import sys

import httpx
import pytest

from tests.ingress.console.visitor import stranger, words
from tests.ingress.site import Site, Stage
from tests.ingress.site import site as serving
from tests.support.harness import Harness


def test_the_browser_may_load_and_run_only_what_is_ours(guest: httpx.Client) -> None:
    for path in ("/console/", "/console/runs", "/console/nowhere"):
        headers = guest.get(path).headers
        policy = dict(
            part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"


def test_no_page_has_style_or_script_within(guest: httpx.Client) -> None:
    for path in ("/console/", "/console/runs"):
        text = guest.get(path).text
        assert not re.search(r'<style|<script(?! src="/console/static/)|\sstyle=|\son[a-z]+=', text)


def test_production_is_marked_and_its_name_is_left_out_of_titles(stage: Stage, rollcall: Harness) -> None:
    for environment, mark, title in (
        ("production", "badge production", "Sign in · Rollcall"),
        ("staging", "badge", "Sign in · Rollcall staging"),
    ):
        with serving(stage, rollcall, environment=environment) as site, stranger(site) as client:
            text = client.get("/console/sign-in").text
        assert f'<span class="{mark}">{environment}</span>' in text
        assert f"<title>{title}</title>" in text


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_theme_is_chosen_without_a_script_and_lasts(guest: httpx.Client, theme: str) -> None:
    assert "data-theme" not in guest.get("/console/runs").text
    chosen = guest.post("/console/theme", data={"theme": theme, "back": "/console/runs"})
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/console/runs")
    assert f'<html lang="en" data-theme="{theme}">' in guest.get("/console/runs").text
    guest.post("/console/theme", data={"theme": "auto", "back": "/console/runs"})
    assert "data-theme" not in guest.get("/console/runs").text


def test_a_theme_that_is_none_is_refused(guest: httpx.Client) -> None:
    assert guest.post("/console/theme", data={"theme": "pink", "back": "/console/"}).status_code == 422
    guest.cookies.set("rollcall_theme", '"><script>', path="/console")
    assert "data-theme" not in guest.get("/console/runs").text


def test_a_forged_sentence_is_not_said(guest: httpx.Client) -> None:
    guest.cookies.set("rollcall_flash", "WW91ciBzZXNzaW9uIGhhcyBleHBpcmVk.AAAA", path="/console")
    assert 'class="said"' not in guest.get("/console/runs").text


def test_a_stranger_s_pages_offer_no_navigation(site: Site) -> None:
    with stranger(site) as client:
        assert "Runs" not in words(client.get("/console/sign-in"))


def test_the_bare_address_leads_to_the_first_page(guest: httpx.Client) -> None:
    assert guest.get("/console").headers["location"] == "/console/"


def test_head_is_answered_as_get_is(guest: httpx.Client) -> None:
    answer = guest.head("/console/runs")
    assert (answer.status_code, answer.content) == (200, b"")


def test_who_serves_no_page_has_no_template_engine_in_memory() -> None:
    asked = "import rollcall.roles.web, sys; print('jinja2' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
