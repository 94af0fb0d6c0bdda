"""Every page in a browser, under the policy that it is sent with: nothing is refused by it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from playwright.sync_api import Browser, Error, Page

from connections.views.registration import STEPS
from tests import factories
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


# Each leads on to a page that is opened by itself.
LEADS_ON = {
    "accounts:sign-in",
    "connections:policy",
    "connections:sampling",
    "connections:setup",
    "connections:test",
}
# Providers are not set up here: tests of signing in go through these with real ones.
NOT_HERE = ("accounts:saml-", "oidc_")
# Where something is shown once: who sends which form from where.
SHOWN_ONCE = {
    "developer": ["accounts:token-new", "accounts:token-rotate"],
    "keeper": ["accounts:directory-token-new", "accounts:directory-token-rotate"],
}


def path_of(world: World, caller: Caller, route) -> str:
    return route.filled(
        {name: world.value(world.here, caller, route.name, name) for name in route.arguments}
    )


def prepared(request):
    """Who opens which addresses, and sends the forms of which: those that Django shows."""
    try:
        world = World(request.getfixturevalue("warehouse"))
        # A registration is gone through before it is confirmed; afterwards its steps lead away.
        factories.connection("draft", confirmed=False)
        named = {each.name: each for each in [world.keeper, *world.callers]}
        routes = [each for each in pages() if not each.path.startswith(NOT_PAGES)]
        found, unseen = [], {each.name for each in routes} - LEADS_ON
        for name, only in (("keeper", "/"), ("developer", "/agents/"), ("anonymous", "/sign-in/")):
            caller, paths, forms = named[name], [], []
            for route in routes:
                if not route.path.startswith(only):
                    continue
                path = path_of(world, caller, route)
                answer = asking.page(caller, "GET", path, None)
                if answer in {"200", "403", "404"}:
                    paths.append(path)
                if answer in {"200", "405"} or route.name.startswith(NOT_HERE):
                    unseen.discard(route.name)
                if route.name in SHOWN_ONCE.get(name, ()):
                    forms.append(path)
            found.append((caller, paths, forms))
        found[0][1].extend(f"/connections/draft/setup/{step}/" for step in STEPS)
        unseen.discard("connections:setup-step")
        found[-1][1].append("/sign-in/?ended=idle")
        found.append((named["stranger"], ["/"], []))
        return found, unseen
    finally:
        connections.close_all()


def test_no_page_breaks_the_policy(browser, live_server, request, settings, tmp_path):
    settings.CHECKPOINT_DIR = tmp_path
    # In a thread of its own: the browser's loop runs in this one, and warehouses need their own.
    with ThreadPoolExecutor(1) as apart:
        asked, unseen = apart.submit(prepared, request).result()
    assert not unseen, "nobody opens these"
    wrong, opened = [], 0
    for caller, paths, forms in asked:
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
            opened += 1
            if "/setup/" in path:
                assert page.url.endswith(path), "a step of a registration leads away"
            said += page.evaluate("window.violations ?? []")
            wrong += [f"{path}: {each}" for each in said]
            said.clear()
        for path in forms:
            page.goto(f"{live_server.url}{path}")
            if "new" in path:
                page.get_by_label("Used for").fill("policy")
            page.locator("form[data-dirty] button[type=submit]").click()
            page.get_by_text("Copy the token now").wait_for()
            said += page.evaluate("window.violations")
            wrong += [f"{path} sent: {each}" for each in said]
            said.clear()
        page.context.close()
    assert not wrong
    assert opened > 80
