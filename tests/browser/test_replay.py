"""The replay in a browser: stepped through, followed live, read without a script, taken away."""

import re
import zipfile

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
READ = "SELECT CONTACT_ID, EMAIL FROM SHOP.CRM.CONTACTS ORDER BY CONTACT_ID"
PROMPT = "Which contacts may we write to?"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def session(stack) -> str:
    """A session of the agent with a masked read and a denied unload; its id."""
    answer = stack.submit(READ, prompt=PROMPT, wait=30)
    assert answer["state"] == "succeeded", answer
    stack.submit("COPY INTO @~/contacts FROM SHOP.CRM.CONTACTS", wait=30)
    (row,) = stack.rows("SELECT session_id FROM gateway_statement WHERE id = %s", answer["id"])
    return str(row[0])


def current(page: Page) -> str:
    return page.locator("[data-step][aria-current=step]").get_attribute("id") or ""


def test_keys_buttons_and_the_address_name_a_step(stack, session, open_as):
    page = open_as("otto", f"/sessions/{session}/")
    steps = page.locator("[data-step]").count()
    assert current(page) == "step-1"
    page.keyboard.press("ArrowRight")
    assert current(page) == "step-2"
    expect(page).to_have_url(re.compile("#step-2$"))
    page.keyboard.press("End")
    assert current(page) == f"step-{steps}"
    page.keyboard.press("Home")
    page.get_by_role("button", name="Step on").click()
    assert current(page) == "step-2"
    # What became of a statement leads to its step.
    page.locator(".outline a").first.click()
    said = page.locator("[data-step][aria-current=step]")
    expect(said).to_contain_text("Statement 1")
    # A moment of a recording can be sent to someone.
    page.goto(f"{stack.url}/sessions/{session}/#step-4")
    page.reload()
    assert current(page) == "step-4"


def test_it_plays_and_pauses(session, open_as):
    page = open_as("otto", f"/sessions/{session}/")
    page.get_by_label("Speed").select_option("4")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#step-3[aria-current=step]")).to_be_visible(timeout=10_000)
    page.get_by_role("button", name="Pause").click()
    stood = current(page)
    page.wait_for_timeout(1500)
    assert current(page) == stood


def test_what_happens_next_appears_by_itself(stack, session, open_as):
    page = open_as("otto", f"/sessions/{session}/")
    expect(page.locator("[data-live-state=live]").first).to_be_visible()
    before = page.locator("[data-step]").count()
    page.keyboard.press("End")
    stack.submit("SELECT COUNT(*) FROM SHOP.RETAIL.ORDERS", prompt="And how many?", wait=30)
    expect(page.locator("[data-step]").filter(has_text="And how many?")).to_have_count(1)
    expect(page.locator("[data-step]").last.locator(".step-title")).to_contain_text(
        "Result", timeout=20_000
    )
    after = page.locator("[data-step]").count()
    assert after > before
    # The player grew with it, every step once.
    expect(page.locator("[data-scrub]")).to_have_count(after)
    expect(page.locator(".player-said")).to_contain_text(f"of {after}")
    numbers = page.locator("[data-step]").evaluate_all("all => all.map(one => one.id)")
    assert numbers == [f"step-{n}" for n in range(1, after + 1)]
    assert current(page) == f"step-{after}"
    expect(page.locator(".outline tr").last).to_contain_text("COUNT")


def test_it_reads_without_a_script(session, open_as):
    page = open_as("otto", f"/sessions/{session}/", java_script_enabled=False)
    for word in (PROMPT, "Statement 1", "masked", "Denied", "Sent to Snowflake"):
        expect(page.locator(".timeline")).to_contain_text(word)
    expect(page.locator("[data-player]")).to_be_hidden()
    assert "canary" not in page.content()


def test_it_is_taken_away_with_its_proof(session, open_as, tmp_path):
    page = open_as("otto", f"/sessions/{session}/")
    with page.expect_download() as taken:
        page.get_by_role("link", name="Export with proof").click()
    path = tmp_path / "bundle.zip"
    taken.value.save_as(path)
    with zipfile.ZipFile(path) as bundle:
        assert {"session.json", "proof.json", "VERIFY.md", "manifest.sig"} <= set(bundle.namelist())
        assert not any(b"canary" in bundle.read(name) for name in bundle.namelist())
    auditor = open_as("otto", "/audit/")
    expect(auditor.locator("tbody tr").filter(has_text="session-exported").first).to_be_visible()


def test_others_are_turned_away_and_told_whom_to_ask(stack, session, open_as):
    page = open_as("stan", "/audit/")
    expect(page.get_by_text("Ask an admin for the auditor role")).to_be_visible()
    answer = page.goto(f"{stack.url}/sessions/{session}/")
    assert answer is not None
    assert answer.status == 404


def test_the_owner_closes_a_session_and_sees_it_sealed(stack, session, open_as):
    page = open_as("olga", f"/sessions/{session}/")
    page.get_by_role("button", name="Close session").click()
    page.get_by_role("dialog").get_by_role("button", name="Close session").click()
    expect(page.get_by_text("Session closed and sealed.").first).to_be_visible()
    expect(page.locator("h1 .badge")).to_contain_text("Sealed")
    stack.verify()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_read_it(session, open_as, scheme):
    for path in (f"/sessions/{session}/", "/sessions/", "/audit/"):
        page = open_as("otto", path, color_scheme=scheme)
        page.keyboard.press("End")
        found = Axe().run(page, options={"runOnly": WCAG})
        assert found.violations_count == 0, f"{path}\n{found.generate_report()}"


def test_nothing_runs_off_the_side_of_a_phone(session, open_as):
    for path in (f"/sessions/{session}/", "/sessions/", "/audit/"):
        page = open_as("otto", path, viewport=PHONE)
        page.keyboard.press("End")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], path
