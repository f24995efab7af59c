"""A real browser without a window, and pages in it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Set where a browser must be there: its absence is then a failure.
REQUIRED = "AUTOPORT_REQUIRE_BROWSER"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium; the test is skipped where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        message = "no chromium on the PATH"
        if os.environ.get(REQUIRED):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Opened:
    """A page that was loaded from a file, and what went wrong in it.

    Attributes:
        page: the page.
        complaints: errors and warnings on the console, and requests for anything.
    """

    def __init__(self, browser: Browser, place: Path, **options: str) -> None:
        self.page: Page = browser.new_page(viewport={"width": 1440, "height": 900}, **options)  # type: ignore[arg-type]
        self.complaints: list[str] = []
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda r: None if r.url.startswith("file:") else self.complaints.append(r.url))
        self.page.goto(place.as_uri())
        self.page.wait_for_selector("html[data-ready]")

    @property
    def first_paint(self) -> float:
        """Seconds from opening the page until something of it is seen."""
        entries = "performance.getEntriesByName('first-contentful-paint').map(entry => entry.startTime)"
        self.wait_for(f"{entries}.length > 0")
        return float(self.page.evaluate(entries)[0]) / 1000

    def wait_for(self, condition: str, seconds: float = 30) -> None:
        """Waits until something is true; asked from here, because the page forbids scripts that are not its own."""
        deadline = time.monotonic() + seconds
        while not self.page.evaluate(condition):
            assert time.monotonic() < deadline, condition
            self.page.wait_for_timeout(20)

    def press(self, *keys: str) -> None:
        """Types keys."""
        for key in keys:
            self.page.keyboard.press(key)

    def titles(self, side: str) -> list[str]:
        """Titles of the boxes that are drawn on a side, from top to bottom."""
        boxes = self.page.locator(f'[data-side="{side}"] .head')
        found = boxes.evaluate_all(
            "heads => heads.map(head => [head.getBoundingClientRect().top, head.querySelector('.name').textContent])"
        )
        return [title for _, title in sorted(found, key=lambda entry: float(entry[0]))]

    def selected(self) -> list[str]:
        """Titles of what is selected, on both sides."""
        return self.page.locator(".selected > .head .name").all_text_contents()

    def details(self) -> str:
        """What the column at the side says."""
        return str(self.page.locator("#details").inner_text())

    def head(self, side: str, title: str) -> str:
        """A selector of a box."""
        return f'[data-side="{side}"] .head:has(.name:text-is("{title}"))'
