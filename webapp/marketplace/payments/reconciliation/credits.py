"""What lies in suspense is found to be a payer's: it goes into their wallet, after a second person has agreed.

The way of a payment whose amount the gateway tells differently: its difference is booked into suspense, and credited from there. The payment
itself is over then; it is never deposited beside the credit.
"""

from __future__ import annotations

from marketplace.core import audit
from marketplace.core.errors import Conflict
from marketplace.core.money import Money
from marketplace.core.policies import Actor, require
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from ..debts import recover
from ..gateways import payment_credited
from ..ledger import accounts
from ..ledger.post import Line, post
from ..models import Difference, Payment
from ..states import DIFFERENCE
from .differences import about, audited, difference_locked, reason_given


@unit_of_work
def difference_credit(*, actor: Actor, difference_id: int, reason: str) -> Difference:
    """Ask that what was booked into suspense for a payment goes to its payer's wallet; it waits for a second person.

    Raises NotAllowed for anybody else and for the own money, NotFound, InvalidInput without a reason, Conflict unless it is the money of a
    payment that was never deposited, and lies in suspense.
    """
    row = difference_locked(actor, difference_id)
    reason = reason_given(reason)
    _payment_of(row)
    before = row.state
    row.asked_by_id = actor.pk
    move(row, DIFFERENCE, "ask_credit", role="staff", actor_id=actor.pk, also=["asked_by"], reason=reason, extra=about(row))
    return audited(actor, row, before, reason)


@unit_of_work
def difference_credit_approve(*, actor: Actor, difference_id: int, reason: str) -> Difference:
    """The second person: the money is in the payer's wallet, where it pays their debts first. Raises as difference_credit,
    NotAllowed("difference_second") for the person who asked, Conflict unless somebody did."""
    row = difference_locked(actor, difference_id)
    reason = reason_given(reason)
    if row.state != "crediting":
        raise Conflict("difference_credit_unasked", f"This difference is {row.state.replace('_', ' ')}: nobody has asked to credit it.")
    require(row.asked_by_id != actor.pk, "difference_second", "You asked for this credit: somebody else has to approve it.")
    payment = payment_credited(payment_id=_payment_of(row).pk, actor_id=actor.pk, reason=reason)
    amount = Money(row.effect_minor, row.currency)
    line = Line("credit", accounts.suspense(row.provider, row.currency), accounts.wallet(payment.payer_id, row.currency), amount)
    entry = post(
        "difference_credit",
        key=f"difference_credit:{row.pk}",
        lines=[line],
        subject=("difference", row.pk),
        actor_id=actor.pk,
        rule="staff_reconciliation",
        reason=reason,
    )
    recover(payment.payer_id, row.currency, cause=entry)
    move(row, DIFFERENCE, "credit", role="staff", actor_id=actor.pk, reason=reason, extra={**about(row), "payment_id": payment.pk})
    audit.record(
        actor=actor, action="reconcile", obj=payment, reason=reason, before={"credited_minor": 0}, after={"credited_minor": amount.minor}
    )
    return audited(actor, row, "crediting", reason)


@unit_of_work
def difference_credit_refuse(*, actor: Actor, difference_id: int, reason: str) -> Difference:
    """It stays in suspense. Also whoever asked may take it back so. Raises as difference_credit_approve."""
    row = difference_locked(actor, difference_id)
    reason = reason_given(reason)
    row.asked_by = None
    move(row, DIFFERENCE, "keep", role="staff", actor_id=actor.pk, also=["asked_by"], reason=reason)
    return audited(actor, row, "crediting", reason)


def _payment_of(row: Difference) -> Payment:
    """The payment whose money lies in suspense. Raises Conflict when there is none, or it was deposited."""
    kind, _, pk = row.item.partition(":")
    booked = row.state in ("booked", "crediting") and row.entry is not None and row.entry.kind == "difference_book" and row.effect_minor > 0
    payment = Payment.objects.filter(pk=int(pk)).first() if booked and kind == "payment" else None
    if payment is None or payment.settled_at is not None:
        raise Conflict("difference_credit_impossible", "Only what lies in suspense for a payment that was never deposited is credited.")
    return payment
