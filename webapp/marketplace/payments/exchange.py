"""Money of a wallet into another currency: quoted, the price locked, posted through the pair's fx clearing with its rate and spread.

A quote is a promise for QUOTE_MINUTES, while rates that are young enough lead from one currency to the other. A payment that is begun within
them keeps its price however long the payer's bank takes; what is not used by then is no promise any more, and a new quote is asked for. A
payment that came to nothing, before any money moved, leaves the quote as open as it was.
"""

from __future__ import annotations

from datetime import timedelta

from marketplace.core import clock, events, features
from marketplace.core.errors import Conflict, InvalidInput, NotFound
from marketplace.core.money import Money
from marketplace.core.policies import Actor
from marketplace.core.transactions import run_in_transaction, unit_of_work

from . import debts, fx
from .gateways import CREDITED, check_amount
from .ledger import accounts
from .ledger.post import Line, post
from .models import Entry, FxQuote, Payment
from .providers import gateway

#: failure codes of payments whose money lies here or at the gateway all the same
_MONEY_SOMEWHERE = (CREDITED, "amount_differs")


def exchange_quote(*, actor: Actor, buy: Money, sell_currency: str) -> FxQuote:
    """What `buy` costs in another currency now, spread included, rounded up to whole minor units. Raises InvalidInput for an amount out of
    range, the same currency, or a pair without a rate, Conflict("fx_rate_old") where our rates are too old, of which staff are told then."""
    try:
        return run_in_transaction(lambda: _quote(actor, buy, sell_currency))
    except Conflict as e:
        if e.code == "fx_rate_old":
            run_in_transaction(lambda: fx.tell_old(sell_currency, buy.currency))
        raise


def _quote(actor: Actor, buy: Money, sell_currency: str) -> FxQuote:
    check_amount(buy)
    if sell_currency == buy.currency:
        raise InvalidInput("currency_same", "Choose another currency to pay with.", {"pay_currency": ["The same currency."]})
    rate = fx.current_rate(sell_currency, buy.currency)
    sell = fx.price_of(buy, rate)
    check_amount(sell)
    now = clock.now()
    return FxQuote.objects.create(
        user_id=actor.pk,
        sell_minor=sell.minor,
        sell_currency=sell.currency,
        buy_minor=buy.minor,
        buy_currency=buy.currency,
        rate=rate,
        spread_bps=rate.spread_bps,
        created_at=now,
        expires_at=now + timedelta(minutes=features.number("QUOTE_MINUTES")),
    )


def _locked(actor: Actor, quote_id: int) -> FxQuote:
    found = FxQuote.objects.select_for_update().filter(pk=quote_id, user_id=actor.pk).first()
    if found is None:
        raise NotFound("quote")
    return found


@unit_of_work
def exchange_lock(*, actor: Actor, quote_id: int, buy: Money, payment_key: str, provider: str) -> Money:
    """Keep the quote's price for the payment of this key, and return what is to be paid: that price, or the next amount that the gateway can
    move (the difference stays in the wallet). The same key again is answered the same: at any time once its payment was begun, and until the
    quote runs out while there is none. Once the payment that kept the price failed or was cancelled, another one may have it.

    Raises InvalidInput for an unknown gateway, NotFound,
    Conflict("quote_of_another_amount" | "quote_used" | "quote_expired" | "fx_rate_old").
    """
    asked = gateway(provider)
    quote = _locked(actor, quote_id)
    if Money(quote.buy_minor, quote.buy_currency) != buy:
        raise Conflict("quote_of_another_amount", f"This quote is not for {buy}. Ask for a new one.")
    if quote.payment_key != payment_key:
        _set_free(quote)
        _require_open(quote)
        fx.current_rate(quote.sell_currency, quote.buy_currency)
        quote.payment_key = payment_key
        quote.save(update_fields=["payment_key"])
    elif not Payment.objects.filter(payer=actor.pk, idempotency_key=payment_key).exists():
        _require_unexpired(quote)  # what was asked for under this key never became a payment: nothing was begun in time
    return asked.payable(Money(quote.sell_minor, quote.sell_currency))


@unit_of_work
def exchange_unlock(*, actor: Actor, quote_id: int, payment_key: str) -> None:
    """What was asked for under this key was refused before it became a payment: the quote is as open as before. Nothing happens where it did
    become one. Raises NotFound."""
    quote = _locked(actor, quote_id)
    if quote.payment_key == payment_key and not Payment.objects.filter(idempotency_key=payment_key).exists():
        quote.payment_key = None
        quote.save(update_fields=["payment_key"])


def _set_free(quote: FxQuote) -> None:
    """Take the locked quote from a payment that came to nothing; should the money come late after all, it stays in the wallet."""
    if quote.used_at is not None or quote.payment_key is None:
        return
    payment = Payment.objects.select_for_update().filter(idempotency_key=quote.payment_key).first()
    # a failed or cancelled one with money somewhere is one that a person looks at
    if payment is not None and payment.state in ("failed", "cancelled") and payment.failure_code not in _MONEY_SOMEWHERE:
        quote.payment_key = None


def _require_open(quote: FxQuote) -> None:
    if quote.used_at is not None or quote.payment_key is not None:
        raise Conflict("quote_used", "This quote was used already. Ask for a new one.")
    _require_unexpired(quote)


def _require_unexpired(quote: FxQuote) -> None:
    if quote.expires_at <= clock.now():
        raise Conflict("quote_expired", "This quote has run out. Ask for a new one.")


@unit_of_work
def exchange_make(*, actor: Actor, quote_id: int, rule: str = "owner_exchange") -> Entry:
    """Exchange money of the actor's wallet at a quote; the same quote again is the entry that it made.

    Raises NotFound, Conflict("quote_used" | "quote_expired" | "fx_rate_old" | "insufficient_funds"), which leave the quote as it was.
    """
    quote = _locked(actor, quote_id)
    if quote.used_at is None:
        _set_free(quote)
        _require_open(quote)
        fx.current_rate(quote.sell_currency, quote.buy_currency)
    elif quote.payment_key is not None:
        raise Conflict("quote_used", "This quote was used by a payment.")
    return _post(quote, rule)


def exchange_for_payment(*, payment_id: int, wanted: str) -> Entry | None:
    """Exchange what a payment brought at the price that was locked for it; None when it came in the `wanted` currency itself. Runs in the
    caller's transaction; safe to repeat. The price stands at any age of its rate.

    Raises Conflict("insufficient_funds") when the wallet no longer holds what came, Conflict("quote_gone") when the payment came in another
    currency and its price went to another payment, since this one had failed: other money of the wallet is not taken in its place.
    """
    key, currency = Payment.objects.values_list("idempotency_key", "currency").get(pk=payment_id)
    quote = FxQuote.objects.select_for_update().filter(payment_key=key).first()
    if quote is not None:
        return _post(quote, "payment_exchange")
    if currency != wanted:
        raise Conflict("quote_gone", "The payment came when its price in the other currency was gone.")
    return None


def _post(quote: FxQuote, rule: str) -> Entry:
    """Wallet → fx clearing → wallet, in one entry."""
    user, pair = quote.user_id, (quote.sell_currency, quote.buy_currency)
    sell, buy = Money(quote.sell_minor, quote.sell_currency), Money(quote.buy_minor, quote.buy_currency)
    entry = post(
        "exchange",
        key=f"exchange:{quote.pk}",
        lines=[
            Line("fx_out", accounts.wallet(user, sell.currency), accounts.fx_clearing(*pair, sell.currency), sell),
            Line("fx_in", accounts.fx_clearing(*pair, buy.currency), accounts.wallet(user, buy.currency), buy),
        ],
        subject=("fx_quote", quote.pk),
        fx_rate_id=quote.rate_id,
        quote={
            "sell": sell.minor,
            "sell_currency": sell.currency,
            "buy": buy.minor,
            "buy_currency": buy.currency,
            "fx_rate": f"{quote.rate.rate.normalize():f}",
            "fx_source": quote.rate.source,
            "spread_bps": quote.spread_bps,
        },
        actor_id=user,
        rule=rule,
    )
    if quote.used_at is None:
        quote.used_at = clock.now()
        quote.save(update_fields=["used_at", "payment_key"])
        after = {"sell_minor": sell.minor, "sell_currency": sell.currency, "buy_minor": buy.minor, "buy_currency": buy.currency}
        events.record(aggregate=quote, kind="fx_quote.use", actor_id=user, after=after)
    debts.recover(user, buy.currency, cause=entry)
    return entry
