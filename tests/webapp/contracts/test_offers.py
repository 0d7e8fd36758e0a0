"""From a proposal to an agreement, and out of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from marketplace.contracts import services
from marketplace.contracts.models import Contract, Milestone
from marketplace.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from marketplace.jobs.models import Job, Proposal


def test_an_offer_takes_the_proposals_milestones_and_the_quoted_fee_schedule(offer: Contract, proposal: Proposal) -> None:
    proposal.refresh_from_db()
    assert (offer.state, proposal.state) == ("offered", "offered")
    assert (offer.total_minor, offer.currency, offer.payee_currency) == (100_000, "USD", "USD")
    assert offer.fee_schedule == proposal.quote["fee_schedule"]
    rows = offer.milestones.order_by("position").values_list("position", "title", "amount_minor", "state", "acceptance")
    assert list(rows) == [
        (1, "Design", 40_000, "planned", ["Figures on every page", "Works at 360 px"]),
        (2, "Build", 60_000, "planned", []),
    ]


def test_accepting_fills_the_job_and_counts_due_dates_from_then(bob: Any, offer: Contract, days: Any) -> None:
    days(3)
    contract = services.offer_accept(actor=bob, contract_id=offer.pk)
    assert contract.state == "active"
    assert Job.objects.get(pk=offer.job_id).state == "filled"
    assert Proposal.objects.get(pk=offer.proposal_id).state == "accepted"
    due = contract.milestones.get(position=1).due_at
    assert contract.started_at is not None
    assert due - contract.started_at == timedelta(days=10)


def test_only_the_other_side_answers_an_offer(alice: Any, charlie: Any, offer: Contract) -> None:
    with pytest.raises(NotAllowed):
        services.offer_accept(actor=alice, contract_id=offer.pk)
    with pytest.raises(NotFound):
        services.offer_accept(actor=charlie, contract_id=offer.pk)
    offer.refresh_from_db()
    assert offer.state == "offered"
    assert Job.objects.get(pk=offer.job_id).state == "open"


def test_a_declined_offer_ends_contract_milestones_and_proposal_and_keeps_the_reason(bob: Any, offer: Contract) -> None:
    services.offer_decline(actor=bob, contract_id=offer.pk, reason="I am ill.")
    offer.refresh_from_db()
    assert (offer.state, offer.started_at) == ("cancelled", None)
    assert offer.ended_at is not None
    assert set(offer.milestones.values_list("state", flat=True)) == {"cancelled"}
    proposal = Proposal.objects.get(pk=offer.proposal_id)
    assert (proposal.state, proposal.outcome_reason) == ("declined", "I am ill.")
    with pytest.raises(Conflict):
        services.offer_accept(actor=bob, contract_id=offer.pk)


def test_the_client_takes_an_offer_back_before_it_is_answered(alice: Any, offer: Contract) -> None:
    services.contract_cancel(actor=alice, contract_id=offer.pk, reason="The budget is gone.")
    offer.refresh_from_db()
    assert offer.state == "cancelled"
    assert Proposal.objects.get(pk=offer.proposal_id).state == "declined"


@pytest.mark.parametrize(
    ("milestones", "code", "field"),
    [
        ([], "milestones_invalid", "milestones"),
        ("Design", "milestones_invalid", "milestones"),
        ([{"title": "x", "amount_minor": 1}] * 51, "milestones_invalid", "milestones"),
        ([{"title": "x", "amount_minor": 99_999}], "milestones_sum", "milestones"),
        ([{"title": "x", "amount_minor": 0}, {"title": "y", "amount_minor": 100_000}], "milestones_invalid", "milestones.0.amount_minor"),
        ([{"title": "x", "amount_minor": 100_000.0}], "milestones_invalid", "milestones.0.amount_minor"),
        ([{"title": "x", "amount_minor": True}], "milestones_invalid", "milestones.0.amount_minor"),
        ([{"title": " ", "amount_minor": 100_000}], "milestones_invalid", "milestones.0.title"),
        ([{"title": "x", "amount_minor": 100_000, "due_in_days": -1}], "milestones_invalid", "milestones.0.due_in_days"),
        ([{"title": "x", "amount_minor": 100_000, "acceptance": [""]}], "milestones_invalid", "milestones.0.acceptance"),
        ([7], "milestones_invalid", "milestones.0"),
    ],
)
def test_terms_that_do_not_hold_are_named_and_change_nothing(
    alice: Any, proposal: Proposal, milestones: Any, code: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused, transaction.atomic():
        services.offer_make(actor=alice, proposal_id=proposal.pk, milestones=milestones)
    assert (refused.value.code, list(refused.value.fields)) == (code, [field])
    assert Contract.objects.count() == 0
    proposal.refresh_from_db()
    assert proposal.state == "submitted"


def test_a_contract_ends_early_only_while_nothing_is_held(alice: Any, contract: Contract, funded: Milestone) -> None:
    with pytest.raises(Conflict) as refused:
        services.contract_cancel(actor=alice, contract_id=contract.pk)
    assert refused.value.code == "funds_held"
    contract.refresh_from_db()
    assert contract.state == "active"
    assert contract.milestones.get(position=2).state == "planned"


def test_cancelling_the_rest_after_a_payment_completes_the_contract(alice: Any, contract: Contract, submitted: Milestone) -> None:
    services.milestone_approve(actor=alice, milestone_id=submitted.pk)
    services.contract_cancel(actor=alice, contract_id=contract.pk, reason="No second part.")
    contract.refresh_from_db()
    assert contract.state == "completed"
    assert list(contract.milestones.order_by("position").values_list("state", flat=True)) == ["released", "cancelled"]


def test_an_unfunded_contract_is_cancelled_by_either_side(bob: Any, contract: Contract) -> None:
    services.contract_cancel(actor=bob, contract_id=contract.pk)
    contract.refresh_from_db()
    assert contract.state == "cancelled"
