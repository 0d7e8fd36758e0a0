"""What a decision about a risk does, called by whoever keeps the cases: payments know no cases."""

from __future__ import annotations

from marketplace.core import audit
from marketplace.core.errors import Conflict
from marketplace.core.policies import Actor, require, require_staff
from marketplace.core.transactions import unit_of_work

from . import risk
from .models import Payment, RiskHold
from .payouts import payout_allow, payout_locked, payout_refuse


@unit_of_work
def risk_decide(*, actor: Actor, act: str, subject_id: int, allow: bool, reason: str, action: str) -> None:
    """Let a held payout go or refuse it (the money is back on the balance then); let a person pay again or keep their payments stopped.

    `action` is what permits it. What was decided the same way before is left alone. Raises NotAllowed for anybody else and in one's own
    matter, Conflict for refusing a payout that is gone.
    """
    if act == RiskHold.Act.PAYMENT:
        _decide_payments(actor, subject_id, "release" if allow else "refuse", reason, action)
        return
    payout = payout_locked(subject_id)
    if allow and payout.state == "held":
        payout_allow(actor=actor, payout_id=subject_id, reason=reason, action=action)
    elif not allow and payout.state in ("requested", "held"):
        payout_refuse(actor=actor, payout_id=subject_id, reason=reason, action=action)
    elif not allow and payout.state in ("sent", "paid"):
        raise Conflict("payout_gone", "This payout was sent already. Somebody let it go meanwhile; only the bank can answer now.")


@unit_of_work
def risk_undo(*, actor: Actor, act: str, subject_id: int, reason: str, action: str) -> None:
    """A refusal was wrong: payments are possible again. A refused payout is not brought back, its money is on the balance; the rule is quiet."""
    if act == RiskHold.Act.PAYMENT:
        _decide_payments(actor, subject_id, "release", reason, action)
        return
    require_staff(actor, action)
    risk.close_holds(risk.holds_on_payout(subject_id), "release", role="staff", actor_id=actor.pk, reason=reason)


def _decide_payments(actor: Actor, payment_id: int, word: str, reason: str, action: str) -> None:
    require_staff(actor, action)
    payment = Payment.objects.select_for_update().get(pk=payment_id)
    require(payment.payer_id != actor.pk, "payment_own", "Nobody decides about their own payments: another member of staff does.")
    holds = RiskHold.objects.filter(act=RiskHold.Act.PAYMENT, subject_id=payment_id, shadow=False)
    before = sorted(holds.values_list("rule", "state"))
    if risk.close_holds(holds, word, role="staff", actor_id=actor.pk, reason=reason):
        states = {"before": {"risk_holds": before}, "after": {"risk_holds": sorted(holds.values_list("rule", "state"))}}
        audit.record(actor=actor, action=action, obj=payment, reason=reason, **states)
