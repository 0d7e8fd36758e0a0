"""Payments through the sandbox: every outcome, every order of news, every place where a process may die."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command

from marketplace.core import clock
from marketplace.core.errors import IdempotencyConflict, InvalidInput, NotFound
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.payments import gateways, selectors, services, tasks
from marketplace.payments.models import Account, Entry, Payment, SandboxObject, WebhookEvent
from marketplace.payments.providers import sandbox
from marketplace.payments.providers.base import Fetched, Result

pytestmark = [pytest.mark.django_db, pytest.mark.parity]
AMOUNT = Money(10_000, "USD")


def wallet_of(user: Any) -> int:
    return sum(b.wallet.minor for b in selectors.balances_of(user.pk))


def notify(ref: str, event_id: str = "evt_1", kind: str = "payment.succeeded") -> WebhookEvent:
    body = json.dumps({"id": event_id, "type": kind, "object": ref}).encode()
    return services.webhook_receive(
        provider="sandbox", path_token=sandbox.webhook_path_token(), raw_body=body, headers={"Sandbox-Signature": sandbox.sign(body)}
    )


def later() -> None:
    """Past the poller's grace."""
    clock.advance(int(tasks.GRACE.total_seconds()) + 1)


def test_a_success_is_deposited_once_and_told_with_its_purpose(alice: Any) -> None:
    payment = services.payment_start(
        actor_id=alice.pk, amount=AMOUNT, purpose="milestone", purpose_id=7, method={"token": "tok_visa"}, idempotency_key="k"
    )

    assert (payment.state, payment.last_result) == ("succeeded", "done")
    assert wallet_of(alice) == 10_000
    event = Event.objects.get(kind="payment.succeed", aggregate_id=payment.pk)
    assert event.after == {"state": "succeeded", "purpose": "milestone", "purpose_id": 7, "amount_minor": 10_000, "currency": "USD"}


@pytest.mark.parametrize(("token", "code"), [("tok_declined", "declined"), ("tok_insufficient_funds", "insufficient_funds")])
def test_a_refusal_fails_the_payment_and_moves_nothing(alice: Any, pay: Any, token: str, code: str) -> None:
    payment = pay(alice, AMOUNT, token)

    assert (payment.state, payment.failure_code) == ("failed", code)
    assert not Entry.objects.exists()


def test_a_delayed_payment_succeeds_when_the_poller_asks(alice: Any, pay: Any) -> None:
    payment = pay(alice, AMOUNT, "tok_delayed")
    assert payment.state == "pending"
    assert wallet_of(alice) == 0
    later()

    assert tasks.poll_unsettled() == 1
    assert tasks.poll_unsettled() == 0

    payment.refresh_from_db()
    assert payment.state == "succeeded"
    assert wallet_of(alice) == 10_000


def test_a_lost_answer_after_success_is_resolved_by_the_same_key(alice: Any, pay: Any, proven: Any) -> None:
    payment = pay(alice, AMOUNT, "tok_timeout")
    assert (payment.state, payment.last_result) == ("created", "unknown")
    assert wallet_of(alice) == 0
    later()

    tasks.poll_unsettled()

    payment.refresh_from_db()
    assert payment.state == "succeeded"
    assert wallet_of(alice) == 10_000
    assert SandboxObject.objects.count() == 1
    proven()


def test_a_young_intent_is_left_to_the_request_that_made_it(alice: Any, pay: Any) -> None:
    pay(alice, AMOUNT, "tok_timeout")

    assert tasks.poll_unsettled() == 0


def test_the_same_request_again_continues_the_payment_and_charges_once(alice: Any, pay: Any) -> None:
    first = pay(alice, AMOUNT, "tok_timeout", key="k")

    second = pay(alice, AMOUNT, "tok_timeout", key="k")
    third = pay(alice, AMOUNT, "tok_timeout", key="k")

    assert first.pk == second.pk == third.pk
    assert third.state == "succeeded"
    assert wallet_of(alice) == 10_000
    assert SandboxObject.objects.count() == 1


@pytest.mark.parametrize(
    ("amount", "token", "purpose"),
    [(Money(9_999, "USD"), "tok_visa", "wallet"), (AMOUNT, "tok_3ds", "wallet"), (AMOUNT, "tok_visa", "milestone")],
)
def test_a_key_with_another_request_is_a_conflict_without_effect(alice: Any, pay: Any, amount: Money, token: str, purpose: str) -> None:
    pay(alice, AMOUNT, key="k")

    with pytest.raises(IdempotencyConflict):
        pay(alice, amount, token, key="k", purpose=purpose)

    assert wallet_of(alice) == 10_000
    assert Payment.objects.count() == 1


def test_another_user_does_not_get_the_payment_of_a_key(alice: Any, charlie: Any, pay: Any) -> None:
    pay(alice, AMOUNT, key="k")

    with pytest.raises(IdempotencyConflict):
        pay(charlie, AMOUNT, key="k")


@pytest.mark.parametrize("amount", [Money(0, "USD"), Money(-5, "USD"), Money(10**12 + 1, "USD")])
def test_an_amount_out_of_range_is_refused_before_anything_is_written(alice: Any, pay: Any, amount: Money) -> None:
    with pytest.raises(InvalidInput, match="amount_out_of_range"):
        pay(alice, amount)

    assert not Payment.objects.exists()


@pytest.mark.parametrize("method", [{}, {"token": "tok_unknown"}, {"token": 5}, {"token": ["tok_visa"]}])
def test_an_unusable_method_is_refused(alice: Any, method: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="method_unknown"):
        services.payment_start(actor_id=alice.pk, amount=AMOUNT, purpose="wallet", purpose_id=None, method=method, idempotency_key="k")


def test_only_the_token_of_a_method_is_kept(alice: Any) -> None:
    payment = services.payment_start(
        actor_id=alice.pk,
        amount=AMOUNT,
        purpose="wallet",
        purpose_id=None,
        method={"token": "tok_visa", "number": "4242424242424242"},
        idempotency_key="k",
    )

    assert payment.method == {"token": "tok_visa"}


def test_a_webhook_finishes_a_payment_that_waits_for_its_payer(alice: Any, pay: Any) -> None:
    payment = pay(alice, AMOUNT, "tok_3ds")
    assert payment.state == "pending"

    call_command("sandbox_event", payment.provider_ref, "succeed")

    payment.refresh_from_db()
    assert payment.state == "succeeded"
    assert wallet_of(alice) == 10_000


def test_a_failed_authentication_fails_the_payment(alice: Any, pay: Any) -> None:
    payment = pay(alice, AMOUNT, "tok_3ds")

    call_command("sandbox_event", payment.provider_ref, "fail")

    payment.refresh_from_db()
    assert (payment.state, payment.failure_code) == ("failed", "authentication_failed")
    assert wallet_of(alice) == 0


def test_the_same_notification_twice_is_one_row_and_one_deposit(alice: Any, pay: Any) -> None:
    payment = pay(alice, AMOUNT, "tok_3ds")
    sandbox.change(payment.provider_ref, "succeeded")

    first, second = notify(payment.provider_ref), notify(payment.provider_ref)
    services.webhook_handle(webhook_id=first.pk)
    services.webhook_handle(webhook_id=second.pk)
    third = notify(payment.provider_ref, "evt_2")
    services.webhook_handle(webhook_id=third.pk)

    assert first.pk == second.pk != third.pk
    assert wallet_of(alice) == 10_000


def test_what_a_notification_claims_is_not_believed(alice: Any, pay: Any) -> None:
    payment = pay(alice, AMOUNT, "tok_3ds")

    services.webhook_handle(webhook_id=notify(payment.provider_ref).pk)

    payment.refresh_from_db()
    assert payment.state == "pending"
    assert wallet_of(alice) == 0


def test_old_news_after_the_end_change_nothing(alice: Any, pay: Any) -> None:
    payment = pay(alice, AMOUNT)

    sandbox.change(payment.provider_ref, "pending")
    services.webhook_handle(webhook_id=notify(payment.provider_ref, kind="payment.pending").pk)
    sandbox.change(payment.provider_ref, "failed", "declined")
    services.webhook_handle(webhook_id=notify(payment.provider_ref, "evt_2", kind="payment.failed").pk)

    payment.refresh_from_db()
    assert (payment.state, payment.failure_code) == ("succeeded", "")
    assert wallet_of(alice) == 10_000


def test_news_that_come_before_our_own_answer_are_handled_later(alice: Any, pay: Any) -> None:
    payment = pay(alice, AMOUNT, "tok_timeout")
    ref = SandboxObject.objects.get().ref
    early = notify(ref)

    assert services.webhook_handle(webhook_id=early.pk) is False
    assert wallet_of(alice) == 0
    later()
    tasks.poll_unsettled()
    tasks.poll_unsettled()

    early.refresh_from_db()
    payment.refresh_from_db()
    assert early.handled_at is not None
    assert payment.state == "succeeded"
    assert wallet_of(alice) == 10_000


def test_three_days_without_webhooks_are_made_up_by_the_poller(alice: Any, pay: Any) -> None:
    payment = pay(alice, AMOUNT, "tok_3ds")
    sandbox.change(payment.provider_ref, "succeeded")
    clock.advance(int(timedelta(days=3).total_seconds()))

    tasks.poll_unsettled()

    assert wallet_of(alice) == 10_000


def test_an_amount_that_differs_at_the_gateway_is_never_posted(alice: Any, pay: Any) -> None:
    payment = pay(alice, AMOUNT, "tok_3ds")
    SandboxObject.objects.update(state="succeeded", amount_minor=1)

    payment = services.payment_refresh(payment_id=payment.pk)

    assert (payment.state, payment.failure_code) == ("pending", "amount_differs")
    assert not Entry.objects.exists()


def test_a_chargeback_takes_what_the_wallet_has_and_the_rest_is_owed(alice: Any, pay: Any, proven: Any) -> None:
    payment = pay(alice, AMOUNT)
    services.hold(contract_id=1, milestone_id=7, payer_id=alice.pk, amount=Money(7_000, "USD"), actor_id=alice.pk, rule="client_funding")

    call_command("sandbox_event", payment.provider_ref, "charge_back")
    call_command("sandbox_event", payment.provider_ref, "charge_back")

    payment.refresh_from_db()
    assert payment.state == "charged_back"
    lines = Entry.objects.get(kind="chargeback").postings.order_by("line_no")
    assert list(lines.values_list("leg", "debit_account__key", "credit_account__key", "amount")) == [
        ("recovered", f"wallet:{alice.pk}:USD", "clearing:sandbox:USD", 3_000),
        ("owed", f"receivable:{alice.pk}:USD", "clearing:sandbox:USD", 7_000),
    ]
    assert selectors.held(7) == Money(7_000, "USD")
    proven()


def test_a_chargeback_may_be_paid_out_of_the_wallet_alone(alice: Any, pay: Any) -> None:
    payment = pay(alice, AMOUNT)

    call_command("sandbox_event", payment.provider_ref, "charge_back")

    assert wallet_of(alice) == 0
    assert not Account.objects.filter(kind="receivable").exclude(key=f"receivable:{alice.pk}:USD").exists()
    assert list(Entry.objects.get(kind="chargeback").postings.values_list("leg", "amount")) == [("recovered", 10_000)]


def test_a_notification_about_an_unknown_object_is_stored_and_not_handled() -> None:
    stored = notify("sbx_payment_nobody_knows")

    assert services.webhook_handle(webhook_id=stored.pk) is False
    stored.refresh_from_db()
    assert (stored.handled_at, stored.last_error) == (None, "object_unknown")


BODY = json.dumps({"id": "evt_1", "type": "payment.succeeded", "object": "sbx"}).encode()


def receive(body: bytes = BODY, signature: str | None = None, token: str | None = None, provider: str = "sandbox") -> Any:
    return services.webhook_receive(
        provider=provider,
        path_token=sandbox.webhook_path_token() if token is None else token,
        raw_body=body,
        headers={"Sandbox-Signature": sandbox.sign(body) if signature is None else signature},
    )


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"signature": ""}, "signature_invalid"),
        ({"signature": "t=1,v1=" + "0" * 64}, "signature_invalid"),
        ({"signature": sandbox.sign}, "signature_invalid"),
        ({"body": b"{}"}, "webhook_unreadable"),
        ({"body": b"\xff"}, "webhook_unreadable"),
        ({"body": b"[]"}, "webhook_unreadable"),
        ({"body": b"[" * 50_000}, "webhook_unreadable"),
        ({"body": b'{"id": "", "type": "t", "object": "o"}'}, "webhook_unreadable"),
        ({"body": b'{"id": 5, "type": "t", "object": "o"}'}, "webhook_unreadable"),
        ({"body": json.dumps({"id": "x" * 129, "type": "t", "object": "o"}).encode()}, "webhook_unreadable"),
    ],
)
def test_a_notification_that_is_not_the_gateways_is_refused_and_not_stored(given: dict[str, Any], code: str) -> None:
    if callable(given.get("signature")):
        given = {"signature": sandbox.sign(BODY + b" ")}  # somebody changed the body on the way

    with pytest.raises(InvalidInput, match=code):
        receive(**given)

    assert not WebhookEvent.objects.exists()


def test_a_replayed_old_notification_is_refused() -> None:
    old = sandbox.sign(BODY, at=int(time.time()) - sandbox.TOLERANCE_SECONDS - 1)

    with pytest.raises(InvalidInput, match="signature_stale"):
        receive(signature=old)


@pytest.mark.parametrize("given", [{"token": "wrong"}, {"provider": "nobody"}])
def test_a_wrong_address_looks_like_no_address(given: dict[str, str]) -> None:
    with pytest.raises(NotFound):
        receive(**given)


class Dying(sandbox.Sandbox):
    """The sandbox, and a process that dies between the gateway's success and our commit."""

    def create_payment(self, *, key: str, amount: Money, method: Mapping[str, Any], **more: Any) -> Result:
        super().create_payment(key=key, amount=amount, method=method, **more)
        raise SystemExit(137)


def test_a_crash_after_the_gateways_success_is_repaired_by_the_poller(
    alice: Any, pay: Any, monkeypatch: pytest.MonkeyPatch, proven: Any
) -> None:
    monkeypatch.setattr(gateways, "gateway", lambda name: Dying())
    with pytest.raises(SystemExit):
        pay(alice, AMOUNT)
    monkeypatch.undo()
    assert SandboxObject.objects.get().state == "succeeded"
    assert Payment.objects.get().state == "created"
    assert wallet_of(alice) == 0
    later()

    tasks.poll_unsettled()

    assert Payment.objects.get().state == "succeeded"
    assert wallet_of(alice) == 10_000
    assert SandboxObject.objects.count() == 1
    proven()


def test_one_payment_that_cannot_be_asked_about_does_not_stop_the_others(alice: Any, pay: Any) -> None:
    broken = pay(alice, AMOUNT, "tok_delayed")
    pay(alice, AMOUNT, "tok_delayed")
    Payment.objects.filter(pk=broken.pk).update(provider="gone")
    later()

    assert tasks.poll_unsettled() == 2

    assert wallet_of(alice) == 10_000


def test_payments_that_nobody_ever_confirms_do_not_hide_the_ones_after_them(alice: Any, pay: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        pay(alice, AMOUNT, "tok_3ds")
    pay(alice, AMOUNT, "tok_timeout")
    later()
    monkeypatch.setattr(tasks, "BATCH", 2)

    for _ in range(2):
        tasks.poll_unsettled()

    assert wallet_of(alice) == 10_000


def test_an_installation_without_the_sandbox_takes_no_test_tokens_and_no_sandbox_news(alice: Any, pay: Any, settings: Any) -> None:
    settings.PAYMENT_PROVIDERS = []
    with pytest.raises(InvalidInput, match="provider_unknown"):
        pay(alice, AMOUNT)
    with pytest.raises(NotFound):
        notify("sbx_payment_1")
    assert (Payment.objects.count(), SandboxObject.objects.count(), WebhookEvent.objects.count()) == (0, 0, 0)


def test_the_gateways_states_that_mean_nothing_now_are_ignored(alice: Any, pay: Any) -> None:
    payment = pay(alice, AMOUNT)

    same = gateways._apply(payment.pk, None, Fetched(payment.provider_ref, "something_new", AMOUNT))

    assert same.state == "succeeded"
