"""Where the rest of a milestone goes when it is to be held for the next one; what the services do under lock and the timeline tells.

Belongs here: the rule, over rows that the caller has read. docs/adr/0010-held-money.md gives its reasons.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings

from marketplace.core.errors import Conflict

from .models import Milestone
from .states import MILESTONE_ENDED

#: states in which a milestone takes the rest of the one before it: its work is still to be handed in
TAKES_REST = ("funded", "in_progress", "changes_requested")


def next_for(milestone: Milestone, among: Iterable[Milestone], now: datetime) -> Milestone:
    """The milestone that takes the rest of this one now: always the next that is still open, as both sides understood it. Raises Conflict
    saying what is in the way: it is not funded or handed in, its own money is asked back, or the rest is too old for it.
    """
    later = (m for m in among if m.position > milestone.position and m.state not in MILESTONE_ENDED)
    found = min(later, key=lambda m: m.position, default=None)
    if found is None:
        raise Conflict("no_next_milestone", "There is no next milestone that is still open: the rest can only go back to the wallet.")
    if found.state not in TAKES_REST:
        what = "Fund it first, so that its hold can take the rest" if found.state == "planned" else "The rest cannot go there now"
        raise Conflict("next_milestone_not_ready", f"“{found.title}” is {found.state.replace('_', ' ')}. {what}.")
    if found.refund_asked_at is not None:
        what = "The rest cannot go there before that request is answered or withdrawn; it can go back to the wallet"
        raise Conflict("next_milestone_asked_back", f"A refund request is open on “{found.title}” itself. {what}.")
    _young_enough(milestone, found, now)
    return found


def held_until(milestone: Milestone) -> datetime | None:
    """When the milestone's hold reaches its limit; None before it is funded."""
    began = milestone.hold_began_at
    return None if began is None else began + timedelta(days=settings.HOLD_LIMIT_DAYS)


def held_until_together(milestone: Milestone, target: Milestone) -> datetime | None:
    """When the target's whole hold reaches its limit once it has taken the rest of the milestone."""
    return min((t for t in (held_until(milestone), held_until(target)) if t is not None), default=None)


def _young_enough(milestone: Milestone, target: Milestone, now: datetime) -> None:
    """The whole hold returns at the age of its oldest money, so old money must not draw the next milestone's own money back with it."""
    ends, own = held_until(milestone), held_until(target)
    if ends is None or (own is not None and own <= ends):
        return
    told = f"What is left of “{milestone.title}” can be held only until {ends:%Y-%m-%d %H:%M} UTC"
    if target.due_at is not None and target.due_at > ends:
        why = f"“{target.title}” is due later, on {target.due_at:%Y-%m-%d %H:%M} UTC"
    elif now >= ends - timedelta(days=settings.HOLD_LIMIT_DAYS - settings.HOLD_ALARM_DAYS):
        why = f"it would take the money of “{target.title}” back with it then"
    else:
        return
    raise Conflict("rest_too_old", f"{told}, and {why}. The rest can go back to the wallet, and be paid in anew.")
