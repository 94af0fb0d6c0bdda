"""An agent asks, a person approves, rows come back masked, an auditor replays."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
READ = "SELECT CONTACT_ID, EMAIL FROM SHOP.CRM.CONTACTS ORDER BY CONTACT_ID"
PROMPT = "Write to the customers of the cities that lost most."


def test_the_reviewer_approves_and_the_auditor_replays(stack, open_as):
    rita = open_as("rita", "/approvals/")
    expect(rita.get_by_text("Nothing waits")).to_be_visible()
    expect(rita.locator("[data-live-state=live]").first).to_be_visible()

    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(stack.submit, READ, connection="vault", prompt=PROMPT, wait=60)
        # It appears by itself.
        row = rita.locator("tr[data-request]").first
        expect(row).to_contain_text("SELECT CONTACT_ID")
        expect(row).to_contain_text(PROMPT)
        expect(rita.locator("[data-live-count=approvals]").first).to_have_text("1")
        row.click()
        expect(rita.get_by_role("heading", name="Your decision")).to_be_visible()
        expect(rita.locator(".prompt")).to_have_text(PROMPT)
        touched = rita.get_by_role("region", name="What it touches")
        expect(touched.get_by_role("row", name="EMAIL")).to_contain_text("redact")
        rita.get_by_role("button", name="Approve").click()
        expect(rita.locator("h1 [data-state=approved]")).to_be_visible()
        answer = call.result(timeout=60)

    assert answer["state"] == "succeeded", answer
    result = requests.get(
        f"{stack.url}/api/v1/statements/{answer['id']}/result", headers=stack.bearer, timeout=20
    ).json()
    assert "canary" not in str(result)
    assert [c["name"] for c in result["columns"]] == ["CONTACT_ID", "EMAIL"]
    assert result["columns"][1]["masked"]

    otto = open_as("otto", "/sessions/")
    otto.locator("tr[data-row]").filter(has_text="Write to the customers").first.click()
    player = otto.locator("[data-replay]")
    expect(player).to_be_visible()
    seen = []
    for _ in range(otto.locator("[data-step]").count()):
        seen.append(otto.locator("[data-step][aria-current=step]").inner_text())
        otto.keyboard.press("ArrowRight")
    assert len(set(seen)) == len(seen), "each key press shows another step"
    story = "\n".join(seen)
    for word in ("Prompt", PROMPT, "Statement", "Decision", "Rita", "Approved", "Result"):
        assert word.lower() in story.lower(), (word, story)
    assert "canary" not in otto.content()
    stack.verify()


def test_a_rejection_reaches_the_agent_with_its_reason(stack, open_as):
    held = stack.submit("DELETE FROM SHOP.RETAIL.ORDERS", prompt="Clean up")
    rita = open_as("rita", "/approvals/")
    rita.locator("tr[data-request]").filter(has_text="DELETE FROM").first.click()
    rita.get_by_role("button", name="Reject").click()
    expect(rita.get_by_text("Say why you reject")).to_be_visible()
    rita.locator("textarea[name=reason]").fill("Name the orders, please")
    rita.get_by_role("button", name="Reject").click()
    expect(rita.locator("h1 [data-state=rejected]")).to_be_visible()
    told = stack.get(f"/api/v1/statements/{held['id']}")
    assert told["state"] == "rejected"
    assert "Name the orders, please" in str(told)


def test_a_decision_by_another_reviewer_shows_without_reload(stack, open_as):
    held = stack.submit("DELETE FROM SHOP.RETAIL.ORDERS WHERE ORDER_ID = -1", prompt="Clean up")
    (request_id, digest) = stack.rows(
        "SELECT a.id, a.digest FROM approvals_approvalrequest a JOIN gateway_statement s "
        "ON s.approval_id = a.id WHERE s.id = %s",
        held["id"],
    )[0]
    otto = open_as("otto", f"/approvals/{request_id}/")
    expect(otto.locator("[data-live-state=live]").first).to_be_visible()
    expect(otto.get_by_text("You look on")).to_be_visible()
    stack.approve(stack.sign_in("rita"), str(request_id), digest)
    expect(otto.get_by_role("region", name="Votes")).to_contain_text("Rita")


def test_a_lost_server_is_said_and_found_again(stack, open_as):
    rita = open_as("rita", "/approvals/")
    expect(rita.locator("[data-live-state=live]").first).to_be_visible()
    stack.kill("web")
    try:
        expect(rita.locator("[data-live-bar]")).to_be_visible(timeout=20_000)
    finally:
        stack.start_web()
    expect(rita.locator("[data-live-state=live]").first).to_be_visible(timeout=40_000)
    expect(rita.locator("[data-live-bar]")).to_be_hidden()
