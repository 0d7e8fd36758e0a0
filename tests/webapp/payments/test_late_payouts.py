"""A payout that failed here and was paid at the gateway all the same: two people settle it late, and what was spent of it is owed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from marketplace.core.errors import Conflict
from marketplace.core.models import Event, StaffAct
from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.notifications.policies import notices
from marketplace.payments import oversight, selectors, services, tasks
from marketplace.payments.debts import owed
from marketplace.payments.models import Difference, Entry, Payout, PayoutResolution, Posting, SandboxObject
from marketplace.payments.providers import sandbox
from marketplace.payments.reconciliation import publishing, runs
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 4, 12, tzinfo=UTC)


def usd(minor: int) -> Money:
    return Money(minor, "USD")


@pytest.fixture(autouse=True)
def at_noon(time_machine: Any) -> Any:
    time_machine.move_to(NOON, tick=False)
    return time_machine


@pytest.fixture
def people(staff: Any) -> tuple[Any, Any]:
    return staff("finance"), staff("admin")


def heard(payout: Payout) -> Payout:
    """The gateway notifies us that the payout has arrived."""
    ref = SandboxObject.objects.values_list("ref", flat=True).get(kind="payout")
    body = json.dumps({"id": "evt_late", "type": "payout.paid", "object": ref}).encode()
    headers = {"Sandbox-Signature": sandbox.sign(body)}
    stored = services.webhook_receive(provider="sandbox", path_token=sandbox.webhook_path_token(), raw_body=body, headers=headers)
    if Payout.objects.values_list("provider_ref", flat=True).get(pk=payout.pk) is None:
        type(stored).objects.filter(pk=stored.pk).update(own_ref=sandbox_name(payout), subject="payout")
    assert services.webhook_handle(webhook_id=stored.pk)
    payout.refresh_from_db()
    return payout


def sandbox_name(payout: Payout) -> str:
    from marketplace.payments.payouts import payout_key
    from marketplace.payments.providers.base import own_ref

    return own_ref(payout_key(payout))


@pytest.fixture
def paid_there(alice: Any, bob: Any, earn: Any, people: tuple[Any, Any], at_noon: Any) -> Payout:
    """80.00 USD of bob's 90.00 were sent; no answer came, two people took it for failed, and then it had arrived after all."""
    assert earn(alice, bob, 7, usd(10_000)) == 9_000
    payout = services.payout_request(actor=bob, amount=usd(8_000), method={"token": "bank_timeout"}, idempotency_key="p")
    for act in (services.payout_send, None):
        at_noon.shift(timedelta(hours=25))
        if act is not None:
            act(payout_id=payout.pk)
    services.payout_resolve(actor=people[0], payout_id=payout.pk, reason="The portal knows none.")
    services.payout_resolve_approve(actor=people[1], payout_id=payout.pk, reason="Nor did I find it.")
    assert heard(payout).failure_code == "paid_after_all"
    return payout


def late(payout: Payout, people: tuple[Any, Any]) -> Payout:
    services.payout_settle_late(actor=people[0], payout_id=payout.pk, reason="It arrived on the 6th.")
    return services.payout_settle_late_approve(actor=people[1], payout_id=payout.pk, reason="I read the same.")


def wrong_payouts() -> set[str]:
    """The rules about payouts that are broken; the milestones of these tests have no rows."""
    return {v.rule for v in services.ledger_check(invariants=[9]).violations if v.rule.startswith("payout_")}


def has(user: Any) -> int:
    found = [b.available.minor for b in selectors.balances_of(user.pk) if b.available.currency == "USD"]
    return sum(found)


def test_what_is_still_there_pays_it(paid_there: Payout, bob: Any, people: tuple[Any, Any], proven: Any) -> None:
    assert has(bob) == 9_000
    done = late(paid_there, people)
    assert (done.state, done.failure_code, done.settled_at is not None) == ("paid", "", True)
    assert (has(bob), owed(bob.pk, "USD")) == (1_000, 0)
    legs = Posting.objects.filter(entry__kind="payout_late").values_list("leg", "debit_account__key", "credit_account__key", "amount")
    assert list(legs) == [("payout", f"available:{bob.pk}:USD", "clearing:sandbox:USD", 8_000)]
    assert not oversight.unknown_payouts(Payout.objects.all(), NOON + timedelta(days=9)).exists()
    proven()
    assert not wrong_payouts()


def test_what_was_spent_meanwhile_is_owed_and_paid_by_the_next_earnings(
    paid_there: Payout, alice: Any, bob: Any, earn: Any, people: tuple[Any, Any], at_noon: Any, proven: Any
) -> None:
    other = services.payout_request(actor=bob, amount=usd(7_000), method={"token": "bank_ok"}, idempotency_key="q")
    at_noon.shift(timedelta(hours=25))
    services.payout_send(payout_id=other.pk)
    late(paid_there, people)
    assert (has(bob), owed(bob.pk, "USD")) == (0, 6_000)
    proven()
    assert earn(alice, bob, 8, usd(5_000)) == 4_500
    assert (has(bob), owed(bob.pk, "USD")) == (0, 1_500)
    earn(alice, bob, 9, usd(5_000))
    assert (has(bob), owed(bob.pk, "USD")) == (3_000, 0)
    assert Entry.objects.filter(kind="debt_set_off", contract_id=None).count() == 2
    proven()


def test_a_wallet_pays_the_same_debt_and_never_twice(
    paid_there: Payout, alice: Any, bob: Any, pay: Any, earn: Any, people: tuple[Any, Any], proven: Any
) -> None:
    services.payout_request(actor=bob, amount=usd(9_000), method={"token": "bank_ok"}, idempotency_key="q")
    late(paid_there, people)
    pay(bob, usd(7_500))
    assert owed(bob.pk, "USD") == 500
    earn(alice, bob, 8, usd(5_000))
    assert (owed(bob.pk, "USD"), has(bob)) == (0, 4_000)
    proven()


def test_one_that_comes_back_afterwards_is_the_payees_again_and_may_be_paid_after_all_again(
    paid_there: Payout, bob: Any, people: tuple[Any, Any], proven: Any
) -> None:
    services.payout_request(actor=bob, amount=usd(9_000), method={"token": "bank_ok"}, idempotency_key="q")
    late(paid_there, people)
    assert owed(bob.pk, "USD") == 8_000
    ref = str(Payout.objects.get(pk=paid_there.pk).provider_ref)
    for n in (1, 2):
        sandbox.change(ref, "failed", "account_closed")
        assert services.payout_refresh(payout_id=paid_there.pk).state == "failed"
        assert (has(bob), owed(bob.pk, "USD")) == (0, 0), "what came back has paid the debt"
        proven()
        assert not wrong_payouts()
        sandbox.change(ref, "paid")
        late(paid_there, people)
        assert owed(bob.pk, "USD") == 8_000
        assert Entry.objects.filter(kind="payout_return").count() == n
        assert Entry.objects.filter(kind="payout_late").count() == n + 1
    proven()
    assert not wrong_payouts()


def test_the_check_notices_a_late_payout_of_another_amount(paid_there: Payout, people: tuple[Any, Any]) -> None:
    late(paid_there, people)
    Payout.objects.filter(pk=paid_there.pk).update(amount_minor=7_999)
    assert wrong_payouts() == {"payout_moves_its_amount"}


def test_only_what_was_sent_and_failed_is_settled_late(alice: Any, bob: Any, earn: Any, people: tuple[Any, Any], at_noon: Any) -> None:
    earn(alice, bob, 7, usd(10_000))
    payout = services.payout_request(actor=bob, amount=usd(8_000), method={"token": "bank_ok"}, idempotency_key="p")
    for _ in range(2):
        with pytest.raises(Conflict, match="payout_resolve_impossible"):
            services.payout_settle_late(actor=people[0], payout_id=payout.pk, reason="r")
        at_noon.shift(timedelta(hours=25))
        services.payout_send(payout_id=payout.pk)
    never = services.payout_request(actor=bob, amount=usd(1_000), method={"token": "bank_ok"}, idempotency_key="n")
    services.payout_refuse(actor=people[0], payout_id=never.pk, reason="r")
    with pytest.raises(Conflict, match="payout_never_sent"):
        services.payout_settle_late(actor=people[0], payout_id=never.pk, reason="r")


def test_a_request_that_it_fails_is_not_taken_for_one_that_it_was_paid(
    alice: Any, bob: Any, earn: Any, people: tuple[Any, Any], at_noon: Any
) -> None:
    """Somebody asked that it fails, then the gateway said so itself: there is nothing left to agree to."""
    earn(alice, bob, 7, usd(10_000))
    payout = services.payout_request(actor=bob, amount=usd(8_000), method={"token": "bank_delayed"}, idempotency_key="p")
    at_noon.shift(timedelta(hours=25))
    services.payout_send(payout_id=payout.pk)
    at_noon.shift(timedelta(hours=25))
    services.payout_resolve(actor=people[0], payout_id=payout.pk, reason="The portal knows none.")
    sandbox.change(str(Payout.objects.get().provider_ref), "failed", "account_closed")
    assert services.payout_refresh(payout_id=payout.pk).state == "failed"
    assert not PayoutResolution.objects.exists()
    with pytest.raises(Conflict, match="payout_resolve_unasked"):
        services.payout_settle_late_approve(actor=people[1], payout_id=payout.pk, reason="r")
    assert (has(bob), Payout.objects.get().state) == (9_000, "failed")


def test_reconciliation_and_the_public_totals_follow(paid_there: Payout, bob: Any, people: tuple[Any, Any], at_noon: Any) -> None:
    """Until it is settled the gateway has paid what we have not posted; then both sides agree."""
    day = NOON.date() + timedelta(days=2)
    for n in range(3):
        at_noon.move_to(runs.end_of(day + timedelta(days=n)) + timedelta(hours=6), tick=False)
        tasks.reconcile_due()
    found = Difference.objects.exclude(live_key=None).get(item=f"payout:{paid_there.pk}")
    assert (found.kind, found.effect_minor) == ("missing_with_us", -8_000)
    late(paid_there, people)
    at_noon.shift(timedelta(days=1))
    tasks.reconcile_due()
    found.refresh_from_db()
    assert (found.state, found.live_key) == ("matched", None)
    day = at_noon_day()
    flows = publishing._flows(publishing.Q(occurred_at__lt=runs.end_of(day)))
    assert dict(flows["USD", "paid_out"]) == {bob.pk: 8_000}


def at_noon_day() -> Any:
    from marketplace.core import clock

    return clock.now().date()


def test_who_is_told(paid_there: Payout, bob: Any, people: tuple[Any, Any]) -> None:
    services.payout_settle_late(actor=people[0], payout_id=paid_there.pk, reason="It arrived on the 6th.")
    asked = Event.objects.get(kind="payout.late_ask")
    assert {n.user_id for n in notices(asked)} == {people[1].pk}
    services.payout_settle_late_approve(actor=people[1], payout_id=paid_there.pk, reason="I read the same.")
    assert notices(asked) == []
    told = notices(Event.objects.get(kind="payout.settle_late"), lambda ids: dict.fromkeys(ids, "de"))
    assert [n.user_id for n in told] == [bob.pk]
    assert told[0].text.startswith("Ihre Auszahlung von 80.00 USD") and told[0].text.endswith("I read the same.")


def test_two_people_with_reasons_over_http_and_nobody_in_their_own_matter(
    paid_there: Payout, bob: Any, people: tuple[Any, Any], staff: Any
) -> None:
    first, second = (Person(user) for user in people)
    path = f"staff/money/payouts/{paid_there.pk}/settle-late"
    assert first.get("staff/money/payouts?unknown=true").json()["results"][0]["failure_code"] == "paid_after_all"
    assert first.post(path, {"reason": " "}).status_code == 400
    assert second.post(f"{path}/approve", {"reason": "r"}).json()["code"] == "payout_resolve_unasked"
    assert Person(staff("support")).post(path, {"reason": "r"}).status_code == 403
    asked = first.post(path, {"reason": "It arrived on the 6th."}).json()
    assert (asked["state"], asked["resolution"]["becomes"], asked["resolution"]["asked_by"]["id"]) == ("failed", "paid", people[0].pk)
    assert second.post(path, {"reason": "r"}).json()["code"] == "payout_resolve_asked"
    assert first.post(f"{path}/approve", {"reason": "r"}).json()["code"] == "payout_second"
    assert first.post(f"{path}/refuse", {"reason": "I misread it."}).json()["resolution"] is None
    assert has(bob) == 9_000
    assert second.post(path, {"reason": "It did."}).status_code == 200
    done = first.post(f"{path}/approve", {"reason": "I see it now."}).json()
    assert (done["state"], done["failure_code"], done["resolution"]) == ("paid", "", None)
    assert second.post(f"{path}/approve", {"reason": "r"}).json()["code"] == "payout_resolve_impossible"
    acts = StaffAct.objects.filter(object_id=paid_there.pk, action="payout_decide").order_by("id")
    assert [(a.actor_id, a.field, a.before, a.after) for a in acts][-3:] == [
        (people[1].pk, "resolution", None, "paid"),
        (people[0].pk, "resolution", "paid", None),
        (people[0].pk, "state", "failed", "paid"),
    ]
    assert Person(bob).get("me/payouts").json()["results"][0]["state"] == "paid"


def test_nobody_settles_their_own_payout(paid_there: Payout, people: tuple[Any, Any]) -> None:
    Payout.objects.filter(pk=paid_there.pk).update(payee=people[0])
    assert Person(people[0]).post(f"staff/money/payouts/{paid_there.pk}/settle-late", {"reason": "r"}).json()["code"] == "payout_own"


def test_debts_are_set_off_once_for_a_cause(paid_there: Payout, bob: Any, people: tuple[Any, Any], earn: Any, alice: Any) -> None:
    from marketplace.payments import debts

    services.payout_request(actor=bob, amount=usd(9_000), method={"token": "bank_ok"}, idempotency_key="q")
    late(paid_there, people)
    earn(alice, bob, 8, usd(5_000))
    cause = Entry.objects.filter(kind="clear").latest("pk")
    assert run_in_transaction(lambda: debts.set_off(bob.pk, "USD", cause=cause)) is None
    assert owed(bob.pk, "USD") == 3_500
