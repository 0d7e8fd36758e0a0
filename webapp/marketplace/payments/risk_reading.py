"""What rules found about a payout, or about somebody's payments, for whoever decides and for the person."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from marketplace.core.money import Money

from .models import Payment, Payout, RiskHold
from .reasons import in_words


@dataclass(frozen=True, slots=True)
class Risk:
    """One payout, or the payment at which somebody's payments were stopped, with the rules' figures as text."""

    act: str
    subject_id: int
    user_id: int
    title: str
    text: str
    state: str
    #: something still waits for a decision
    open: bool


def risk_on(act: str, subject_id: int) -> Risk:
    """What was found about it; it exists, since no payment is ever deleted. Two queries."""
    holds = list(RiskHold.objects.filter(act=act, subject_id=subject_id, shadow=False).order_by("id"))
    found = "\n\n".join(f"{in_words(hold.rule)}\n{_figures(hold)}" for hold in holds)
    waits = any(hold.state == "open" for hold in holds)
    if act == RiskHold.Act.PAYOUT:
        payout = Payout.objects.get(pk=subject_id)
        amount = Money(payout.amount_minor, payout.currency)
        return Risk(act, subject_id, payout.payee_id, f"Payout of {amount}", found, payout.state, waits and payout.state == "held")
    payment = Payment.objects.get(pk=subject_id)
    amount = Money(payment.amount_minor, payment.currency)
    return Risk(act, subject_id, payment.payer_id, f"New payments, since one of {amount}", found, payment.state, waits)


def _figures(hold: RiskHold) -> str:
    return "\n".join([f"rule: {hold.rule}", *(f"{name.replace('_', ' ')}: {value}" for name, value in sorted(hold.evidence.items()))])


def own_risk_holds(user_id: int) -> QuerySet[RiskHold]:
    """What rules hold of somebody's, as far as it is held: what only counts is not told."""
    return RiskHold.objects.filter(user=user_id, shadow=False)
