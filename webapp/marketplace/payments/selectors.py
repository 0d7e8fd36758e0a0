"""What can be asked about money. Everything a person may see goes through `*_for` and `visible_*`; sums in minor units."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db.models import Q, QuerySet, Sum

from marketplace.core import clock
from marketplace.core.errors import InvalidInput, NotFound
from marketplace.core.money import Money, exponent
from marketplace.core.policies import Actor, one_of
from marketplace.core.prepared import Statement

from . import fx, policies
from .ledger.accounts import USER_KINDS, Kind
from .models import (
    Account,
    AccountBalance,
    Entry,
    FeeSchedule,
    FxQuote,
    GatewayCustomer,
    Payment,
    Payout,
    Posting,
    SavedMethod,
)
from .providers import gateway
from .risk_reading import Risk as Risk
from .risk_reading import own_risk_holds as own_risk_holds
from .risk_reading import risk_on as risk_on
from .statements import Balances as Balances
from .statements import Position as Position
from .statements import contract_positions as contract_positions
from .statements import story_of as story_of


@dataclass(frozen=True, slots=True)
class Effect:
    """What an entry did to one account of a user: `change` > 0 is money in."""

    account_kind: str
    user_id: int | None
    milestone_id: int | None
    change: Money


@dataclass(frozen=True, slots=True)
class Transaction:
    """An entry as one user sees it: the changes of their own accounts."""

    entry: Entry
    effects: list[Effect] = field(default_factory=list)


def held(milestone_id: int) -> Money | None:
    """Funds held for the milestone now; None when it was never funded."""
    row = (
        AccountBalance.objects.filter(account__kind=Kind.HOLD, account__milestone_id=milestone_id)
        .values_list("available", "account__currency")
        .first()
    )
    return None if row is None else Money(*row)


def held_by_milestone(milestone_ids: Iterable[int]) -> dict[int, Money]:
    """Funds held now for each of these milestones that was ever funded; one query."""
    return {m: Money(minor, c) for m, minor, c in _HELD(milestone_ids=list(milestone_ids)) if m is not None}


_HELD: Statement[tuple[int | None, int, str]] = Statement(
    lambda milestone_ids: AccountBalance.objects.filter(account__kind=Kind.HOLD, account__milestone_id__in=milestone_ids).values_list(
        "account__milestone_id", "available", "account__currency"
    )
)


def held_locked(milestone_id: int, currency: str) -> Money:
    """Funds held for the milestone, its balance locked until the caller's transaction ends; zero when it was never funded."""
    account = Account.objects.filter(key=f"hold:{milestone_id}:{currency}")
    row = AccountBalance.objects.select_for_update().filter(account__in=account.values("id"))
    return Money(row.values_list("available", flat=True).first() or 0, currency)


def pending_by_key(user_id: int, keys: Sequence[str]) -> dict[str, Money]:
    """What the entries of these keys brought into the user's clearing money, by key; entries that brought nothing are left out. One query."""
    brought = Posting.objects.filter(entry__idempotency_key__in=keys, credit_account__kind=Kind.PENDING, credit_account__user_id=user_id)
    return {key: Money(minor, currency) for key, currency, minor in brought.values_list("entry__idempotency_key", "currency", "amount")}


def balances_of(user_id: int) -> list[Balances]:
    """Cached balances of the user's accounts, one item a currency, by currency code."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    rows = AccountBalance.objects.filter(account__user_id=user_id, account__kind__in=USER_KINDS)
    for kind, currency, total in rows.values_list("account__kind", "account__currency").annotate(total=Sum("available")).order_by():
        sums[currency][kind] = int(total)
    return [
        Balances(c, *(Money(kinds[k], c) for k in (Kind.WALLET, Kind.HOLD, Kind.PENDING, Kind.AVAILABLE, Kind.PAYOUT_TRANSIT)))
        for c, kinds in sorted(sums.items())
    ]


def balance_replayed(account_id: int, *, up_to_entry_id: int | None = None) -> int:
    """Credit minus debit over the account's postings, now or as it stood when the given entry had been posted."""
    postings = Posting.objects.filter(Q(debit_account_id=account_id) | Q(credit_account_id=account_id))
    if up_to_entry_id is not None:
        postings = postings.filter(entry_id__lte=up_to_entry_id)
    sums = postings.aggregate(
        credit=Sum("amount", filter=Q(credit_account_id=account_id)), debit=Sum("amount", filter=Q(debit_account_id=account_id))
    )
    return int(sums["credit"] or 0) - int(sums["debit"] or 0)


def entries_of(contract_id: int) -> QuerySet[Entry]:
    """Entries of a contract's milestones in the order they were posted. Who may see the contract is the caller's question."""
    return Entry.objects.filter(contract_id=contract_id).order_by("id")


def entry_effects(entry_ids: Iterable[int]) -> dict[int, list[Effect]]:
    """entry id → what it did to users' accounts (platform accounts are left out), in the order of its lines."""
    changes: dict[int, dict[tuple[Any, ...], int]] = defaultdict(lambda: defaultdict(int))
    for entry_id, amount, currency, *accounts in _SIDES_OF_POSTINGS(entry_ids=list(entry_ids)):
        for account, signed in ((accounts[:4], -amount), (accounts[4:], amount)):
            if account[1] in USER_KINDS:
                changes[entry_id][(*account, currency)] += signed
    return {
        entry: [Effect(kind, user, milestone, Money(change, c)) for (_, kind, user, milestone, c), change in by_account.items()]
        for entry, by_account in changes.items()
    }


_ACCOUNT = ("_id", "__kind", "__user_id", "__milestone_id")
_SIDES_OF_POSTINGS: Statement[tuple[Any, ...]] = Statement(
    lambda entry_ids: (
        Posting.objects.filter(entry_id__in=entry_ids)
        .order_by("entry_id", "line_no")
        .values_list("entry_id", "amount", "currency", *(f"{side}_account{name}" for side in ("debit", "credit") for name in _ACCOUNT))
    )
)


def entries_touching(user_id: int) -> QuerySet[Entry]:
    """Entries that moved one of the user's own accounts."""
    # named one by one: with a subquery on each side of the "or", MariaDB reads every posting there is
    mine = list(Account.objects.filter(user_id=user_id, kind__in=USER_KINDS).values_list("id", flat=True))
    touched = Posting.objects.filter(Q(debit_account__in=mine) | Q(credit_account__in=mine)).values("entry_id")
    return Entry.objects.filter(id__in=touched)


def as_transactions(user_id: int, entries: list[Entry]) -> list[Transaction]:
    """The entries as the user sees them, with only their own accounts. Two queries for any number of entries."""
    effects = entry_effects([e.pk for e in entries])
    return [Transaction(e, [x for x in effects.get(e.pk, []) if x.user_id == user_id]) for e in entries]


def payments_visible_to(actor: Actor) -> QuerySet[Payment]:
    """Payments the actor may see: their own; all for staff who handle money."""
    return Payment.objects.all() if policies.sees_all_money(actor) else Payment.objects.filter(payer_id=actor.pk)


def payment_for(actor: Actor, payment_id: int) -> Payment:
    """Raises NotFound for an absent or somebody else's payment alike."""
    return one_of(payments_visible_to(actor), payment_id, "payment")


def payments_of(actor: Actor) -> QuerySet[Payment]:
    """The actor's own payments."""
    return Payment.objects.filter(payer_id=actor.pk)


def payouts_of(actor: Actor) -> QuerySet[Payout]:
    """The actor's own payouts."""
    return Payout.objects.filter(payee_id=actor.pk)


def fx_quote_for(actor: Actor, quote_id: int) -> FxQuote:
    """Raises NotFound for one that is not the actor's."""
    return one_of(FxQuote.objects.filter(user_id=actor.pk).select_related("rate"), quote_id, "quote")


def fee_schedules() -> QuerySet[FeeSchedule]:
    """All published versions, newest first."""
    return FeeSchedule.objects.order_by("-active_from", "-id")


def worth(amount: Money, currency: str) -> Money | None:
    """What an amount is worth in another currency for comparing and sorting only, without spread; None when no rates lead there.

    Rates are remembered for ten minutes in this process.
    """
    if amount.currency == currency:
        return amount
    rate = _remembered_rate(amount.currency, currency, clock.now().date(), int(time.monotonic() // 600))
    if rate is None:
        return None
    scaled = Decimal(amount.minor).scaleb(exponent(currency) - exponent(amount.currency)) * rate
    return Money(int(scaled.to_integral_value()), currency)


@lru_cache(maxsize=4096)
def _remembered_rate(base: str, quote: str, day: date, window: int) -> Decimal | None:
    try:
        return fx.rate(base, quote, on=day).rate
    except InvalidInput:
        return None


def saved_methods_of(actor: Actor) -> QuerySet[SavedMethod]:
    """The actor's means of payment: those that can be used, and those that are being saved or failed to be."""
    return SavedMethod.objects.filter(user_id=actor.pk, removed_at__isnull=True)


def saved_method_for(actor: Actor, method_id: int) -> SavedMethod:
    """Raises NotFound for one that is not the actor's."""
    return one_of(saved_methods_of(actor), method_id, "payment method")


def method_to_pay_with(*, payer_id: int, provider: str, method: Mapping[str, Any]) -> dict[str, Any] | None:
    """The method behind {"saved_method_id": …}, None for any other. Raises NotFound for one that is not the payer's own at this gateway."""
    given = method.get("saved_method_id")
    if given is None:
        return None
    number = int(given) if str(given).isascii() and str(given).isdigit() and len(str(given)) <= 18 else 0
    row = SavedMethod.objects.filter(user=payer_id, provider=provider, state="ready", pk=number).first()
    if row is None:
        raise NotFound("payment method")
    customer = GatewayCustomer.objects.filter(user=payer_id, provider=provider).values_list("ref", flat=True).first() or ""
    return gateway(provider).saved_method(token=row.token, customer=customer)
