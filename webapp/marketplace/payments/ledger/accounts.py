"""Names of accounts, and their rows. An account is named once and for ever by its key; it is never changed or deleted.

Belongs here: key naming and creation under race. Not here: balances' arithmetic (ledger.post).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection

from marketplace.core import clock

from ..models import Account, AccountBalance

Kind = Account.Kind

#: accounts of users: cached balance, never below zero, credit-normal
USER_KINDS = frozenset({Kind.WALLET, Kind.HOLD, Kind.PENDING, Kind.AVAILABLE, Kind.PAYOUT_TRANSIT})


@dataclass(frozen=True, slots=True)
class Ref:
    """An account by its name; the row may not exist yet. Equal keys are the same account."""

    key: str
    kind: str
    currency: str
    user_id: int | None = None
    milestone_id: int | None = None
    processor: str = ""

    @property
    def cached(self) -> bool:
        """Whether the account has a cached balance, that is: belongs to a user and may not be overdrawn."""
        return self.kind in USER_KINDS


def wallet(user_id: int, currency: str) -> Ref:
    """Money a client has paid in and not yet committed."""
    return Ref(f"wallet:{user_id}:{currency}", Kind.WALLET, currency, user_id=user_id)


def hold(milestone_id: int, payer_id: int | None, currency: str) -> Ref:
    """Funds held for one milestone. The payer matters only when the account is made, that is: when the milestone is funded."""
    return Ref(f"hold:{milestone_id}:{currency}", Kind.HOLD, currency, user_id=payer_id, milestone_id=milestone_id)


def pending(user_id: int, currency: str) -> Ref:
    """Released to a freelancer, still in the clearing period."""
    return Ref(f"pending:{user_id}:{currency}", Kind.PENDING, currency, user_id=user_id)


def available(user_id: int, currency: str) -> Ref:
    """What a freelancer may pay out."""
    return Ref(f"available:{user_id}:{currency}", Kind.AVAILABLE, currency, user_id=user_id)


def payout_transit(user_id: int, currency: str) -> Ref:
    """On its way to a freelancer's bank."""
    return Ref(f"payout_transit:{user_id}:{currency}", Kind.PAYOUT_TRANSIT, currency, user_id=user_id)


def receivable(user_id: int, currency: str) -> Ref:
    """What a user owes us (after a charge-back)."""
    return Ref(f"receivable:{user_id}:{currency}", Kind.RECEIVABLE, currency, user_id=user_id)


def chargeback_loss(user_id: int, currency: str) -> Ref:
    """What a user owed us that was written off (debit-normal: a loss). One account for each of them: what they pay later recovers it."""
    return Ref(f"chargeback_loss:{user_id}:{currency}", Kind.CHARGEBACK_LOSS, currency, user_id=user_id)


def clearing(processor: str, currency: str) -> Ref:
    """What a gateway holds for us (debit-normal)."""
    return Ref(f"clearing:{processor}:{currency}", Kind.CLEARING, currency, processor=processor)


def fees(currency: str) -> Ref:
    """The platform's fees."""
    return Ref(f"fees:{currency}", Kind.FEES, currency)


def provider_fees(processor: str, currency: str) -> Ref:
    """What a gateway charged us (debit-normal: an expense)."""
    return Ref(f"provider_fees:{processor}:{currency}", Kind.PROVIDER_FEES, currency, processor=processor)


def tax(currency: str) -> Ref:
    """Tax collected for the authorities."""
    return Ref(f"tax:{currency}", Kind.TAX, currency)


def withholding(currency: str) -> Ref:
    """Kept back from payees for their own authorities."""
    return Ref(f"withholding:{currency}", Kind.WITHHOLDING, currency)


def suspense(processor: str, currency: str) -> Ref:
    """Differences with a gateway that were booked until they are understood."""
    return Ref(f"suspense:{processor}:{currency}", Kind.SUSPENSE, currency, processor=processor)


def write_off(processor: str, currency: str) -> Ref:
    """Differences with a gateway that were given up: a loss, or a gain."""
    return Ref(f"write_off:{processor}:{currency}", Kind.WRITE_OFF, currency, processor=processor)


def fx_clearing(base: str, quote: str, currency: str) -> Ref:
    """Our position in one currency pair, one account for each of its two currencies."""
    return Ref(f"fx_clearing:{base}-{quote}:{currency}", Kind.FX_CLEARING, currency)


def ids(cursor: Any, refs: Iterable[Ref]) -> dict[str, int]:
    """key → account id, in the caller's transaction; missing accounts and their balances are created, once under any race.

    A rival's uncommitted insert of the same key is waited for: its account and balance become visible together.
    """
    wanted = {ref.key: ref for ref in refs}
    key = connection.ops.quote_name("key")
    cursor.execute(f"SELECT {key}, id FROM payments_account WHERE {key} IN ({', '.join(['%s'] * len(wanted))})", list(wanted))
    found = dict(cursor.fetchall())
    missing = [ref for name, ref in wanted.items() if name not in found]
    if missing:
        found.update(_create(missing))
    return found


def _create(missing: list[Ref]) -> dict[str, int]:
    now = clock.now()
    # in the order of their names, so that two creators of several accounts wait for each other instead of deadlocking
    rows = [
        Account(
            key=r.key,
            kind=r.kind,
            currency=r.currency,
            user_id=r.user_id,
            milestone_id=r.milestone_id,
            processor=r.processor,
            created_at=now,
        )
        for r in sorted(missing, key=lambda r: r.key)
    ]
    Account.objects.bulk_create(rows, ignore_conflicts=True)
    there = list(Account.objects.filter(key__in=[r.key for r in missing]).values_list("key", "id", "balance__account_id"))
    if len(there) < len(missing):
        # only at REPEATABLE READ: a rival made one after this transaction began to read. Its second run sees it (1020 is retried)
        raise OperationalError(1020, "an account was made by somebody else meanwhile")
    cached = {r.key for r in missing if r.cached}
    AccountBalance.objects.bulk_create([AccountBalance(account_id=i) for key, i, balance in there if key in cached and balance is None])
    return {key: i for key, i, _ in there}
