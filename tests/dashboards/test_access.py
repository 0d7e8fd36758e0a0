"""Who sees the dashboards, and for how long: the web app is asked again and again, and silence or a refusal shows nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import httpx
import pytest
import streamlit as st
from playwright.sync_api import Page, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from dashboards import auth, serve
from tests.dashboards.stage import DRAWN, NUMBERS, PATIENCE_MS, Stage, Visitor, watch_for

pytestmark = pytest.mark.browser
#: asked every TTL_SECONDS, an answer kept for TTL_SECONDS, and five seconds for a busy machine
LOSES_THE_PAGE_WITHIN_MS = 1000 * (2 * auth.TTL_SECONDS + 5)
ADMIN = "admin@openlance.example"


def numbers(page: Page) -> Any:
    return page.get_by_test_id("stMetricValue")


def sees_the_overview(page: Page) -> None:
    watch_for(page, {NUMBERS: 16}, "Overview")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible(timeout=PATIENCE_MS)
    expect(numbers(page)).to_have_count(16, timeout=PATIENCE_MS)


def loses_everything(page: Page, title: str) -> None:
    """The page says why, and no number or chart is left of what was there."""
    watch_for(page, {}, title, LOSES_THE_PAGE_WITHIN_MS)
    watch_for(page, {NUMBERS: 0, DRAWN: 0}, timeout=2_000)
    expect(page.get_by_role("heading", name=title)).to_be_visible(timeout=LOSES_THE_PAGE_WITHIN_MS)
    expect(numbers(page)).to_have_count(0, timeout=2_000)
    expect(page.locator(".js-plotly-plot")).to_have_count(0, timeout=2_000)
    expect(page.get_by_role("heading", name="Overview")).to_have_count(0)


def until(met: Callable[[], bool], page: Page) -> None:
    """Lets the browser's messages through until they are such."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not met():
        assert time.monotonic() < deadline, "nothing came"
        page.evaluate("new Promise(requestAnimationFrame)")


@contextmanager
def changed(stage: Stage, column: str, value: int) -> Iterator[None]:
    """The admin's account with another value, put back afterwards."""
    assert stage.sql(f"update accounts_user set {column} = ? where email = ?", value, ADMIN) == 1
    try:
        yield
    finally:
        stage.sql(f"update accounts_user set {column} = 1 where email = ?", ADMIN)


def test_nobody_sees_anything_before_signing_in(visitor: Callable[..., Visitor], stage: Stage) -> None:
    page = visitor().page
    page.goto(stage.dashboards)
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("heading", name="Overview")).to_have_count(0)
    expect(numbers(page)).to_have_count(0)


def test_an_admin_signed_in_at_the_web_app_needs_no_other_password(visitor: Callable[..., Visitor], stage: Stage) -> None:
    admin = visitor("admin")
    met: list[str] = []
    admin.page.on("request", lambda request: met.append(request.url))
    sees_the_overview(admin.open_dashboards())
    authorize = httpx.get(f"{stage.web}/.well-known/openid-configuration").json()["authorization_endpoint"]
    assert [url for url in met if url.startswith(authorize)], "the web app was asked"
    assert not [url for url in met if "/sign-in" in url], "and did not ask back"


@pytest.mark.parametrize("page", ["/?currency=EUR", "/metrics?currency=EUR&of=%C3%BC+b"])
def test_signing_in_ends_on_the_page_and_with_the_query_that_it_began_with(
    page: str, visitor: Callable[..., Visitor], stage: Stage
) -> None:
    admin = visitor()
    admin.page.goto(f"{stage.dashboards}{page}")
    admin.page.get_by_role("button", name="Sign in", exact=True).click(timeout=PATIENCE_MS)
    # the web app asks for the password first
    admin.page.wait_for_url(f"{stage.web}/sign-in?next=**")
    asked = admin.page.url
    admin.sign_in_at_web("admin")
    admin.page.goto(f"{stage.web}{parse_qs(urlsplit(asked).query)['next'][0]}")
    expect(admin.page.get_by_role("combobox", name="Money in")).to_have_value("EUR · Euro", timeout=PATIENCE_MS)
    assert admin.page.url == f"{stage.dashboards}{page}"
    # once only: signing out and in again begins where it begins
    assert not [c for c in admin.context.cookies(f"{stage.dashboards}{serve.RETURNING}") if c["name"] == serve.COOKIE]


@pytest.mark.parametrize(
    "kept",
    ["//elsewhere.example/", "https://elsewhere.example/", "/\\elsewhere.example", "/metrics/../auth/logout", "/?a\r\nb: c", "metrics", ""],
)
def test_a_sign_in_never_ends_elsewhere(kept: str, stage: Stage) -> None:
    cookie = {"Cookie": f"{serve.COOKIE}={quote(kept, safe='')}"}
    answer = httpx.get(f"{stage.dashboards}{serve.RETURNING}", headers=cookie)
    assert (answer.status_code, answer.headers["location"]) == (302, "/")
    cookie = {"Cookie": f"{serve.COOKIE}={quote('/metrics?currency=EUR', safe='')}"}
    answer = httpx.get(f"{stage.dashboards}{serve.RETURNING}", headers=cookie)
    assert (answer.status_code, answer.headers["location"]) == (302, "/metrics?currency=EUR"), "as it does to a page of its own"


@pytest.mark.parametrize(
    ("came_from", "kept"),
    [
        ("{0}/metrics?currency=EUR", "/metrics?currency=EUR"),
        ("{0}", None),
        ("https://elsewhere.example/metrics", None),
        ("{0}@elsewhere.example/metrics", None),
        ("{0}//elsewhere.example", None),
        ("{0}/?" + "a" * 1001, None),
        (None, None),
    ],
)
def test_only_an_own_page_is_kept_for_after_the_sign_in(came_from: str | None, kept: str | None, stage: Stage) -> None:
    headers = {"Referer": came_from.format(stage.dashboards)} if came_from else {}
    answer = httpx.get(f"{stage.dashboards}{serve.LEAVING}", headers=headers)
    found = SimpleCookie(answer.headers["set-cookie"])[serve.COOKIE]
    assert (unquote(found.value) or None, found["path"]) == (kept, serve.RETURNING)


def test_a_client_gets_nothing_also_at_a_page_s_address_and_is_told_where_to_look(visitor: Callable[..., Visitor], stage: Stage) -> None:
    page = visitor("client").open_dashboards()
    expect(page.get_by_role("heading", name="Nothing for you here yet")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("money pages in the web app")).to_be_visible()
    expect(numbers(page)).to_have_count(0)
    page.goto(f"{stage.dashboards}/overview")
    expect(page.get_by_role("heading", name="Nothing for you here yet")).to_be_visible(timeout=PATIENCE_MS)
    expect(numbers(page)).to_have_count(0)


def test_an_admin_who_loses_the_role_loses_the_open_page_until_it_is_given_back(visitor: Callable[..., Visitor], stage: Stage) -> None:
    page = visitor("admin").open_dashboards()
    sees_the_overview(page)
    with changed(stage, "is_staff", 0):
        loses_everything(page, "Nothing for you here yet")
    sees_the_overview(page)  # by itself


def test_signing_out_at_the_web_app_closes_the_dashboards(visitor: Callable[..., Visitor], stage: Stage) -> None:
    admin = visitor("admin")
    page = admin.open_dashboards()
    sees_the_overview(page)
    token = next(c["value"] for c in admin.context.cookies(stage.web) if c["name"] == "csrftoken")
    answer = admin.context.request.delete(
        f"{stage.web}/_allauth/browser/v1/auth/session", headers={"X-CSRFToken": token, "Referer": stage.web}
    )
    assert answer.status == 401, "allauth's answer for a session that is over"
    loses_everything(page, "Please sign in again")


class Between:
    """What a page's browser and the server say to each other; `held` keeps what the page asks for by itself from the server."""

    def __init__(self, page: Page) -> None:
        self.held = False
        self.parts: list[bytes] = []
        self.answered: list[ForwardMsg] = []
        page.route_web_socket("**/_stcore/stream", self._opened)

    def _opened(self, browser: Any) -> None:
        self.server = browser.connect_to_server()
        browser.on_message(self._ask)
        self.server.on_message(lambda message: self._answer(browser, message))

    def _ask(self, message: bytes) -> None:
        asked = BackMsg.FromString(message).rerun_script
        if asked.fragment_id and not asked.is_auto_rerun:
            self.parts.append(message)
        if not (self.held and asked.is_auto_rerun):
            self.server.send(message)

    def _answer(self, browser: Any, message: bytes) -> None:
        self.answered.append(ForwardMsg.FromString(message))
        browser.send(message)

    def deltas(self, since: int) -> list[Any]:
        return [each.delta for each in self.answered[since:] if each.WhichOneof("type") == "delta"]

    def finished(self, since: int) -> bool:
        return any(each.WhichOneof("type") == "script_finished" for each in self.answered[since:])


def opened_where_from(visitor: Callable[..., Visitor]) -> tuple[Page, Between]:
    admin = visitor("admin")
    admin.bent, between = True, Between(admin.page)
    page = admin.open_dashboards()
    sees_the_overview(page)
    page.get_by_role("button", name="Where from?").first.click()
    expect(page.get_by_text("One row").first).to_be_visible(timeout=PATIENCE_MS)
    assert between.parts
    return page, between


def test_an_admin_who_loses_the_account_loses_the_open_page_and_no_part_of_it_asked_for_late_is_drawn(
    visitor: Callable[..., Visitor], stage: Stage
) -> None:
    page, between = opened_where_from(visitor)
    with changed(stage, "is_active", 0):
        loses_everything(page, "Please sign in again")
        before = len(between.answered)
        between.server.send(between.parts[-1])
        # nothing says that a request was passed over: it gets ten times what an answer takes
        enough = time.monotonic() + 3
        until(lambda: bool(between.deltas(before)) or time.monotonic() > enough, page)
        assert between.deltas(before) == []
        page.reload()
        expect(page.get_by_role("heading", name="Please sign in again")).to_be_visible(timeout=PATIENCE_MS)
        expect(numbers(page)).to_have_count(0)


def test_a_browser_that_does_not_let_itself_be_checked_is_shown_no_more_of_the_page(visitor: Callable[..., Visitor], stage: Stage) -> None:
    page, between = opened_where_from(visitor)
    between.held = True

    def shown() -> int:
        before = len(between.answered)
        between.server.send(between.parts[-1])
        until(lambda: between.finished(before), page)
        return len(between.deltas(before))  # what they hold the browser has already, and is not sent again

    # an answer to what was asked before may still be on its way
    until(lambda: shown() > 5, page)
    with changed(stage, "is_active", 0):
        until(lambda: shown() < 4, page)  # the closed button


def test_an_expired_token_is_refused_and_renewed_without_a_password_while_the_session_lives(
    visitor: Callable[..., Visitor], stage: Stage
) -> None:
    page = visitor("admin").open_dashboards()
    sees_the_overview(page)
    assert stage.sql("update allauth_idp_oidc_token set expires_at = '2020-01-01 00:00:00' where type = 'at'") > 0
    loses_everything(page, "Please sign in again")
    page.get_by_role("button", name="Sign in again").click()
    sees_the_overview(page)


def test_a_cookie_that_was_tampered_with_signs_nobody_in(visitor: Callable[..., Visitor], stage: Stage) -> None:
    admin = visitor("admin")
    sees_the_overview(admin.open_dashboards())
    cookies = [c for c in admin.context.cookies(stage.dashboards) if c["name"].startswith("_streamlit_user")]
    assert cookies
    for cookie in cookies:
        first = cookie["value"][:1]
        admin.context.add_cookies([cookie | {"value": ("B" if first == "A" else "A") + cookie["value"][1:]}])
    admin.page.goto(stage.dashboards)
    expect(admin.page.get_by_role("button", name="Sign in", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    expect(numbers(admin.page)).to_have_count(0)


@pytest.mark.parametrize("token", ["forged", "x" * 5000, "null", "a.b.c"])
def test_a_forged_token_is_refused(token: str, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLANCE_BASE_URL", stage.web)
    st.cache_data.clear()
    with pytest.raises(auth.Refused):
        auth.ask(token)


def test_an_address_that_is_not_the_web_app_vouches_for_nobody(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLANCE_BASE_URL", stage.dashboards)  # answers 200 with a page of HTML
    assert httpx.get(f"{stage.dashboards}/.well-known/openid-configuration").status_code == 200
    st.cache_data.clear()
    with pytest.raises(auth.Unreachable, match=re.escape("does not answer in JSON")):
        auth.ask("forged")


def test_while_the_web_app_is_down_nothing_is_shown_and_it_comes_back_by_itself(visitor: Callable[..., Visitor], stage: Stage) -> None:
    page = visitor("admin").open_dashboards()
    sees_the_overview(page)
    stage.end("web")
    try:
        loses_everything(page, "The web app does not answer")
        page.reload()
        expect(page.get_by_role("heading", name="The web app does not answer")).to_be_visible(timeout=PATIENCE_MS)
        expect(numbers(page)).to_have_count(0)
    finally:
        stage.start("web")
    sees_the_overview(page)
