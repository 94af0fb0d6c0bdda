"""What only a browser can tell: the content security policy lets one in, and out at both."""

import threading

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from playwright.sync_api import sync_playwright

from accounts.oidc.renewal import GRACE_SECONDS, RENEWED_AT
from tests import factories
from tests.accounts.oidc.conftest import running_provider
from tests.browser.conftest import ARGS, _chromium

pytestmark = pytest.mark.browser


@pytest.fixture
def _analysts(transactional_db):
    factories.team("analysts")


# The team first: under Playwright's loop the test would open a connection that nobody closes.
@pytest.fixture
def page(_analysts):
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=_chromium(), args=ARGS)
        opened = chromium.new_page()
        opened.set_default_timeout(10_000)
        yield opened
        chromium.close()


def test_in_by_the_provider_and_out_again(live_server, page, provider_modules, configure, tmp_path):
    with running_provider(provider_modules, tmp_path, live_server.url) as issuer:
        configure(issuer)
        page.goto(f"{live_server.url}/profile/")
        page.get_by_role("link", name="Sign in with your provider").click()
        page.locator("[name=login]").fill("nora")
        page.locator("[name=password]").fill("any")
        page.locator("[type=submit]").click()
        page.get_by_role("button", name="Continue").click()
        page.wait_for_url(f"{live_server.url}/profile/")
        page.locator("summary.rail-person").click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{issuer}/**")
        page.locator("button[value=yes]").click()
        page.wait_for_url(f"{live_server.url}/sign-in/?signed-out=1")
        assert page.get_by_text("You are signed out.").is_visible()
        page.goto(f"{live_server.url}/profile/")
        assert "/sign-in/" in page.url


def _overdue(seconds):
    """As if the provider had not been asked for so long, in every browser.

    In a thread of its own: under Playwright's loop nobody would close the connection.
    """

    def move():
        for row in Session.objects.all():
            held = SessionStore(row.session_key)
            if RENEWED_AT in held:
                held[RENEWED_AT] -= seconds
                held.save()
        connection.close()

    thread = threading.Thread(target=move)
    thread.start()
    thread.join()


@pytest.fixture
def known_to(live_server, provider_modules, configure, tmp_path):
    """A provider that knows the console here."""
    with running_provider(provider_modules, tmp_path, live_server.url) as issuer:
        configure(issuer)
        yield issuer


@pytest.mark.usefixtures("known_to")
def test_what_a_page_fetches_makes_it_renew(live_server, page, settings):
    """htmx cannot follow to the provider: the page loads anew, goes there itself, and is back."""
    site = live_server.url
    page.goto(f"{site}/agents/")
    page.get_by_role("link", name="Sign in with your provider").click()
    page.locator("[name=login]").fill("nora")
    page.locator("[name=password]").fill("any")
    page.locator("[type=submit]").click()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{site}/agents/")
    asked = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.evaluate("window.before = true")
    _overdue(settings.OIDC_RENEW_MINUTES * 60 + GRACE_SECONDS + 1)
    page.evaluate("htmx.ajax('GET', '/agents/', {target: 'main'})")
    page.wait_for_function("window.before === undefined")
    page.wait_for_url(f"{site}/agents/")
    assert page.get_by_role("heading", name="Agents").is_visible()
    assert [url for url in asked if "prompt=none" in url]
    # Out at the provider, in another tab: the next page says so.
    page.context.clear_cookies(domain="127.0.0.1")
    _overdue(settings.OIDC_RENEW_MINUTES * 60 + 1)
    page.goto(f"{site}/agents/")
    assert page.get_by_text("Your provider ended your session").is_visible()
