"""Who may see and do what with money."""

from __future__ import annotations

from marketplace.core.policies import Actor, staff_may


def sees_all_money(actor: Actor) -> bool:
    """Staff who may `payments_see`."""
    return staff_may(actor, "payments_see")


def decides_payouts(actor: Actor) -> bool:
    """Staff who may `payout_decide`."""
    return staff_may(actor, "payout_decide")
