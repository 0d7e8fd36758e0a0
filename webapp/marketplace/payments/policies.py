"""Who may see and do what with money."""

from __future__ import annotations

from typing import Any

from marketplace.core.policies import Actor

#: staff groups that see everybody's money
MONEY_GROUPS = ("finance", "admin")


def sees_all_money(actor: Actor) -> bool:
    """Superusers, and staff of the finance and admin groups."""
    user: Any = actor
    if not actor.is_authenticated or not actor.is_staff:
        return False
    return bool(user.is_superuser) or user.groups.filter(name__in=MONEY_GROUPS).exists()
