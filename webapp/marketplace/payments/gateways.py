"""Payments through a gateway: the intent is committed, then the call is made without any lock, then its outcome is applied.

`_apply` is the only writer of gateway postings. The browser's return, a webhook and the poller all come through it, in any order and any
number of times; states only move forward, so the outcome is the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction

from marketplace.core import clock, events, features, ports
from marketplace.core.errors import Conflict, IdempotencyConflict, InvalidInput, NotAllowed, Unavailable
from marketplace.core.money import Money
from marketplace.core.policies import Actor, require
from marketplace.core.states import move
from marketplace.core.transactions import run_in_transaction

from . import debts, risk, selectors
from .ledger import accounts
from .ledger.post import Line, post
from .models import Entry, Payment
from .providers import gateway
from .providers.base import Accepted, Capture, Done, Fetched, Rejected, Result, Unknown
from .states import PAYMENT

log = structlog.get_logger(__name__)
PURPOSES = ("milestone", "wallet")
LOOK_EVERY_SECONDS = 2
#: what the gateway got for it, of another amount, is in the payer's wallet by staff's hand
CREDITED = "credited"


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
    capture: Capture = "automatic",
) -> Payment:
    """Charge the actor and return the payment as it stands then: succeeded, failed, or pending (a webhook or the poller finishes it; what the
    payer still has to do is in `action`). With manual capture the amount is only reserved until `payment_capture`.

    Not to be called inside a transaction. The same key with the same request continues the same payment and never charges twice; with
    another request it raises IdempotencyConflict. A method of {"saved_method_id": …} is one that the actor saved at the gateway.
    Raises InvalidInput for an unusable amount, purpose, provider or method, NotFound for a saved method that is not the actor's,
    NotAllowed("payment_held") while the actor's new payments are stopped, NotAllowed("payment_blocked"), Conflict("phone_waits" |
    "phone_prompts_many") for a phone that is or was lately asked to pay.
    """
    require_no_transaction()
    check_amount(amount)
    if purpose not in PURPOSES:
        raise InvalidInput("purpose_unknown", f"A payment is for one of: {', '.join(PURPOSES)}.")
    asked = gateway(provider)
    saved = selectors.method_to_pay_with(payer_id=actor_id, provider=provider, method=method)
    kept = asked.check_method(method, purpose="payment") if saved is None else saved
    asked.check_amount(amount, purpose="payment")
    if capture == "manual" and not asked.capabilities().manual_capture:
        raise InvalidInput("gateway_cannot", f"{provider} cannot reserve an amount. Pay at once, or choose another way.")
    payment, new = run_in_transaction(
        lambda: _intent(
            Payment(
                provider=provider,
                payer_id=actor_id,
                amount_minor=amount.minor,
                currency=amount.currency,
                purpose=purpose,
                purpose_id=purpose_id,
                method=kept,
                capture=capture,
                idempotency_key=idempotency_key,
                created_at=clock.now(),
            )
        )
    )
    return payment_refresh(payment_id=payment.pk, first=new)


def wallet_pay_in(*, actor: Actor, provider: str, amount: Money, method: Mapping[str, Any], idempotency_key: str) -> Payment:
    """The actor pays into their own wallet: see payment_start. Raises Unavailable while funding is switched off."""
    features.require_on("FUNDING_OPEN", "Money cannot be paid in at the moment. Nothing was charged: please try again later.")
    key = f"wallet:{actor.pk}:{hashlib.sha256(idempotency_key.encode()).hexdigest()[:40]}"
    return payment_start(
        actor_id=actor.pk, amount=amount, purpose="wallet", purpose_id=None, method=method, idempotency_key=key, provider=provider
    )


def _intent(payment: Payment) -> tuple[Payment, bool]:
    """Insert the operation row, or find the one that this key made before; and whether it is new."""
    decision = ports.fraud_decision.first(
        act="payment", actor_id=payment.payer_id, subject_type=payment.purpose, subject_id=payment.purpose_id
    )
    if decision.verdict == "block":
        raise NotAllowed("payment_blocked", "This payment was stopped for review. Contact support.")
    if not Payment.objects.filter(idempotency_key=payment.idempotency_key).exists():
        risk.require_payments_open(payment.payer_id)
    try:
        with transaction.atomic():
            payment.save(force_insert=True)
            risk.trace(payment)
            risk.require_phone_at_rest(payment)
    except IntegrityError:
        seen = Payment.objects.filter(idempotency_key=payment.idempotency_key).first()
        if seen is None:
            raise
        same = ("provider", "payer_id", "amount_minor", "currency", "purpose", "purpose_id", "method", "capture")
        if any(getattr(seen, name) != getattr(payment, name) for name in same):
            raise IdempotencyConflict from None
        return seen, False
    after = {"purpose": payment.purpose, "amount_minor": payment.amount_minor, "currency": payment.currency}
    events.record(aggregate=payment, kind="payment.create", actor_id=payment.payer_id, after=after)
    return payment, True


def payment_key(payment: Payment) -> str:
    """The key of the payment's call; what follows on it adds a word."""
    return f"payment:{payment.pk}:{payment.idempotency_key}"


def payment_refresh(*, payment_id: int, first: bool = False, heard_ref: str | None = None, claimed: Money | None = None) -> Payment:
    """Ask the gateway how the payment stands and apply it; returns the re-read row. Not to be called inside a transaction.

    Without a reference nobody knows whether the call was made: the same key is sent again, which charges at most once. `first` says that the
    row was made just now, so that there was no call before. `heard_ref` is the reference by which a verified notification names this very
    payment, `claimed` the amount that it says.
    """
    require_no_transaction()
    payment = Payment.objects.get(pk=payment_id)
    asked = gateway(payment.provider)
    fetched: Fetched | None = None
    result: Result | None = None
    ref = payment.provider_ref or heard_ref
    try:
        if ref is None:
            if payment.state == PAYMENT.initial:
                result = asked.create_payment(
                    key=payment_key(payment),
                    amount=Money(payment.amount_minor, payment.currency),
                    method=payment.method,
                    capture="manual" if payment.capture == "manual" else "automatic",
                    age=None if first else clock.now() - payment.created_at,
                )
                if isinstance(result, Done):
                    fetched = asked.fetch_payment(ref=result.ref)
        else:
            fetched = asked.fetch_payment(ref=ref)
            if fetched is not None and fetched.status == "approved" and _agreed(payment, fetched):
                # the payer has agreed; taking the money is the second half of the same charge
                asked.capture(key=f"{payment_key(payment)}:capture", ref=ref, amount=Money(payment.amount_minor, payment.currency))
                fetched = asked.fetch_payment(ref=ref)
    except Unavailable as e:
        result = Unknown(e.code)
    return run_in_transaction(lambda: _apply(payment_id, result, fetched, claimed))


def _agreed(payment: Payment, fetched: Fetched) -> bool:
    """Whether an approved payment is still wanted, and is the one that we asked for."""
    return payment.state in ("created", "pending") and fetched.amount == Money(payment.amount_minor, payment.currency)


def payment_capture(*, payment_id: int, amount: Money) -> Payment:
    """Take a reserved payment, whole or in part; the rest is set free. Not to be called inside a transaction.

    The amount is written before the gateway is asked: the same amount again is the same capture, another one a Conflict. Raises Conflict
    when nothing is reserved, or the reservation has run out.
    """
    require_no_transaction()

    def intent() -> Payment:
        payment = payment_locked(payment_id)
        if payment.capture != "manual" or payment.state != "pending" or payment.provider_ref is None:
            raise Conflict("payment_capture_impossible", f"The payment is {payment.state}: nothing is reserved that could be taken.")
        if not 0 < amount.minor <= payment.amount_minor or amount.currency != payment.currency:
            raise InvalidInput("amount_out_of_range", "No more than what was reserved can be taken.", {"amount_minor": ["Out of range."]})
        if payment.received_minor not in (None, amount.minor):
            raise Conflict("payment_capture_begun", "Another amount is being taken already.")
        Payment.objects.filter(pk=payment.pk).update(received_minor=amount.minor)
        return payment

    payment = run_in_transaction(intent)
    result = gateway(payment.provider).capture(key=f"{payment_key(payment)}:capture", ref=str(payment.provider_ref), amount=amount)
    now = payment_refresh(payment_id=payment_id)
    if isinstance(result, Rejected) and now.state == "pending":
        Payment.objects.filter(pk=payment_id, state="pending").update(received_minor=None)
        raise Conflict("payment_capture_refused", "The gateway did not take the amount. Try again, or cancel the payment.")
    return now


def payment_cancel(*, payment_id: int) -> Payment:
    """Give up a payment that waits for the payer or is only reserved; one that succeeded meanwhile has succeeded. Raises Conflict while nobody
    knows the gateway's name of it, InvalidInput at a gateway that cannot."""
    require_no_transaction()
    payment = Payment.objects.get(pk=payment_id)
    if payment.state != "pending" or payment.provider_ref is None:
        raise Conflict("payment_cancel_impossible", f"The payment is {payment.state} and cannot be cancelled.")
    result = gateway(payment.provider).cancel(key=f"{payment_key(payment)}:cancel", ref=payment.provider_ref)
    now = payment_refresh(payment_id=payment_id)
    return run_in_transaction(lambda: _given_up(payment_id)) if isinstance(result, Done) and now.state == "pending" else now


def payment_give_up(*, actor: Actor, payment_id: int) -> Payment:
    """The payer gives up a payment that waits for them. Not to be called inside a transaction. Raises NotFound, NotAllowed for anybody else who
    sees it, and what payment_cancel raises."""
    payment = selectors.payment_for(actor, payment_id)
    require(payment.payer_id == actor.pk, "payment_cancel_not_yours", "Only whoever pays can cancel a payment.")
    if payment.state != "pending":
        raise Conflict("payment_cancel_impossible", f"The payment is {payment.state.replace('_', ' ')} and cannot be cancelled.")
    return payment_cancel(payment_id=payment_id)


def payment_look(*, actor: Actor, payment_id: int) -> Payment:
    """The payment as its gateway has it now, for its payer, who has come back from the gateway's page. Asked again within a few seconds, and
    once it is decided, it is told as we know it. Not to be called inside a transaction. Raises NotFound, NotAllowed for anybody else who sees
    it: staff ask with `oversight.ask_again`, which wants a reason and is audited."""
    payment = selectors.payment_for(actor, payment_id)
    require(payment.payer_id == actor.pk, "payment_refresh_not_yours", "Only whoever pays can ask the gateway about a payment here.")
    open_now = payment.state in ("created", "pending")
    if open_now and cache.add(f"payments:look:{payment_id}", 1, LOOK_EVERY_SECONDS):
        return payment_refresh(payment_id=payment_id)
    return payment


def _given_up(payment_id: int) -> Payment:
    """Cancelled on our side, at a gateway whose unpaid payments cannot be cancelled but never take money without us."""
    payment = payment_locked(payment_id)
    if payment.state == "pending":
        payment.action = {}
        move(payment, PAYMENT, "cancel", role="system", actor_id=None, also=["action"], extra=_about(payment))
    return payment


def payment_locked(payment_id: int) -> Payment:
    """The payment, locked and read again. Payments are locked before balances."""
    return Payment.objects.select_for_update().get(pk=payment_id)


def _apply(payment_id: int, result: Result | None, fetched: Fetched | None, claimed: Money | None = None) -> Payment:
    """Bring the payment to what the gateway says, forward only, and post what that means. Runs in a transaction."""
    payment = payment_locked(payment_id)
    if result is not None and payment.state == PAYMENT.initial:
        _note(payment, result)
    if fetched is None or payment.failure_code == CREDITED:
        return payment
    if different := _difference(payment, fetched, claimed):
        # never post an amount that nobody agreed to: a person has to look
        log.error("payment_amount_differs", payment=payment.pk, ours=payment.amount_minor, theirs=str(different))
        Payment.objects.filter(pk=payment.pk).update(failure_code="amount_differs", last_result="unknown")
        payment.refresh_from_db()
        return payment
    if payment.provider_ref is None:
        payment.provider_ref = fetched.ref
    act = _ACTS.get((payment.state, fetched.status))
    if act is not None:
        act(payment, fetched)
    elif payment.state == "pending" and dict(fetched.action) != payment.action:
        Payment.objects.filter(pk=payment.pk).update(action=dict(fetched.action))
        payment.refresh_from_db()
    return payment


def _difference(payment: Payment, fetched: Fetched, claimed: Money | None) -> Money | None:
    """The amount, if any, at which the gateway and we disagree."""
    ours = Money(payment.amount_minor, payment.currency)
    for theirs, expected in ((fetched.amount, ours), (claimed, ours), (fetched.received, Money(payment.received, payment.currency))):
        if theirs is not None and theirs != expected:
            return theirs
    return None


def _note(payment: Payment, result: Result) -> None:
    """Store what the call answered; a refusal or acceptance is also a state."""
    payment.last_result = type(result).__name__.lower()
    if isinstance(result, Accepted):
        payment.provider_ref, payment.action = result.ref, dict(result.action)
        move(payment, PAYMENT, "wait", role="system", actor_id=None, also=["provider_ref", "last_result", "action"])
    elif isinstance(result, Rejected):
        payment.provider_ref = result.ref
        payment.failure_code = result.code
        also = ["provider_ref", "failure_code", "last_result"]
        move(payment, PAYMENT, "fail", role="system", actor_id=None, also=also, extra={"failure_code": result.code, **_about(payment)})
        risk.after_payment(payment)
    else:
        payment.save(update_fields=["last_result"])


def _about(payment: Payment) -> dict[str, Any]:
    return {
        "purpose": payment.purpose,
        "purpose_id": payment.purpose_id,
        "amount_minor": payment.received,
        "currency": payment.currency,
    }


def _wait(payment: Payment, fetched: Fetched) -> None:
    payment.action = dict(fetched.action)
    move(payment, PAYMENT, "wait", role="system", actor_id=None, also=["provider_ref", "action"])


def _fail(payment: Payment, fetched: Fetched) -> None:
    payment.failure_code, payment.action = fetched.failure_code, {}
    also = ["provider_ref", "failure_code", "action"]
    action = "cancel" if fetched.status == "cancelled" else "fail"
    move(payment, PAYMENT, action, role="system", actor_id=None, also=also, extra={"failure_code": fetched.failure_code, **_about(payment)})
    if action == "fail":
        risk.after_payment(payment)


def _succeed(payment: Payment, fetched: Fetched) -> None:
    """Clearing → wallet, and the event that funds what the payment was for. Also of a payment that we had given up: the money is there."""
    payment.settled_at, payment.failure_code, payment.action = clock.now(), "", {}
    currency = payment.currency
    amount = Money(payment.received, currency)
    brought = post(
        "deposit",
        key=f"deposit:{payment.pk}",
        lines=[Line("deposit", accounts.clearing(payment.provider, currency), accounts.wallet(payment.payer_id, currency), amount)],
        subject=("payment", payment.pk),
        actor_id=payment.payer_id,
        rule="gateway_succeeded",
    )
    debts.recover(payment.payer_id, currency, cause=brought)
    if fetched.fee is not None:
        post_provider_fee(payment.provider, fetched.fee, key=f"payment:{payment.pk}", subject=("payment", payment.pk))
    also = ["provider_ref", "settled_at", "failure_code", "action"]
    move(payment, PAYMENT, "succeed", role="system", actor_id=payment.payer_id, also=also, extra=_about(payment))
    risk.after_payment(payment)


def payment_credited(*, payment_id: int, actor_id: int, reason: str) -> Payment:
    """Staff gave the payer what the gateway had got for a payment that was never deposited; it is over, whatever the gateway says of it later.

    Runs in the transaction of the credit. Raises Conflict when it was deposited meanwhile.
    """
    payment = payment_locked(payment_id)
    if payment.settled_at is not None:
        raise Conflict("payment_deposited", "The payment was deposited meanwhile: there is nothing to credit.")
    payment.failure_code, payment.action = CREDITED, {}
    also = ["failure_code", "action"]
    move(payment, PAYMENT, "credit", role="staff", actor_id=actor_id, also=also, reason=reason, extra=_about(payment))
    return payment


def _late_fee(payment: Payment, fetched: Fetched) -> None:
    """The fee of a payment that succeeded before its gateway told it; one that is posted stays as it is."""
    key = f"payment:{payment.pk}"
    if fetched.fee is not None and not Entry.objects.filter(idempotency_key=f"provider_fee:{key}").exists():
        post_provider_fee(payment.provider, fetched.fee, key=key, subject=("payment", payment.pk))


def post_provider_fee(provider: str, fee: Money, *, key: str, subject: tuple[str, int]) -> None:
    """What the gateway kept for itself: our expense, out of what it holds for us. A fee of nothing is not posted."""
    if fee.minor > 0:
        line = Line("fee", accounts.provider_fees(provider, fee.currency), accounts.clearing(provider, fee.currency), fee)
        post("provider_fee", key=f"provider_fee:{key}", lines=[line], subject=subject, actor_id=None, rule="gateway_fee")


def taken_back(payment: Payment, amount: Money) -> tuple[list[Line], int]:
    """The lines by which the bank's taking leaves the wallet as far as it is there, and what the payer owes for the rest."""
    currency, payer = payment.currency, payment.payer_id
    recovered = min(debts.wallet_locked(payer, currency), amount.minor)
    clearing = accounts.clearing(payment.provider, currency)
    owed = amount.minor - recovered
    lines = [
        Line("recovered", accounts.wallet(payer, currency), clearing, Money(recovered, currency)),
        Line("owed", accounts.receivable(payer, currency), clearing, Money(owed, currency)),
    ]
    return lines, owed


def _charge_back(payment: Payment, fetched: Fetched) -> None:
    """The bank took the money back for good: out of the wallet as far as it is there, the rest is owed by the user."""
    lines, owed = taken_back(payment, Money(payment.received, payment.currency))
    taken = post(
        "chargeback",
        key=f"chargeback:{payment.pk}",
        lines=lines,
        subject=("payment", payment.pk),
        actor_id=None,
        rule="gateway_charged_back",
    )
    debts.set_off(payment.payer_id, payment.currency, cause=taken)
    extra = {"recovered_minor": payment.received - owed, **_about(payment)}
    move(payment, PAYMENT, "charge_back", role="system", actor_id=None, extra=extra)


#: (our state, the gateway's state) → what to do; every other pair is old news and changes nothing
_ACTS: dict[tuple[str, str], Callable[[Payment, Fetched], None]] = {
    **{("created", theirs): _wait for theirs in ("pending", "approved", "authorized")},
    **{(ours, "succeeded"): _succeed for ours in ("created", "pending", "failed", "cancelled")},
    **{(ours, theirs): _fail for ours in ("created", "pending") for theirs in ("failed", "cancelled")},
    ("succeeded", "charged_back"): _charge_back,
    **{(ours, "succeeded"): _late_fee for ours in ("succeeded", "partially_refunded", "refunded", "charged_back")},
}
