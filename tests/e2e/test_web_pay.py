"""Paying in the browser: a decline, the bank's question and what comes of it, another currency, a lost answer, the wallet and its cards."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .test_web_journey import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def agreed(alice_and_bob: Any, open_job: Any, site: str, settings: Any) -> Any:
    """Alice's contract with bob over one milestone of 750.00 USD that is not paid for; the test bank's page is on the running server."""
    from marketplace.contracts import services as contracts
    from marketplace.core.tasks import drain
    from marketplace.jobs import services as jobs

    settings.BASE_URL = site
    alice, bob = alice_and_bob
    terms = [{"title": "All sources", "amount_minor": 75_000, "due_in_days": 5, "acceptance": ["It runs."]}]
    proposal = jobs.proposal_submit(
        actor=bob, job_id=open_job.pk, cover_letter="I have done this twice.", amount_minor=75_000, currency="USD",
        delivery_days=10, milestones=terms, answers=["A small one."],
    )  # fmt: skip
    contract = contracts.offer_make(actor=alice, proposal_id=proposal.pk)
    contracts.offer_accept(actor=bob, contract_id=contract.pk)
    drain()
    return contract


def test_a_milestone_is_paid_after_a_decline_with_a_card_whose_bank_asks(visitor: Any, agreed: Any) -> None:
    from marketplace.core.tasks import drain
    from marketplace.payments.models import Payment
    from marketplace.payments.services import ledger_check

    page = visitor(agreed.client, width=360).go(f"/contracts/{agreed.pk}")
    page.get_by_role("button", name="Fund", exact=True).click()

    # Declined: it says why, nothing was taken, and another card can be chosen at once.
    page.get_by_label("Test card").last.select_option("tok_declined")
    page.get_by_role("button", name="Pay $750.00 USD").click()
    expect(page.get_by_role("alert"), "Nothing was taken.")
    page.locator("[data-form-message]:focus").wait_for()

    # The bank says no on its page: back here that is told, with the way back to the contract.
    for answer, told in (
        ("No", "You did not confirm it on your bank's page. Nothing was taken."),
        ("Yes", "The money pays for the milestone"),
    ):
        page.get_by_label("Test card").last.select_option("tok_3ds")
        page.get_by_role("button", name="Pay $750.00 USD").click()
        page.wait_for_url("**/sandbox/challenges/**")
        page.get_by_role("button", name=answer, exact=True).click()
        page.get_by_role("link", name="Go back to Openlance").click()
        page.wait_for_url(re.compile(r"/payments/\d+$"))
        expect(page.get_by_test_id("progress"), told)
        drain()
        page.get_by_role("link", name="Go back").click()
        page.wait_for_url(f"**/contracts/{agreed.pk}")
        if answer == "No":
            page.get_by_role("button", name="Fund", exact=True).click()

    expect(page.get_by_test_id("held"), "$750.00 USD")
    assert list(Payment.objects.order_by("pk").values_list("state", "failure_code")) == [
        ("failed", "declined"),
        ("failed", "authentication_failed"),
        ("succeeded", ""),
    ]
    assert agreed.milestones.get().state == "funded"
    assert ledger_check().ok


@pytest.mark.parametrize("width", [360, 1280])
def test_a_clients_fee_is_said_before_it_is_paid(visitor: Any, agreed: Any, width: int, tmp_path: Any) -> None:
    from marketplace.contracts.models import Contract
    from marketplace.payments.models import Entry, FeeSchedule
    from marketplace.payments.services import ledger_check

    prices = {"freelancer_fee_bps": 1_000, "tax_bps": 1_900, "client_fee_bps": 300, "active_from": "2026-01-01T00:00:00Z"}
    FeeSchedule.objects.create(version="web-both-sides", **prices)
    Contract.objects.filter(pk=agreed.pk).update(fee_schedule="web-both-sides")
    page = visitor(agreed.client, width=width).go(f"/contracts/{agreed.pk}")
    page.get_by_role("button", name="Fund", exact=True).click()

    expect(page.locator("main"), "With the service fee of $22.50 USD and tax of $4.28 USD you pay $776.78 USD.")
    page.get_by_role("button", name="Pay $776.78 USD").wait_for()
    page.screenshot(path=tmp_path / "fund.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Pay $776.78 USD").click()
    expect(page.get_by_test_id("held"), "$750.00 USD")
    assert Entry.objects.get(kind="client_fee").quote["fee"] == 2_250
    assert ledger_check().ok


def test_a_payment_whose_answer_is_lost_is_asked_for_again_and_made_once(visitor: Any, agreed: Any) -> None:
    from marketplace.payments.models import Payment

    page = visitor(agreed.client).go(f"/contracts/{agreed.pk}")
    keys: list[str] = []

    def lose_the_first_answer(route: Any) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()  # the server pays, but the answer never arrives
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/fund", lose_the_first_answer)
    page.get_by_role("button", name="Fund", exact=True).click()
    page.get_by_role("button", name="Pay $750.00 USD").click()
    expect(page.get_by_role("alert"), "Nobody knows yet whether this payment was made")

    page.get_by_role("button", name="Ask again").click()
    expect(page.get_by_test_id("held"), "$750.00 USD")
    assert len(keys) == 2 and keys[0] == keys[1]
    assert Payment.objects.count() == 1


def test_the_wallet_takes_money_keeps_a_card_and_gives_money_back(visitor: Any, agreed: Any) -> None:
    from marketplace.core.tasks import drain
    from marketplace.payments.models import SavedMethod
    from marketplace.payments.services import ledger_check

    page = visitor(agreed.client, width=360).go("/wallet")
    expect(page.locator("main"), "Your wallet is empty.")

    page.get_by_role("button", name="Save a card").click()
    page.get_by_role("button", name="Save it").click()
    expect(page.get_by_test_id("saved-methods"), "Visa ending in 4242")

    page.get_by_role("button", name="Pay in").click()
    page.get_by_label("Currency").select_option("EUR")
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.locator("#pay-wallet-amount-error"), "Write the amount in digits")
    page.get_by_label("Amount (EUR)").fill("1,200.50")
    assert page.get_by_role("radio", name="Visa ending in 4242").is_checked()
    page.get_by_role("button", name="Pay €1,200.50").click()
    expect(page.get_by_role("region", name="EUR"), "€1,200.50")
    expect(page.get_by_test_id("payments"), "Into the wallet")

    # From the wallet to the milestone at a price in euros.
    page.goto(f"/contracts/{agreed.pk}")
    page.get_by_role("button", name="Fund", exact=True).click()
    page.get_by_label("Pay in").select_option("EUR")
    expect(page.get_by_test_id("price"), "$750.00 USD")
    expect(page.get_by_test_id("price"), "1 EUR =")
    expect(page.get_by_test_id("price"), "Holds for")
    page.get_by_role("radio", name="Your wallet").check()
    page.get_by_role("button", name=re.compile(r"Pay €\d")).click()
    expect(page.get_by_test_id("held"), "$750.00 USD")

    # The rest goes back to the card, which is then forgotten.
    page.goto("/wallet")
    page.get_by_role("button", name="Send money back").click()
    page.get_by_label("Amount (EUR)").fill("10.00")
    page.get_by_role("button", name="Send it back").click()
    expect(page.get_by_test_id("said"), "€10.00 is on its way back.")
    drain()
    page.get_by_test_id("payments").get_by_role("link", name="€1,200.50").click()
    expect(page.get_by_test_id("refunds"), "€10.00")
    page.goto("/wallet")
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("main"), "None yet.")
    assert SavedMethod.objects.get().state == "removed"
    assert ledger_check().ok
