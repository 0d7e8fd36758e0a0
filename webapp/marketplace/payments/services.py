"""Money as verbs. What moves on a contract (hold, release, clear, refund, settle) runs in the caller's transaction, so that a milestone's
state and its postings commit together; what talks to a gateway (payments.gateways) runs outside any transaction.

Every movement names its actor or rule, and is safe to repeat: the same call again returns the entry written the first time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from django.db import connection
from django.db.models import Sum

from marketplace.core import clock
from marketplace.core.errors import Conflict, InvalidInput
from marketplace.core.money import Money

from . import client_fees, debts, fee_tiers, fees, fx, levies, selectors
from .billing.issue import documents_issue, documents_missing, documents_of_subject
from .chargebacks import chargeback_refresh
from .client_fees import Charge
from .client_fees import payable as client_payable
from .client_fees import quote as client_quote
from .exchange import exchange_for_payment, exchange_lock, exchange_make, exchange_quote, exchange_unlock
from .fee_publishing import fee_propose, fee_publish, fee_refuse
from .fee_refunds import fee_refund
from .gateways import payment_cancel, payment_capture, payment_give_up, payment_look, payment_refresh, payment_start, wallet_pay_in
from .ledger import accounts
from .ledger.accounts import Kind, Ref
from .ledger.check import Report
from .ledger.check import run as ledger_check
from .ledger.post import Line, post
from .levies import tax_profile_put
from .models import Entry, FeeSchedule, FxRate, Posting
from .payout_methods import payout_method_add, payout_method_default
from .payout_onboarding import payout_method_heard, payout_method_onboard, payout_method_refresh
from .payout_resolutions import (
    payout_resolve,
    payout_resolve_approve,
    payout_resolve_refuse,
    payout_settle_late,
    payout_settle_late_approve,
    payout_settle_late_refuse,
)
from .payout_rounds import payout_schedule_put, payout_schedule_run
from .payouts import (
    payout_allow,
    payout_method_remove,
    payout_methods_erase,
    payout_refresh,
    payout_refuse,
    payout_request,
    payout_send,
)
from .providers import card_form_sources, sandbox_answer, sandbox_challenge
from .quotes import Quote, quote_make
from .rates import rate_set, rate_set_approve, rate_set_refuse, rate_warn
from .reconciliation.credits import difference_credit, difference_credit_approve, difference_credit_refuse
from .reconciliation.differences import (
    difference_alarm,
    difference_approve,
    difference_book,
    difference_claim,
    difference_explain,
    difference_give_back,
    difference_refuse,
    difference_reopen,
)
from .reconciliation.importing import file_import
from .reconciliation.publishing import publish as totals_publish
from .reconciliation.runs import reconcile
from .refunds import payment_refund_refresh, payment_refund_request, wallet_refund_request
from .risk import risk_hold_lapse
from .risk_desk import risk_decide, risk_undo
from .saved_methods import (
    card_heard,
    method_default,
    method_forget,
    method_give_up,
    method_refresh,
    method_remove,
    method_save,
    methods_erase,
    setup_heard,
)
from .taxes import Levy, levy_stored
from .webhooks import missed_events, webhook_handle, webhook_receive
from .write_offs import debt_write_off, debt_write_off_approve, debt_write_off_refuse

__all__ = [
    "Charge",
    "Quote",
    "Report",
    "bonus",
    "card_form_sources",
    "card_heard",
    "chargeback_refresh",
    "clear",
    "clear_bonus",
    "clear_part",
    "client_payable",
    "client_quote",
    "debt_write_off",
    "debt_write_off_approve",
    "debt_write_off_refuse",
    "difference_alarm",
    "difference_approve",
    "difference_book",
    "difference_claim",
    "difference_credit",
    "difference_credit_approve",
    "difference_credit_refuse",
    "difference_explain",
    "difference_give_back",
    "difference_refuse",
    "difference_reopen",
    "documents_issue",
    "documents_missing",
    "documents_of_subject",
    "exchange_for_payment",
    "exchange_lock",
    "exchange_make",
    "exchange_quote",
    "exchange_unlock",
    "fee_propose",
    "fee_publish",
    "fee_refund",
    "fee_refuse",
    "file_import",
    "hold",
    "ledger_check",
    "method_default",
    "method_forget",
    "method_give_up",
    "method_refresh",
    "method_remove",
    "method_save",
    "methods_erase",
    "missed_events",
    "payment_cancel",
    "payment_capture",
    "payment_give_up",
    "payment_look",
    "payment_refresh",
    "payment_refund_refresh",
    "payment_refund_request",
    "payment_start",
    "payout_allow",
    "payout_method_add",
    "payout_method_default",
    "payout_method_heard",
    "payout_method_onboard",
    "payout_method_refresh",
    "payout_method_remove",
    "payout_methods_erase",
    "payout_refresh",
    "payout_refuse",
    "payout_request",
    "payout_resolve",
    "payout_resolve_approve",
    "payout_resolve_refuse",
    "payout_schedule_put",
    "payout_schedule_run",
    "payout_send",
    "payout_settle_late",
    "payout_settle_late_approve",
    "payout_settle_late_refuse",
    "quote_make",
    "rate_set",
    "rate_set_approve",
    "rate_set_refuse",
    "rate_warn",
    "reconcile",
    "refund",
    "release",
    "risk_decide",
    "risk_hold_lapse",
    "risk_undo",
    "roll",
    "sandbox_answer",
    "sandbox_challenge",
    "settle",
    "setup_heard",
    "tax_profile_put",
    "totals_publish",
    "wallet_pay_in",
    "wallet_refund_request",
    "webhook_handle",
    "webhook_receive",
]


def hold(
    *,
    contract_id: int,
    milestone_id: int,
    payer_id: int,
    amount: Money,
    actor_id: int | None,
    rule: str,
    reason: str = "",
    fee_schedule: str | None = None,
    fee_from: int | None = None,
) -> Entry:
    """Wallet → hold of the milestone, and the client's fee of the schedule on top. With `fee_from` it is money that came from that milestone's
    hold and takes its share of the fee along. Raises Conflict("insufficient_funds") when the wallet has less.
    """
    currency = amount.currency
    line = Line("hold", accounts.wallet(payer_id, currency), accounts.hold(milestone_id, payer_id, currency), amount)
    entry = post(
        "hold",
        key=f"hold:{milestone_id}",
        lines=[line],
        quote={"fee_from": fee_from} if fee_from is not None and client_fees.charging(fee_schedule) else None,
        subject=("milestone", milestone_id),
        contract_id=contract_id,
        actor_id=actor_id,
        rule=rule,
        reason=reason,
    )
    if fee_from is None:
        client_fees.take(entry, payer_id=payer_id, amount=amount, fee_schedule=fee_schedule)
    else:
        client_fees.take_along(
            entry, from_milestone_id=fee_from, to_milestone_id=milestone_id, payer_id=payer_id, amount=amount, fee_schedule=fee_schedule
        )
    return entry


def release(
    *,
    contract_id: int,
    milestone_id: int,
    payee_id: int,
    gross: Money,
    payee_currency: str,
    fee_schedule: str,
    actor_id: int | None,
    rule: str,
    reason: str = "",
    part: int = 1,
) -> Entry:
    """Hold → freelancer's pending, fees and tax; a payee of another currency gets the net through the pair's fx clearing.

    The rate row is stored on the entry. `part` names the release among the milestone's own; 1 is the one that closes the hold.
    Raises Conflict("insufficient_funds") when less is held, Conflict("fx_rate_old") while the pair's rates are too old to move money at.
    """
    key = f"release:{milestone_id}:{part}"
    pay = _pay(key, contract_id, accounts.hold(milestone_id, None, gross.currency), payee_id, gross, payee_currency, fee_schedule)
    return post(
        "release",
        key=key,
        lines=pay.lines,
        subject=("milestone", milestone_id),
        contract_id=contract_id,
        gross=gross,
        fx_rate_id=pay.rate_id,
        quote=pay.quote,
        actor_id=actor_id,
        rule=rule,
        reason=reason,
    )


def clear(
    *, contract_id: int, milestone_id: int, payee_id: int, actor_id: int | None = None, rule: str = "clearing_5d", reason: str = ""
) -> Entry:
    """Pending → available: everything that the milestone's releases or settlement brought the payee and that was not cleared part by part.

    Raises Conflict("nothing_to_clear") when nothing was released, or all of it was cleared before.
    """
    key = f"clear:{milestone_id}"
    of_milestone = Posting.objects.filter(entry__subject_type="milestone", entry__subject_id=milestone_id)
    brought = of_milestone.filter(
        entry__kind__in=("release", "settle"), credit_account__kind=Kind.PENDING, credit_account__user_id=payee_id
    )
    totals = {c: int(total) for c, total in brought.values_list("currency").annotate(total=Sum("amount"))}
    for c, total in of_milestone.filter(entry__kind="clear_part").values_list("currency").annotate(total=Sum("amount")):
        totals[c] = totals.get(c, 0) - int(total)
    return _clear("clear", key, ("milestone", milestone_id), contract_id, payee_id, totals, actor_id, rule, reason)


def clear_part(*, contract_id: int, milestone_id: int, part: int, payee_id: int, rule: str = "clearing_5d") -> Entry:
    """Pending → available: what the release of that `part` brought. Raises Conflict("nothing_to_clear") when there is no such release, or
    the milestone was cleared as a whole before.
    """
    if Entry.objects.filter(idempotency_key=f"clear:{milestone_id}").exists():
        raise Conflict("nothing_to_clear", "The money of this milestone was cleared as a whole.")
    totals = _brought(f"release:{milestone_id}:{part}", payee_id)
    key = f"clear_part:{milestone_id}:{part}"
    return _clear("clear_part", key, ("milestone", milestone_id), contract_id, payee_id, totals, None, rule, "")


def clear_bonus(*, contract_id: int, bonus_id: int, payee_id: int, rule: str = "clearing_5d") -> Entry:
    """Pending → available: what a bonus brought. Raises Conflict("nothing_to_clear") when there is none."""
    totals = _brought(f"bonus:{bonus_id}", payee_id)
    return _clear("clear_bonus", f"clear_bonus:{bonus_id}", ("bonus", bonus_id), contract_id, payee_id, totals, None, rule, "")


def _brought(key: str, payee_id: int) -> dict[str, int]:
    """currency → what the entry of this key credited to the payee's pending money."""
    credited = Posting.objects.filter(entry__idempotency_key=key, credit_account__kind=Kind.PENDING, credit_account__user_id=payee_id)
    return {c: int(total) for c, total in credited.values_list("currency").annotate(total=Sum("amount"))}


def _clear(
    kind: str,
    key: str,
    subject: tuple[str, int],
    contract_id: int,
    payee_id: int,
    totals: dict[str, int],
    actor_id: int | None,
    rule: str,
    reason: str,
) -> Entry:
    lines = [
        Line("clear", accounts.pending(payee_id, c), accounts.available(payee_id, c), Money(total, c))
        for c, total in totals.items()
        if total
    ]
    if not lines:
        raise Conflict("nothing_to_clear", "No money was released here that still has to clear.")
    cleared = post(kind, key=key, lines=lines, subject=subject, contract_id=contract_id, actor_id=actor_id, rule=rule, reason=reason)
    for line in lines:
        debts.set_off(payee_id, line.amount.currency, cause=cleared)
    return cleared


def refund(
    *,
    contract_id: int,
    milestone_id: int,
    payer_id: int,
    amount: Money,
    actor_id: int | None,
    rule: str,
    reason: str,
    part: str = "",
    fee_schedule: str | None = None,
    passes_on: bool = False,
) -> Entry:
    """Hold → the client's wallet: all that is held, or with `part` (a word for its cause, once a milestone) less than that. With a schedule the
    client's fee on it goes back too. With `passes_on` it is on its way into another hold in the same transaction: fee and debts leave it alone.

    The caller lowers the milestone's amount with a part. Raises Conflict("insufficient_funds") when less is held.
    """
    currency = amount.currency
    line = Line("refund", accounts.hold(milestone_id, payer_id, currency), accounts.wallet(payer_id, currency), amount)
    entry = post(
        "refund",
        key=f"refund:{milestone_id}:{part}" if part else f"refund:{milestone_id}",
        lines=[line],
        subject=("milestone", milestone_id),
        contract_id=contract_id,
        actor_id=actor_id,
        rule=rule,
        reason=reason,
    )
    if not passes_on:
        client_fees.give_back(entry, milestone_id=milestone_id, payer_id=payer_id, currency=currency, fee_schedule=fee_schedule)
        debts.recover(payer_id, currency, cause=entry)
    return entry


def roll(
    *,
    contract_id: int,
    milestone_id: int,
    to_milestone_id: int,
    payer_id: int,
    amount: Money,
    actor_id: int | None,
    rule: str,
    reason: str,
    fee_schedule: str | None = None,
) -> Entry:
    """What is left in a milestone's hold → the hold of another milestone of the same contract, in one entry. Once a milestone. It takes its share
    of the client's fee along.

    The caller moves the amount from one milestone to the other with it.
    Raises Conflict("insufficient_funds") when less is held.
    """
    currency = amount.currency
    wallet = accounts.wallet(payer_id, currency)
    entry = post(
        "roll",
        key=f"roll:{milestone_id}",
        lines=[
            Line("refund", accounts.hold(milestone_id, payer_id, currency), wallet, amount),
            Line("hold", wallet, accounts.hold(to_milestone_id, payer_id, currency), amount),
        ],
        subject=("milestone", milestone_id),
        contract_id=contract_id,
        actor_id=actor_id,
        rule=rule,
        reason=reason,
    )
    client_fees.take_along(
        entry,
        from_milestone_id=milestone_id,
        to_milestone_id=to_milestone_id,
        payer_id=payer_id,
        amount=amount,
        fee_schedule=fee_schedule,
    )
    return entry


def bonus(
    *,
    contract_id: int,
    bonus_id: int,
    payer_id: int,
    payee_id: int,
    gross: Money,
    payee_currency: str,
    fee_schedule: str,
    actor_id: int | None,
    rule: str,
    reason: str = "",
) -> Entry:
    """Wallet → freelancer's pending, fees and tax by the contract's schedule, as a release but out of money that was never held; the
    client's fee on it on top.

    Raises Conflict("insufficient_funds") when the wallet has less, Conflict("fx_rate_old") as release.
    """
    key = f"bonus:{bonus_id}"
    pay = _pay(key, contract_id, accounts.wallet(payer_id, gross.currency), payee_id, gross, payee_currency, fee_schedule)
    entry = post(
        "bonus",
        key=key,
        lines=pay.lines,
        subject=("bonus", bonus_id),
        contract_id=contract_id,
        gross=gross,
        fx_rate_id=pay.rate_id,
        quote=pay.quote,
        actor_id=actor_id,
        rule=rule,
        reason=reason,
    )
    client_fees.take(entry, payer_id=payer_id, amount=gross, fee_schedule=fee_schedule)
    return entry


def settle(
    *,
    contract_id: int,
    milestone_id: int,
    payer_id: int,
    payee_id: int,
    payee_currency: str,
    to_payee: Money,
    to_payer: Money,
    fee_schedule: str,
    actor_id: int | None,
    rule: str,
    reason: str,
) -> Entry:
    """Split the whole hold in one entry: the payee's part as a release, the payer's part back to the wallet with its share of
    their fee.

    Raises Conflict("split_mismatch") unless the parts sum to what is held, Conflict("fx_rate_old") as release, InvalidInput for a negative part.
    """
    if to_payee.minor < 0 or to_payer.minor < 0:
        raise InvalidInput("amount_negative", "Neither part may be negative.")
    key, currency = f"settle:{milestone_id}", to_payee.currency
    held = selectors.held_locked(milestone_id, currency)
    if to_payee + to_payer != held and not Entry.objects.filter(idempotency_key=key).exists():
        raise Conflict("split_mismatch", f"The two parts must sum to the funds held, {held}.")
    pay = _Pay([], None, {})
    if to_payee:
        pay = _pay(key, contract_id, accounts.hold(milestone_id, None, currency), payee_id, to_payee, payee_currency, fee_schedule)
    back = Line("refund", accounts.hold(milestone_id, payer_id, currency), accounts.wallet(payer_id, currency), to_payer)
    entry = post(
        "settle",
        key=key,
        lines=[*pay.lines, back],
        subject=("milestone", milestone_id),
        contract_id=contract_id,
        gross=to_payee,
        fx_rate_id=pay.rate_id,
        quote=pay.quote,
        actor_id=actor_id,
        rule=rule,
        reason=reason,
    )
    if to_payer:
        client_fees.give_back(entry, milestone_id=milestone_id, payer_id=payer_id, currency=currency, fee_schedule=fee_schedule)
        debts.recover(payer_id, currency, cause=entry)
    return entry


@dataclass(frozen=True, slots=True)
class _Pay:
    lines: list[Line]
    rate_id: int | None
    quote: dict[str, Any]


def _pay(key: str, contract_id: int, source: Ref, payee_id: int, gross: Money, payee_currency: str, fee_schedule: str) -> _Pay:
    """The lines that pay a freelancer out of a hold or a wallet."""
    schedule: FeeSchedule = fees.schedule(fee_schedule)
    posted = _posted(key)
    levy = _levy_for(posted, payee_id)
    before = None
    if fee_tiers.cumulative(schedule, gross.currency):
        before = fees.paid_before(contract_id) if posted is None else int(posted.quote.get("before", 0))
    parts = fees.split(gross, schedule, levy, before=before or 0)
    lines = [
        Line("fee", source, accounts.fees(gross.currency), parts.fee),
        Line("tax", source, accounts.tax(gross.currency), parts.tax),
        Line("withheld", source, accounts.withholding(gross.currency), parts.withheld),
    ]
    quote: dict[str, Any] = {
        "fee_schedule": schedule.version,
        "currency": gross.currency,
        "gross": gross.minor,
        "fee": parts.fee.minor,
        "tax": parts.tax.minor,
        "net": parts.net.minor,
    }
    if before is not None:
        quote["before"] = before
    if levy is not None:
        quote.update(levy=levy.stored(), withheld=parts.withheld.minor)
    if payee_currency == gross.currency:
        return _Pay([Line("net", source, accounts.pending(payee_id, payee_currency), parts.net), *lines], None, quote)
    rate = _rate_for(posted, gross.currency, payee_currency)
    payee_net = fx.convert(parts.net, rate)
    pair = (gross.currency, payee_currency)
    lines[:0] = [
        Line("fx_out", source, accounts.fx_clearing(*pair, gross.currency), parts.net),
        Line("fx_in", accounts.fx_clearing(*pair, payee_currency), accounts.pending(payee_id, payee_currency), payee_net),
    ]
    quote.update(
        payee_currency=payee_currency,
        payee_net=payee_net.minor,
        fx_rate=f"{rate.rate.normalize():f}",
        fx_source=rate.source,
        spread_bps=rate.spread_bps,
    )
    return _Pay(lines, rate.pk, quote)


class _Posted(NamedTuple):
    """What an entry was paid by."""

    quote: dict[str, Any]
    rate_id: int | None


def _posted(key: str) -> _Posted | None:
    """What the entry under the key was paid by, None when there is none: so that a repeated call is the same request on any day."""
    with connection.cursor() as cursor:  # every release asks, and hardly ever finds one: no object is built
        cursor.execute("SELECT quote, fx_rate_id FROM payments_entry WHERE idempotency_key = %s", [key])
        row = cursor.fetchone()
    return None if row is None else _Posted(orjson.loads(row[0]), row[1])


def _rate_for(posted: _Posted | None, base: str, quote: str) -> FxRate:
    """The rate of the entry already posted under the key, else today's, if it is young enough."""
    if posted is not None and posted.rate_id is not None:
        known = FxRate.objects.get(pk=posted.rate_id)
        if (known.base, known.quote) == (base, quote):
            return known
    return fx.current_rate(base, quote)


def _levy_for(posted: _Posted | None, payee_id: int) -> Levy | None:
    """What the entry already posted under the key bore, else what a payment to this person bears today."""
    if posted is not None:
        return levy_stored(posted.quote["levy"]) if "levy" in posted.quote else None
    return levies.levy_for(payee_id, clock.now().date())
