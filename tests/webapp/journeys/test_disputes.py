"""A dispute as its two sides and staff live through it, over HTTP, by every way it can end."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from marketplace.contracts.models import Milestone
from marketplace.core import clock, files
from marketplace.core.models import Event
from marketplace.disputes import deadlines, services, tasks
from marketplace.disputes.models import Dispute, Evidence, SplitOffer
from marketplace.payments.models import Entry
from tests.webapp.journeys.disputes_cast import HELD, walk
from tests.webapp.people import Person


def state(person: Person, dispute: Dispute) -> str:
    return str(person.get(f"disputes/{dispute.pk}").json()["state"])


def settle_entry(dispute: Dispute) -> Entry:
    return Entry.objects.get(subject_type="milestone", subject_id=dispute.milestone_id, kind="settle")


@pytest.fixture
def answered(bob: Any, dispute: Dispute) -> Dispute:
    return services.dispute_respond(actor=bob, dispute_id=dispute.pk, text="Every page has its figures.")


def test_from_the_claim_to_an_appeal_by_another_person(
    alice: Any, bob: Any, charlie: Any, staff: Any, submitted: Milestone, days: Callable[[float], Any]
) -> None:
    a, b, sam, fay = Person(alice), Person(bob), Person(staff("support")), Person(staff("admin"))
    there = a.client.post(
        "/api/v1/files", {"file": SimpleUploadedFile("page.png", b"png")}, format="multipart", HTTP_IDEMPOTENCY_KEY="file"
    ).json()
    opened = a.post(
        f"milestones/{submitted.pk}/dispute", {"claim": "The pages are empty.", "claimed_minor": 30_000, "file_ids": [there["id"]]}
    )
    assert opened.status_code == 201
    dispute = Dispute.objects.get(pk=opened.json()["id"])
    assert opened.json()["actions"] == ["withdraw"] and opened.json()["if_nobody_acts"].endswith("as the filer claims.")
    assert b.get(f"disputes/{dispute.pk}").json()["actions"] == ["respond"]
    assert b.get(f"files/{there['id']}").status_code == 200
    assert Person(charlie).get(f"files/{there['id']}").status_code == 404
    assert Person(staff("analyst")).get(f"files/{there['id']}").status_code == 404
    assert sam.get(f"files/{there['id']}").status_code == 200

    assert b.post(f"disputes/{dispute.pk}/respond", {"text": "Look again."}).json()["state"] == "negotiation"
    assert a.post(f"disputes/{dispute.pk}/offer", {"to_freelancer_minor": 10_000}).json()["state"] == "negotiation"
    offers = b.post(f"disputes/{dispute.pk}/offer", {"to_freelancer_minor": 39_999}).json()["offers"]
    assert [(o["side"], o["to_freelancer_minor"]) for o in offers] == [("client", 10_000), ("freelancer", 39_999)]
    walk(dispute, days, "proposal")
    found = a.get(f"disputes/{dispute.pk}").json()["proposal"]
    assert sum(p["bps"] for p in found["parts"]) == found["share_bps"]
    assert found["to_freelancer_minor"] + found["to_client_minor"] == HELD
    assert a.post(f"disputes/{dispute.pk}/accept").json()["state"] == "proposal"
    walk(dispute, days, "evidence")
    shown = b.post(f"disputes/{dispute.pk}/evidence", {"text": "The log of the build: ✓ العربية 😀"})
    assert shown.status_code == 201 and len(shown.json()["evidence"]) == 2
    walk(dispute, days, "decision")
    assert [d["id"] for d in sam.get("staff/disputes").json()["results"]] == [dispute.pk]
    split = {"to_freelancer_minor": 25_000, "to_client_minor": 15_000, "reason": "Five of eight pages are right."}
    decided = sam.post(f"disputes/{dispute.pk}/decide", split).json()
    assert (decided["state"], decided["to_freelancer_minor"]) == ("appeal", 25_000)
    assert not Entry.objects.filter(kind="settle").exists(), "no money moves while an appeal is possible"
    assert b.post(f"disputes/{dispute.pk}/appeal", {"reason": "Seven are right."}).json()["state"] == "appealed"
    own = sam.post(f"disputes/{dispute.pk}/decide", split)
    assert (own.status_code, own.json()["code"]) == (403, "dispute_appeal_not_yours")
    last = fay.post(f"disputes/{dispute.pk}/decide", {**split, "to_freelancer_minor": 35_000, "to_client_minor": 5_000}).json()
    assert (last["state"], last["settled_by"]) == ("settled", "appeal")
    assert settle_entry(dispute).gross_minor == 35_000
    acts = [(a["actor_id"], a["before"], a["after"], a["reason"]) for a in fay.get("audit").json()["results"]]
    assert acts == [(fay.user.pk, 25_000, 35_000, split["reason"]), (sam.user.pk, None, 25_000, split["reason"])]
    assert [d["state"] for d in b.get("me/disputes").json()["results"]] == ["settled"]
    kinds = list(Event.objects.filter(aggregate_type="disputes.dispute").order_by("id").values_list("kind", flat=True))
    assert kinds == [
        f"dispute.{k}"
        for k in (
            "open", "respond", "offer", "offer", "propose", "accept", "call_for_evidence", "evidence", "close_evidence", "decide", "appeal",
            "decide_appeal",
        )
    ]  # fmt: skip


def test_silence_grants_the_claim_to_the_second(dispute: Dispute, days: Callable[[float], Any]) -> None:
    left = dispute.decide_by - clock.now()
    clock.advance(int(left.total_seconds()) - 2)
    assert tasks.advance_due() == 0
    assert services.dispute_advance(dispute_id=dispute.pk) is False, "asked too early, the service itself declines"
    clock.advance(3)
    assert [tasks.advance_due() for _ in range(2)] == [1, 0]
    dispute.refresh_from_db()
    assert (dispute.settled_by, dispute.to_freelancer_minor, dispute.to_client_minor) == ("silence", 0, HELD)
    assert settle_entry(dispute).rule == "dispute_silence"


def test_the_other_side_may_accept_the_claim_at_once(alice: Any, bob: Any, submitted: Milestone) -> None:
    opened = services.dispute_open(actor=bob, milestone_id=submitted.pk, claim="She does not answer.", claimed_minor=30_000)
    assert Person(bob).post(f"disputes/{opened.pk}/respond", {"text": "Yes."}).status_code == 403
    ended = Person(alice).post(f"disputes/{opened.pk}/respond", {"text": "He is right.", "accept": True}).json()
    assert (ended["state"], ended["settled_by"], ended["to_freelancer_minor"]) == ("settled", "claim_accepted", 30_000)


@pytest.mark.parametrize(("client", "freelancer", "middle"), [(20_000, 20_000, 20_000), (20_001, 20_000, 20_001), (30_000, 10_000, 20_000)])
def test_offers_that_meet_settle_in_their_middle(
    alice: Any, bob: Any, answered: Dispute, client: int, freelancer: int, middle: int
) -> None:
    services.dispute_offer(actor=alice, dispute_id=answered.pk, to_freelancer_minor=client)
    ended = services.dispute_offer(actor=bob, dispute_id=answered.pk, to_freelancer_minor=freelancer)
    assert (ended.state, ended.settled_by, ended.to_freelancer_minor) == ("settled", "agreement", middle)
    assert settle_entry(answered).gross_minor == middle


def test_an_offer_is_replaced_and_apart_offers_settle_nothing(alice: Any, bob: Any, answered: Dispute) -> None:
    services.dispute_offer(actor=alice, dispute_id=answered.pk, to_freelancer_minor=1)
    services.dispute_offer(actor=bob, dispute_id=answered.pk, to_freelancer_minor=3)
    services.dispute_offer(actor=alice, dispute_id=answered.pk, to_freelancer_minor=2)
    assert dict(SplitOffer.objects.values_list("side", "to_freelancer_minor")) == {"client": 2, "freelancer": 3}
    answered.refresh_from_db()
    assert answered.state == "negotiation"


def test_both_accept_the_computed_split(alice: Any, bob: Any, answered: Dispute, days: Callable[[float], Any]) -> None:
    walk(answered, days, "proposal")
    for person in (alice, bob):
        ended = Person(person).post(f"disputes/{answered.pk}/accept").json()
    assert (ended["state"], ended["settled_by"]) == ("settled", "proposal")
    assert ended["to_freelancer_minor"] == answered.proposal["to_freelancer_minor"]


def test_a_decision_nobody_appeals_becomes_final_and_both_may_shorten_the_wait(
    alice: Any, bob: Any, sam: Any, answered: Dispute, days: Callable[[float], Any]
) -> None:
    walk(answered, days, "proposal", "evidence", "decision")
    split = {"to_freelancer_minor": 1, "to_client_minor": HELD - 1, "reason": "Nothing of use."}
    services.dispute_decide(actor=sam, dispute_id=answered.pk, **split)
    services.dispute_accept(actor=alice, dispute_id=answered.pk)
    answered.refresh_from_db()
    assert answered.state == "appeal"
    walk(answered, days, "settled")
    assert (answered.settled_by, settle_entry(answered).gross_minor) == ("decision", 1)


def test_a_late_decision_stays_due_and_is_told_once(answered: Dispute, days: Callable[[float], Any]) -> None:
    walk(answered, days, "proposal", "evidence", "decision")
    days(5.001)
    assert [tasks.advance_due() for _ in range(3)] == [1, 0, 0]
    answered.refresh_from_db()
    assert answered.state == "decision" and answered.late_at is not None
    assert Event.objects.filter(kind="dispute.late").count() == 1


def test_a_small_claim_skips_the_evidence(alice: Any, bob: Any, answered: Dispute, days: Callable[[float], Any], settings: Any) -> None:
    settings.SMALL_CLAIM_USD_MINOR = HELD
    walk(answered, days, "proposal", "decision")


def test_one_unit_above_is_no_small_claim(answered: Dispute, days: Callable[[float], Any], settings: Any) -> None:
    settings.SMALL_CLAIM_USD_MINOR = HELD - 1
    walk(answered, days, "proposal", "evidence")


def test_money_held_to_its_limit_comes_before_staff(answered: Dispute, days: Callable[[float], Any], settings: Any) -> None:
    settings.DISPUTE_NEGOTIATION_DAYS = 100
    Dispute.objects.update(decide_by=clock.now() + timedelta(days=100))
    days(74.9)
    assert tasks.advance_due() == 0
    days(0.2)
    assert [tasks.advance_due() for _ in range(2)] == [1, 0]
    answered.refresh_from_db()
    assert answered.state == "decision"
    assert timedelta(days=4.9) < answered.decide_by - clock.now() <= timedelta(days=5)


def test_a_beat_that_was_down_catches_up_one_stage_a_sweep(answered: Dispute, days: Callable[[float], Any]) -> None:
    days(60)
    assert tasks.advance_due() == 1
    answered.refresh_from_db()
    assert answered.state == "proposal" and answered.decide_by > clock.now(), "the next stage has its whole time"
    assert tasks.advance_due() == 0


def test_evidence_of_a_stranger_and_foreign_files_are_refused(
    committed_db: None, alice: Any, bob: Any, charlie: Any, answered: Dispute
) -> None:
    foreign = files.file_upload(actor=charlie, name="a", content_type="", content=io.BytesIO(b"a"))
    answer = Person(bob).post(f"disputes/{answered.pk}/evidence", {"text": "See.", "file_ids": [foreign.pk]})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["files"])
    assert Person(charlie).post(f"disputes/{answered.pk}/evidence", {"text": "See."}).status_code == 404
    assert not Evidence.objects.exists()


@pytest.mark.parametrize("body", [{}, {"to_freelancer_minor": -1}, {"to_freelancer_minor": "1"}, {"to_freelancer_minor": HELD + 1}])
def test_an_offer_must_be_a_part_of_what_is_held(alice: Any, answered: Dispute, body: dict[str, Any]) -> None:
    answer = Person(alice).post(f"disputes/{answered.pk}/offer", body)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["to_freelancer_minor"])
    assert not SplitOffer.objects.exists()


def test_a_list_costs_the_same_for_one_and_for_many(alice: Any, sam: Any, dispute: Dispute, django_assert_num_queries: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert Person(alice).get("me/disputes").status_code == 200
        return len(seen)

    one = queries()
    rows = Dispute.objects.get(pk=dispute.pk)
    for _ in range(20):
        rows.pk, rows.live_key = None, None
        rows.save(force_insert=True)
    assert queries() == one
    Dispute.objects.exclude(pk=dispute.pk).delete()


def test_a_suspended_side_stops_no_clock(bob: Any, dispute: Dispute, days: Callable[[float], Any]) -> None:
    bob.is_active = False
    bob.save()
    walk(dispute, days, "settled")
    assert dispute.settled_by == "silence"


@pytest.mark.parametrize(
    ("opened", "due"),
    [
        ("2026-05-04T10:00:00", "2026-05-11T10:00:00"),  # Monday: a week later
        ("2026-05-08T23:59:59", "2026-05-15T23:59:59"),  # Friday
        ("2026-05-09T10:00:00", "2026-05-15T10:00:00"),  # Saturday: Monday is the first business day
        ("2028-02-28T10:00:00", "2028-03-06T10:00:00"),  # over the leap day
        ("2026-03-27T10:00:00", "2026-04-03T10:00:00"),  # over a change to summer time: UTC knows none
    ],
)
def test_business_days(opened: str, due: str) -> None:
    at = datetime.fromisoformat(opened).replace(tzinfo=UTC)
    assert deadlines.business_days_after(at, 5) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_holidays_are_no_business_days(settings: Any) -> None:
    settings.DISPUTE_HOLIDAYS = ["2026-05-05"]
    at = datetime(2026, 5, 4, 10, tzinfo=UTC)
    assert deadlines.business_days_after(at, 1) == datetime(2026, 5, 6, 10, tzinfo=UTC)


ACTS = st.lists(
    st.sampled_from(
        ["respond", "offer_a", "offer_b", "accept_a", "accept_b", "evidence", "tick", "decide_1", "decide_2", "appeal", "withdraw"]
    ),
    max_size=14,
)


@given(acts=ACTS, amounts=st.lists(st.integers(0, HELD), min_size=14, max_size=14))
@bounded(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_acts_keeps_the_stages_and_the_money(
    alice: Any, bob: Any, staff: Any, acts: list[str], amounts: list[int], submitted: Milestone
) -> None:
    """Beside a small model: which acts are possible at which stage, and that money moves once, exactly split, at the settlement."""
    from django.db import transaction

    from marketplace.core.errors import DomainError
    from marketplace.payments.services import ledger_check

    possible = {
        "opened": {"respond", "tick", "withdraw"},
        "negotiation": {"offer_a", "offer_b", "evidence", "tick", "withdraw"},
        "proposal": {"offer_a", "offer_b", "accept_a", "accept_b", "evidence", "tick", "withdraw"},
        "evidence": {"offer_a", "offer_b", "evidence", "tick", "withdraw"},
        "decision": {"offer_a", "offer_b", "decide_1", "decide_2", "tick", "withdraw"},
        "appeal": {"accept_a", "accept_b", "appeal", "tick"},
        "appealed": {"decide_2", "tick"},
        "settled": set(),
        "withdrawn": set(),
    }
    with transaction.atomic():
        one, two = staff("support"), staff("admin")
        dispute = services.dispute_open(actor=alice, milestone_id=submitted.pk, claim="No.")
        for act, amount in zip(acts, amounts, strict=False):
            stage = dispute.state
            decider = two if act == "decide_2" else one
            split = {"to_freelancer_minor": amount, "to_client_minor": HELD - amount, "reason": "So."}
            work_of: dict[str, Callable[[], Any]] = {
                "respond": lambda: services.dispute_respond(actor=bob, dispute_id=dispute.pk, text="No."),
                "offer_a": lambda: services.dispute_offer(actor=alice, dispute_id=dispute.pk, to_freelancer_minor=amount),  # noqa: B023
                "offer_b": lambda: services.dispute_offer(actor=bob, dispute_id=dispute.pk, to_freelancer_minor=amount),  # noqa: B023
                "accept_a": lambda: services.dispute_accept(actor=alice, dispute_id=dispute.pk),
                "accept_b": lambda: services.dispute_accept(actor=bob, dispute_id=dispute.pk),
                "evidence": lambda: services.dispute_add_evidence(actor=bob, dispute_id=dispute.pk, text="See."),
                "decide_1": lambda: services.dispute_decide(actor=decider, dispute_id=dispute.pk, **split),  # noqa: B023
                "decide_2": lambda: services.dispute_decide(actor=decider, dispute_id=dispute.pk, **split),  # noqa: B023
                "appeal": lambda: services.dispute_appeal(actor=bob, dispute_id=dispute.pk, reason="No."),
                "withdraw": lambda: services.dispute_withdraw(actor=alice, dispute_id=dispute.pk),
            }
            if act == "tick":
                Dispute.objects.filter(pk=dispute.pk).update(decide_by=clock.now())
                services.dispute_advance(dispute_id=dispute.pk)
                done = True
            else:
                try:
                    with transaction.atomic():
                        work_of[act]()
                    done = True
                except DomainError:
                    done = False
            assert done == (act in possible[stage] or act == "tick"), (stage, act, dispute.first_decider_id)
            dispute.refresh_from_db()
            moved = Entry.objects.filter(kind="settle", subject_id=submitted.pk)
            assert moved.count() == int(dispute.state == "settled")
            if dispute.state == "settled":
                assert dispute.to_freelancer_minor + dispute.to_client_minor == HELD
        assert ledger_check().ok
        assert Milestone.objects.get(pk=submitted.pk).state == {"settled": "resolved", "withdrawn": "submitted"}.get(
            dispute.state, "disputed"
        )
        transaction.set_rollback(True)
