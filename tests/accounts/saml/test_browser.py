"""What only a browser can tell: cookies and the content security policy let one in, and out."""

import pytest
from playwright.sync_api import sync_playwright

from tests import factories
from tests.accounts.saml.conftest import running_saml
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


@pytest.fixture
def place(live_server, provider_modules, keys, configure, tmp_path):
    with running_saml(provider_modules, tmp_path, live_server.url, keys) as found:
        configure(found, live_server.url)
        yield found


def test_in_by_the_provider_and_out_again(live_server, page, place):
    """The provider is at another site (127.0.0.1 is not localhost): its form comes cookieless."""
    site = live_server.url
    page.goto(f"{site}/profile/")
    page.get_by_role("link", name="Sign in with your provider").click()
    page.locator("[name=login]").fill("nora")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{place}/login")
    page.on("request", lambda sent: posted.append(sent.all_headers()))
    posted = []
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{site}/profile/")
    assert "sessionid" not in posted[0].get("cookie", "")
    assert page.get_by_role("heading", name="Nora").is_visible()
    page.locator("summary.rail-person").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{site}/sign-in/?signed-out=1")
    assert page.get_by_text("You are signed out.").is_visible()
