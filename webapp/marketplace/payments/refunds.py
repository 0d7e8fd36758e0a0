"""Sending payments back: wallet → in transit → the gateway, as with a payout, and back to the wallet when the payer's bank does not take it.

What is held or was released is not in the wallet and cannot be sent back. The operation row is committed before the gateway is called; sums
are decided under the payment's lock, so that no two refunds together exceed the payment.
"""

from __future__ import annotations

import hashlib

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Sum

from marketplace.accounts.services import user_locked
from marketplace.core import clock, events
from marketplace.core.errors import Conflict, IdempotencyConflict, InvalidInput, Unavailable
from marketplace.core.money import Money
from marketplace.core.policies import Actor, require
from marketplace.core.states import move
from marketplace.core.transactions import run_in_transaction, unit_of_work

from . import debts, risk, selectors
from .gateways import payment_locked, require_no_transaction
from .ledger import accounts
from .ledger.post import Line, post
from .models import Payment, PaymentRefund
from .providers import gateway, gateways
from .providers.base import Accepted, Done, FetchedRefund, Rejected, Result, Unknown
from .states import PAYMENT, REFUND

log = structlog.get_logger(__name__)


@unit_of_work
def payment_refund_request(*, actor: Actor, payment_id: int, amount: Money, idempotency_key: str, reason: str = "") -> PaymentRefund:
    """Take the amount from the payer's wallet to be sent back to where the payment came from; it is sent by the next round.

    It is the payer's money: nobody else may ask. Raises NotFound, NotAllowed("payment_refund_not_yours") for anybody else who sees the
    payment, Conflict("refund_impossible" | "over_refund" | "insufficient_funds"), InvalidInput for an amount or a gateway that cannot,
    IdempotencyConflict.
    """
    seen = selectors.payment_for(actor, payment_id)
    require(seen.payer_id == actor.pk, "payment_refund_not_yours", "Only whoever paid can have a payment sent back.")
    payment = payment_locked(payment_id)
    asked = gateway(payment.provider)
    if amount.minor <= 0 or amount.currency != payment.currency:
        raise InvalidInput(
            "amount_out_of_range", f"Send back an amount in {payment.currency}, greater than zero.", {"amount_minor": ["Wrong."]}
        )
    if not asked.capabilities().refunds:
        raise InvalidInput("gateway_cannot", f"{payment.provider} cannot send money back. Ask for a payout instead.")
    asked.check_amount(amount, purpose="payment")
    return _request(actor, payment, amount, f"{actor.pk}:{hashlib.sha256(idempotency_key.encode()).hexdigest()}", reason)


def _request(actor: Actor, payment: Payment, amount: Money, key: str, reason: str) -> PaymentRefund:
    """The row of a refund and its entry, of the locked payment; the one that the key made before."""
    made = PaymentRefund(
        payment=payment,
        provider=payment.provider,
        amount_minor=amount.minor,
        currency=amount.currency,
        idempotency_key=key,
        created_at=clock.now(),
    )
    seen = PaymentRefund.objects.filter(idempotency_key=key).first()
    if seen is None:
        _decide(payment, amount)
        try:
            with transaction.atomic():
                made.save(force_insert=True)
                after = {"amount_minor": amount.minor, "currency": amount.currency, "payment_id": payment.pk}
                events.record(aggregate=made, kind="payment_refund.request", actor_id=actor.pk, after=after, reason=reason)
                _post(made, "request", actor.pk, "payer_request", reason)
                risk.after_refund(payment)
        except IntegrityError:
            seen = PaymentRefund.objects.filter(idempotency_key=key).first()
            if seen is None:
                raise
    if seen is not None:
        if any(getattr(seen, n) != getattr(made, n) for n in ("payment_id", "amount_minor", "currency")):
            raise IdempotencyConflict
        return seen
    return made


@unit_of_work
def wallet_refund_request(*, actor: Actor, amount: Money, idempotency_key: str, reason: str = "") -> list[PaymentRefund]:
    """Send money of the wallet back to the payments that it came from, the newest first, in as few parts as that gives; all of it or nothing.

    Each part is an amount that its gateway can move. The same key and request return the same parts. Raises InvalidInput,
    Conflict("refund_impossible") when the payments that can be sent back are not enough (ask for a payout then), and what
    payment_refund_request raises.
    """
    if amount.minor <= 0:
        raise InvalidInput("amount_out_of_range", "Send back an amount greater than zero.", {"amount_minor": ["Wrong."]})
    parts_key = f"{actor.pk}:wallet:{hashlib.sha256(idempotency_key.encode()).hexdigest()[:40]}"
    user_locked(actor.pk)  # the same key at the same moment: the second sees the parts of the first
    before = list(PaymentRefund.objects.filter(idempotency_key__startswith=f"{parts_key}:").order_by("pk"))
    if before:
        if sum(r.amount_minor for r in before) != amount.minor or before[0].currency != amount.currency:
            raise IdempotencyConflict
        return before
    left, made = amount.minor, []
    paid = Payment.objects.filter(payer=actor.pk, currency=amount.currency, state__in=("succeeded", "partially_refunded"))
    for payment in paid.order_by("-pk").iterator():
        asked = gateways().get(payment.provider)
        if asked is None or not asked.capabilities().refunds:
            continue
        most = Money(min(left, _refundable(payment_locked(payment.pk))), amount.currency)
        part = asked.movable(most, purpose="payment")
        if part.minor > 0:
            asked.check_amount(part, purpose="payment")
            made.append(_request(actor, payment, part, f"{parts_key}:{payment.pk}", reason))
            left -= part.minor
        if left == 0:
            return made
    can = Money(amount.minor - left, amount.currency)
    raise Conflict("refund_impossible", f"Only {can} can go back the way it came. Ask for a payout of the rest.")


def _refundable(payment: Payment) -> int:
    """What of the locked payment can still be sent back, in minor units."""
    begun = payment.refunds.exclude(state="failed").aggregate(total=Sum("amount_minor"))["total"] or 0
    return 0 if payment.state not in ("succeeded", "partially_refunded") else payment.received - int(begun)


def _decide(payment: Payment, amount: Money) -> None:
    if payment.state not in ("succeeded", "partially_refunded"):
        raise Conflict("refund_impossible", f"The payment is {payment.state.replace('_', ' ')}: there is nothing to send back.")
    left = Money(_refundable(payment), payment.currency)
    if amount.minor > left.minor:
        raise Conflict("over_refund", f"Of this payment, {left} can still be sent back.")


def refund_key(refund: PaymentRefund) -> str:
    """The key of the refund's call."""
    return f"refund:{refund.pk}:{refund.idempotency_key}"


def payment_refund_refresh(*, refund_id: int, heard_ref: str | None = None) -> PaymentRefund:
    """Send a refund, or ask how it stands, and apply the answer. Not to be called inside a transaction."""
    require_no_transaction()
    refund = PaymentRefund.objects.select_related("payment").get(pk=refund_id)
    if refund.state == "failed":
        return refund
    asked = gateway(refund.provider)
    amount = Money(refund.amount_minor, refund.currency)
    ref = refund.provider_ref or heard_ref
    result: Result
    try:
        if ref is None:
            # never None: the row may be older than a call whose process died
            age, to = clock.now() - refund.created_at, str(refund.payment.provider_ref)
            too_fine = asked.movable(amount, purpose="payment") != amount  # it was never asked for such an amount, and cannot be
            result = (
                Rejected("amount_too_fine") if too_fine else asked.refund(key=refund_key(refund), payment_ref=to, amount=amount, age=age)
            )
        else:
            fetched = asked.fetch_refund(ref=ref)
            if fetched is not None and fetched.amount != amount:
                log.error("refund_amount_differs", refund=refund.pk, ours=amount.minor, theirs=fetched.amount.minor)
                PaymentRefund.objects.filter(pk=refund.pk).update(failure_code="amount_differs")
                refund.refresh_from_db()
                return refund
            result = _as_result(fetched)
    except Unavailable as e:
        result = Unknown(e.code)
    return run_in_transaction(lambda: _apply(refund_id, result))


def _as_result(fetched: FetchedRefund | None) -> Result:
    if fetched is None:
        return Unknown("the gateway does not know it")
    if fetched.status == "failed":
        return Rejected(fetched.failure_code or "refund_failed", fetched.ref)
    return Done(fetched.ref) if fetched.status == "succeeded" else Accepted(fetched.ref)


def _apply(refund_id: int, result: Result) -> PaymentRefund:
    """Bring a refund, and with it the payment, to what the gateway says. Forward only; runs in a transaction."""
    payment = payment_locked(PaymentRefund.objects.values_list("payment_id", flat=True).get(pk=refund_id))
    refund = PaymentRefund.objects.select_for_update().get(pk=refund_id)
    if isinstance(result, Unknown):
        return refund
    refund.provider_ref = result.ref or refund.provider_ref
    if isinstance(result, Accepted):
        if refund.state == REFUND.initial:
            move(refund, REFUND, "wait", role="system", actor_id=None, also=["provider_ref"])
    elif isinstance(result, Done):
        if refund.state in ("created", "pending"):
            refund.settled_at, refund.failure_code = clock.now(), ""
            _post(refund, "settle", None, "gateway_refunded")
            move(
                refund,
                REFUND,
                "succeed",
                role="system",
                actor_id=None,
                also=["provider_ref", "settled_at", "failure_code"],
                extra=_about(refund),
            )
            _move_payment(payment)
    elif refund.state != "failed":
        came_back = refund.state == "succeeded"
        refund.failure_code = result.code
        _post(refund, "return" if came_back else "fail", None, "gateway_returned" if came_back else "refund_failed", result.code)
        also = ["provider_ref", "failure_code"]
        move(refund, REFUND, "return" if came_back else "fail", role="system", actor_id=None, also=also, extra=_about(refund))
        if came_back:
            _move_payment(payment)
    return refund


def _move_payment(payment: Payment) -> None:
    """The payment's state after a refund of it succeeded or came back; one that is charged back stays that."""
    if payment.state == "charged_back":
        return
    sent = payment.refunds.filter(state="succeeded").aggregate(total=Sum("amount_minor"))["total"] or 0
    action = "refund" if sent == payment.received else "refund_part"
    if sent == 0:
        action = "refund_return_all"
    elif payment.state == "refunded":
        action = "refund_return"
    move(payment, PAYMENT, action, role="system", actor_id=None, extra={"refunded_minor": sent, "currency": payment.currency})


def _about(refund: PaymentRefund) -> dict[str, object]:
    return {"amount_minor": refund.amount_minor, "currency": refund.currency, "payment_id": refund.payment_id}


def _post(refund: PaymentRefund, step: str, actor_id: int | None, rule: str, reason: str = "") -> None:
    payer, currency = refund.payment.payer_id, refund.currency
    wallet, transit = accounts.wallet(payer, currency), accounts.payout_transit(payer, currency)
    clearing = accounts.clearing(refund.provider, currency)
    debit, credit = {
        "request": (wallet, transit),
        "settle": (transit, clearing),
        "fail": (transit, wallet),
        "return": (clearing, wallet),
    }[step]
    entry = post(
        f"card_refund_{step}",
        key=f"card_refund_{step}:{refund.pk}",
        lines=[Line("refund", debit, credit, Money(refund.amount_minor, currency))],
        subject=("payment_refund", refund.pk),
        actor_id=actor_id,
        rule=rule,
        reason=reason,
    )
    if credit == wallet:
        debts.recover(payer, currency, cause=entry)
