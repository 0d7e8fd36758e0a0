"""The client's fee: on top of what is funded, kept for what was paid, given back with what goes back, to the minor unit."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from marketplace.contracts import services, tasks
from marketplace.contracts.models import Contract, Milestone, TimeEntry, Timesheet
from marketplace.core import clock
from marketplace.core.errors import Conflict
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.disputes import services as disputes
from marketplace.notifications.models import InboxItem
from marketplace.payments import client_fees
from marketplace.payments.client_fees import Lot, due_back
from marketplace.payments.debts import owed
from marketplace.payments.models import Document, Entry, FeeSchedule, FxRate, Payment, Posting
from marketplace.payments.providers import sandbox
from marketplace.payments.selectors import balances_of
from marketplace.payments.services import chargeback_refresh, documents_issue, documents_missing, ledger_check, wallet_pay_in
from marketplace.payments.taxes import Levy, Tax
from tests.webapp.hours_cast import past
from tests.webapp.people import Person

#: 3 % of 400.00 is 12.00, and 19 % tax on it 2.28
AMOUNT, FEE, TAX = 40_000, 1_200, 228
TOTAL = AMOUNT + FEE + TAX


@pytest.fixture(autouse=True)
def schedule(books_balance: None) -> FeeSchedule:
    """What every contract of these tests was quoted."""
    prices = {"freelancer_fee_bps": 1_000, "tax_bps": 1_900, "client_fee_bps": 300, "client_minimum": {"USD": 100, "JPY": 50}}
    return FeeSchedule.objects.create(version="both-sides", active_from="2026-01-01T00:00:00Z", **prices)


def wallet(user: Any, currency: str = "USD") -> tuple[int, int]:
    """(wallet, held)"""
    found = {b.currency: b for b in balances_of(user.pk)}.get(currency)
    return (0, 0) if found is None else (found.wallet.minor, found.held.minor)


def moved(kind: str, leg: str) -> int:
    return sum(Posting.objects.filter(entry__kind=kind, leg=leg).values_list("amount", flat=True))


def kept() -> tuple[int, int]:
    """Client's fee and tax that were taken and not given back."""
    return tuple(moved("client_fee", leg) - moved("client_fee_refund", leg) for leg in ("fee", "tax"))  # type: ignore[return-value]


def pay_in(alice: Any, minor: int, currency: str = "USD") -> None:
    wallet_pay_in(
        actor=alice, provider="sandbox", amount=Money(minor, currency), method={"token": "tok_visa"}, idempotency_key=f"in-{minor}"
    )


def from_wallet(alice: Any, milestone: Milestone) -> Milestone:
    return services.milestone_fund(actor=alice, milestone_id=milestone.pk, provider="wallet", method={}, idempotency_key="w")[1]


def ask_back(alice: Any, bob: Any, milestone: Milestone, minor: int | None = None) -> None:
    asked = services.refund_request_open(actor=alice, milestone_id=milestone.pk, reason="Less of it.", amount_minor=minor)
    services.refund_request_accept(actor=bob, request_id=asked.pk)


def test_a_card_is_asked_for_amount_fee_and_tax_and_the_hold_gets_the_amount(alice: Any, funded: Milestone) -> None:
    assert funded.state == "funded"
    assert Payment.objects.get().amount_minor == TOTAL
    assert wallet(alice) == (0, AMOUNT)
    entry = Entry.objects.get(kind="client_fee")
    assert {p.leg: p.amount for p in entry.postings.all()} == {"fee": FEE, "tax": TAX}
    assert (entry.subject_type, entry.subject_id, entry.contract_id) == ("milestone", funded.pk, funded.contract_id)
    assert (entry.actor_id, entry.quote["fee_schedule"]) == (alice.pk, "both-sides")


def test_the_same_key_again_asks_for_nothing_more(alice: Any, funded: Milestone, fund: Callable[..., Milestone]) -> None:
    assert fund(funded).state == "funded"
    assert (Payment.objects.count(), Entry.objects.filter(kind="client_fee").count()) == (1, 1)


def test_a_wallet_without_the_fee_funds_nothing(committed_db: None, alice: Any, planned: Milestone) -> None:
    pay_in(alice, TOTAL - 1)
    with pytest.raises(Conflict) as refused:
        from_wallet(alice, planned)
    assert refused.value.code == "insufficient_funds"
    assert (wallet(alice), kept()) == ((TOTAL - 1, 0), (0, 0))
    assert Milestone.objects.get(pk=planned.pk).state == "planned"
    pay_in(alice, 100)
    assert from_wallet(alice, planned).state == "funded"
    assert (wallet(alice), kept()) == ((99, AMOUNT), (FEE, TAX))


def test_a_payment_that_no_longer_reaches_for_the_fee_stays_in_the_wallet_and_says_why(
    alice: Any, planned: Milestone, fund: Callable[..., Milestone]
) -> None:
    fund(planned, token="tok_delayed")
    Milestone.objects.filter(pk=planned.pk).update(amount_minor=AMOUNT + 1)
    from marketplace.payments.services import payment_refresh

    payment = payment_refresh(payment_id=Payment.objects.get().pk)
    assert services.milestone_take_payment(milestone_id=planned.pk, payment_id=payment.pk).state == "planned"
    assert wallet(alice) == (TOTAL, 0)
    assert "the amount and the fee on it" in Event.objects.get(kind="milestone.funding_refused").reason


def test_all_of_it_back_is_all_of_the_fee_back(alice: Any, bob: Any, funded: Milestone) -> None:
    services.milestone_refund(actor=bob, milestone_id=funded.pk, reason="Other plans.")
    assert (wallet(alice), kept()) == ((TOTAL, 0), (0, 0))


def test_silence_gives_the_fee_back_too(alice: Any, funded: Milestone, days: Any) -> None:
    services.refund_request_open(actor=alice, milestone_id=funded.pk, reason="Half of it.", amount_minor=AMOUNT // 2)
    days(7.01)
    assert tasks.grant_refunds_due() == 1
    assert (wallet(alice), kept()) == ((TOTAL // 2, AMOUNT // 2), (FEE // 2, TAX // 2))


def test_single_minor_units_give_back_their_share_and_no_more(alice: Any, bob: Any, planned: Milestone, settings: Any) -> None:
    settings.REFUND_REQUESTS_PER_VERSION = 100
    Milestone.objects.filter(pk=planned.pk).update(amount_minor=40)
    pay_in(alice, 40 + 100 + 19)
    from_wallet(alice, planned)
    assert (wallet(alice), kept()) == ((0, 40), (100, 19))  # the minimum
    seen = []
    for _ in range(4):
        ask_back(alice, bob, planned, 1)
        seen.append(kept())
    # 2.5 of the fee a unit, half a unit up; the tax follows the fee
    assert seen == [(97, 18), (95, 18), (92, 17), (90, 17)]
    ask_back(alice, bob, planned)
    assert (wallet(alice), kept()) == ((159, 0), (0, 0))


def test_what_was_paid_keeps_its_fee_and_the_rest_gives_its_share_back(alice: Any, bob: Any, submitted: Milestone) -> None:
    services.milestone_approve_part(
        actor=alice, milestone_id=submitted.pk, amount_minor=30_001, rest="wallet", reason="The rest is missing."
    )
    asked = submitted.refund_requests.get()
    services.refund_request_accept(actor=bob, request_id=asked.pk)
    # 9,999 of 40,000 went back: 299.97 of the fee of 1,200
    assert (wallet(alice), kept()) == ((9_999 + 300 + 57, 0), (900, 171))


def test_a_split_gives_the_clients_part_its_share(alice: Any, bob: Any, dispute: Any, sam: Any) -> None:
    split = {"to_freelancer_minor": 26_667, "to_client_minor": 13_333, "reason": "Two thirds are there."}
    disputes.dispute_settle(actor=sam, dispute_id=dispute.pk, **split)
    # 399.99 of the fee
    assert (wallet(alice), kept()) == ((13_333 + 400 + 76, 0), (800, 152))


def test_a_rest_takes_its_fee_along_to_the_next_milestone(
    alice: Any, bob: Any, contract: Contract, submitted: Milestone, fund: Any
) -> None:
    second = fund(contract.milestones.get(position=2), key="fund-2")
    before = wallet(alice)
    services.milestone_approve_part(actor=alice, milestone_id=submitted.pk, amount_minor=30_001, rest="next", reason="Go on.")
    services.refund_request_accept(actor=bob, request_id=submitted.refund_requests.get().pk)
    assert wallet(alice)[0] == before[0] == 0
    assert kept() == (FEE + 1_800, TAX + 342)  # nothing was given back, nothing taken again
    came = Entry.objects.get(kind="client_fee", subject_id=second.pk, quote__moved_from=submitted.pk)
    assert (came.quote["fee"], came.quote["tax"], came.quote["base"]) == (300, 57, 9_999)
    services.milestone_refund(actor=bob, milestone_id=second.pk, reason="Other plans.")
    assert (wallet(alice), kept()) == ((69_999 + 2_100 + 399, 0), (900, 171))


def test_questioned_hours_take_their_fee_along(alice: Any, bob: Any, handed_in: Timesheet, logged: list[TimeEntry]) -> None:
    # a week of 600.00 bore 18.00 and 3.42; 267.00 of it were not worked
    assert (wallet(alice), kept()) == ((26_700 + 801 + 152, 33_300), (999, 190))
    questions = [{"entry_id": e.pk, "reason": "What for?"} for e in logged[1:]]
    apart = services.week_question(actor=alice, timesheet_id=handed_in.pk, questions=questions)
    assert (wallet(alice), kept()) == ((26_700 + 801 + 152, 33_300), (999, 190))
    came = Entry.objects.get(kind="client_fee", subject_id=apart.milestone_id)
    assert (came.quote["base"], came.quote["fee"], came.quote["tax"], came.quote["moved_from"]) == (13_300, 399, 76, handed_in.milestone_id)
    corrected = [{"entry_id": e.pk, "minutes": 0} for e in logged[1:]]
    services.week_answer(actor=bob, timesheet_id=apart.pk, answers=corrected)
    assert (wallet(alice), kept()) == ((40_000 + 1_200 + 228, 20_000), (600, 114))


def test_a_week_that_is_questioned_whole_takes_its_whole_fee_along(alice: Any, handed_in: Timesheet, logged: list[TimeEntry]) -> None:
    apart = services.week_question(actor=alice, timesheet_id=handed_in.pk, questions=[{"entry_id": e.pk, "reason": "?"} for e in logged])
    assert Entry.objects.get(kind="client_fee", subject_id=apart.milestone_id).quote["fee"] == 999
    assert kept() == (999, 190)


@pytest.mark.parametrize("questioned", ["a part", "all"])
def test_hours_of_a_client_who_owes_us_can_be_questioned(
    committed_db: None, alice: Any, handed_in: Timesheet, logged: list[TimeEntry], questioned: str
) -> None:
    """The money is on its way into the next hold: it is not in the wallet for what is owed, nor is its share of the fee."""
    chargeback_refresh(provider="sandbox", ref=sandbox.dispute(str(Payment.objects.get().provider_ref)))
    assert (wallet(alice)[0], owed(alice.pk, "USD") > 0) == (0, True)
    before, chosen = owed(alice.pk, "USD"), logged[1:] if questioned == "a part" else logged
    apart = services.week_question(actor=alice, timesheet_id=handed_in.pk, questions=[{"entry_id": e.pk, "reason": "?"} for e in chosen])
    assert apart.milestone.amount_minor == (13_300 if questioned == "a part" else 33_300)
    assert (wallet(alice), owed(alice.pk, "USD"), kept()) == ((0, 33_300), before, (999, 190))
    # granted by silence it is the client's again, and pays what is owed first
    past(apart.answer_by)
    assert services.questions_grant(timesheet_id=apart.pk)
    assert wallet(alice)[0] == 0
    fee = (399 + 76) if questioned == "a part" else (999 + 190)
    assert before - owed(alice.pk, "USD") == apart.milestone.amount_minor + fee


def test_a_bonus_bears_the_fee_on_top(committed_db: None, alice: Any, bob: Any, contract: Contract, funded: Milestone) -> None:
    pay_in(alice, 10_000 + 300 + 57)
    services.bonus_give(actor=alice, contract_id=contract.pk, amount_minor=10_000)
    assert (wallet(alice), kept()) == ((0, AMOUNT), (FEE + 300, TAX + 57))
    with pytest.raises(Conflict):
        pay_in(alice, 101)
        services.bonus_give(actor=alice, contract_id=contract.pk, amount_minor=2)


def test_a_contract_keeps_the_schedule_it_was_quoted(alice: Any, planned: Milestone, fund: Callable[..., Milestone]) -> None:
    FeeSchedule.objects.create(version="dearer", freelancer_fee_bps=0, client_fee_bps=9_000, active_from="2026-02-01T00:00:00Z")
    fund(planned)
    assert kept() == (FEE, TAX)


def test_the_client_hears_what_the_fee_was_and_what_came_back(alice: Any, bob: Any, funded: Milestone) -> None:
    ask_back(alice, bob, funded, AMOUNT // 2)
    drain()
    assert Document.objects.filter(about="fee", recipient=alice).count() == 2
    told = {
        kind: list(InboxItem.objects.filter(kind=kind).values_list("user", "text"))
        for kind in ("entry.client_fee", "entry.client_fee_refund")
    }
    title = "A web shop"
    assert told == {
        "entry.client_fee": [(alice.pk, f"The service fee for “{title}”, tax included, is 14.28 USD: it was taken from your wallet.")],
        "entry.client_fee_refund": [(alice.pk, f"7.14 USD of the service fee for “{title}”, tax included, is back in your wallet.")],
    }


def test_a_fee_that_goes_along_to_another_hold_is_no_news(
    alice: Any, bob: Any, contract: Contract, submitted: Milestone, fund: Any
) -> None:
    fund(contract.milestones.get(position=2), key="fund-2")
    services.milestone_approve_part(actor=alice, milestone_id=submitted.pk, amount_minor=30_001, rest="next", reason="Go on.")
    services.refund_request_accept(actor=bob, request_id=submitted.refund_requests.get().pk)
    drain()
    assert InboxItem.objects.filter(kind__startswith="entry.client_fee").count() == 2  # of the two fundings
    assert Document.objects.filter(about="fee", recipient=alice).count() == 4  # an invoice more, and a credit note


def test_invoice_and_credit_notes_sum_to_what_was_kept(alice: Any, bob: Any, funded: Milestone) -> None:
    ask_back(alice, bob, funded, 1_333)
    ask_back(alice, bob, funded, 1)
    for entry in documents_missing():
        documents_issue(entry_id=entry)
    invoice = Document.objects.get(kind="invoice", about="fee", recipient=alice)
    notes = Document.objects.filter(kind="credit_note", about="fee", recipient=alice)
    assert (invoice.issuer_id, invoice.net_minor, invoice.tax_minor) == (None, FEE, TAX)
    assert {n.corrects_id for n in notes} == {invoice.pk}
    assert (FEE - sum(n.net_minor for n in notes), TAX - sum(n.tax_minor for n in notes)) == kept()
    assert invoice.content["subject"] == "A web shop: Design"


def test_a_fee_that_was_not_taken_or_not_given_back_is_found(alice: Any, bob: Any, funded: Milestone, monkeypatch: Any) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(client_fees, "give_back", lambda *a, **k: [])
        ask_back(alice, bob, funded, 10_000)
    found = [(v.invariant, v.rule) for v in ledger_check().violations]
    assert found == [(8, "client_fee_goes_back_with_its_money")]
    ask_back(alice, bob, funded, 1)  # the next part makes up for it


def test_yen_have_no_smaller_unit(alice: Any, bob: Any, contract: Contract) -> None:
    Contract.objects.filter(pk=contract.pk).update(currency="JPY", payee_currency="JPY")
    contract.milestones.update(currency="JPY", amount_minor=1_650)
    pay_in(alice, 1_650 + 50 + 10, "JPY")
    milestone = from_wallet(alice, contract.milestones.get(position=1))
    assert (wallet(alice, "JPY"), kept()) == ((0, 1_650), (50, 10))  # the minimum is more than 3 %
    ask_back(alice, bob, milestone, 825)
    assert (wallet(alice, "JPY"), kept()) == ((825 + 25 + 5, 825), (25, 5))


def test_over_http_the_total_is_told_and_paid_in_another_currency(alice: Any, bob: Any, contract: Contract) -> None:
    FxRate.objects.create(
        base="EUR", quote="USD", rate=Decimal("1.25"), spread_bps=0, source="test", as_of=clock.now().date(), fetched_at=clock.now()
    )
    client, freelancer = Person(alice), Person(bob)
    first = client.get(f"contracts/{contract.pk}").json()["milestones"][0]
    usd = {name: m["minor"] for name, m in first["to_fund"].items()}
    assert usd == {"amount": AMOUNT, "fee": FEE, "tax": TAX, "total": TOTAL}
    assert freelancer.get(f"contracts/{contract.pk}").json()["milestones"][0]["to_fund"] is None
    ask = {"currency": "USD", "pay_currency": "EUR"}
    short, right = (client.post("me/exchange-quotes", {"amount_minor": n, **ask}).json() for n in (AMOUNT, TOTAL))
    way = {"provider": "sandbox", "method": {"token": "tok_visa"}}
    refused = client.post(f"milestones/{first['id']}/fund", {**way, "quote_id": short["id"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "quote_of_another_amount")
    done = client.post(f"milestones/{first['id']}/fund", {**way, "quote_id": right["id"]})
    assert (done.status_code, done.json()["milestone"]["state"]) == (200, "funded"), done.json()
    assert done.json()["milestone"]["to_fund"] is None
    assert Payment.objects.get().amount_minor == -(-TOTAL * 4 // 5)
    assert (wallet(alice), kept()) == ((0, AMOUNT), (FEE, TAX))
    told = client.get(f"contracts/{contract.pk}/timeline").json()["items"]
    assert [i["amount"]["minor"] for i in told if i["title"] == "Wallet → service fee"] == [FEE + TAX]


# --- the arithmetic alone


def prices(bps: int, tax: int = 0, **least: int) -> FeeSchedule:
    return FeeSchedule(version="any", freelancer_fee_bps=0, tax_bps=tax, client_fee_bps=bps, client_minimum=least)


@pytest.mark.parametrize(
    ("amount", "currency", "fee", "tax"),
    [(1, "JPY", 50, 10), (16_667, "JPY", 500, 95), (16_650, "JPY", 500, 95), (16_649, "JPY", 499, 95), (1, "EUR", 0, 0), (17, "EUR", 1, 0)],
)
def test_the_fee_is_rounded_half_up_and_is_the_minimum_of_its_currency_at_least(amount: int, currency: str, fee: int, tax: int) -> None:
    charge = client_fees.of(Money(amount, currency), prices(300, 1_900, JPY=50))
    assert (charge.fee.minor, charge.tax.minor) == (fee, tax)
    assert charge.total.minor == amount + fee + tax


def test_the_tax_is_the_levys_when_there_is_one() -> None:
    reverse = Levy(Tax("2026-01", "AE", "FR", 0, "reverse_charge"))
    assert client_fees.of(Money(AMOUNT, "EUR"), prices(300, 1_900), reverse).tax.minor == 0


lots = st.lists(st.builds(Lot, st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=4)


@bounded(deadline=None)
@given(lots, st.lists(st.integers(1, 10**6), max_size=12))
def test_parts_give_back_never_more_than_was_taken_and_all_of_it_at_last(filled: list[Lot], parts: list[int]) -> None:
    held, before = sum(lot.base for lot in filled), [(0, 0)] * len(filled)
    returned = 0
    for part in [*parts, held]:
        returned = min(held, returned + part)
        now = due_back(filled, returned)
        for (fee, tax), (fee_before, tax_before), lot in zip(now, before, filled, strict=True):
            assert fee_before <= fee <= lot.fee
            assert tax_before <= tax <= lot.tax
        # of the oldest lot that is not all back, at most half a unit from its exact share
        assert abs(sum(f for f, _ in now) - exact(filled, returned)) <= 0.5
        before = now
    assert before == [(lot.fee, lot.tax if lot.fee else 0) for lot in filled]


def exact(filled: list[Lot], returned: int) -> float:
    share = 0.0
    for lot in filled:
        part = min(lot.base, returned)
        returned -= part
        share += lot.fee * part / lot.base
    return share
