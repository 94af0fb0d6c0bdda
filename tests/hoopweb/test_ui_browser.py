"""What the small modules do, in Chromium, under the policy that the product sends."""

import os
import re
import shutil
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.urls import path
from playwright.sync_api import Browser, Page, WebSocketRoute, expect, sync_playwright

from hoopweb import urls
from hoopweb.styleguide import styleguide

urlpatterns = [path("styleguide/", styleguide), *urls.urlpatterns]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.urls(__name__),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # The system's own Chromium where there is one, else the one that Playwright installed.
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
            args=["--no-sandbox", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


def open_page(browser, live_server, where="", *, user=None, **kw) -> tuple[Page, list[str]]:
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **kw})
    if user:
        client = Client()
        client.force_login(user)
        (cookie,) = client.cookies.values()
        context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None,
    )
    page.goto(f"{live_server.url}/styleguide/{where}")
    return page, faults


@pytest.fixture
def page(browser, live_server) -> Iterator[Page]:
    page, faults = open_page(browser, live_server)
    yield page
    page.context.close()
    assert not faults


def focused(page) -> str:
    return page.evaluate("document.activeElement.textContent.trim()")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_every_component_passes_axe(browser, live_server, scheme, width):
    page, faults = open_page(
        browser,
        live_server,
        "?toasts",
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
        bypass_csp=True,
    )
    found = Axe().run(page)
    assert not [(v["id"], v["nodes"][0]["html"]) for v in found.response["violations"]]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not faults
    page.context.close()


def test_slash_finds_the_search_and_escape_leaves_it(page):
    if not page.locator("[data-search]").count():
        pytest.skip("no search on this page")
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("[data-search]")).to_have_value("j")
    page.keyboard.press("Escape")
    expect(page.locator("[data-search]")).not_to_be_focused()


def test_j_and_k_walk_the_rows_and_enter_opens(page):
    for key in "jjjk":
        page.keyboard.press(key)
    rows = page.locator("[data-row]")
    expect(rows.nth(1)).to_have_attribute("data-row-current", "")
    page.keyboard.press("Enter")
    assert page.url.endswith(rows.nth(1).locator("a").first.get_attribute("href"))


def test_the_whole_row_is_the_link_but_text_can_be_selected(page):
    row = page.locator("[data-row]").nth(2)
    row.locator("td").nth(3).click()
    assert page.url.endswith(row.locator("a").first.get_attribute("href"))


def test_keys_focus_the_decision_and_press_nothing(page):
    page.keyboard.press("a")
    assert focused(page).startswith("Approve")
    page.keyboard.press("r")
    assert focused(page).startswith("Reject")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()


def test_confirm_names_the_object_and_needs_its_name(page):
    page.evaluate(
        "window.hits = 0; document.querySelector('[data-confirm]')"
        ".addEventListener('click', () => window.hits++)"
    )
    button = page.locator("[data-confirm]").first
    button.click()
    dialog = page.locator("#confirm")
    expect(dialog.locator("h2")).to_have_text("Remove connection Production?")
    expect(dialog.locator("[data-confirm-go]")).to_be_disabled()
    page.keyboard.press("Escape")
    assert page.evaluate("hits") == 0
    button.click()
    page.fill("#confirm-name", "Production")
    page.keyboard.press("Enter")
    expect(dialog).not_to_be_visible()
    assert page.evaluate("hits") == 1
    button.click()
    expect(dialog).to_be_visible()
    assert page.evaluate("hits") == 1


def test_tabs_move_with_arrows_and_copy_gives_the_text_untouched(page):
    sql = page.locator("[data-sql]").first
    sql.get_by_role("tab", name="Given").click()
    panel = sql.locator("[data-pane][data-open]")
    expect(panel).to_have_count(1)
    panel.get_by_role("button").click()
    expect(panel.get_by_role("button")).to_have_attribute("data-copied", "")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("-- monthly revenue by city, worst first\nselect c.city")
    sql.get_by_role("tab", name="Given").focus()
    page.keyboard.press("ArrowRight")
    assert focused(page) == "Difference"


def test_a_large_grid_draws_only_what_is_seen(page):
    box = page.locator("[data-grid-source] [data-grid-box]")
    box.evaluate("e => e.scrollTop = 14000")
    expect(box.locator("tbody")).to_contain_text("10500")
    assert box.locator("tbody tr").count() < 80
    box.evaluate("e => e.scrollTop = e.scrollHeight")
    expect(box.locator("tbody")).to_contain_text("10999")
    expect(box.locator("tbody td.is-masked .grid-mask").first).to_be_visible()


def test_the_theme_is_kept_and_set_before_the_first_paint(page):
    page.locator("[data-menu] summary").first.click()
    page.locator("[data-theme-set=dark]").first.click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_a_moment_shows_its_exact_time(page):
    time = page.locator("time[data-when]:not(td time)").first
    time.hover()
    expect(page.get_by_role("tooltip")).to_be_visible()
    time.focus()
    assert (
        str(page.evaluate("new Date().getFullYear()")) in page.get_by_role("tooltip").inner_text()
    )


def test_the_player_steps_plays_and_keeps_its_place(page):
    at = page.locator("[data-replay-at]")
    page.locator("[data-replay-go=last]").click()
    expect(at).to_have_text("12")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowLeft")
    assert page.url.endswith("#step-11")
    page.reload()
    expect(at).to_have_text("11")
    expect(page.locator("[data-step][data-ahead]")).to_have_count(1)
    page.locator("[data-replay-speed]").select_option("4")
    page.locator("[data-replay-play]").click()
    expect(at).to_have_text("12")
    expect(page.locator("[data-replay-play]")).to_have_attribute("aria-label", "Play")


def test_toasts_leave_and_errors_stay(page):
    page.clock.install()
    page.evaluate(
        "for (const level of ['success', 'error']) document.dispatchEvent("
        "new CustomEvent('toast', {detail: {text: `<b>${level}</b>`, level}}))"
    )
    toasts = page.locator("[data-toast]")
    expect(toasts).to_have_count(2)
    expect(toasts.first).to_contain_text("<b>success</b>")
    page.clock.fast_forward(10_000)
    expect(toasts).to_have_count(1)
    toasts.get_by_role("button").click()
    expect(toasts).to_have_count(0)


def test_an_edited_form_is_not_left_without_a_word(page):
    page.locator("form[data-dirty] input[name=name]").first.fill("half of it")
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    assert asked == ["beforeunload"]


def test_without_scripts_everything_is_there_to_read(browser, live_server):
    page, _ = open_page(browser, live_server, java_script_enabled=False)
    expect(page.locator(".sql-pane").nth(1)).to_be_visible()
    expect(page.locator("[data-step]").last).to_be_visible()
    expect(page.locator("[data-player]")).to_be_hidden()
    expect(page.get_by_role("button", name="Apply")).to_be_visible()
    page.context.close()


def test_what_is_left_at_any_stays_out_of_the_address(browser, live_server):
    """By htmx where the list takes its answer, and as a plain form without it."""
    page, faults = open_page(browser, live_server)
    page.evaluate(
        "const form = document.querySelector('form.filters');"
        "const list = Object.assign(document.createElement('div'), {id: 'list'});"
        "form.after(list);"
        "form.setAttribute('hx-get', location.pathname);"
        "form.setAttribute('hx-target', '#list');"
        "form.setAttribute('hx-push-url', 'true');"
        "htmx.process(form)"
    )
    page.route("**/styleguide/?*", lambda route: route.fulfill(body="<p>found</p>"))
    page.locator("form.filters input[type=search]").fill("x")
    page.locator("form.filters select").first.select_option("w")
    page.locator("form.filters input[type=search]").press("Enter")
    expect(page.locator("#list p")).to_have_text("found")
    page.wait_for_function("location.search === '?state=w&q=x'")
    page.context.close()
    assert not faults


def test_a_part_that_refetches_itself_keeps_what_is_typed(page):
    """htmx swaps the part; the reason someone is typing stays, with its cursor."""
    part = '<div id="part" hx-get="/part" hx-trigger="live:x.changed from:body">{}</div>'
    field = '<form action="/vote"><textarea name="reason"></textarea></form>'
    page.route("**/part", lambda route: route.fulfill(body=f"<p>new</p>{field}"))
    page.evaluate(
        "html => { const box = document.createElement('div');"
        "document.querySelector('.page-main').prepend(box);"
        "box.append(document.createRange().createContextualFragment(html)); htmx.process(box); }",
        part.format(field),
    )
    area = page.locator("#part textarea")
    area.fill("because of")
    area.evaluate("e => e.setSelectionRange(3, 3)")
    page.evaluate("document.body.dispatchEvent(new CustomEvent('live:x.changed'))")
    expect(page.locator("#part p")).to_have_text("new")
    expect(area).to_have_value("because of")
    expect(area).to_be_focused()
    assert area.evaluate("e => e.selectionStart") == 3


@pytest.fixture
def live(browser, live_server, cast) -> Iterator[tuple[Page, list[WebSocketRoute]]]:
    """The page of a signed-in person, and every socket that it opened."""
    page, faults = open_page(browser, live_server, user=cast.reviewer)
    sockets: list[WebSocketRoute] = []
    address = page.url
    page.goto("about:blank")  # what the page tried until now is none of them
    page.route_web_socket("**/ws/inbox/", lambda socket: sockets.append(socket))  # noqa: PLW0108
    page.goto(address)
    page.evaluate(
        "window.heard = [];"
        "for (const name of ['approval.changed', 'approval.changed.7', 'resync'])"
        " document.body.addEventListener(`live:${name}`, () => heard.push(name))"
    )
    yield page, sockets
    page.context.close()
    assert not faults


def test_messages_move_counts_and_tell_parts(live):
    page, sockets = live
    expect(page.locator("[data-live-label]")).to_have_text("Live")
    sockets[-1].send('{"type": "approvals.count", "count": 3}')
    sockets[-1].send('{"type": "approval.changed", "id": 7}')
    sockets[-1].send("not json")
    expect(page.locator("[data-live-count=approvals]")).to_have_text("3")
    expect(page).to_have_title(re.compile(r"^\(3\) Components"))
    page.wait_for_function("heard.length === 2")
    assert page.evaluate("heard") == ["approval.changed", "approval.changed.7"]
    sockets[-1].send('{"type": "approvals.count", "count": 0}')
    expect(page.locator("[data-live-count=approvals]")).to_be_hidden()
    expect(page).to_have_title(re.compile(r"^Components"))


@pytest.mark.parametrize("loss", ["the socket", "the network"])
def test_what_was_lost_is_said_and_what_was_missed_is_fetched(live, loss):
    """A network that came back may have left a socket that only looks alive: it gets a new one."""
    page, sockets = live
    expect(page.locator("[data-live-label]")).to_have_text("Live")
    if loss == "the socket":
        sockets[-1].close()
    else:
        page.context.set_offline(offline=True)
        expect(page.locator("[data-live-bar]")).to_be_visible()
        expect(page.locator("[data-live-label]")).to_have_text("Not live")
        page.context.set_offline(offline=False)
    for _ in range(200):  # the page's policy lets no text be evaluated while waiting
        if page.evaluate("heard.includes('resync')"):
            break
        page.wait_for_timeout(50)
    assert page.evaluate("heard") == ["resync"]
    expect(page.locator("[data-live-label]")).to_have_text("Live")
    expect(page.locator("[data-live-bar]")).to_be_hidden()
    assert len(sockets) == 2
