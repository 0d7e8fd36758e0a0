"""What a dispute is told in figures: how like ones ended, without telling whose, and a split computed part by part from its rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from marketplace.contracts import services as work
from marketplace.contracts.models import Contract, Milestone, Submission
from marketplace.core import clock
from marketplace.core.money import Money
from marketplace.disputes import proposal, services
from marketplace.disputes.models import Dispute
from marketplace.jobs.models import Category
from marketplace.messaging.models import Conversation, Message
from marketplace.messaging.selectors import Answering, answering
from marketplace.payments import services as payments
from tests.webapp.journeys.disputes_cast import HELD, walk
from tests.webapp.people import Person

NOTHING = {"n": 0, "freelancer_share_quartiles_bps": None, "settled_by": None, "amount_band": None, "alike_in": []}
#: in US cents: which band each falls into
SMALL, MIDDLE, LARGE = 10_000, 40_000, 90_000


@pytest.fixture
def ended(dispute: Dispute) -> Callable[..., None]:
    """ended(n, share=…, held=…, category=…): n settled disputes of n other clients with n other freelancers."""
    numbers = itertools.count()

    def make(
        n: int, *, share: int = 5_000, held: int = MIDDLE, category: str = "web-development", people: int | None = None, **given: Any
    ) -> None:
        pairs = []
        for _ in range(n if people is None else people):
            name = f"side{next(numbers)}"
            pairs.append([get_user_model().objects.create_user(f"{name}{s}@example.org", display_name=name) for s in "cf"])
        for k in range(n):
            client, freelancer = pairs[k % len(pairs)]
            job, proposal, contract, milestone = _rows_under(dispute)
            job.category = Category.objects.get_or_create(slug=category, defaults={"name": category})[0]
            job.client, job.source_key = client, None
            proposal.freelancer, proposal.live_key = freelancer, None
            contract.client, contract.freelancer = client, freelancer
            _copied(job)
            proposal.job = job
            _copied(proposal)
            contract.job, contract.proposal, contract.disputed_at = job, proposal, None
            _copied(contract)
            milestone.contract, milestone.payment_id, milestone.amount_minor = contract, None, held
            milestone.state, milestone.resolved_at, milestone.disputed_at, milestone.decide_by = "resolved", clock.now(), None, None
            _copied(milestone)
            row = Dispute.objects.get(pk=dispute.pk)
            row.milestone, row.live_key, row.filer, row.held_minor = milestone, None, client, held
            row.state, row.settled_at, row.settled_by = "settled", clock.now(), "agreement"
            row.to_freelancer_minor = held * share // 10_000
            row.to_client_minor = held - row.to_freelancer_minor
            for name, value in given.items():
                setattr(row, name, value)
            _copied(row)
            _paid_in_and_split(row, contract)

    return make


def _paid_in_and_split(row: Dispute, contract: Contract) -> None:
    """The client pays what is held, and the ledger splits it as the dispute says."""
    held = Money(row.held_minor, row.currency)
    method, key = {"token": "tok_visa"}, f"held-{row.milestone_id}"
    payments.payment_start(actor_id=contract.client_id, amount=held, purpose="wallet", purpose_id=None, method=method, idempotency_key=key)
    of = {"contract_id": contract.pk, "milestone_id": row.milestone_id, "payer_id": contract.client_id, "actor_id": contract.client_id}
    payments.hold(amount=held, rule="client_funding", **of)
    payments.settle(
        payee_id=contract.freelancer_id,
        payee_currency=contract.payee_currency,
        to_payee=Money(row.to_freelancer_minor, row.currency),
        to_payer=Money(row.to_client_minor, row.currency),
        fee_schedule=contract.fee_schedule,
        rule="dispute_agreement",
        reason="They agreed.",
        **of,
    )


def _rows_under(dispute: Dispute) -> tuple[Any, Any, Any, Any]:
    milestone = Milestone.objects.select_related("contract__job", "contract__proposal").get(pk=dispute.milestone_id)
    return milestone.contract.job, milestone.contract.proposal, milestone.contract, milestone


def _copied(row: Any) -> None:
    row.pk = None
    row.save(force_insert=True)


def precedents(person: Any, **asked: Any) -> Any:
    return Person(person).get("dispute-precedents", **{"category": "web-development", "filer": "client", **asked}).json()


def test_precedents_hide_few_and_tell_of_many(alice: Any, ended: Callable[..., None]) -> None:
    few = "There are fewer than 5 like disputes, which would say more of people than of the case."
    ended(4, share=2_500)
    assert precedents(alice) == {**NOTHING, "note": few}
    ended(1, share=7_500)
    found = precedents(alice)
    assert (found["n"], found["freelancer_share_quartiles_bps"], found["settled_by"]) == (5, [2500, 2500, 2500], {"agreement": 1.0})
    assert (found["alike_in"], found["amount_band"], found["note"]) == (["filer", "category"], None, "")
    assert precedents(alice, filer="freelancer")["n"] == 0
    assert Person(alice).get("dispute-precedents", category="nothing", filer="client").status_code == 404


def test_many_disputes_of_few_people_are_few(alice: Any, ended: Callable[..., None]) -> None:
    ended(20, people=4)
    assert precedents(alice)["n"] == 0
    ended(1)
    assert precedents(alice)["n"] == 21


def test_precedents_are_of_a_like_amount_where_there_are_enough(alice: Any, ended: Callable[..., None]) -> None:
    ended(5, share=2_000, held=SMALL)
    ended(5, share=8_000, held=MIDDLE)
    for cents, share, words in ((1, 2_000, "up to 100 USD"), (10_000, 2_000, "up to 100 USD"), (10_001, 8_000, "above 100 up to 500 USD")):
        found = precedents(alice, amount_minor=cents)
        assert (found["n"], found["freelancer_share_quartiles_bps"][1], found["amount_band"]["text"]) == (5, share, words)
        assert found["alike_in"] == ["filer", "category", "amount"] and found["note"] == ""
    broader = precedents(alice, amount_minor=LARGE)
    assert (broader["n"], broader["alike_in"], broader["amount_band"]) == (10, ["filer", "category"], None)
    assert broader["note"] == "Too few like disputes were over a like amount: those over any amount are counted."


def test_a_broader_group_answers_and_says_so(alice: Any, ended: Callable[..., None]) -> None:
    Category.objects.get_or_create(slug="music", defaults={"name": "Music"})
    ended(6, held=MIDDLE)
    like = precedents(alice, category="music", amount_minor=MIDDLE)
    assert (like["n"], like["alike_in"]) == (6, ["filer", "amount"]) and "all categories" in like["note"]
    any_amount = precedents(alice, category="music", amount_minor=LARGE)
    assert (any_amount["n"], any_amount["alike_in"]) == (6, ["filer"])
    assert "any amount" in any_amount["note"] and "all categories" in any_amount["note"]


def test_no_answer_less_another_leaves_few(alice: Any, ended: Callable[..., None]) -> None:
    """Twelve disputes: told by their bands and altogether, two would be left over."""
    ended(5, held=SMALL)
    ended(5, held=MIDDLE)
    ended(2, held=LARGE)
    for amount in (SMALL, MIDDLE, LARGE):
        assert (precedents(alice, amount_minor=amount)["n"], precedents(alice)["n"]) == (12, 12)
    ended(3, held=LARGE)
    assert [precedents(alice, amount_minor=amount)["n"] for amount in (SMALL, MIDDLE, LARGE)] == [5, 5, 5]


def test_amounts_are_compared_in_dollars_and_without_a_rate_not_at_all(alice: Any, ended: Callable[..., None]) -> None:
    ended(5, held=MIDDLE)
    assert precedents(alice, amount_minor=MIDDLE, currency="KWD")["amount_band"]["above_usd_minor"] == 100_00, (
        "40.000 dinars are above 100 USD"
    )
    found = precedents(alice, amount_minor=MIDDLE, currency="KPW")
    assert (found["n"], found["alike_in"]) == (5, ["filer", "category"]) and found["note"].startswith("No rate leads from KPW to USD")
    assert (
        Person(alice).get("dispute-precedents", category="web-development", filer="client", amount_minor=1, currency="XXX").status_code
        == 400
    )
    assert Person(alice).get("dispute-precedents", category="web-development", filer="client", amount_minor=0).status_code == 400


LIKE = {**NOTHING, "note": "There are too few."}


def pull(middle: int) -> dict[str, Any]:
    return {**LIKE, "n": 9, "freelancer_share_quartiles_bps": [0, middle, 10_000], "alike_in": ["filer"], "note": ""}


SILENT = Answering(0, 0, 0, 0, ())


def facts(versions: int = 0, **given: Any) -> proposal.Facts:
    ids = tuple(range(1, versions + 1))
    base = {"milestone_id": 1, "acceptance_items": 0, "submission_ids": ids, "first_submitted_at": None, "last_submission_objected": False}
    return proposal.Facts(**{**base, "unmet_items": 0, "due_at": None, "messages": SILENT, "precedents": LIKE, **given})


NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "share"),
    [
        ({}, 1_000),
        ({"versions": 1, "first_submitted_at": NOON}, 8_000),
        ({"versions": 2, "first_submitted_at": NOON, "last_submission_objected": True, "acceptance_items": 2, "unmet_items": 1}, 5_500),
        ({"versions": 1, "first_submitted_at": NOON, "due_at": NOON}, 8_500),
        ({"versions": 1, "first_submitted_at": NOON, "due_at": NOON - timedelta(seconds=1)}, 7_900),
        ({"versions": 1, "first_submitted_at": NOON, "due_at": NOON - timedelta(days=90)}, 6_500),
        ({"precedents": pull(10_000)}, 2_000),
        ({"precedents": pull(0)}, 0),
        ({"messages": Answering(0, 0, 4, 1, (1,))}, 250),
        ({"messages": Answering(4, 1, 0, 0, (1,))}, 1_750),
        ({"messages": Answering(3, 0, 3, 0, (1,))}, 1_000),
    ],
)
def test_the_computed_share_is_the_sum_of_its_parts(given: dict[str, Any], share: int) -> None:
    found = proposal.proposal(facts(**given), 10_000)
    assert (found["share_bps"], sum(p["bps"] for p in found["parts"])) == (share, share)
    assert found["to_freelancer_minor"] + found["to_client_minor"] == 10_000


PARTS_OF_A_SPLIT = ["start", "delivery", "acceptance", "punctuality", "messages", "precedents"]


def test_a_part_without_records_is_named_and_not_counted() -> None:
    found = proposal.proposal(facts(), 10_000)["parts"]
    assert [p["code"] for p in found] == PARTS_OF_A_SPLIT
    assert {p["code"]: p["bps"] for p in found if not p["counted"]} == dict.fromkeys(PARTS_OF_A_SPLIT[2:], 0)
    assert all(p["text"].startswith("Not counted: ") for p in found if not p["counted"])


@pytest.fixture
def said(alice: Any, bob: Any, submitted: Milestone) -> Callable[[str], tuple[list[int], datetime]]:
    """said("a b") lets Alice, then Bob write; a dot lets a day pass, "-" a second. The ids of the messages, and the time afterwards."""
    contract = submitted.contract
    talk = Conversation.objects.create(job=contract.job, client=alice, freelancer=bob, created_at=clock.now())

    numbers = itertools.count(1)

    def write(script: str) -> tuple[list[int], datetime]:
        made, at = [], clock.now()
        for letter in script.replace(" ", ""):
            if letter in ".-":
                at += timedelta(days=1) if letter == "." else timedelta(seconds=1)
                continue
            row = {"author": alice if letter == "a" else bob, "text": "Hello?", "sent_at": at}
            number = next(numbers)
            made.append(Message.objects.create(conversation=talk, seq=number, client_key=str(number), **row).pk)
        clock.advance(int((at - clock.now()).total_seconds()) + 1)
        return made, at

    return write


@pytest.mark.parametrize(
    ("script", "asked"),
    [
        ("", (0, 0, 0, 0)),
        ("a - b -", (0, 0, 1, 1)),  # Bob's answer may still be answered
        ("a . . . b -", (0, 0, 1, 1)),  # on the last instant
        ("a . . . - b -", (0, 0, 1, 0)),
        ("a . a . a . - b -", (0, 0, 1, 0)),  # asked with the first of several in a row
        ("a . . .", (0, 0, 0, 0)),
        ("a . . . -", (0, 0, 1, 0)),
        ("b . . . . a - b . . . .", (2, 0, 1, 1)),
    ],
)
def test_who_answered_whom(script: str, asked: tuple[int, ...], said: Any, submitted: Milestone) -> None:
    contract = submitted.contract
    made, until = said(script)
    found = answering(
        job_id=contract.job_id,
        client_id=contract.client_id,
        freelancer_id=contract.freelancer_id,
        since=contract.started_at,
        until=until,
        within=timedelta(days=3),
    )
    assert (found.asked_client, found.answered_client, found.asked_freelancer, found.answered_freelancer) == asked
    assert list(found.message_ids) == made


def test_every_part_of_a_split_leads_back_to_its_rows(
    alice: Any, bob: Any, submitted: Milestone, said: Any, days: Callable[[float], Any], request: pytest.FixtureRequest
) -> None:
    """What the parts say is computed here again from the rows that they name."""
    work.milestone_request_changes(actor=alice, milestone_id=submitted.pk, text="Not at 360 px.", unmet=[1])
    written, _ = said("a . b . . . . a -")
    opened: Dispute = request.getfixturevalue("dispute")
    said("a")
    services.dispute_respond(actor=bob, dispute_id=opened.pk, text="It does.")
    request.getfixturevalue("ended")(5, share=8_000, held=HELD)
    walk(opened, days, "proposal")
    found = Person(bob).get(f"disputes/{opened.pk}").json()["proposal"]
    parts = {p["code"]: p for p in found["parts"]}
    assert [*parts] == PARTS_OF_A_SPLIT and all(p["counted"] for p in parts.values())
    rows = {code: {r["kind"]: r["ids"] for r in p["rows"]} for code, p in parts.items()}

    versions = list(Submission.objects.filter(pk__in=rows["delivery"]["submission"]))
    milestone = Milestone.objects.get(pk=rows["acceptance"]["milestone"][0])
    (newest,) = Submission.objects.filter(pk__in=rows["acceptance"]["submission"])
    assert [v.milestone_id for v in versions] == [submitted.pk] and parts["delivery"]["bps"] == proposal.DELIVERED
    assert parts["acceptance"]["bps"] == proposal.ALL_UNMET * len(newest.unmet) // len(milestone.acceptance) == -1_500
    (first,) = Submission.objects.filter(pk__in=rows["punctuality"]["submission"])
    assert rows["punctuality"]["milestone"] == [submitted.pk] and first.submitted_at <= milestone.due_at
    assert parts["punctuality"]["bps"] == proposal.IN_TIME
    assert rows["messages"]["message"] == written, "those before the dispute, and no later one"
    assert parts["messages"]["bps"] == proposal.ANSWERING * (1 - 0), "Bob answered in time, Alice did not"
    assert rows["precedents"] == {} and parts["precedents"]["bps"] == round(proposal.PRECEDENT_PULL * (8_000 - 5_000))
    assert found["share_bps"] == sum(p["bps"] for p in found["parts"]) == 7_600
    assert found["to_freelancer_minor"] == HELD * 7_600 // 10_000


def test_a_split_that_was_computed_before_rows_were_noted_is_still_read(alice: Any, dispute: Dispute) -> None:
    old = {"version": "split-1", "parts": [{"code": "start", "bps": 5_000, "text": "Held money starts in the middle."}], "share_bps": 5_000}
    Dispute.objects.filter(pk=dispute.pk).update(proposal={**old, "to_freelancer_minor": 20_000, "to_client_minor": 20_000})
    (part,) = Person(alice).get(f"disputes/{dispute.pk}").json()["proposal"]["parts"]
    assert (part["rows"], part["counted"]) == ([], True)
