"""Disputes of payers with their banks. When the bank takes the money, it leaves the payer's wallet as far as it is there; the rest the payer
owes. What they have available, or asked to be paid out and was not sent, pays that at once. When the dispute is won it comes back the same way. The gateway's fee is ours.

A dispute is applied as it stands at the gateway: one that we hear of only when it is decided passes through what it passed through there.
"""

from __future__ import annotations

import structlog

from marketplace.accounts.services import user_locked
from marketplace.core import clock
from marketplace.core.money import Money
from marketplace.core.states import move
from marketplace.core.transactions import run_in_transaction

from .debts import owed, recover, set_off, wallet_locked
from .gateways import payment_locked, post_provider_fee, require_no_transaction, taken_back
from .ledger import accounts
from .ledger.post import Line, post
from .models import Chargeback, Payment
from .payouts import stop_for_debt, unsent_locked
from .providers import gateway
from .providers.base import FetchedDispute
from .states import CHARGEBACK, PAYMENT

log = structlog.get_logger(__name__)


def chargeback_refresh(*, provider: str, ref: str) -> Chargeback | None:
    """Ask the gateway how a dispute stands and apply it; None when it, or the payment it is about, is not known (yet).

    Not to be called inside a transaction. Raises Unavailable.
    """
    require_no_transaction()
    fetched = gateway(provider).fetch_dispute(ref=ref)
    if fetched is None or not fetched.payment_ref:
        return None
    found = Payment.objects.filter(provider=provider, provider_ref=fetched.payment_ref).values_list("pk", flat=True).first()
    return None if found is None else run_in_transaction(lambda: _apply(found, provider, fetched))


def _apply(payment_id: int, provider: str, fetched: FetchedDispute) -> Chargeback | None:
    """Forward only, under the payment's lock, and its payer's, so that no payout is asked for meanwhile."""
    user_locked(Payment.objects.values_list("payer_id", flat=True).get(pk=payment_id))
    payment = payment_locked(payment_id)
    if payment.settled_at is None:
        return None  # its success comes first: the poller brings both
    defaults = {
        "payment": payment,
        "amount_minor": fetched.amount.minor,
        "currency": fetched.amount.currency,
        "reason": fetched.reason[:64],
        "created_at": clock.now(),
    }
    if fetched.amount.currency != payment.currency or fetched.amount.minor > payment.received:
        log.error("chargeback_amount_differs", payment=payment.pk, ref=fetched.ref, theirs=str(fetched.amount))
        if fetched.amount.currency == payment.currency:
            payment.chargebacks.filter(provider=provider, provider_ref=fetched.ref).update(told_minor=fetched.amount.minor)
        return None
    row, _ = Chargeback.objects.get_or_create(provider=provider, provider_ref=fetched.ref, defaults=defaults)
    row = Chargeback.objects.select_for_update().get(pk=row.pk)
    _take_over(row, fetched)
    if fetched.status in ("open", "lost") and row.state == "inquiry":
        _open(row, payment)
    if fetched.status == "won" and row.state in ("inquiry", "open"):
        _win(row, payment)
    if fetched.status == "lost" and row.state == "open":
        if fetched.amount.minor < row.amount_minor:
            _give_rest_back(row, payment, fetched.amount)
        row.settled_at = clock.now()
        move(row, CHARGEBACK, "lose", role="system", actor_id=None, also=["settled_at", "amount_minor", "owed_minor"], extra=_about(row))
    _fee(row, fetched.fee)
    return row


def _take_over(row: Chargeback, fetched: FetchedDispute) -> None:
    """While nothing is booked, the amount is what the gateway says now; what it says beyond that later is noted, for a person to look at."""
    theirs = fetched.amount.minor
    if row.state == "inquiry":
        if (row.amount_minor, row.told_minor) != (theirs, None):
            row.amount_minor, row.told_minor = theirs, None
            row.save(update_fields=["amount_minor", "told_minor"])
        return
    told = theirs if theirs > row.amount_minor and fetched.status != "won" else None
    if told is not None and row.told_minor != told:
        log.error("chargeback_amount_grew", chargeback=row.pk, ours=row.amount_minor, theirs=told)
    if row.told_minor != told:
        row.told_minor = told
        row.save(update_fields=["told_minor"])


def _give_rest_back(row: Chargeback, payment: Payment, kept: Money) -> None:
    """The bank keeps less than it took: the rest comes back as it does when a dispute is won."""
    lines, forgiven = _brought_back(row, payment, Money(row.amount_minor - kept.minor, row.currency))
    key, subject = f"dispute_less:{row.pk}", ("chargeback", row.pk)
    returned = post("dispute_less", key=key, lines=lines, subject=subject, actor_id=None, rule="gateway_kept_less")
    recover(payment.payer_id, row.currency, cause=returned)
    row.amount_minor, row.owed_minor = kept.minor, row.owed_minor - forgiven


def _brought_back(row: Chargeback, payment: Payment, amount: Money) -> tuple[list[Line], int]:
    """The lines by which so much comes back, and what is forgiven by them: what the payer still owes for the dispute, before the wallet has any."""
    payer, currency = payment.payer_id, row.currency
    wallet_locked(payer, currency)
    forgiven = min(amount.minor, row.owed_minor, max(0, owed(payer, currency)))
    clearing = accounts.clearing(row.provider, currency)
    lines = [
        Line("returned", clearing, accounts.wallet(payer, currency), Money(amount.minor - forgiven, currency)),
        Line("forgiven", clearing, accounts.receivable(payer, currency), Money(forgiven, currency)),
    ]
    return lines, forgiven


def _open(row: Chargeback, payment: Payment) -> None:
    waiting = unsent_locked(payment.payer_id)
    lines, row.owed_minor = taken_back(payment, Money(row.amount_minor, row.currency))
    key = f"dispute_open:{row.pk}"
    taken = post(
        "dispute_open", key=key, lines=lines, subject=("chargeback", row.pk), actor_id=None, rule="gateway_disputed", reason=row.reason
    )
    set_off(payment.payer_id, row.currency, cause=taken)
    stop_for_debt(waiting, row.currency)
    move(row, CHARGEBACK, "open", role="system", actor_id=None, also=["owed_minor"], extra=_about(row))
    if payment.state != "charged_back":
        extra = {"recovered_minor": row.amount_minor - row.owed_minor, "amount_minor": row.amount_minor, "currency": row.currency}
        move(payment, PAYMENT, "charge_back", role="system", actor_id=None, extra=extra)


def _win(row: Chargeback, payment: Payment) -> None:
    taken = row.state == "open"
    row.settled_at = clock.now()
    if taken:
        # what the payer still owes for it is forgiven; what was recovered meanwhile goes back to the wallet
        lines, _ = _brought_back(row, payment, Money(row.amount_minor, row.currency))
        returned = post(
            "dispute_won",
            key=f"dispute_won:{row.pk}",
            lines=lines,
            subject=("chargeback", row.pk),
            actor_id=None,
            rule="gateway_reinstated",
        )
        recover(payment.payer_id, row.currency, cause=returned)
    move(row, CHARGEBACK, "win", role="system", actor_id=None, also=["settled_at"], extra=_about(row))
    others = payment.chargebacks.filter(state__in=("open", "lost")).exclude(pk=row.pk).exists()
    if taken and payment.state == "charged_back" and not others:
        refunded = payment.refunds.filter(state="succeeded").exists()
        move(payment, PAYMENT, "reinstate_part" if refunded else "reinstate", role="system", actor_id=None, extra=_about(row))


def _fee(row: Chargeback, fee: Money | None) -> None:
    """Post what the fee has grown by; the gateway sums it up."""
    if fee is None or fee.minor <= row.fee_minor or row.fee_currency not in ("", fee.currency):
        return
    grown = Money(fee.minor - row.fee_minor, fee.currency)
    post_provider_fee(row.provider, grown, key=f"chargeback:{row.pk}:{fee.minor}", subject=("chargeback", row.pk))
    Chargeback.objects.filter(pk=row.pk).update(fee_minor=fee.minor, fee_currency=fee.currency)
    row.fee_minor, row.fee_currency = fee.minor, fee.currency


def _about(row: Chargeback) -> dict[str, object]:
    return {"amount_minor": row.amount_minor, "currency": row.currency, "owed_minor": row.owed_minor, "payment_id": row.payment_id}
