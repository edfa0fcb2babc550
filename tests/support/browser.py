"""A real browser for the console: the system's Chromium, without a window."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

Scheme = Literal["light", "dark"]
DESK, PHONE = (1280, 900), (380, 800)
_CLIPPED = """() => {
  const isOutside = (inner, left, right) => inner.right > right + 1 || inner.left < left - 1;
  const isClipped = (element) => {
    const place = element.getBoundingClientRect();
    if (!place.width) return false;
    for (let outer = element.parentElement; outer; outer = outer.parentElement) {
      const around = outer.getBoundingClientRect();
      const hides = getComputedStyle(outer).overflowX !== "visible";
      if (hides && isOutside(place, around.left, around.right)) return true;
    }
    return isOutside(place, 0, innerWidth);
  };
  const found = document.querySelectorAll("button, a.button, input:not([type=hidden]), select, textarea");
  return [...found].filter(isClipped).map((element) => element.textContent || element.name);
}"""
_GRAVE = {"serious", "critical"}


def chromium() -> str | None:
    """Where Chromium is, if it is installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def browsing() -> Iterator[Browser]:
    """A running browser."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium())
        try:
            yield found
        finally:
            found.close()


@dataclass
class Tab:
    """One page of a browser of its own; `complaints` is what the browser itself had to say of it."""

    page: Page
    base_url: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Go to `path` of the console, and wait for its script."""
        self.page.goto(self.base_url + path, wait_until="load")

    def sign_in(self, token: str) -> None:
        self.open("/console/sign-in")
        self.page.get_by_label("API token").fill(token)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self.base_url}/console/")

    def violations(self, *rules: str) -> list[str]:
        """What axe finds serious or critical on this page, by `rules` or by all of its own."""
        options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
        found: list[dict[str, Any]] = Axe().run(self.page, options=options).response["violations"]
        return [
            f"{each['id']}: {node['html'][:120]}"
            for each in found
            if each["impact"] in _GRAVE
            for node in each["nodes"]
        ]

    def clipped(self) -> list[str]:
        """What can be pressed or filled in and lies, in part, outside the window or what scrolls in it."""
        return list(self.page.evaluate(_CLIPPED))

    def overflow_px(self) -> int:
        """By how much the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@contextmanager
def tab(
    browser: Browser,
    base_url: str,
    *,
    size: tuple[int, int] = DESK,
    scheme: Scheme = "light",
    has_script: bool = True,
    cookies: Any = None,
) -> Iterator[Tab]:
    """A tab of a new profile, with `cookies` in it."""
    context: BrowserContext = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        java_script_enabled=has_script,
        reduced_motion="reduce",
        storage_state=cookies,
    )
    found = Tab(context.new_page(), base_url)
    found.page.set_default_timeout(20_000)
    found.page.on(
        "console", lambda said: found.complaints.append(said.text) if said.type == "error" else None
    )
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    try:
        yield found
    finally:
        context.close()
