"""A running product and a real browser in front of it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests import factories
from tests.stack import Stack

ARGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("browser")) as running:
        yield running


def _chromium() -> str | None:
    """The machine's own browser; None lets Playwright use the one that it installed."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    return None


# For one module: while Playwright's loop runs, nobody else can start one in this thread.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=_chromium(), args=ARGS)
        yield found
        found.close()


Open = Callable[..., Page]


@pytest.fixture
def open_as(browser: Browser, stack: Stack) -> Iterator[Open]:
    """``open_as("rita")`` is a signed-in page; what the browser complains of fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        # A refused form and a server that a test took away are no faults of the page.
        expected = ("status of 4", "WebSocket connection", "net::ERR_")
        if message.type == "error" and not any(e in message.text for e in expected):
            complaints.append(message.text)

    def opened(name: str, path: str = "/", **options: object) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", heard)
        page.goto(f"{stack.url}/sign-in/?next={path}")
        page.get_by_label("User name or e-mail").fill(name)
        page.get_by_label("Password").fill(factories.PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{stack.url}{path}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return tmp_path
