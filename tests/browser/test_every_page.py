"""Every page in a browser, under the policy that it is sent with: nothing is refused by it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from playwright.sync_api import Browser, Error, Page

from tests.access import asking
from tests.access.routes import pages
from tests.access.world import Caller, World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
});
"""
# Programs ask these.
NOT_PAGES = ("/api/v1/", "/api/schema/", "/api/no-such-thing", "/scim/", "/healthz", "/readyz")


def signed_in(browser: Browser, url: str, caller: Caller) -> Page:
    context = browser.new_context()
    context.add_cookies(
        [{"name": c.key, "value": c.value, "url": url} for c in caller.client.cookies.values()]
    )
    context.add_init_script(WATCH)
    return context.new_page()


def prepared(request):
    """Who opens which addresses: those that Django answers to a GET."""
    try:
        world = World(request.getfixturevalue("warehouse"))
        named = {each.name: each for each in world.callers}
        found = []
        for caller, only in (
            (world.keeper, "/"),
            (named["developer"], "/agents/"),
            (named["anonymous"], "/sign-in/"),
        ):
            paths = []
            for route in pages():
                if not route.path.startswith(only) or route.path.startswith(NOT_PAGES):
                    continue
                values = {
                    name: world.value(world.here, caller, route.name, name)
                    for name in route.arguments
                }
                path = route.filled(values)
                if asking.page(caller, "GET", path, None) in {"200", "403", "404"}:
                    paths.append(path)
            found.append((caller, paths))
        return found
    finally:
        connections.close_all()


def test_no_page_breaks_the_policy(browser, live_server, request, settings, tmp_path):
    settings.CHECKPOINT_DIR = tmp_path
    # In a thread of its own: the browser's loop runs in this one, and warehouses need their own.
    with ThreadPoolExecutor(1) as apart:
        asked = apart.submit(prepared, request).result()
    wrong = []
    for caller, paths in asked:
        page = signed_in(browser, live_server.url, caller)
        said: list[str] = []
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.on(
            "console",
            lambda line, said=said: (
                said.append(line.text) if "Content Security Policy" in line.text else None
            ),
        )
        for path in paths:
            try:
                page.goto(f"{live_server.url}{path}", wait_until="load")
            except Error as error:
                if "Download is starting" not in str(error):
                    raise
                continue
            said += page.evaluate("window.violations ?? []")
            wrong += [f"{path}: {each}" for each in said]
            said.clear()
        page.context.close()
    assert not wrong
    assert sum(len(paths) for _, paths in asked) > 50
