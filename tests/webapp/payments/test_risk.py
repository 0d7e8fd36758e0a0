"""What the velocity rules hold: payouts, and new payments; in shadow they only count; decisions end a hold, and so does time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.core import clock, features, ports
from marketplace.core.errors import Conflict, NotAllowed
from marketplace.core.models import Event, StaffAct
from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import risk, selectors, services, tasks
from marketplace.payments.models import Payment, PaymentTrace, Payout, RiskHold

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def still(time_machine: Any) -> None:
    """Time goes on only where a test says so."""
    time_machine.move_to(datetime(2026, 11, 4, 12, tzinfo=UTC), tick=False)


DAY = 24 * 3600


def USD(minor: int) -> Money:
    return Money(minor, "USD")


def ask(user: Any, minor: int, key: str = "p", **more: Any) -> Payout:
    return services.payout_request(actor=user, amount=USD(minor), idempotency_key=key, **({"method": {"token": "bank_ok"}} | more))


def decline(pay: Any, user: Any, times: int, token: str = "tok_declined") -> None:
    for _ in range(times):
        assert pay(user, USD(50_00), token).state == "failed"


@pytest.fixture
def shadow(settings: Any) -> Any:
    """shadow(rule): the rule counts and holds nothing."""

    def put(rule: str) -> None:
        settings.VELOCITY_MODES = {**settings.VELOCITY_MODES, rule: "shadow"}

    return put


# --- payments
def test_after_eight_refusals_new_payments_are_stopped_with_plain_words(alice: Any, pay: Any) -> None:
    decline(pay, alice, 7)
    assert pay(alice, USD(50_00), "tok_visa").state == "succeeded"  # the eighth try worked: no alarm
    decline(pay, alice, 1)

    hold = RiskHold.objects.get()
    assert (hold.rule, hold.act, hold.state, hold.shadow, hold.evidence["declined"]) == ("card_testing", "payment", "open", False, 8)
    with pytest.raises(NotAllowed, match="payment_held") as refusal:
        pay(alice, USD(50_00))
    assert "stolen cards" in refusal.value.message
    assert Payment.objects.filter(payer=alice).count() == 9


def test_the_same_key_still_finds_the_payment_that_it_made(alice: Any, pay: Any) -> None:
    first = pay(alice, USD(50_00), key="mine")
    decline(pay, alice, 8)
    assert pay(alice, USD(50_00), key="mine").pk == first.pk


def test_other_people_pay_on(alice: Any, charlie: Any, pay: Any) -> None:
    decline(pay, alice, 8)
    decline(pay, charlie, 1)
    assert pay(charlie, USD(50_00)).state == "succeeded"


def test_one_device_that_tries_through_many_accounts_is_found(alice: Any, bob: Any, charlie: Any, pay: Any) -> None:
    decline(pay, alice, 4)
    decline(pay, bob, 3)
    PaymentTrace.objects.update(device="d" * 64)
    last = pay(charlie, USD(50_00), "tok_insufficient_funds")
    assert not RiskHold.objects.exists()
    PaymentTrace.objects.filter(payment=last).update(device="d" * 64)
    run_in_transaction(lambda: risk.after_payment(last))

    assert RiskHold.objects.get().user_id == charlie.pk


def test_a_trace_tells_devices_apart_and_keeps_nothing_that_names_them(alice: Any, pay: Any) -> None:
    from allauth.usersessions.models import UserSession

    before = pay(alice, USD(50_00))
    UserSession.objects.create(user=alice, session_key="s", ip="192.0.2.7", user_agent="Firefox")
    after = pay(alice, USD(50_00))

    assert before.trace.device == ""
    assert len(after.trace.device) == 64
    assert before.trace.instrument == after.trace.instrument != ""
    assert pay(alice, USD(50_00), "tok_delayed").trace.instrument != after.trace.instrument


def test_in_shadow_a_rule_counts_and_nobody_is_stopped(alice: Any, pay: Any, shadow: Any) -> None:
    shadow("card_testing")
    decline(pay, alice, 9)

    assert set(RiskHold.objects.values_list("shadow", "rule")) == {(True, "card_testing")}
    assert pay(alice, USD(50_00)).state == "succeeded"
    assert not Event.objects.filter(kind__startswith="risk_hold").exists()


def test_with_the_switch_off_no_rule_holds_anything(alice: Any, pay: Any, staff: Any) -> None:
    features.put(actor=staff("admin"), name="VELOCITY_HOLDS", value=False, reason="too many false alarms")
    decline(pay, alice, 9)
    assert RiskHold.objects.filter(shadow=True).exists()
    assert pay(alice, USD(50_00)).state == "succeeded"


def test_a_rule_that_is_off_looks_at_nothing(alice: Any, pay: Any, settings: Any) -> None:
    settings.VELOCITY_MODES = {**settings.VELOCITY_MODES, "card_testing": "off"}
    decline(pay, alice, 9)
    assert not RiskHold.objects.exists()


def test_what_nobody_decides_ends_by_itself_at_its_time(alice: Any, pay: Any) -> None:
    decline(pay, alice, 8)
    hold = RiskHold.objects.get()
    clock.advance(72 * 3600 - 1)
    assert tasks.lapse_risk_holds() == 0
    with pytest.raises(NotAllowed):
        pay(alice, USD(50_00))

    clock.advance(1)

    assert pay(alice, USD(50_00)).state == "succeeded"  # not only when the sweep has come
    assert (tasks.lapse_risk_holds(), tasks.lapse_risk_holds()) == (1, 0)
    hold.refresh_from_db()
    assert hold.state == "lapsed"


def test_staff_release_and_the_same_alarm_is_not_raised_again_at_once(alice: Any, pay: Any, staff: Any) -> None:
    decline(pay, alice, 8)
    hold = RiskHold.objects.get()
    held = {"act": "payment", "subject_id": hold.subject_id, "reason": "She typed it wrong.", "action": "moderation_decide"}

    services.risk_decide(actor=staff("moderator"), allow=True, **held)

    decline(pay, alice, 1)
    assert RiskHold.objects.count() == 1
    assert pay(alice, USD(50_00)).state == "succeeded"
    clock.advance(DAY)
    decline(pay, alice, 8)
    assert RiskHold.objects.filter(state="open").count() == 1


def test_refused_payments_stay_stopped_until_an_appeal_is_right(alice: Any, pay: Any, staff: Any) -> None:
    decline(pay, alice, 8)
    hold = RiskHold.objects.get()
    moderator = staff("moderator")
    held = {"act": "payment", "subject_id": hold.subject_id, "action": "moderation_decide"}
    services.risk_decide(actor=moderator, allow=False, reason="Stolen cards.", **held)
    clock.advance(100 * DAY)
    with pytest.raises(NotAllowed, match="payment_held"):
        pay(alice, USD(50_00))
    assert StaffAct.objects.filter(object_type="payments.payment", actor_id=moderator.pk).exists()

    services.risk_undo(actor=moderator, reason="They were hers.", **held)

    assert pay(alice, USD(50_00)).state == "succeeded"


def test_nobody_decides_about_their_own_payments_and_only_staff_do(alice: Any, charlie: Any, pay: Any) -> None:
    decline(pay, alice, 8)
    held = {"act": "payment", "subject_id": RiskHold.objects.get().subject_id, "allow": True, "reason": "r", "action": "moderation_decide"}
    with pytest.raises(NotAllowed):
        services.risk_decide(actor=charlie, **held)
    alice.is_staff = alice.is_superuser = True
    alice.save()
    with pytest.raises(NotAllowed, match="payment_own"):
        services.risk_decide(actor=alice, **held)
    assert RiskHold.objects.get().state == "open"


# --- payouts
@pytest.fixture
def known_bob(alice: Any, bob: Any, earn: Any) -> Any:
    """bob, who was paid out before and has 900.00 USD."""
    earn(alice, bob, 7, USD(20_000))
    ask(bob, 1_000, key="first")
    clock.advance(DAY)
    tasks.poll_unsettled()
    earn(alice, bob, 8, USD(90_000))
    assert Payout.objects.get().state == "paid"
    return bob


def test_a_large_first_payout_waits_for_staff_and_a_normal_one_for_a_day(alice: Any, bob: Any, charlie: Any, earn: Any) -> None:
    earn(alice, bob, 7, USD(1_000_000))
    earn(alice, charlie, 8, USD(100_000))

    large, normal = ask(bob, 500_000), ask(charlie, 90_000)

    assert (large.state, large.hold_reason, large.held_until) == ("held", "new_payee_large", None)
    assert (normal.state, normal.hold_reason) == ("held", "first_payout")
    clock.advance(100 * DAY)
    tasks.poll_unsettled()
    large.refresh_from_db()
    normal.refresh_from_db()
    assert (large.state, normal.state) == ("held", "paid")


def test_a_large_payout_of_a_known_payee_is_sent(alice: Any, known_bob: Any, earn: Any) -> None:
    earn(alice, known_bob, 9, USD(1_000_000))
    assert ask(known_bob, 900_000).state == "requested"


def test_in_shadow_a_payout_is_sent_and_counted(alice: Any, bob: Any, earn: Any, shadow: Any) -> None:
    shadow("new_payee_large")
    earn(alice, bob, 7, USD(1_000_000))

    payout = ask(bob, 500_000)

    assert payout.hold_reason == "first_payout"
    assert RiskHold.objects.get().shadow


def test_a_balance_that_goes_to_a_new_place_waits_for_staff(alice: Any, known_bob: Any, earn: Any) -> None:
    earn(alice, known_bob, 9, USD(200_000))

    payout = ask(known_bob, 250_000, method={"iban": "DE89370400440532013000"})

    assert (payout.state, payout.hold_reason, payout.held_until) == ("held", "method_changed", None)
    assert RiskHold.objects.get().evidence["percent_of_balance"] >= 80


def test_a_little_to_a_new_place_only_waits_until_it_is_no_longer_new(known_bob: Any) -> None:
    payout = ask(known_bob, 5_000, method={"iban": "DE89370400440532013000"})

    assert (payout.state, payout.hold_reason) == ("held", "method_new")
    assert payout.held_until == payout.created_at + timedelta(hours=72)
    assert not RiskHold.objects.exists()
    clock.advance(72 * 3600 - 1)
    tasks.poll_unsettled()
    payout.refresh_from_db()
    assert payout.state == "held"
    clock.advance(1)
    tasks.poll_unsettled()
    payout.refresh_from_db()
    assert payout.state == "paid"


def _many_small(alice: Any, bob: Any, pay: Any, count: int) -> None:
    """`count` releases of 15.00 USD from alice to bob."""
    pay(alice, USD(100_000))
    common = {"contract_id": 1, "actor_id": None, "rule": "r"}
    for milestone in range(100, 100 + count):
        run_in_transaction(lambda m=milestone: services.hold(milestone_id=m, payer_id=alice.pk, amount=USD(1_500), **common))
        run_in_transaction(
            lambda m=milestone: services.release(
                milestone_id=m, payee_id=bob.pk, gross=USD(1_500), payee_currency="USD", fee_schedule="standard-1", **common
            )
        )


@pytest.mark.parametrize(("count", "state"), [(19, "requested"), (20, "held")])
def test_many_small_payments_of_one_client_hold_the_payout(alice: Any, known_bob: Any, pay: Any, count: int, state: str) -> None:
    _many_small(alice, known_bob, pay, count)
    assert ask(known_bob, 10_000).state == state
    assert [h.evidence["payer_id"] for h in RiskHold.objects.all()] == [alice.pk] * (count == 20)


def test_small_payments_of_yesterday_are_no_alarm(alice: Any, known_bob: Any, pay: Any) -> None:
    _many_small(alice, known_bob, pay, 20)
    clock.advance(DAY)
    assert ask(known_bob, 10_000).state == "requested"


def test_ten_small_milestones_of_one_client_are_no_alarm(alice: Any, known_bob: Any, pay: Any) -> None:
    _many_small(alice, known_bob, pay, 10)
    assert ask(known_bob, 10_000).state == "requested"


def test_small_payments_in_another_currency_are_seen_too(alice: Any, known_bob: Any, pay: Any) -> None:
    pay(alice, USD(100_000))
    common = {"contract_id": 1, "actor_id": None, "rule": "r"}
    for m in range(100, 120):
        run_in_transaction(lambda m=m: services.hold(milestone_id=m, payer_id=alice.pk, amount=USD(1_500), **common))
        paid = {"payee_id": known_bob.pk, "gross": USD(1_500), "payee_currency": "EUR", "fee_schedule": "standard-1"}
        run_in_transaction(lambda m=m, paid=paid: services.release(milestone_id=m, **paid, **common))
    assert ask(known_bob, 10_000).hold_reason == "small_payments"


def test_the_rules_cost_a_payout_a_fixed_number_of_queries(alice: Any, known_bob: Any, pay: Any) -> None:
    def cost(key: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            ask(known_bob, 1_500, key=key)
        return len(seen)

    cost("warm")
    few = cost("few")
    _many_small(alice, known_bob, pay, 12)
    assert cost("many") == few


@pytest.mark.parametrize(("allow", "state", "hold"), [(True, "requested", "released"), (False, "failed", "refused")])
def test_a_decision_lets_the_payout_go_or_brings_the_money_back(
    alice: Any, bob: Any, earn: Any, staff: Any, proven: Any, allow: bool, state: str, hold: str
) -> None:
    earn(alice, bob, 7, USD(1_000_000))
    payout = ask(bob, 500_000)
    moderator = staff("moderator")
    decision = {"act": "payout", "subject_id": payout.pk, "allow": allow, "reason": "looked at", "action": "moderation_decide"}

    services.risk_decide(actor=moderator, **decision)
    services.risk_decide(actor=moderator, **decision)  # delivered twice

    payout.refresh_from_db()
    assert (payout.state, RiskHold.objects.get().state) == (state, hold)
    (balances,) = selectors.balances_of(bob.pk)
    assert balances.available.minor == (400_000 if allow else 900_000)
    acts = StaffAct.objects.filter(object_type="payments.payout")
    assert [(a.action, a.actor_id, a.reason) for a in acts] == [("moderation_decide", moderator.pk, "looked at")]
    proven()


def test_a_payout_that_was_let_go_and_sent_cannot_be_refused_any_more(alice: Any, bob: Any, earn: Any, staff: Any) -> None:
    earn(alice, bob, 7, USD(1_000_000))
    payout = ask(bob, 500_000)
    services.payout_allow(actor=staff("finance"), payout_id=payout.pk, reason="known")
    assert RiskHold.objects.get().state == "released"
    services.payout_send(payout_id=payout.pk)
    with pytest.raises(Conflict, match="payout_gone"):
        services.risk_decide(
            actor=staff("moderator"), act="payout", subject_id=payout.pk, allow=False, reason="r", action="moderation_decide"
        )


def test_a_large_first_payout_in_parts_is_as_large_as_at_once(alice: Any, bob: Any, earn: Any, settings: Any) -> None:
    """Below the threshold each, and together at it: nothing was paid out yet, whatever waits."""
    limit = settings.VELOCITY["new_payee_large"]["usd_minor"]
    earn(alice, bob, 7, USD(2_000_000))
    assert ask(bob, limit - 2_000, key="one").hold_reason == "first_payout"
    assert ask(bob, 1_999, key="two").hold_reason == "first_payout"
    third = ask(bob, 1_000, key="three")
    assert (third.hold_reason, third.held_until) == ("new_payee_large", None)
    assert RiskHold.objects.get().evidence["usd_minor"] == limit + 999


def test_what_failed_is_no_part_of_a_large_payout(alice: Any, bob: Any, earn: Any, staff: Any, settings: Any) -> None:
    limit = settings.VELOCITY["new_payee_large"]["usd_minor"]
    earn(alice, bob, 7, USD(2_000_000))
    services.payout_refuse(actor=staff("finance"), payout_id=ask(bob, limit - 1, key="one").pk, reason="r")
    assert ask(bob, limit - 1, key="two").hold_reason == "first_payout"


def test_after_a_release_the_rule_is_quiet_for_a_month(alice: Any, bob: Any, earn: Any, staff: Any) -> None:
    earn(alice, bob, 7, USD(2_000_000))
    services.payout_allow(actor=staff("finance"), payout_id=ask(bob, 500_000).pk, reason="known")
    assert ask(bob, 500_000, key="second").hold_reason == "first_payout"
    clock.advance(30 * DAY)
    assert ask(bob, 500_000, key="third").hold_reason == "new_payee_large"


def test_what_the_fraud_port_holds_is_a_hold_too(known_bob: Any) -> None:
    answer = ports.FraudDecision("hold", ("new_device",), "model", {"score": 0.9})
    ports.fraud_decision.register("test", lambda **question: answer if question["act"] == "payout" else None)
    try:
        payout = ask(known_bob, 10_000)
    finally:
        del ports.fraud_decision._providers["test"]
    hold = RiskHold.objects.get()
    assert (hold.subject_id, hold.rule, hold.evidence) == (payout.pk, "new_device", {"source": "model", "score": 0.9})


# --- there and back
def test_money_that_goes_to_and_fro_stops_new_payments(alice: Any, pay: Any, refunding: Any) -> None:
    for n in range(4):
        assert not RiskHold.objects.exists()
        payment = pay(alice, USD(30_000))
        services.payment_refund_request(actor=alice, payment_id=payment.pk, amount=USD(30_000), idempotency_key=f"r{n}")
    assert RiskHold.objects.get().rule == "refund_ping_pong"
    with pytest.raises(NotAllowed, match="payment_held"):
        pay(alice, USD(30_000))


def test_remainders_that_go_back_are_no_alarm(alice: Any, pay: Any, refunding: Any) -> None:
    for n in range(6):
        payment = pay(alice, USD(30_000))
        services.payment_refund_request(actor=alice, payment_id=payment.pk, amount=USD(9_000), idempotency_key=f"r{n}")
    assert not RiskHold.objects.exists()


@pytest.fixture
def refunding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox as a gateway that takes refunds; they are asked for here, not sent."""
    from dataclasses import replace

    from marketplace.payments.providers.sandbox import Sandbox

    able = replace(Sandbox().capabilities(), refunds=True)
    monkeypatch.setattr(Sandbox, "capabilities", lambda self: able)


def test_traces_are_forgotten(alice: Any, pay: Any) -> None:
    pay(alice, USD(50_00))
    clock.advance(90 * DAY - 1)
    assert tasks.forget_traces() == 0
    clock.advance(1)
    assert tasks.forget_traces() == 1
    assert not PaymentTrace.objects.exists()
