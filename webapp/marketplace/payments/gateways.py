"""Payments through a gateway: the intent is committed, then the call is made without any lock, then its outcome is applied.

`_apply` is the only writer of gateway postings. The browser's return, a webhook and the poller all come through it, in any order and any
number of times; states only move forward, so the outcome is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from marketplace.core import clock, events, ports
from marketplace.core.errors import IdempotencyConflict, InvalidInput, NotAllowed, Unavailable
from marketplace.core.money import Money
from marketplace.core.states import move
from marketplace.core.transactions import run_in_transaction

from .ledger import accounts
from .ledger.accounts import Kind
from .ledger.post import Line, post
from .models import Account, AccountBalance, Payment
from .providers import gateway
from .providers.base import Accepted, Done, Fetched, Rejected, Result, Unknown
from .states import PAYMENT

log = structlog.get_logger(__name__)
PURPOSES = ("milestone", "wallet")


def require_no_transaction() -> None:
    """Raise RuntimeError inside an open transaction (that of a test case does not count): no lock is held over the network."""
    if connection.in_atomic_block:
        with transaction.atomic(durable=True):
            pass


def check_amount(amount: Money) -> None:
    """Raise InvalidInput unless 0 < amount <= MAX_AMOUNT_MINOR."""
    if not 0 < amount.minor <= settings.MAX_AMOUNT_MINOR:
        raise InvalidInput(
            "amount_out_of_range", "The amount must be greater than zero and not above the limit.", {"amount_minor": ["Out of range."]}
        )


def payment_start(
    *,
    actor_id: int,
    amount: Money,
    purpose: str,
    purpose_id: int | None,
    method: Mapping[str, Any],
    idempotency_key: str,
    provider: str = "sandbox",
) -> Payment:
    """Charge the actor and return the payment as it stands then: succeeded, failed, or pending (a webhook or the poller finishes it).

    Not to be called inside a transaction. The same key with the same request continues the same payment and never charges twice; with
    another request it raises IdempotencyConflict. Raises InvalidInput for an unusable amount, purpose, provider or method.
    """
    require_no_transaction()
    check_amount(amount)
    if purpose not in PURPOSES:
        raise InvalidInput("purpose_unknown", f"A payment is for one of: {', '.join(PURPOSES)}.")
    kept = gateway(provider).check_method(method, purpose="payment")
    payment = run_in_transaction(
        lambda: _intent(
            Payment(
                provider=provider,
                payer_id=actor_id,
                amount_minor=amount.minor,
                currency=amount.currency,
                purpose=purpose,
                purpose_id=purpose_id,
                method=kept,
                idempotency_key=idempotency_key,
                created_at=clock.now(),
            )
        )
    )
    return payment_refresh(payment_id=payment.pk)


def _intent(payment: Payment) -> Payment:
    """Insert the operation row, or find the one that this key made before."""
    decision = ports.fraud_decision.first(
        act="payment", actor_id=payment.payer_id, subject_type=payment.purpose, subject_id=payment.purpose_id
    )
    if decision.verdict == "block":
        raise NotAllowed("payment_blocked", "This payment was stopped for review. Contact support.")
    try:
        with transaction.atomic():
            payment.save(force_insert=True)
    except IntegrityError:
        seen = Payment.objects.filter(idempotency_key=payment.idempotency_key).first()
        if seen is None:
            raise
        same = ("provider", "payer_id", "amount_minor", "currency", "purpose", "purpose_id", "method")
        if any(getattr(seen, name) != getattr(payment, name) for name in same):
            raise IdempotencyConflict from None
        return seen
    after = {"purpose": payment.purpose, "amount_minor": payment.amount_minor, "currency": payment.currency}
    events.record(aggregate=payment, kind="payment.create", actor_id=payment.payer_id, after=after)
    return payment


def payment_refresh(*, payment_id: int) -> Payment:
    """Ask the gateway how the payment stands and apply it; returns the re-read row. Not to be called inside a transaction.

    Without a reference nobody knows whether the call was made: the same key is sent again, which charges at most once.
    """
    require_no_transaction()
    payment = Payment.objects.get(pk=payment_id)
    asked = gateway(payment.provider)
    fetched: Fetched | None = None
    result: Result | None = None
    try:
        if payment.provider_ref is None:
            if payment.state == PAYMENT.initial:
                amount = Money(payment.amount_minor, payment.currency)
                result = asked.create_payment(key=f"payment:{payment.pk}:{payment.idempotency_key}", amount=amount, method=payment.method)
                if isinstance(result, Done):
                    fetched = asked.fetch_payment(ref=result.ref)
        else:
            fetched = asked.fetch_payment(ref=payment.provider_ref)
    except Unavailable as e:
        result = Unknown(e.code)
    return run_in_transaction(lambda: _apply(payment_id, result, fetched))


def payment_locked(payment_id: int) -> Payment:
    """The payment, locked and read again. Payments are locked before balances."""
    return Payment.objects.select_for_update().get(pk=payment_id)


def _apply(payment_id: int, result: Result | None, fetched: Fetched | None) -> Payment:
    """Bring the payment to what the gateway says, forward only, and post what that means. Runs in a transaction."""
    payment = payment_locked(payment_id)
    if result is not None and payment.state == PAYMENT.initial:
        _note(payment, result)
    if fetched is None:
        return payment
    if fetched.amount != Money(payment.amount_minor, payment.currency):
        # never post an amount that nobody agreed to: a person has to look
        log.error("payment_amount_differs", payment=payment.pk, ours=payment.amount_minor, theirs=fetched.amount.minor)
        Payment.objects.filter(pk=payment.pk).update(failure_code="amount_differs", last_result="unknown")
        payment.refresh_from_db()
        return payment
    if payment.provider_ref is None:
        payment.provider_ref = fetched.ref
    act = _ACTS.get((payment.state, fetched.status))
    if act is not None:
        act(payment, fetched)
    return payment


def _note(payment: Payment, result: Result) -> None:
    """Store what the call answered; a refusal or acceptance is also a state."""
    payment.last_result = type(result).__name__.lower()
    if isinstance(result, Accepted):
        payment.provider_ref = result.ref
        move(payment, PAYMENT, "wait", role="system", actor_id=None, also=["provider_ref", "last_result"])
    elif isinstance(result, Rejected):
        payment.provider_ref = result.ref
        payment.failure_code = result.code
        also = ["provider_ref", "failure_code", "last_result"]
        move(payment, PAYMENT, "fail", role="system", actor_id=None, also=also, extra={"failure_code": result.code, **_about(payment)})
    else:
        payment.save(update_fields=["last_result"])


def _about(payment: Payment) -> dict[str, Any]:
    return {
        "purpose": payment.purpose,
        "purpose_id": payment.purpose_id,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
    }


def _wait(payment: Payment, fetched: Fetched) -> None:
    move(payment, PAYMENT, "wait", role="system", actor_id=None, also=["provider_ref"])


def _fail(payment: Payment, fetched: Fetched) -> None:
    payment.failure_code = fetched.failure_code
    also = ["provider_ref", "failure_code"]
    action = "cancel" if fetched.status == "cancelled" else "fail"
    move(payment, PAYMENT, action, role="system", actor_id=None, also=also, extra={"failure_code": fetched.failure_code, **_about(payment)})


def _succeed(payment: Payment, fetched: Fetched) -> None:
    """Clearing → wallet, and the event that funds what the payment was for."""
    payment.settled_at = clock.now()
    currency = payment.currency
    post(
        "deposit",
        key=f"deposit:{payment.pk}",
        lines=[Line("deposit", accounts.clearing(payment.provider, currency), accounts.wallet(payment.payer_id, currency), fetched.amount)],
        subject=("payment", payment.pk),
        actor_id=payment.payer_id,
        rule="gateway_succeeded",
    )
    move(payment, PAYMENT, "succeed", role="system", actor_id=payment.payer_id, also=["provider_ref", "settled_at"], extra=_about(payment))


def _charge_back(payment: Payment, fetched: Fetched) -> None:
    """The bank took the money back: out of the wallet as far as it is there, the rest is owed by the user."""
    currency, payer = payment.currency, payment.payer_id
    there = AccountBalance.objects.select_for_update().filter(
        account__in=Account.objects.filter(user_id=payer, kind=Kind.WALLET, currency=currency).values("id")
    )
    recovered = min(there.values_list("available", flat=True).first() or 0, payment.amount_minor)
    clearing = accounts.clearing(payment.provider, currency)
    post(
        "chargeback",
        key=f"chargeback:{payment.pk}",
        lines=[
            Line("recovered", accounts.wallet(payer, currency), clearing, Money(recovered, currency)),
            Line("owed", accounts.receivable(payer, currency), clearing, Money(payment.amount_minor - recovered, currency)),
        ],
        subject=("payment", payment.pk),
        actor_id=None,
        rule="gateway_charged_back",
    )
    move(payment, PAYMENT, "charge_back", role="system", actor_id=None, extra={"recovered_minor": recovered, **_about(payment)})


#: (our state, the gateway's state) → what to do; every other pair is old news and changes nothing
_ACTS: dict[tuple[str, str], Callable[[Payment, Fetched], None]] = {
    ("created", "pending"): _wait,
    **{(ours, "succeeded"): _succeed for ours in ("created", "pending")},
    **{(ours, theirs): _fail for ours in ("created", "pending") for theirs in ("failed", "cancelled")},
    ("succeeded", "charged_back"): _charge_back,
}
