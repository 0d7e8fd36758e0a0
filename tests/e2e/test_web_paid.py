"""A freelancer is paid: a place, a payout that is held and why, a statement and an invoice to keep; on a phone."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser


def expect(locator: Any, text: str) -> None:
    from playwright.sync_api import expect as eventually

    eventually(locator).to_contain_text(text)


def saved(page: Any, button: str) -> tuple[str, bytes]:
    """Name and content of the file that the button downloads. The first PDF of a process loads all that sets pages before it is made."""
    with page.expect_download(timeout=90_000) as found:
        page.get_by_role("button", name=button, exact=True).click()
    return found.value.suggested_filename, Path(found.value.path()).read_bytes()


@pytest.fixture
def paid_work(alice_and_bob: tuple[Any, Any], funded_contract: Any) -> Any:
    """Bob's work on the first milestone is approved, and its money has cleared."""
    from marketplace.contracts import services as contracts
    from marketplace.contracts.models import Milestone
    from marketplace.core.clock import now
    from marketplace.core.tasks import drain

    alice, bob = alice_and_bob
    first = funded_contract.milestones.order_by("position")[0]
    contracts.milestone_submit(actor=bob, milestone_id=first.pk, note="Everything loads.")
    contracts.milestone_approve(actor=alice, milestone_id=first.pk)
    Milestone.objects.filter(pk=first.pk).update(clears_at=now())
    assert contracts.milestone_clear(milestone_id=first.pk)
    drain()
    return funded_contract


def test_a_freelancer_adds_a_place_is_paid_out_and_keeps_a_statement(visitor: Any, alice_and_bob: Any, paid_work: Any) -> None:
    from marketplace.payments.models import Payout, PayoutSchedule
    from marketplace.payments.services import ledger_check

    _, bob = alice_and_bob
    freelancer = visitor(bob, width=360)
    freelancer.context.set_default_timeout(30_000)  # it may be the first page that this server shows
    page = freelancer.go("/payouts")
    expect(page.locator("main"), "$675.00 USD")

    # No place yet: nothing is asked for, and the page says what is missing.
    page.get_by_role("button", name="All of it").click()
    page.get_by_role("button", name="Ask for the payout").click()
    expect(page.locator("#payout-place-error"), "Add a place that takes USD first.")
    assert Payout.objects.count() == 0

    page.get_by_role("button", name="Add a place to be paid").click()
    page.get_by_label("IBAN").fill("DE89 3704 0044 0532 0130 01")
    page.get_by_role("button", name="Add this place").click()
    expect(page.locator("#place-details-error"), "Not an IBAN")
    page.get_by_label("IBAN").fill("DE89 3704 0044 0532 0130 00")
    page.get_by_role("button", name="Add this place").click()
    expect(page.get_by_test_id("place"), "IBAN DE… 3000")

    page.get_by_label("Amount (USD)").fill("600.50")
    page.get_by_role("button", name="Ask for the payout").click()
    row = page.get_by_test_id("payout")
    expect(row, "$600.50 USD")
    expect(row, "Held for a check")
    expect(row, "It is your first payout: it waits some time before it is sent. It is sent on ")
    expect(page.get_by_test_id("said"), "It is your first payout")
    payout = Payout.objects.get()
    assert (payout.payee_id, payout.amount_minor, payout.state, payout.provider) == (bob.pk, 60_050, "held", "sandbox")

    # From now on it is paid out by itself, on Mondays.
    page.get_by_role("button", name="Change when USD is paid out").click()
    page.get_by_label("When", exact=True).select_option("weekly")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_test_id("said"), "Saved: USD, Every Monday")
    assert PayoutSchedule.objects.get().pace == "weekly"

    # The statement says the same, to the cent, on the page and in the files.
    page = freelancer.go("/statements?account=available")
    expect(page.get_by_test_id("lines").locator("li").first, "Payout requested")
    expect(page.get_by_test_id("lines").locator("li").first, "−$600.50 USD")
    expect(page.get_by_test_id("lines").locator("li").first, "$74.50 USD")
    name, content = saved(page, "Download these lines as CSV")
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert name == "statement.csv"
    assert [(r["kind"], r["change"], r["balance"]) for r in rows] == [
        ("clear", "675.00", "675.00"),
        ("payout_request", "-600.50", "74.50"),
    ]
    name, content = saved(page, "Download these lines as PDF")
    assert (name, content[:5]) == ("statement.pdf", b"%PDF-")

    # Before anything was paid in, nothing stood anywhere.
    page.get_by_label("As it stood at").fill("2020-01-01T00:00")
    page.get_by_role("button", name="Show", exact=True).first.click()
    expect(page.locator("main"), "No money had moved by then.")

    page = freelancer.go("/documents?kind=invoice&about=fee")
    fee = page.get_by_test_id("document")
    expect(fee, "$75.00 USD")
    label = str(fee.locator("h2").text_content())
    name, content = saved(page, f"Download {label} as PDF")
    assert (name, content[:5]) == (f"{label}.pdf", b"%PDF-")
    assert ledger_check().ok


def test_each_cent_of_a_contract_has_its_actor_and_posting(visitor: Any, alice_and_bob: Any, paid_work: Any) -> None:
    from marketplace.payments.models import Posting

    alice, _ = alice_and_bob
    page = visitor(alice).go(f"/contracts/{paid_work.pk}")
    page.get_by_test_id("money-story").locator("summary").click()

    story = page.get_by_test_id("story")
    expect(story, "Client: wallet → Client: funds held")
    expect(story, "Alice. Why: the client approved.")
    for posting in Posting.objects.filter(entry__contract_id=paid_work.pk).values_list("pk", flat=True):
        expect(story, f"Posting {posting}")
    expect(page.get_by_test_id("positions"), "Freelancer: available$675.00 USD")
    page.get_by_label("As it stood at").fill("2020-01-01T00:00")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_test_id("money-story"), "No money had moved by then.")
