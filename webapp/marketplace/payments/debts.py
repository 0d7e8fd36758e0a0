"""What users owe us: after a chargeback that their wallet could not bear, or a payout that was paid twice over. Money that comes into the wallet,
or becomes available for payout, pays it first, in the same transaction.

So nobody who owes has money to spend in that currency, and of other currencies only what is more than the debt is worth is paid out. A debt is paid under the lock of the balance that pays, and then of the debt's account, so
that wallet and earnings do not both pay it at the same moment.
"""

from __future__ import annotations

from django.db.models import Q, Sum

from marketplace.core.errors import Conflict
from marketplace.core.money import Money

from . import selectors
from .ledger import accounts
from .ledger.accounts import Kind
from .ledger.post import Line, post
from .models import Account, AccountBalance, Entry, Posting


def wallet_locked(user_id: int, currency: str) -> int:
    """What is in the wallet, in minor units; its balance stays locked until the transaction ends. 0 where there is no wallet (yet)."""
    wallet = Account.objects.filter(user_id=user_id, kind=Kind.WALLET, currency=currency).values("id")
    return AccountBalance.objects.select_for_update().filter(account__in=wallet).values_list("available", flat=True).first() or 0


def available_locked(user_id: int, currency: str) -> int:
    """The same of what the user may pay out."""
    account = Account.objects.filter(user_id=user_id, kind=Kind.AVAILABLE, currency=currency).values("id")
    return AccountBalance.objects.select_for_update().filter(account__in=account).values_list("available", flat=True).first() or 0


def owed(user_id: int, currency: str) -> int:
    """What the user owes us in this currency, in minor units. To decide by it, lock the wallet first."""
    account = Account.objects.filter(user_id=user_id, kind=Kind.RECEIVABLE, currency=currency).values_list("pk", flat=True).first()
    if account is None:
        return 0
    sums = Posting.objects.filter(Q(debit_account_id=account) | Q(credit_account_id=account)).aggregate(
        debit=Sum("amount", filter=Q(debit_account_id=account)), credit=Sum("amount", filter=Q(credit_account_id=account))
    )
    return int(sums["debit"] or 0) - int(sums["credit"] or 0)


def _owed_locked(user_id: int, currency: str) -> int:
    """The same, and nobody else pays it until the transaction ends."""
    debt = Account.objects.select_for_update().filter(user_id=user_id, kind=Kind.RECEIVABLE, currency=currency)
    return owed(user_id, currency) if debt.values_list("pk", flat=True).first() is not None else 0


def debts_of(user_id: int) -> list[Money]:
    """What the user owes us, one amount a currency."""
    currencies = Account.objects.filter(user_id=user_id, kind=Kind.RECEIVABLE).order_by("currency").values_list("currency", flat=True)
    return [Money(minor, currency) for currency in currencies if (minor := owed(user_id, currency)) > 0]


def kept_back(user_id: int, currency: str) -> Money | None:
    """How much in this currency has to stay here because of what the user owes in any: its worth. None where no rate tells that: then all of it."""
    total = Money(0, currency)
    for debt in debts_of(user_id):
        there = selectors.worth(debt, currency)
        if there is None:
            return None
        total += Money(max(1, there.minor), currency)
    return total


def covered(user_id: int, currency: str) -> bool:
    """Whether what is available in this currency is worth what the user owes; its balance stays locked until the transaction ends."""
    there = available_locked(user_id, currency)
    kept = kept_back(user_id, currency)
    return kept is not None and there >= kept.minor


def require_covered(user_id: int, currency: str) -> None:
    """Raise Conflict("money_owed") unless as much stays available in this currency as the user's debts are worth."""
    if covered(user_id, currency):
        return
    debts, kept = " and ".join(str(debt) for debt in debts_of(user_id)), kept_back(user_id, currency)
    least = "Nothing can be paid out in this currency" if kept is None else f"At least {kept} of your balance stays here"
    raise Conflict("money_owed", f"You owe {debts}. {least} until you have paid that: pay it into your wallet.")


def recover(user_id: int, currency: str, *, cause: Entry) -> Entry | None:
    """Pay what the user owes out of the wallet, as far as it goes, because `cause` brought money there; None when nothing is owed or there.

    It is a matter between the payer and us, so the entry is of no contract, whatever brought the money: the other side of a contract reads all
    of its entries. Runs in the transaction of `cause`. Called again for the same cause it changes nothing.
    """
    if owed(user_id, currency) <= 0:
        return None
    amount = min(wallet_locked(user_id, currency), _owed_locked(user_id, currency))
    if amount <= 0:
        return None
    return post(
        "debt_recover",
        key=f"debt_recover:{cause.pk}",
        lines=[Line("recovered", accounts.wallet(user_id, currency), accounts.receivable(user_id, currency), Money(amount, currency))],
        subject=("entry", cause.pk),
        actor_id=None,
        rule="debt_first",
    )


def set_off(user_id: int, currency: str, *, cause: Entry) -> Entry | None:
    """Pay what the user owes out of what they may pay out, as far as it goes, because `cause` made money available; else as `recover`."""
    if owed(user_id, currency) <= 0:
        return None
    amount = min(available_locked(user_id, currency), _owed_locked(user_id, currency))
    if amount <= 0:
        return None
    return post(
        "debt_set_off",
        key=f"debt_set_off:{cause.pk}:{currency}",
        lines=[Line("set_off", accounts.available(user_id, currency), accounts.receivable(user_id, currency), Money(amount, currency))],
        subject=("entry", cause.pk),
        actor_id=None,
        rule="debt_first",
    )
