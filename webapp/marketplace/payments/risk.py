"""Fetches for the velocity rules what they look at, and turns what they find into holds.

Everything runs in the transaction of the act that is looked at, so a payout is held before anybody could send it. A rule in shadow, or all of
them while VELOCITY_HOLDS is off, only leaves a row to count. A rule whose hold staff released says nothing about that person for
`cleared_days`: the same false alarm is not raised twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet, Sum
from django.utils.crypto import salted_hmac

from marketplace.accounts.selectors import last_device
from marketplace.core import clock, events, features
from marketplace.core.errors import Conflict, NotAllowed
from marketplace.core.money import Money
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from . import selectors, velocity
from .ledger.accounts import Kind
from .models import Account, AccountBalance, Payment, PaymentTrace, Payout, PayoutMethod, Posting, RiskHold
from .providers.sandbox import Sandbox
from .reasons import in_words
from .states import RISK_HOLD
from .velocity import Attempt, Found, Received, WentBack

#: rows that a rule looks at, at most: more than any threshold
MOST = 300
#: in a method: what tells one card or account from another
_NAMING = ("payment_method", "phone", "email")


def usd_of(minor: int, currency: str) -> int | None:
    """Worth in US cents, None when no rate leads there."""
    found = selectors.worth(Money(minor, currency), "USD")
    return None if found is None else found.minor


def _limits(rule: str) -> Mapping[str, int]:
    found: Mapping[str, int] = settings.VELOCITY[rule]
    return found


def _off(rule: str) -> bool:
    return settings.VELOCITY_MODES.get(rule, "hold") == "off"


def open_hold(*, user_id: int, act: str, subject_id: int, rule: str, evidence: Found) -> RiskHold | None:
    """Keep what a rule found; returns the hold when it holds something, None when it only counts or was cleared before. In the caller's
    transaction; the same subject and rule once."""
    now = clock.now()
    limits: Mapping[str, int] = settings.VELOCITY.get(rule, {})
    shadow = settings.VELOCITY_MODES.get(rule, "hold") == "shadow" or not features.on("VELOCITY_HOLDS")
    of_rule = RiskHold.objects.filter(user_id=user_id, act=act, rule=rule, shadow=False)
    cleared = of_rule.filter(state="released", decided_at__gt=now - timedelta(days=limits.get("cleared_days", 0)))
    if cleared.exists() or (act == "payment" and not shadow and of_rule.filter(state="open", ends_at__gt=now).exists()):
        return None
    hours = limits.get("ends_hours")
    hold, new = RiskHold.objects.get_or_create(
        act=act,
        subject_id=subject_id,
        rule=rule,
        defaults={
            "user_id": user_id,
            "shadow": shadow,
            "evidence": evidence,
            "opened_at": now,
            "ends_at": now + timedelta(hours=hours) if hours and not shadow else None,
        },
    )
    if shadow or not new:
        return None
    told = {"act": act, "subject_id": subject_id, "rule": rule, "user_id": user_id, "evidence": evidence}
    events.record(aggregate=hold, kind="risk_hold.open", actor_id=None, after=told, reason=rule)
    return hold


# --- payments
def trace(payment: Payment) -> None:
    """Remember by what a new payment can be told to come from the same card or device as others: keyed hashes, nothing that names either."""
    named = [str(payment.method[name]) for name in _NAMING if payment.method.get(name)]
    if payment.provider == Sandbox.name:  # test tokens are everybody's
        named = [str(payment.payer_id), str(payment.method.get("token"))]
    PaymentTrace.objects.create(
        payment=payment,
        instrument=_hashed(payment.provider, *named) if named else "",
        device=_hashed("device", *seen) if (seen := last_device(payment.payer_id)) else "",
        at=payment.created_at,
    )


def _hashed(*parts: str) -> str:
    return salted_hmac("payments.trace", "\0".join(parts), algorithm="sha256").hexdigest()


def require_phone_at_rest(payment: Payment) -> None:
    """Whoever knows a number can have its phone asked to pay: at one phone one new payment may wait, and few may come to nothing, within
    PHONE_PROMPTS. Runs after the payment's trace is written, in the same transaction. Raises Conflict; nothing may be kept then."""
    if not payment.method.get("phone"):
        return
    limits: Mapping[str, int] = settings.PHONE_PROMPTS
    since = payment.created_at - timedelta(minutes=limits["minutes"])
    instrument = PaymentTrace.objects.values_list("instrument", flat=True).get(payment=payment)
    # a locking read sees, and waits for, what others have written and not committed yet: of two at once only one prompts
    traces = PaymentTrace.objects.select_for_update().filter(instrument=instrument, at__gt=since).exclude(payment=payment)
    alike = Payment.objects.filter(pk__in=list(traces.values_list("payment_id", flat=True)))
    states = list(alike.values_list("state", flat=True))
    if any(state in ("created", "pending") for state in states):
        raise Conflict("phone_waits", "This phone is being asked to pay already. Answer there, or wait until the question has run out.")
    mine = Payment.objects.filter(payer=payment.payer_id, provider=payment.provider, created_at__gt=since)
    if sum(state in ("failed", "cancelled") for state in states) >= limits["phone"] or mine.count() > limits["payer"]:
        raise Conflict("phone_prompts_many", "Too many payments by phone came one after the other. Wait an hour, or pay another way.")


def open_payment_holds(user_id: int, now: datetime) -> QuerySet[RiskHold]:
    """What keeps a person's new payments from being made now."""
    held = RiskHold.objects.filter(user_id=user_id, act=RiskHold.Act.PAYMENT, shadow=False)
    return held.filter(Q(state="open", ends_at__gt=now) | Q(state="refused"))


def require_payments_open(user_id: int) -> None:
    """Raise NotAllowed("payment_held") with the reason while a rule, or a decision, stops the person's new payments."""
    hold = open_payment_holds(user_id, clock.now()).order_by("id").first()
    if hold is not None:
        ends = f" Payments are possible again on {hold.ends_at:%Y-%m-%d %H:%M} UTC at the latest." if hold.state == "open" else ""
        raise NotAllowed("payment_held", f"No new payment can be made from your account now. {in_words(hold.rule)}{ends}")


def after_payment(payment: Payment) -> None:
    """Look at a payment that was refused, or is tiny: card testing."""
    limits = _limits("card_testing")
    usd = usd_of(payment.amount_minor, payment.currency)
    if _off("card_testing") or (payment.state != "failed" and (usd is None or usd > limits["tiny_usd_minor"])):
        return
    now = clock.now()
    since = now - timedelta(minutes=limits["minutes"])
    ids = set(Payment.objects.filter(payer=payment.payer_id, created_at__gt=since).order_by("-id").values_list("id", flat=True)[:MOST])
    own = PaymentTrace.objects.filter(payment=payment).first()
    for name in ("instrument", "device") if own is not None else ():
        if value := getattr(own, name):
            alike = PaymentTrace.objects.filter(**{name: value}, at__gt=since).order_by("-at")
            ids.update(alike.values_list("payment_id", flat=True)[:MOST])
    rows = Payment.objects.filter(pk__in=ids)
    columns = rows.values_list("created_at", "payer_id", "trace__instrument", "state", "amount_minor", "currency")
    attempts = [Attempt(at, payer, card or "", state == "failed", usd_of(minor, c)) for at, payer, card, state, minor, c in columns]
    found = velocity.card_testing(attempts, now=now, limits=limits)
    if found is not None:
        open_hold(user_id=payment.payer_id, act="payment", subject_id=payment.pk, rule="card_testing", evidence=found)


def after_refund(payment: Payment) -> None:
    """Look at the payer's payments when one of them is sent back: ping-pong."""
    limits, now = _limits("refund_ping_pong"), clock.now()
    if _off("refund_ping_pong"):
        return
    recent = Payment.objects.filter(payer=payment.payer_id, settled_at__isnull=False, created_at__gt=now - timedelta(days=limits["days"]))
    back = recent.annotate(back=Sum("refunds__amount_minor", filter=~Q(refunds__state="failed"))).filter(back__gt=0).order_by("-id")[:MOST]
    payments = [WentBack(p.created_at, usd_of(p.received, p.currency), p.back / p.received) for p in back]
    found = velocity.refund_ping_pong(payments, now=now, limits=limits)
    if found is not None:
        open_hold(user_id=payment.payer_id, act="payment", subject_id=payment.pk, rule="refund_ping_pong", evidence=found)


# --- payouts
def after_payout_request(payout: Payout, method: PayoutMethod) -> str:
    """Look at a payout whose money has just left the balance; the code of the rule that holds it, or "". The payee's row is locked."""
    now = clock.now()
    usd = usd_of(payout.amount_minor, payout.currency)
    results = {
        "small_payments": lambda: velocity.small_payments(_received(payout.payee_id, now), now=now, limits=_limits("small_payments")),
        "method_changed": lambda: velocity.method_changed(
            usd_minor=usd,
            age=now - method.added_at,
            had_others=PayoutMethod.objects.filter(user=payout.payee_id, usable_at__isnull=False, added_at__lt=method.added_at).exists(),
            share=_share(payout),
            limits=_limits("method_changed"),
        ),
        "new_payee_large": lambda: velocity.new_payee_large(
            usd_minor=_asked_usd(payout.payee_id),
            paid_before=Payout.objects.filter(payee=payout.payee_id, state="paid")[: _limits("new_payee_large")["payouts"]].count(),
            limits=_limits("new_payee_large"),
        ),
    }
    first = ""
    for rule, look in results.items():
        found = None if _off(rule) else look()
        if found is not None:
            hold = open_hold(user_id=payout.payee_id, act="payout", subject_id=payout.pk, rule=rule, evidence=found)
            first = first or (rule if hold is not None else "")
    return first


def _asked_usd(payee_id: int) -> int | None:
    """Worth of all that the payee has asked for and was not paid yet: in parts it is as much as at once. None when one has no worth."""
    asked = Payout.objects.filter(payee=payee_id, state__in=("requested", "held", "sent"))
    parts = [usd_of(minor, currency) for minor, currency in asked.order_by("-id").values_list("amount_minor", "currency")[:MOST]]
    return None if None in parts else sum(part or 0 for part in parts)


def _share(payout: Payout) -> float:
    """The payout's part of what was available before it."""
    key = {"account__user": payout.payee_id, "account__kind": Kind.AVAILABLE, "account__currency": payout.currency}
    left = AccountBalance.objects.filter(**key).values_list("available", flat=True).first() or 0
    return payout.amount_minor / (payout.amount_minor + left)


def _received(payee_id: int, now: datetime) -> list[Received]:
    """What came to the payee within the rule's window, with whose money it was; in its own currency when it was changed on the way."""
    since = now - timedelta(hours=_limits("small_payments")["hours"])
    mine = list(Account.objects.filter(user=payee_id, kind=Kind.PENDING).values_list("id", flat=True))
    came = Posting.objects.filter(credit_account__in=mine, leg__in=("net", "fx_in"), occurred_at__gt=since)
    entries = list(came.order_by("-id").values_list("entry_id", flat=True)[:MOST])
    paid = Posting.objects.filter(entry__in=entries, leg__in=("net", "fx_out"))
    columns = paid.values_list("occurred_at", "debit_account__user_id", "amount", "currency")
    return [Received(at, payer, usd_of(minor, c)) for at, payer, minor, c in columns if payer is not None]


# --- the end of a hold
def close_holds(holds: QuerySet[RiskHold], action: str, *, role: str, actor_id: int | None, reason: str) -> int:
    """Release, refuse or lapse these holds, locked one after the other; returns how many. Those that do not know the action stay."""
    done = 0
    for hold in holds.select_for_update().order_by("id"):
        if (hold.state, action) not in RISK_HOLD.transitions:
            continue
        hold.decided_at = clock.now()
        told: dict[str, Any] = {"act": hold.act, "subject_id": hold.subject_id, "rule": hold.rule, "user_id": hold.user_id}
        move(hold, RISK_HOLD, action, role=role, actor_id=actor_id, reason=reason, also=["decided_at"], extra=told)
        done += 1
    return done


def holds_on_payout(payout_id: int) -> QuerySet[RiskHold]:
    """What rules hold on this payout."""
    return RiskHold.objects.filter(act=RiskHold.Act.PAYOUT, subject_id=payout_id, shadow=False)


@unit_of_work
def risk_hold_lapse(*, hold_id: int) -> bool:
    """The clock's act: a hold on payments that nobody decided ends. Run twice, the second does nothing."""
    over = RiskHold.objects.filter(pk=hold_id, state="open", ends_at__lte=clock.now())
    return close_holds(over, "lapse", role="system", actor_id=None, reason="Nobody decided in time.") > 0
