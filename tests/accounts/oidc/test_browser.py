"""What only a browser can tell: the content security policy lets one in, and out at both."""

import pytest
from playwright.sync_api import sync_playwright

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
