"""Over HTTP: a large first payout becomes a case, a moderator decides, finance sees all of it; a card tester is stopped and let pay again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from marketplace.contracts import services as work
from marketplace.core import clock
from marketplace.core.models import StaffAct
from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.notifications.models import InboxItem
from marketplace.payments import services, tasks
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db
DAY = 24 * 3600
CLEAN = {"act": "allow", "reason_code": "no_breach"}
FRAUD = {"act": "remove", "reason_code": "fraud", "reason": "The work was never done.", "evidence": ["20,000 USD an hour after sign-up"]}


@pytest.fixture(autouse=True)
def still(time_machine: Any) -> None:
    time_machine.move_to(datetime(2026, 11, 4, 12, tzinfo=UTC), tick=False)


def paid_to(contract: Any, minor: int) -> None:
    """The client pays so much in and gives it as a bonus, which clears."""
    client = contract.client
    paid_in = {"purpose": "wallet", "purpose_id": None, "method": {"token": "tok_visa"}, "idempotency_key": "in"}
    services.payment_start(actor_id=client.pk, amount=Money(minor, "USD"), **paid_in)
    bonus = work.bonus_give(actor=client, contract_id=contract.pk, amount_minor=minor)
    clock.advance(5 * DAY)
    assert work.bonus_clear(bonus_id=bonus.pk)


def the_case(moderator: Person) -> dict[str, Any]:
    """The only case of the queue, claimed."""
    (case,) = moderator.get("staff/cases").json()["results"]
    assert moderator.post(f"staff/cases/{case['id']}/claim").status_code == 200
    found: dict[str, Any] = moderator.get(f"staff/cases/{case['id']}").json()
    return found


@pytest.fixture
def desk(staff: Any) -> tuple[Person, Person]:
    return Person(staff("moderator")), Person(staff("finance"))


def held_payout(contract: Any) -> dict[str, Any]:
    paid_to(contract, 2_000_000)
    drain()
    made = Person(contract.freelancer).post("me/payouts", {"amount_minor": 1_500_000, "currency": "USD"})
    assert made.status_code == 201
    drain()
    found: dict[str, Any] = made.json()
    return found


def test_a_large_first_payout_waits_for_a_person_and_is_let_go(contract: Any, bob: Any, desk: tuple[Person, Person]) -> None:
    moderator, finance = desk
    payout = held_payout(contract)
    assert (payout["state"], payout["hold_reason"], payout["held_until"]) == ("held", "new_payee_large", None)
    assert payout["hold_words"] == "It is a large amount for one of your first payouts. A person looks at it."
    told = InboxItem.objects.get(user=bob, kind="payout.hold").text
    assert told == f"Your payout of 15,000.00 USD is held. {payout['hold_words']}"
    assert [h["rule"] for h in Person(bob).get("me/risk-holds").json()["results"]] == ["new_payee_large"]

    case = the_case(moderator)
    assert (case["subject_type"], case["subject"]["title"]) == ("payout", "Payout of 15,000.00 USD")
    assert case["subject"]["acts"] == ["allow", "remove", "suspend"]
    assert "usd minor: 1500000" in case["subject"]["text"]
    assert finance.get("staff/money/payouts", state="held").json()["results"][0]["id"] == payout["id"]
    assert finance.get("staff/money/risk-holds", state="open").json()["results"][0]["subject_id"] == payout["id"]
    assert moderator.post(f"staff/cases/{case['id']}/decide", {"act": "hold", "reason_code": "fraud"}).status_code == 400
    assert moderator.post(f"staff/cases/{case['id']}/decide", CLEAN).status_code == 200

    tasks.poll_unsettled()
    drain()
    assert Person(bob).get("me/payouts").json()["results"][0]["state"] == "paid"
    assert [i.kind for i in InboxItem.objects.filter(user=bob, kind__startswith="payout").order_by("id")] == [
        "payout.hold",
        "payout.clear",
        "payout.settle",
    ]
    assert {a.action for a in StaffAct.objects.all()} == {"moderation_decide"}
    # a fault of the delivery: the event comes again, and no second case
    from marketplace.core.models import Event
    from marketplace.trust import events as trust

    trust.risk(Event.objects.get(kind="risk_hold.open"))
    assert moderator.get("staff/cases").json()["results"] == []


def test_a_refused_payout_needs_two_people_and_can_be_appealed(contract: Any, bob: Any, desk: tuple[Person, Person], staff: Any) -> None:
    moderator, _ = desk
    bob.language = "de"
    bob.save()
    payout = held_payout(contract)
    case = the_case(moderator)
    decided = moderator.post(f"staff/cases/{case['id']}/decide", FRAUD)
    assert (decided.status_code, decided.json()["needs_second"]) == (200, True)  # bob's account holds much
    assert Person(bob).get("me/payouts").json()["results"][0]["state"] == "held"
    second = Person(staff("admin"))
    assert second.post(f"staff/cases/{case['id']}/approve").status_code == 200
    drain()

    (shown,) = Person(bob).get("me/payouts").json()["results"]
    assert (shown["id"], shown["state"], shown["failure_code"]) == (payout["id"], "failed", "refused")
    assert Person(bob).get("me/balances").json()["results"][0]["available"]["minor"] == 1_800_000
    texts = set(InboxItem.objects.filter(user=bob).values_list("text", flat=True))
    assert "Payout of 15,000.00 USD: nach einer Prüfung abgelehnt. Sie können Einspruch erheben. The work was never done." in texts
    (decision,) = Person(bob).get("me/decisions").json()["results"]
    assert Person(bob).post(f"decisions/{decision['id']}/appeal", {"reason": "Ask my client."}).status_code == 200
    third = Person(staff("support"))
    assert third.post(f"staff/cases/{case['id']}/decide-appeal", {"overturn": True, "reason": "The client says so too."}).status_code == 403
    other = Person(_another(staff))
    answer = other.post(f"staff/cases/{case['id']}/decide-appeal", {"overturn": True, "reason": "The client says so too."})
    assert answer.status_code == 200
    again = Person(bob).post("me/payouts", {"amount_minor": 1_500_000, "currency": "USD"}).json()
    assert again["hold_reason"] == "first_payout"  # the rule was wrong about bob and says nothing for a month


def _another(staff: Any) -> Any:
    """A moderator who took no part."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group

    person = get_user_model().objects.create_user("another@example.org", "x", display_name="Another", is_staff=True)
    person.groups.add(Group.objects.get(name="moderator"))
    return person


def test_a_card_tester_is_stopped_and_an_honest_payer_is_let_pay_again(alice: Any, bob: Any, desk: tuple[Person, Person]) -> None:
    moderator, finance = desk

    def pay(token: str, key: str) -> Any:
        return services.payment_start(
            actor_id=alice.pk,
            amount=Money(5_000, "USD"),
            purpose="wallet",
            purpose_id=None,
            method={"token": token},
            idempotency_key=key,
        )

    for n in range(8):
        assert pay("tok_declined", f"no-{n}").state == "failed"
    drain()
    told = InboxItem.objects.get(user=alice, kind="risk_hold.open").text
    assert told.startswith("New payments from your account are stopped for now. Many payments were refused")
    assert len(finance.get("staff/money/payments", state="failed", person=alice.pk).json()["results"]) == 8

    case = the_case(moderator)
    assert case["subject_type"] == "payment"
    assert moderator.post(f"staff/cases/{case['id']}/decide", CLEAN).status_code == 200
    drain()

    assert InboxItem.objects.filter(user=alice, kind="risk_hold.release").count() == 1
    assert pay("tok_visa", "yes").state == "succeeded"
    figures = finance.get("staff/money/risk-figures").json()["results"]
    assert [(f["rule"], f["released"]) for f in figures] == [("card_testing", 1)]


def test_finance_decides_first_and_the_case_has_nothing_left_to_do(contract: Any, bob: Any, desk: tuple[Person, Person]) -> None:
    moderator, finance = desk
    payout = held_payout(contract)
    assert finance.post(f"staff/money/payouts/{payout['id']}/refuse", {"reason": "The owner called us."}).json()["state"] == "failed"
    case = the_case(moderator)
    assert moderator.post(f"staff/cases/{case['id']}/decide", CLEAN).status_code == 200
    assert Person(bob).get("me/payouts").json()["results"][0]["state"] == "failed"


def test_a_place_a_pace_and_a_payout_by_itself(contract: Any, bob: Any, charlie: Any) -> None:
    person = Person(bob)
    wrong = person.post("me/payout-methods", {"provider": "sandbox", "method": {"iban": "DE89 3704 0044 0532 0130 01"}})
    assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["method.iban"])
    place = person.post("me/payout-methods", {"provider": "sandbox", "method": {"iban": "DE89 3704 0044 0532 0130 00"}}).json()
    assert place["label"] == "IBAN DE… 3000"
    assert place.pop("onboarding") is None
    assert person.get("me/payout-methods").json()["results"] == [place]
    assert Person(charlie).get("me/payout-methods").json()["results"] == []
    for pace in ({"pace": "daily"}, {"pace": "weekly"}, {"pace": "weekly", "method_id": 10**9}):
        assert person.put("me/payout-schedules/USD", pace).status_code in (400, 404)
    put = person.put("me/payout-schedules/USD", {"pace": "weekly", "least_minor": 1_000, "method_id": place["id"]})
    assert (put.status_code, put.json()["next_at"]) == (200, "2026-11-09T06:00:00Z")

    paid_to(contract, 50_000)
    assert tasks.run_schedules() == 1
    clock.advance(DAY)
    tasks.poll_unsettled()

    (payout,) = person.get("me/payouts").json()["results"]
    assert (payout["state"], payout["amount_minor"]) == ("paid", 45_000)
    assert person.get("me/payout-schedules").json()["results"][0]["last_result"] == "requested"
    assert person.delete(f"me/payout-methods/{place['id']}").status_code == 204
    assert "DE89" not in str(person.get("me/payout-methods").content)
