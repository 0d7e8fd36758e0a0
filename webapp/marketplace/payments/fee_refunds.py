"""A fee that the platform gives back to the freelancer who bore it, whole or in part, with its share of the tax."""

from __future__ import annotations

from django.db.models import Sum

from marketplace.core import audit, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.money import Money
from marketplace.core.policies import Actor, require, require_staff
from marketplace.core.transactions import unit_of_work

from . import debts, taxes
from .ledger import accounts
from .ledger.post import Line, post
from .models import Entry, Posting

PAID = ("release", "settle", "bonus")


@unit_of_work
def fee_refund(*, actor: Actor, entry_id: int, amount_minor: int, reason: str) -> Entry:
    """Staff give back so much of the fee that the entry took, and the tax on it, to the freelancer's available balance; a credit note follows.

    Raises NotAllowed for anybody else and for one's own fee, NotFound unless the entry took a fee of somebody, Conflict("fee_refund_too_much") when less is
    left of it, InvalidInput.
    """
    require_staff(actor, "fee_refund")
    checks = Checks()
    checks.amount("amount_minor", amount_minor)
    why = checks.text("reason", reason, longest=500, shortest=1)
    checks.raise_if_any()
    entry = Entry.objects.select_for_update().filter(pk=entry_id, kind__in=PAID).first()
    legs = {p.leg: p for p in Posting.objects.filter(entry_id=entry_id).select_related("credit_account")} if entry is not None else {}
    # what shrank to nothing in the payee's currency reached nobody: there is nobody to give its fee back to
    reached = legs.get("net") or legs.get("fx_in")
    if entry is None or reached is None or "fee" not in legs:
        raise NotFound("entry")
    payee = reached.credit_account.user_id
    require(
        payee is not None and payee != actor.pk, "fee_refund_own", "Nobody gives a fee back to themselves: another member of staff does."
    )
    fee, tax = (legs[name].amount if name in legs else 0 for name in ("fee", "tax"))
    before = Posting.objects.filter(entry__kind="fee_refund", entry__subject_type="entry", entry__subject_id=entry.pk)
    done = int(before.filter(leg="fee").aggregate(n=Sum("amount"))["n"] or 0)
    currency = legs["fee"].currency
    if done + amount_minor > fee:
        left = Money(fee - done, currency)
        raise Conflict("fee_refund_too_much", f"{left} of this fee is left to give back.")
    part = taxes.part_of(tax, done + amount_minor, fee) - taxes.part_of(tax, done, fee)
    to = accounts.available(int(payee or 0), currency)
    given = post(
        "fee_refund",
        key=f"fee_refund:{entry.pk}:{done}",
        lines=[
            Line("fee", accounts.fees(currency), to, Money(amount_minor, currency)),
            Line("tax", accounts.tax(currency), to, Money(part, currency)),
        ],
        subject=("entry", entry.pk),
        contract_id=entry.contract_id,
        actor_id=actor.pk,
        rule="staff_fee_refund",
        reason=why,
    )
    debts.set_off(int(payee or 0), currency, cause=given)
    told = {"amount_minor": amount_minor, "tax_minor": part, "currency": currency, "payee_id": payee, "entry_id": given.pk}
    events.record(aggregate=entry, kind="entry.fee_refund", actor_id=actor.pk, after=told, reason=why)
    states = {"before": {"fee_refunded_minor": done}, "after": {"fee_refunded_minor": done + amount_minor}}
    audit.record(actor=actor, action="fee_refund", obj=entry, reason=why, **states)
    return given
