"""Debts that nobody counts on any more: offered to staff when nothing has moved for DEBT_WRITE_OFF_DAYS, written off by two of them.

A written-off debt is a loss of ours (chargeback_loss), no gift: what comes later recovers it first, as it would have paid the debt.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import BigIntegerField, Exists, Max, OuterRef, Prefetch, Subquery, Sum
from django.db.models.functions import Coalesce, Greatest

from marketplace.core import audit, clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.money import Money
from marketplace.core.policies import Actor, require, require_staff
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from .debts import owed
from .ledger import accounts
from .ledger.accounts import Kind
from .ledger.post import Line, post
from .models import Account, Chargeback, DebtWriteOff, Posting
from .states import DEBT_WRITE_OFF

ACTION = "reconcile"


def debts_listed(actor: Actor, *, ripe: bool = False) -> Any:
    """Accounts of what somebody owes, with `owed_minor`, `moved_at` (the last time it grew or was paid, or a bank decided), `disputed` (a bank may
    still decide) and what was written off before; `ripe`: those alone that can be written off. Raises NotAllowed."""
    require_staff(actor, "payments_see")
    found = _debts().filter(owed_minor__gt=0)
    if ripe:
        found = found.filter(moved_at__lte=clock.now() - timedelta(days=settings.DEBT_WRITE_OFF_DAYS), disputed=False)
    asked = DebtWriteOff.objects.filter(state="asked").select_related("asked_by")
    return found.select_related("user").prefetch_related(Prefetch("write_offs", queryset=asked, to_attr="asked_write_offs"))


def _debts() -> Any:  # accounts with what is annotated here
    def summed(side: str) -> Coalesce:
        of_side = Posting.objects.filter(**{side: OuterRef("pk")}).order_by().values(side)
        return Coalesce(Subquery(of_side.annotate(total=Sum("amount")).values("total"), output_field=BigIntegerField()), 0)

    def last(side: str) -> Subquery:
        return Subquery(Posting.objects.filter(**{side: OuterRef("pk")}).order_by("-id").values("occurred_at")[:1])

    disputes = Chargeback.objects.filter(payment__payer=OuterRef("user"), currency=OuterRef("currency"), owed_minor__gt=0)
    decided = disputes.filter(state="lost").order_by().values("payment__payer").annotate(at=Max("settled_at")).values("at")
    grew = last("debit_account")
    return Account.objects.filter(kind=Kind.RECEIVABLE).annotate(
        owed_minor=summed("debit_account") - summed("credit_account"),
        moved_at=Greatest(grew, Coalesce(last("credit_account"), grew), Coalesce(Subquery(decided), grew)),
        disputed=Exists(disputes.filter(state="open")),
    )


@unit_of_work
def debt_write_off(*, actor: Actor, account_id: int, reason: str) -> DebtWriteOff:
    """Ask that all that somebody owes in a currency is written off; it waits for a second person.

    Raises NotAllowed for anybody else and for the own debt, NotFound, InvalidInput without a reason, Conflict unless nothing has moved for
    DEBT_WRITE_OFF_DAYS, no bank may still decide, and nobody has asked yet.
    """
    account, reason = _locked(actor, account_id, reason)
    if DebtWriteOff.objects.filter(waiting=account.pk).exists():
        raise Conflict("write_off_asked", "Somebody has asked for this already: it waits for a second person.")
    amount = _ripe(account)
    row = DebtWriteOff(
        account=account, amount_minor=amount.minor, waiting=account.pk, reason=reason, asked_by_id=actor.pk, asked_at=clock.now()
    )
    row.save(force_insert=True)
    _said(actor, row, reason, None, "asked")
    return _fresh(row)


@unit_of_work
def debt_write_off_approve(*, actor: Actor, account_id: int, reason: str) -> DebtWriteOff:
    """The second person: the debt is a loss of ours now. Raises as debt_write_off, NotAllowed("write_off_second") for the person who asked,
    Conflict unless somebody did, and when the debt is another one by now."""
    account, reason = _locked(actor, account_id, reason)
    row = _asked(account)
    require(row.asked_by_id != actor.pk, "write_off_second", "You asked for this: somebody else has to approve it.")
    amount = _ripe(account)
    if amount.minor != row.amount_minor:
        raise Conflict("write_off_changed", f"{amount} is owed now, not what was asked for: refuse this, and ask again.")
    user_id, currency = int(account.user_id or 0), account.currency
    post(
        "debt_write_off",
        key=f"debt_write_off:{row.pk}",
        lines=[Line("lost", accounts.chargeback_loss(user_id, currency), accounts.receivable(user_id, currency), amount)],
        subject=("debt_write_off", row.pk),
        actor_id=actor.pk,
        rule="staff_write_off",
        reason=reason,
    )
    return _decided(actor, row, "write_off", reason)


@unit_of_work
def debt_write_off_refuse(*, actor: Actor, account_id: int, reason: str) -> DebtWriteOff:
    """It is still owed. Also whoever asked may take it back so. Raises as debt_write_off_approve."""
    account, reason = _locked(actor, account_id, reason)
    return _decided(actor, _asked(account), "refuse", reason)


def _locked(actor: Actor, account_id: int, reason: str) -> tuple[Account, str]:
    """The debt's account, under whose lock debts are paid, and the reason as it is kept."""
    require_staff(actor, ACTION)
    account = Account.objects.select_for_update().filter(pk=account_id, kind=Kind.RECEIVABLE).first()
    if account is None:
        raise NotFound("debt")
    require(account.user_id != actor.pk, "write_off_own", "Nobody writes off what they owe themselves: another member of staff does.")
    checks = Checks()
    reason = checks.text("reason", reason, longest=audit.REASON_LENGTH, shortest=1)
    checks.raise_if_any()
    return account, reason


def _ripe(account: Account) -> Money:
    """What is owed; raises Conflict while it cannot be written off."""
    amount = Money(max(0, owed(int(account.user_id or 0), account.currency)), account.currency)
    if not amount:
        raise Conflict("write_off_nothing", "Nothing is owed any more.")
    debt = _debts().get(pk=account.pk)
    days = settings.DEBT_WRITE_OFF_DAYS
    if debt.disputed:
        raise Conflict("write_off_disputed", "The bank may still decide about a payment that this is owed for: wait for that.")
    if debt.moved_at > clock.now() - timedelta(days=days):
        raise Conflict("write_off_early", f"It is written off when nothing of it has moved for {days} days, at the earliest.")
    return amount


def _asked(account: Account) -> DebtWriteOff:
    row = DebtWriteOff.objects.select_for_update().filter(waiting=account.pk).first()
    if row is None:
        raise Conflict("write_off_unasked", "Nobody has asked to write this off.")
    return row


def _decided(actor: Actor, row: DebtWriteOff, act: str, reason: str) -> DebtWriteOff:
    before = row.state
    row.decided_by_id, row.decided_at, row.decision_reason, row.waiting = actor.pk, clock.now(), reason, None
    also = ["decided_by", "decided_at", "decision_reason", "waiting"]
    move(row, DEBT_WRITE_OFF, act, role="staff", actor_id=actor.pk, also=also, reason=reason, extra=_about(row))
    _audited(actor, row, reason, before, row.state)
    return _fresh(row)


def _said(actor: Actor, row: DebtWriteOff, reason: str, before: str | None, after: str) -> None:
    events.record(aggregate=row, kind="debt_write_off.ask", actor_id=actor.pk, after=_about(row), reason=reason)
    _audited(actor, row, reason, before, after)


def _audited(actor: Actor, row: DebtWriteOff, reason: str, before: str | None, after: str) -> None:
    audit.record(actor=actor, action=ACTION, obj=row, reason=reason, before={"state": before}, after={"state": after, **_about(row)})


def _about(row: DebtWriteOff) -> dict[str, object]:
    return {"amount_minor": row.amount_minor, "currency": row.account.currency, "user_id": row.account.user_id}


def _fresh(row: DebtWriteOff) -> DebtWriteOff:
    return DebtWriteOff.objects.select_related("account__user", "asked_by", "decided_by").get(pk=row.pk)
