"""Money as verbs. What moves on a contract (hold, release, clear, refund, settle) runs in the caller's transaction, so that a milestone's
state and its postings commit together; what talks to a gateway (payments.gateways) runs outside any transaction.

Every movement names its actor or rule, and is safe to repeat: the same call again returns the entry written the first time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Sum

from marketplace.core import clock
from marketplace.core.errors import Conflict, InvalidInput
from marketplace.core.money import Money

from . import fees, fx, selectors
from .gateways import payment_refresh, payment_start
from .ledger import accounts
from .ledger.accounts import Kind
from .ledger.check import Report
from .ledger.check import run as ledger_check
from .ledger.post import Line, post
from .models import Entry, FeeSchedule, FxRate, Posting
from .payouts import payout_allow, payout_refresh, payout_refuse, payout_request, payout_send
from .webhooks import webhook_handle, webhook_receive

__all__ = [
    "Quote",
    "Report",
    "clear",
    "hold",
    "ledger_check",
    "payment_refresh",
    "payment_start",
    "payout_allow",
    "payout_refresh",
    "payout_refuse",
    "payout_request",
    "payout_send",
    "quote_make",
    "refund",
    "release",
    "settle",
    "webhook_handle",
    "webhook_receive",
]


@dataclass(frozen=True, slots=True)
class Quote:
    """What a gross amount becomes: gross = fee + tax + net in its currency, `payee_net` in the payee's after rate and spread."""

    gross: Money
    fee: Money
    tax: Money
    net: Money
    payee_net: Money
    fee_schedule: str
    fx_rate_id: int | None
    fx_rate: str | None
    spread_bps: int
    clears_in_days: int
    expires_at: datetime

    def stored(self, *, delivered_in_days: int | None = None) -> dict[str, Any]:
        """As JSON, to keep beside a bid or an offer. `clears_on` is the day on which the money can be paid out when work delivered in so many
        days (none: today) is approved the same day; `clears_on_if_silent` when silence approves it.
        """
        amounts = {"gross": self.gross, "fee": self.fee, "tax": self.tax, "net": self.net, "payee_net": self.payee_net}
        clears = clock.now() + timedelta(days=(delivered_in_days or 0) + self.clears_in_days)
        return {
            **{name: {"minor": m.minor, "currency": m.currency} for name, m in amounts.items()},
            "fee_schedule": self.fee_schedule,
            "fx_rate_id": self.fx_rate_id,
            "fx_rate": self.fx_rate,
            "spread_bps": self.spread_bps,
            "clears_in_days": self.clears_in_days,
            "clears_on": clears.date().isoformat(),
            "clears_on_if_silent": (clears + timedelta(days=settings.AUTO_APPROVE_DAYS)).date().isoformat(),
            "expires_at": self.expires_at.isoformat(),
        }


def quote_make(*, gross: Money, payee_currency: str, fee_schedule: str | None = None) -> Quote:
    """What the payee would get for `gross` now; the rate is promised for QUOTE_MINUTES.

    Raises InvalidInput for an amount that is not positive, an unknown schedule, currency or pair.
    """
    schedule = fees.schedule(fee_schedule)
    parts = fees.split(gross, schedule)
    rate = None if payee_currency == gross.currency else fx.rate(gross.currency, payee_currency)
    return Quote(
        gross=gross,
        fee=parts.fee,
        tax=parts.tax,
        net=parts.net,
        payee_net=parts.net if rate is None else fx.convert(parts.net, rate),
        fee_schedule=schedule.version,
        fx_rate_id=None if rate is None else rate.pk,
        fx_rate=None if rate is None else f"{rate.rate.normalize():f}",
        spread_bps=0 if rate is None else rate.spread_bps,
        clears_in_days=settings.CLEARING_DAYS,
        expires_at=clock.now() + timedelta(minutes=settings.QUOTE_MINUTES),
    )


def hold(*, contract_id: int, milestone_id: int, payer_id: int, amount: Money, actor_id: int | None, rule: str, reason: str = "") -> Entry:
    """Wallet → hold of the milestone. Raises Conflict("insufficient_funds") when the wallet has less."""
    currency = amount.currency
    line = Line("hold", accounts.wallet(payer_id, currency), accounts.hold(milestone_id, payer_id, currency), amount)
    return post(
        "hold",
        key=f"hold:{milestone_id}",
        lines=[line],
        subject=("milestone", milestone_id),
        contract_id=contract_id,
        actor_id=actor_id,
        rule=rule,
        reason=reason,
    )


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

    The rate row is stored on the entry. Raises Conflict("insufficient_funds") when less is held.
    """
    key = f"release:{milestone_id}:{part}"
    pay = _pay(key, milestone_id, payee_id, gross, payee_currency, fee_schedule)
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
    """Pending → available: everything that the milestone's release or settlement brought the payee, after the clearing period.

    Raises Conflict("nothing_to_clear") when nothing was released.
    """
    released = (
        Posting.objects.filter(
            entry__subject_type="milestone",
            entry__subject_id=milestone_id,
            entry__kind__in=("release", "settle"),
            credit_account__kind=Kind.PENDING,
            credit_account__user_id=payee_id,
        )
        .values_list("currency")
        .annotate(total=Sum("amount"))
    )
    lines = [Line("clear", accounts.pending(payee_id, c), accounts.available(payee_id, c), Money(int(total), c)) for c, total in released]
    if not lines:
        raise Conflict("nothing_to_clear", "No money was released for this milestone.")
    return post(
        "clear",
        key=f"clear:{milestone_id}",
        lines=lines,
        subject=("milestone", milestone_id),
        contract_id=contract_id,
        actor_id=actor_id,
        rule=rule,
        reason=reason,
    )


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
) -> Entry:
    """Hold → the client's wallet: all that is held, or with `part` (a word for its cause, once a milestone) less than that.

    The caller lowers the milestone's amount with a part. Raises Conflict("insufficient_funds") when less is held.
    """
    currency = amount.currency
    line = Line("refund", accounts.hold(milestone_id, payer_id, currency), accounts.wallet(payer_id, currency), amount)
    return post(
        "refund",
        key=f"refund:{milestone_id}:{part}" if part else f"refund:{milestone_id}",
        lines=[line],
        subject=("milestone", milestone_id),
        contract_id=contract_id,
        actor_id=actor_id,
        rule=rule,
        reason=reason,
    )


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
    """Split the whole hold in one entry: the payee's part as a release, the payer's part back to the wallet.

    Raises Conflict("split_mismatch") unless the parts sum to what is held, InvalidInput for a negative part.
    """
    if to_payee.minor < 0 or to_payer.minor < 0:
        raise InvalidInput("amount_negative", "Neither part may be negative.")
    key, currency = f"settle:{milestone_id}", to_payee.currency
    held = selectors.held_locked(milestone_id, currency)
    if to_payee + to_payer != held and not Entry.objects.filter(idempotency_key=key).exists():
        raise Conflict("split_mismatch", f"The two parts must sum to the funds held, {held}.")
    pay = _Pay([], None, {})
    if to_payee:
        pay = _pay(key, milestone_id, payee_id, to_payee, payee_currency, fee_schedule)
    back = Line("refund", accounts.hold(milestone_id, payer_id, currency), accounts.wallet(payer_id, currency), to_payer)
    return post(
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


@dataclass(frozen=True, slots=True)
class _Pay:
    lines: list[Line]
    rate_id: int | None
    quote: dict[str, Any]


def _pay(key: str, milestone_id: int, payee_id: int, gross: Money, payee_currency: str, fee_schedule: str) -> _Pay:
    """The lines that pay a freelancer out of a hold."""
    schedule: FeeSchedule = fees.schedule(fee_schedule)
    parts = fees.split(gross, schedule)
    held = accounts.hold(milestone_id, None, gross.currency)
    lines = [
        Line("fee", held, accounts.fees(gross.currency), parts.fee),
        Line("tax", held, accounts.tax(gross.currency), parts.tax),
    ]
    quote: dict[str, Any] = {
        "fee_schedule": schedule.version,
        "currency": gross.currency,
        "gross": gross.minor,
        "fee": parts.fee.minor,
        "tax": parts.tax.minor,
        "net": parts.net.minor,
    }
    if payee_currency == gross.currency:
        return _Pay([Line("net", held, accounts.pending(payee_id, payee_currency), parts.net), *lines], None, quote)
    rate = _rate_for(key, gross.currency, payee_currency)
    payee_net = fx.convert(parts.net, rate)
    pair = (gross.currency, payee_currency)
    lines[:0] = [
        Line("fx_out", held, accounts.fx_clearing(*pair, gross.currency), parts.net),
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


def _rate_for(key: str, base: str, quote: str) -> FxRate:
    """The rate of the entry already posted under this key, so that a repeated call is the same request on any day; else today's."""
    posted = Entry.objects.filter(idempotency_key=key, fx_rate__base=base, fx_rate__quote=quote).select_related("fx_rate").first()
    return posted.fx_rate if posted is not None and posted.fx_rate is not None else fx.rate(base, quote)
