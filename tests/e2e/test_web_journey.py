"""From a search to released money in two browsers, as a client and a freelancer do it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .conftest import PASSWORD

pytestmark = pytest.mark.browser


def sign_in(visitor: Any, user: Any) -> Any:
    page = visitor.page
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    return page


def expect(locator: Any, text: str) -> None:
    from playwright.sync_api import expect as eventually

    eventually(locator).to_contain_text(text)


def test_a_job_is_found_bid_on_agreed_funded_delivered_and_paid(visitor: Any, alice_and_bob: Any, open_job: Any) -> None:
    from marketplace.contracts.models import Contract
    from marketplace.payments.services import ledger_check

    alice, bob = alice_and_bob
    freelancer, client = visitor(), visitor()

    # The freelancer comes by a link, signs in and is where the link led.
    freelancer.page.goto("/proposals")
    freelancer.page.wait_for_url("**/sign-in?next=/proposals")
    page = sign_in(freelancer, bob)
    page.wait_for_url("**/proposals")

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Find jobs").click()
    page.get_by_label("Words to look for").fill("warehouse")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_test_id("summary"), "One job matches.")
    assert page.url.endswith("/jobs?query=warehouse")
    page.get_by_role("link", name=open_job.title).click()
    page.get_by_role("link", name="Propose", exact=True).click()

    # Fee, tax and net are there before anything is sent, and nothing that was typed is lost by a reload.
    page.get_by_label("Why you").fill("I have loaded orders three times.")
    page.get_by_label("Your price (USD)").fill("1,500")
    page.get_by_label("Which loader would you use?").fill("A small one.")
    quote = page.get_by_test_id("quote")
    expect(quote, "$1,500.00 USD")
    expect(quote, "$150.00 USD")
    expect(quote, "$1,350.00 USD")
    expect(quote, "5 days after release")
    page.reload()
    expect(page.get_by_role("status"), "What you typed before is back.")
    assert page.get_by_label("Why you").input_value() == "I have loaded orders three times."
    assert page.get_by_label("Your price (USD)").input_value() == "1,500"
    page.get_by_role("button", name="Send the proposal").click()
    page.wait_for_url(re.compile(r"/proposals/\d+$"))
    expect(page.get_by_test_id("receipt"), "Not opened yet")

    # The client finds it and offers the contract.
    client.page.goto("/sign-in")
    page = sign_in(client, alice)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="My jobs").click()
    page.get_by_role("link", name="1 proposal").click()
    page.get_by_role("link", name="Bob").click()
    page.get_by_role("button", name="Offer the contract").click()
    page.wait_for_url(re.compile(r"/contracts/\d+$"))
    contract = page.url.rsplit("/", 1)[1]

    page = freelancer.go(f"/contracts/{contract}")
    page.get_by_role("button", name="Accept the offer").click()
    expect(page.get_by_test_id("timeline"), "Offer accepted")

    page = client.go(f"/contracts/{contract}")
    page.get_by_role("button", name="Fund", exact=True).click()
    page.get_by_role("button", name="Pay $1,500.00 USD").click()
    expect(page.get_by_test_id("held"), "$1,500.00 USD")
    expect(page.get_by_test_id("timeline"), "Wallet → funds held")

    page = freelancer.go(f"/contracts/{contract}")
    page.get_by_role("button", name="Start the work").click()
    page.get_by_role("button", name="Start the work").click()
    page.get_by_role("button", name="Submit the work").click()
    page.get_by_label("What you deliver").fill("All three sources load hourly.")
    page.get_by_role("button", name="Submit the work").click()
    expect(page.get_by_test_id("next"), "is approved and 1,500.00 USD is released")

    # The clock is shown to the client too; acting ends it.
    page = client.go(f"/contracts/{contract}")
    expect(page.get_by_test_id("next"), "in 13 days")
    page.get_by_role("button", name="Approve and release").click()
    page.get_by_role("button", name="Approve and release").click()
    expect(page.get_by_test_id("timeline"), "Funds held → freelancer")
    expect(page.get_by_test_id("held"), "$0.00 USD")

    page = freelancer.go("/money")
    expect(page.get_by_role("region", name="USD"), "Clearing$1,350.00 USD")

    assert Contract.objects.get(pk=contract).milestones.get().state == "released"
    assert ledger_check().ok


def test_an_account_is_made_with_a_code_sent_by_mail(visitor: Any, site: str, mailoutbox: Any) -> None:
    from marketplace.accounts.models import User

    new = visitor()
    page = new.go("/sign-up")
    page.get_by_label("E-mail address").fill("dana@example.org")
    page.get_by_label("Password").fill("1234567890")
    page.get_by_role("button", name="Create the account").click()
    assert page.locator("#password-error").text_content() != ""
    assert page.get_by_label("Password").get_attribute("aria-invalid") == "true"

    page.get_by_label("Password").fill("five unrelated words here")
    page.get_by_role("button", name="Create the account").click()
    page.wait_for_url("**/verify-email")
    page.get_by_label("Code from the e-mail").fill("WRONG1")
    page.get_by_role("button", name="Confirm").click()
    page.locator("#key-error").wait_for()
    code = re.search(r"^([A-Z0-9]{3,}-?[A-Z0-9]{3,})$", mailoutbox[-1].body, re.MULTILINE)
    assert code is not None, mailoutbox[-1].body
    page.get_by_label("Code from the e-mail").fill(code[1])
    page.get_by_role("button", name="Confirm").click()

    page.wait_for_url("**/profile")
    page.get_by_label("Company").fill("Dana Ltd")
    page.get_by_role("button", name="Save the client profile").click()
    page.get_by_text("Client profile saved").wait_for()
    assert User.objects.get(email="dana@example.org").client_profile.company_name == "Dana Ltd"


def test_the_parts_of_a_recommendation_add_up_to_its_score(visitor: Any, alice_and_bob: Any, open_job: Any) -> None:
    _, bob = alice_and_bob
    page = visitor(bob).go("/recommended")

    expect(page.locator("main ol > li").first, "Place 1, score")
    parts = [float(text.replace("−", "-")) for text in page.locator(".reasons").first.locator(".value:not(.sum)").all_text_contents()]
    score = float(page.get_by_test_id("score").first.text_content())

    assert len(parts) >= 2
    assert sum(parts) == pytest.approx(score, abs=0.0005 * (len(parts) + 1))
    assert page.get_by_test_id("fallback").is_visible()


def test_a_dispute_is_answered_and_settled_by_offers_that_meet(visitor: Any, alice_and_bob: Any, funded_contract: Any) -> None:
    from marketplace.disputes import services as disputes

    alice, bob = alice_and_bob
    first = funded_contract.milestones.order_by("position")[0]
    dispute = disputes.dispute_open(actor=alice, milestone_id=first.pk, claim="Half of it is missing.")
    page = visitor(bob, width=360).go(f"/disputes/{dispute.pk}")
    expect(page.locator(".clock-note"), "the money is split as the filer claims")
    page.get_by_role("button", name="Answer", exact=True).click()
    page.locator("form").get_by_role("button", name="Answer", exact=True).click()
    expect(page.locator(".invalid-feedback"), "Say what you see differently.")
    page.get_by_label("Your answer").fill("All of it is there.")
    page.locator("form").get_by_role("button", name="Answer", exact=True).click()
    expect(page.locator("main"), "Negotiation")

    for person, amount in ((bob, "100"), (alice, "0"), (alice, "100.00")):
        page = visitor(person).go(f"/disputes/{dispute.pk}")
        page.get_by_role("button", name="Make an offer").click()
        page.get_by_label("To the freelancer").fill(amount)
        page.locator("form").get_by_role("button", name="Make an offer").click()
        page.locator("form").wait_for(state="detached")
    expect(page.locator("main"), "The offers of the two sides met.")
    dispute.refresh_from_db()
    assert (dispute.state, dispute.settled_by, dispute.to_freelancer_minor) == ("settled", "agreement", 10_000)


def test_what_cannot_be_undone_is_asked_once_more_and_a_dispute_is_found_from_its_contract(visitor: Any, funded_contract: Any) -> None:
    from marketplace.disputes.models import Dispute

    page = visitor(funded_contract.client).go(f"/contracts/{funded_contract.pk}")
    page.get_by_role("button", name="Open a dispute").first.click()
    page.locator("form").get_by_role("button", name="Open a dispute").click()
    expect(page.locator(".invalid-feedback"), "Say what is wrong and what you ask for.")
    assert Dispute.objects.count() == 0

    page.get_by_label("What is wrong, and what you ask for").fill("Half of it is missing.")
    page.locator("form").get_by_role("button", name="Open a dispute").click()
    page.get_by_role("link", name="Read the dispute").click()
    expect(page.locator("main"), "Half of it is missing.")

    page.get_by_role("button", name="Withdraw the dispute").click()
    assert Dispute.objects.get().state == "opened"
    assert page.evaluate("document.activeElement.textContent.trim()") == "Withdraw the dispute"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Not now").wait_for(state="detached")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Withdraw the dispute").click()
    expect(page.locator("main"), "Withdrawn")
    assert Dispute.objects.get().state == "withdrawn"
