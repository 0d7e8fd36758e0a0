"""What people write stays in the columns that an erasure reaches: events tell which fields changed."""

from __future__ import annotations

from typing import Any

import pytest

from marketplace.contracts import services as contracts
from marketplace.core.models import Event
from marketplace.jobs import services as jobs
from marketplace.jobs.models import ProposalVersion
from marketplace.payments import levies
from tests.webapp.contracts_cast import books_balance, contract, fund, funded, offer, planned, proposal  # noqa: F401 (fixtures)
from tests.webapp.journeys.test_posts import upload

WORD, VAT_ID = "Zweifelsohne", "DE136695976"


def told(kind: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return list(Event.objects.filter(kind=kind).order_by("id").values_list("before", "after"))


def said() -> str:
    return str(list(Event.objects.values_list("before", "after")))


@pytest.mark.django_db
def test_details_for_invoices(bob: Any) -> None:
    levies.tax_profile_put(actor=bob, country="DE", legal_name=WORD, vat_id=VAT_ID)
    levies.tax_profile_put(actor=bob, country="DE", legal_name=WORD)
    assert told("tax_profile.change") == [({}, {"fields": ["country", "legal_name", "vat_id"]}), ({}, {"fields": ["vat_id"]})]
    assert VAT_ID not in said() and WORD not in said()


def test_terms_of_a_bid(bob: Any, proposal: Any) -> None:  # noqa: F811
    parts = [{"title": f"{WORD} first", "amount_minor": 100_000, "due_in_days": 5, "acceptance": [WORD]}]
    jobs.proposal_update(actor=bob, proposal_id=proposal.pk, milestones=parts, delivery_days=9)
    assert told("proposal.update") == [({}, {"fields": ["delivery_days", "milestones"]})]
    assert WORD not in said() and ProposalVersion.objects.get().delivery_days == 30, "what it was is told by its versions"


def test_a_post_and_its_files(alice: Any, proposal: Any) -> None:  # noqa: F811
    jobs.job_update(
        actor=alice, job_id=proposal.job_id, description=f"{WORD}, a shop with a cart.", file_ids=[upload(alice, f"{WORD}.txt")]
    )
    assert told("job.update") == [({}, {"fields": ["description", "files"]})]
    assert WORD not in said()


def test_cards_of_a_board(alice: Any, bob: Any, funded: Any) -> None:  # noqa: F811
    task = contracts.work_task_add(actor=alice, milestone_id=funded.pk, title=WORD)
    contracts.work_task_change(actor=bob, task_id=task.pk, title=f"{WORD} again", column="done")
    contracts.work_task_remove(actor=alice, task_id=task.pk)
    number = {"task_id": task.pk}
    assert told("work_task.add") == [({}, {**number, "column": "todo"})]
    assert told("work_task.change") == [({}, {**number, "fields": ["column", "title"], "column": "done", "position": 0})]
    assert told("work_task.remove") == [(number, {})]
    assert WORD not in said()


def test_the_state_of_an_event_is_read_by_the_database(funded: Any) -> None:  # noqa: F811
    """What the data platform takes of `before` and `after`: equal to their key, and nothing where they have none."""
    rows = Event.objects.values_list("before", "after", "state_before", "state_after")
    assert [(b.get("state"), a.get("state")) for b, a, _, _ in rows] == [row[2:] for row in rows]
    assert {row[2:] for row in rows} >= {("offered", "active"), (None, None), (None, "offered")}
