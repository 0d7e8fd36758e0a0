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
    return _balance(Kind.RECEIVABLE, user_id, currency)


def written_off(user_id: int, currency: str) -> int:
    """What the user owed us and was written off, as far as nothing has recovered it."""
    return _balance(Kind.CHARGEBACK_LOSS, user_id, currency)


def _balance(kind: str, user_id: int, currency: str) -> int:
    account = Account.objects.filter(user_id=user_id, kind=kind, currency=currency).values_list("pk", flat=True).first()
    if account is None:
        return 0
    sums = Posting.objects.filter(Q(debit_account_id=account) | Q(credit_account_id=account)).aggregate(
        debit=Sum("amount", filter=Q(debit_account_id=account)), credit=Sum("amount", filter=Q(credit_account_id=account))
    )
    return int(sums["debit"] or 0) - int(sums["credit"] or 0)


def due(user_id: int, currency: str) -> int:
    """What is to be paid before the user has any money of this currency: what is owed, and what was written off."""
    return owed(user_id, currency) + written_off(user_id, currency)


def _parts_paid(user_id: int, currency: str, there: int) -> tuple[Money, Money]:
    """What of `there` pays the debt, and what then recovers a loss; nobody else pays either until the transaction ends."""
    list(Account.objects.select_for_update().filter(user_id=user_id, kind=Kind.RECEIVABLE, currency=currency).values_list("pk"))
    paid = max(0, min(there, owed(user_id, currency)))
    return Money(paid, currency), Money(max(0, min(there - paid, written_off(user_id, currency))), currency)


def debts_of(user_id: int) -> list[Money]:
    """What the user owes us, also what was written off, one amount a currency."""
    currencies = Account.objects.filter(user_id=user_id, kind=Kind.RECEIVABLE).order_by("currency").values_list("currency", flat=True)
    return [Money(minor, currency) for currency in currencies if (minor := due(user_id, currency)) > 0]


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
    if due(user_id, currency) <= 0:
        return None
    paid, loss = _parts_paid(user_id, currency, wallet_locked(user_id, currency))
    if not paid and not loss:
        return None
    wallet = accounts.wallet(user_id, currency)
    return post(
        "debt_recover",
        key=f"debt_recover:{cause.pk}",
        lines=[
            Line("recovered", wallet, accounts.receivable(user_id, currency), paid),
            Line("written_off", wallet, accounts.chargeback_loss(user_id, currency), loss),
        ],
        subject=("entry", cause.pk),
        actor_id=None,
        rule="debt_first",
    )


def set_off(user_id: int, currency: str, *, cause: Entry) -> Entry | None:
    """Pay what the user owes out of what they may pay out, as far as it goes, because `cause` made money available; else as `recover`."""
    if due(user_id, currency) <= 0:
        return None
    paid, loss = _parts_paid(user_id, currency, available_locked(user_id, currency))
    if not paid and not loss:
        return None
    available = accounts.available(user_id, currency)
    return post(
        "debt_set_off",
        key=f"debt_set_off:{cause.pk}:{currency}",
        lines=[
            Line("set_off", available, accounts.receivable(user_id, currency), paid),
            Line("written_off", available, accounts.chargeback_loss(user_id, currency), loss),
        ],
        subject=("entry", cause.pk),
        actor_id=None,
        rule="debt_first",
    )
