"""Payouts: requested → (held, the first one or by risk) → sent → paid, or failed with the money back on the balance.

The money leaves the available balance in the transaction of the request. `sent` is committed before the gateway is called: a payout that may
have been sent is only ever sent again under the same key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction

from marketplace.accounts.selectors import is_suspended
from marketplace.accounts.services import user_locked
from marketplace.core import audit, clock, events, features, ports
from marketplace.core.errors import IdempotencyConflict, NotAllowed, NotFound, Unavailable
from marketplace.core.money import Money
from marketplace.core.policies import Actor, require, staff_may
from marketplace.core.states import move
from marketplace.core.transactions import run_in_transaction, unit_of_work

from . import debts, risk
from .gateways import check_amount, require_no_transaction
from .ledger import accounts
from .ledger.post import Line, post
from .models import Entry, Payout, PayoutMethod, PayoutResolution, PayoutSchedule
from .payout_methods import digest_of, known_method, method_for, methods_of, require_least, takes_money, told_of
from .providers import gateway
from .providers.base import QUERY_FAILED, Accepted, Done, Fetched, Rejected, Result, Unknown
from .states import PAYOUT, PAYOUT_METHOD

log = structlog.get_logger(__name__)
#: a failed payout of which the gateway says that it was paid: its money may be there twice, so a person has to look
PAID_AFTER_ALL = "paid_after_all"


def payout_locked(payout_id: int) -> Payout:
    """The payout, locked and read again. Payouts are locked before balances. Raises NotFound."""
    payout = Payout.objects.select_for_update().filter(pk=payout_id).first()
    if payout is None:
        raise NotFound("payout")
    return payout


@unit_of_work
def payout_request(*, actor: Actor, amount: Money, method: Mapping[str, Any], idempotency_key: str, provider: str = "sandbox") -> Payout:
    """Take the amount from the actor's available balance for a payout; it is sent by the next round of `send_due`.

    A first payout is held FIRST_PAYOUT_HOLD_HOURS, one to a place added after another until that is PAYOUT_METHOD_WAIT_HOURS old; one that a
    velocity rule or the fraud port holds waits for staff. The same key and request return the same payout. Raises
    Conflict("insufficient_funds"), InvalidInput for what the gateway cannot, for less than the smallest payout, NotAllowed("payout_blocked"),
    Conflict("payout_method_not_ready") where the gateway pays only to accounts that are connected and complete, Conflict("money_owed") unless
    as much stays available as what the actor owes us is worth, IdempotencyConflict.
    """
    check_amount(amount)
    asked = gateway(provider)
    kept = asked.check_method(method, purpose="payout")
    asked.check_amount(amount, purpose="payout")
    key = f"{actor.pk}:{hashlib.sha256(idempotency_key.encode()).hexdigest()}"  # whole, however long the caller's key is
    payout = Payout(
        provider=provider,
        payee_id=actor.pk,
        amount_minor=amount.minor,
        currency=amount.currency,
        method=kept,
        idempotency_key=key,
        created_at=clock.now(),
    )
    user_locked(actor.pk)  # what is decided by a person's past is decided one after the other
    seen = Payout.objects.filter(idempotency_key=key).first()
    if seen is not None:
        if any(getattr(seen, n) != getattr(payout, n) for n in ("provider", "amount_minor", "currency", "method")):
            raise IdempotencyConflict
        return seen
    with transaction.atomic():
        features.require_on(
            "PAYOUTS_OPEN", "Payouts cannot be asked for at the moment. Your balance stays as it is: please try again later."
        )
        require_least(actor.pk, amount)
        to = known_method(user_id=actor.pk, provider=provider, details=kept)
        payout.save(force_insert=True)
        events.record(aggregate=payout, kind="payout.request", actor_id=actor.pk, after=_about(payout))
        _post(payout, "payout_request", actor.pk, "payee_request")
        debts.require_covered(actor.pk, amount.currency)
        _hold_if_risky(payout, to)
    return payout


def _hold_if_risky(payout: Payout, to: PayoutMethod) -> None:
    decision = ports.fraud_decision.first(act="payout", actor_id=payout.payee_id, subject_type="payout", subject_id=payout.pk)
    if decision.verdict == "block":
        raise NotAllowed("payout_blocked", "This payout was stopped for review. Contact support.")
    now = payout.created_at
    waits = []
    if decision.verdict == "hold":
        payout.hold_reason = (decision.reasons or ("risk",))[0][:64]
        evidence = {"source": decision.source, **decision.evidence}
        risk.open_hold(user_id=payout.payee_id, act="payout", subject_id=payout.pk, rule=payout.hold_reason[:32], evidence=evidence)
    elif found := risk.after_payout_request(payout, to):
        payout.hold_reason = found
    else:
        if to.usable_at is not None and to.usable_at > now:
            waits.append((to.usable_at, "method_new"))
        if not Payout.objects.filter(payee_id=payout.payee_id, state="paid").exists():
            waits.append((now + timedelta(hours=features.number("FIRST_PAYOUT_HOLD_HOURS")), "first_payout"))
    if waits:
        payout.held_until, payout.hold_reason = max(waits)
    if payout.hold_reason:
        also = ["hold_reason", "held_until"]
        move(payout, PAYOUT, "hold", role="system", actor_id=None, also=also, reason=payout.hold_reason, extra=_about(payout))


@unit_of_work
def payout_allow(*, actor: Actor, payout_id: int, reason: str, action: str = "payout_decide") -> Payout:
    """Staff let a held payout go, and what rules held on it with it; `action` is what permits it. Raises Conflict when it is not held,
    NotAllowed for anybody else and for the own payout."""
    require(staff_may(actor, action), "payout_allow_not_yours", "Only finance staff can do that.")
    payout = payout_locked(payout_id)
    require(payout.payee_id != actor.pk, "payout_own", "Nobody lets their own payout go: another member of staff decides.")
    before = payout.state
    move(payout, PAYOUT, "clear", role="staff", actor_id=actor.pk, reason=reason, extra=_about(payout))
    risk.close_holds(risk.holds_on_payout(payout.pk), "release", role="staff", actor_id=actor.pk, reason=reason)
    _audited(actor, payout, before, reason, action)
    return payout


@unit_of_work
def payout_refuse(*, actor: Actor, payout_id: int, reason: str, action: str = "payout_decide") -> Payout:
    """Staff refuse a payout that is not sent: the money goes back to the balance. Raises Conflict once it was sent, NotAllowed for anybody else."""
    require(staff_may(actor, action), "payout_refuse_not_yours", "Only finance staff can do that.")
    payout = payout_locked(payout_id)
    require(payout.state != "sent", "payout_already_sent", "It was sent already; only the bank can answer now.")
    before = payout.state
    _fail(payout, "refused", role="staff", actor_id=actor.pk, reason=reason)
    risk.close_holds(risk.holds_on_payout(payout.pk), "refuse", role="staff", actor_id=actor.pk, reason=reason)
    _audited(actor, payout, before, reason, action)
    return payout


def _audited(actor: Actor, payout: Payout, before: str, reason: str, action: str) -> None:
    states = {"before": {"state": before}, "after": {"state": payout.state}}
    audit.record(actor=actor, action=action, obj=payout, reason=reason, **states)


@unit_of_work
def payout_method_remove(*, actor: Actor, method_id: int) -> None:
    """Stop using a place: payouts to it that are not sent fail, with their money on the balance again; what was sent goes on, schedules that used
    the place stand still. Added again it waits again. An account at the gateway is its owner's and stays. Raises NotFound."""
    user_locked(actor.pk)
    place_end(method_for(actor, method_id), "remove", role="owner", actor_id=actor.pk)


@unit_of_work
def payout_methods_erase(*, user_id: int) -> None:
    """Remove and forget all places of somebody, with the schedules that pay there. Safe to repeat."""
    user_locked(user_id)
    for row in methods_of(user_id).order_by("id"):
        row.label = ""  # events are kept: this one must not tell what is forgotten here
        place_end(row, "remove", role="owner", actor_id=user_id)
    PayoutSchedule.objects.filter(user=user_id).delete()
    PayoutMethod.objects.filter(user=user_id).delete()


def place_end(row: PayoutMethod, action: str, *, role: str, actor_id: int | None) -> None:
    """Use a place no more, and stop what is to go there and is not sent; another one becomes the default. In the transaction of the caller, who
    holds the lock of its owner's row."""
    was_default, row.is_default, row.removed_at = row.is_default, False, clock.now()
    also = ["is_default", "removed_at"]
    move(row, PAYOUT_METHOD, action, role=role, actor_id=actor_id, also=also, extra=told_of(row))
    # the oldest: whoever took the account over cannot have added it lately
    next_one = methods_of(row.user_id).filter(state="ready").order_by("usable_at", "id").first() if was_default else None
    if next_one is not None:
        PayoutMethod.objects.filter(pk=next_one.pk).update(is_default=True)
    waiting = Payout.objects.filter(payee=row.user_id, provider=row.provider, state__in=("requested", "held"))
    for payout in waiting.select_for_update().order_by("id"):
        if digest_of(payout.provider, payout.method) == row.digest:
            _fail(payout, "method_removed", role=role, actor_id=actor_id, reason="method_removed")
            risk.close_holds(risk.holds_on_payout(payout.pk), "lapse", role="system", actor_id=None, reason="method_removed")


def unsent_locked(user_id: int) -> list[Payout]:
    """Somebody's payouts that can still be stopped, the newest first; none of them is sent before the transaction ends. The caller holds the lock
    of the person's row, so that no other is asked for meanwhile, and locks balances afterwards."""
    waiting = Payout.objects.select_for_update().filter(payee=user_id, state__in=("requested", "held"))
    return sorted(waiting.order_by("id"), key=lambda payout: -payout.pk)


def stop_for_debt(waiting: list[Payout], currency: str) -> None:
    """Let payouts of `waiting` in this currency fail until what their payee owes in it is paid: what comes back to the balance pays it. What waits
    in another currency is looked at when it is to be sent."""
    for payout in waiting:
        if payout.currency == currency and debts.due(payout.payee_id, currency) > 0:
            _stop_for_debt(payout)


def _stop_for_debt(payout: Payout) -> None:
    _fail(payout, "money_owed", role="system", actor_id=None, reason="money_owed")
    risk.close_holds(risk.holds_on_payout(payout.pk), "lapse", role="system", actor_id=None, reason="money_owed")


def payout_send(*, payout_id: int) -> Payout:
    """Send a requested payout (or a held one whose time has come) and apply the answer; one of a suspended person stays as it is,
    so does one whose gateway cannot even be asked now, or has stopped payouts to the account. One whose payee has come to owe us more than what
    stays available is worth fails instead. Not to be called inside a transaction."""
    require_no_transaction()
    waiting = Payout.objects.get(pk=payout_id)
    if waiting.state in ("requested", "held"):
        try:
            gateway(waiting.provider).prepare_payout()
        except Unavailable as e:
            log.warning("payout_waits_for_gateway", payout=payout_id, provider=waiting.provider, code=e.code)
            return waiting

    def intent() -> bool:
        payout = payout_locked(payout_id)
        taken = takes_money(user_id=payout.payee_id, provider=payout.provider, details=payout.method)
        if not taken or is_suspended(payout.payee_id):
            return False  # before its hold ends: nobody is told that it is sent now
        if payout.state == "held" and payout.held_until is not None and payout.held_until <= clock.now():
            move(payout, PAYOUT, "clear", role="system", actor_id=None, reason="hold_over")
        if payout.state != "requested":
            return False
        if not debts.covered(payout.payee_id, payout.currency):
            _stop_for_debt(payout)
            return False
        payout.sent_at = clock.now()
        move(payout, PAYOUT, "send", role="system", actor_id=None, also=["sent_at"])
        return True

    if run_in_transaction(intent):
        return payout_refresh(payout_id=payout_id, first=True)
    return Payout.objects.get(pk=payout_id)


def payout_key(payout: Payout) -> str:
    """The key of the payout's call."""
    return f"payout:{payout.pk}:{payout.idempotency_key}"


def payout_refresh(*, payout_id: int, first: bool = False, heard_ref: str | None = None, claimed: Money | None = None) -> Payout:
    """Ask the gateway how a sent (or paid) payout stands and apply it; without a reference, by sending the same key again.

    `first` says that it became sent just now, so that there was no call before; `heard_ref` and `claimed` as in payment_refresh. A failed
    payout of which there is news stays failed: when the gateway says that it was paid, it is marked PAID_AFTER_ALL.
    """
    require_no_transaction()
    payout = Payout.objects.get(pk=payout_id)
    if payout.state == "failed" and heard_ref is not None:
        return _heard_of_failed(payout, payout.provider_ref or heard_ref)
    if payout.state not in ("sent", "paid") or (payout.state == "paid" and not (payout.provider_ref or heard_ref)):
        return payout  # what is paid is never sent again, also not to learn its name
    asked = gateway(payout.provider)
    amount = Money(payout.amount_minor, payout.currency)
    ref = payout.provider_ref or heard_ref
    result: Result
    try:
        if ref is None:
            age = None if first else clock.now() - (payout.sent_at or payout.created_at)
            result = asked.pay_out(key=payout_key(payout), amount=amount, method=payout.method, age=age)
        else:
            fetched = asked.fetch_payout(ref=ref)
            for theirs in (claimed, None if fetched is None else fetched.amount):
                if theirs is not None and theirs != amount:
                    log.error("payout_amount_differs", payout=payout.pk, ours=payout.amount_minor, theirs=theirs.minor)
                    Payout.objects.filter(pk=payout.pk).update(failure_code="amount_differs")
                    return Payout.objects.get(pk=payout_id)
            if fetched is not None and fetched.failure_code.startswith(QUERY_FAILED):
                log.warning("payout_query_failed", payout=payout.pk, code=fetched.failure_code)
                Payout.objects.filter(pk=payout.pk, state="sent").update(failure_code=fetched.failure_code[:64])
            result = _as_result(fetched)
    except Unavailable as e:
        result = Unknown(e.code)
    return run_in_transaction(lambda: _apply(payout_id, result))


def _heard_of_failed(payout: Payout, ref: str) -> Payout:
    """The money went back to the balance, and may be spent: nothing is posted, whatever the gateway says."""
    fetched = gateway(payout.provider).fetch_payout(ref=ref)
    if fetched is not None and fetched.status == "paid":
        log.error("payout_paid_after_all", payout=payout.pk, ref=ref, failed=payout.failure_code)
        Payout.objects.filter(pk=payout.pk, state="failed").update(failure_code=PAID_AFTER_ALL, provider_ref=ref)
        payout.refresh_from_db()
    return payout


def _as_result(fetched: Fetched | None) -> Result:
    if fetched is None:
        return Unknown("the gateway does not know it")
    if fetched.status == "paid":
        return Done(fetched.ref)
    return Rejected(fetched.failure_code, fetched.ref) if fetched.status == "failed" else Accepted(fetched.ref)


def _apply(payout_id: int, result: Result) -> Payout:
    """Bring a sent payout to what the gateway says, and post what that means. Forward only; runs in a transaction."""
    payout = payout_locked(payout_id)
    if payout.state == "paid" and isinstance(result, Rejected):
        # the payee's bank sent it back: it is the payee's money again
        payout.failure_code = result.code
        returned = _post(payout, "payout_return", None, "gateway_returned", result.code)
        debts.set_off(payout.payee_id, payout.currency, cause=returned)
        also = ["failure_code"]
        move(payout, PAYOUT, "return", role="system", actor_id=None, also=also, reason=result.code, extra=_about(payout))
        return payout
    if payout.state != "sent" or isinstance(result, Unknown):
        return payout
    payout.provider_ref = result.ref or payout.provider_ref
    if isinstance(result, Accepted):
        payout.save(update_fields=["provider_ref"])
    elif isinstance(result, Rejected):
        _fail(payout, result.code, role="system", actor_id=None, reason=result.code)
    else:
        payout.settled_at, payout.failure_code = clock.now(), ""
        _post(payout, "payout_settle", None, "gateway_paid")
        PayoutResolution.objects.filter(payout=payout).delete()
        also = ["provider_ref", "settled_at", "failure_code"]
        move(payout, PAYOUT, "settle", role="system", actor_id=None, also=also, extra=_about(payout))
    return payout


def resolved_as_failed(payout: Payout, *, actor_id: int, reason: str) -> None:
    """Two people read at the gateway that a sent payout, locked here, was not paid: the money is on the balance again."""
    _fail(payout, "resolved_failed", role="staff", actor_id=actor_id, reason=reason)


def settled_late(payout: Payout, *, actor_id: int, reason: str) -> None:
    """Two people read at the gateway that a payout, locked here, which had failed was paid all the same: its amount leaves the payee's available
    balance as far as it is there, and the payee owes the rest."""
    there = min(debts.available_locked(payout.payee_id, payout.currency), payout.amount_minor)
    owed = Money(payout.amount_minor - there, payout.currency)
    receivable, clearing = accounts.receivable(payout.payee_id, payout.currency), accounts.clearing(payout.provider, payout.currency)
    lines = [Line("payout", accounts.available(payout.payee_id, payout.currency), clearing, Money(there, payout.currency))]
    key, subject = _entry_key(payout, "payout_late"), ("payout", payout.pk)
    lines.append(Line("owed", receivable, clearing, owed))
    post("payout_late", key=key, lines=lines, subject=subject, actor_id=actor_id, rule="staff_payout_paid", reason=reason)
    payout.settled_at, payout.failure_code = clock.now(), ""
    extra = {**_about(payout), "owed_minor": owed.minor}
    also = ["settled_at", "failure_code"]
    move(payout, PAYOUT, "settle_late", role="staff", actor_id=actor_id, also=also, reason=reason, extra=extra)


def _fail(payout: Payout, code: str, *, role: str, actor_id: int | None, reason: str) -> None:
    payout.failure_code = code
    failed = _post(payout, "payout_fail", actor_id, "payout_failed", reason)
    debts.set_off(payout.payee_id, payout.currency, cause=failed)
    PayoutResolution.objects.filter(payout=payout).delete()
    also = ["provider_ref", "failure_code"]
    move(payout, PAYOUT, "fail", role=role, actor_id=actor_id, also=also, reason=reason, extra=_about(payout))


def _about(payout: Payout) -> dict[str, Any]:
    return {"amount_minor": payout.amount_minor, "currency": payout.currency}


def _entry_key(payout: Payout, kind: str) -> str:
    """Of the next entry of this kind: what came back, and was paid after all, may come back again. The payout is locked."""
    before = Entry.objects.filter(kind=kind, subject_type="payout", subject_id=payout.pk).count()
    return f"{kind}:{payout.pk}:{before + 1}" if before else f"{kind}:{payout.pk}"


def _post(payout: Payout, kind: str, actor_id: int | None, rule: str, reason: str = "") -> Entry:
    """The entry of this step of the payout; its key is the step's name and the payout."""
    payee, currency = payout.payee_id, payout.currency
    here, transit = accounts.available(payee, currency), accounts.payout_transit(payee, currency)
    debit, credit = {
        "payout_request": (here, transit),
        "payout_settle": (transit, accounts.clearing(payout.provider, currency)),
        "payout_fail": (transit, here),
        "payout_return": (accounts.clearing(payout.provider, currency), here),
    }[kind]
    return post(
        kind,
        key=_entry_key(payout, kind) if kind == "payout_return" else f"{kind}:{payout.pk}",
        lines=[Line("payout", debit, credit, Money(payout.amount_minor, currency))],
        subject=("payout", payout.pk),
        actor_id=actor_id,
        rule=rule,
        reason=reason,
    )
