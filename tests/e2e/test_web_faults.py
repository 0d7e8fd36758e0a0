"""What people see when the server is away, refuses, or no longer knows them: a clear message, and nothing typed is lost."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .test_web_journey import sign_in

pytestmark = pytest.mark.browser


def test_an_unanswered_proposal_is_sent_again_with_its_key_and_counts_once(visitor: Any, alice_and_bob: Any, open_job: Any) -> None:
    from marketplace.jobs.models import Proposal

    _, bob = alice_and_bob
    page = visitor(bob).go(f"/jobs/{open_job.pk}/propose")
    page.get_by_label("Why you").fill("Once only.")
    page.get_by_label("Your price (USD)").fill("1000")
    page.get_by_label("Which loader would you use?").fill("Mine.")
    keys: list[str] = []

    def lose_the_answer(route: Any) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()  # the server does it, but the answer never arrives
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/proposals", lambda route: lose_the_answer(route) if route.request.method == "POST" else route.continue_())
    page.get_by_role("button", name="Send the proposal").click()
    page.get_by_role("alert").get_by_text("The server did not answer.").wait_for()
    assert page.get_by_label("Why you").input_value() == "Once only."

    page.get_by_role("button", name="Send the proposal").click()
    page.wait_for_url(re.compile(r"/proposals/\d+$"))

    assert len(keys) == 2 and keys[0] == keys[1]
    assert Proposal.objects.count() == 1


def test_a_server_that_is_away_is_told_and_can_be_tried_again(visitor: Any, site: str) -> None:
    guest = visitor()
    guest.page.route("**/api/v1/**", lambda route: route.abort("connectionrefused"))
    page = guest.go("/jobs")
    assert page.get_by_role("heading", level=1).text_content() == "The server did not answer"

    page.unroute("**/api/v1/**")
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("heading", level=1, name="Find jobs").wait_for()


def test_a_session_that_ended_leads_to_sign_in_and_back(visitor: Any, alice_and_bob: Any) -> None:
    from django.contrib.sessions.models import Session

    alice, _ = alice_and_bob
    client = visitor(alice)
    page = client.go("/my-jobs")
    Session.objects.all().delete()

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Contracts").click()
    page.wait_for_url("**/sign-in?next=/contracts")
    sign_in(client, alice)
    page.wait_for_url("**/contracts")
    page.get_by_role("heading", level=1, name="Contracts").wait_for()


def test_refused_fields_are_marked_where_they_are_and_keep_what_was_typed(visitor: Any, alice_and_bob: Any) -> None:
    from marketplace.jobs.models import Job

    alice, _ = alice_and_bob
    page = visitor(alice).go("/jobs/new")
    page.get_by_label("Title").fill("A title that is fine")
    page.get_by_label("What is to be done").fill("Too short")
    page.get_by_label("Category").select_option("data")
    page.get_by_label("Budget from").fill("12.345")
    page.get_by_role("button", name="Publish the job").click()
    assert page.locator("#budget-min-error").text_content() == "USD has 2 decimal places."
    assert page.evaluate("document.activeElement.id") == "budget-min"

    page.get_by_label("Budget from").fill("12.34")
    page.get_by_role("button", name="Publish the job").click()
    page.locator("#description-error").wait_for()
    assert page.get_by_label("What is to be done").input_value() == "Too short"
    assert Job.objects.count() == 0

    page.get_by_label("What is to be done").fill("Long enough now, with what is there and what is needed.")
    page.get_by_role("button", name="Publish the job").click()
    page.wait_for_url(re.compile(r"/jobs/\d+$"))
    job = Job.objects.get()
    assert (job.state, job.budget_min_minor) == ("open", 1234)


def test_the_page_runs_nothing_that_the_server_did_not_send(visitor: Any, site: str) -> None:
    page = visitor().go("/")

    policy = page.request.get("/").headers["content-security-policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy


def test_the_docs_of_the_api_need_nothing_from_elsewhere(visitor: Any, site: str) -> None:
    guest = visitor()
    guest.page.goto("/api/docs")
    guest.page.locator("#operations-tag-matching").click()
    guest.page.get_by_text("/api/v1/me/recommended-jobs").first.wait_for()
    guest.page.wait_for_load_state("networkidle")


def test_a_skill_that_cannot_be_looked_up_is_told_and_looked_up_again_on_return(visitor: Any, alice_and_bob: Any) -> None:
    page = visitor(alice_and_bob[0]).go("/jobs/new")
    page.route("**/api/v1/skills*", lambda route: route.abort("connectionrefused"))
    field = page.get_by_role("combobox", name="Skills")
    field.press_sequentially("pyth")
    page.locator("#skills-help").get_by_text("The server did not answer.").wait_for()
    assert page.locator("#skills-list [role=option]").count() == 0

    page.unroute("**/api/v1/skills*")
    page.get_by_label("Title").focus()
    field.focus()
    page.get_by_role("option", name="Python").click()
    page.get_by_role("button", name="Remove Python").wait_for()

    field.press_sequentially("zzz")
    page.locator("#skills-help").get_by_text("No skill is called “zzz”.").wait_for()
