"""Who may decide what, and whose decision needs another person's."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from marketplace.core.errors import NotAllowed
from marketplace.core.money import Money
from marketplace.core.policies import Actor, require, require_staff
from marketplace.payments.selectors import balances_of, worth

from .models import Case, Report
from .states import ACTS, UNDECIDED

#: what can be done to a thing beside allowing it, warning its author and suspending them: hold and remove work where an app can undo them
_HIDEABLE = ("job", "review", "reply")
#: what a velocity rule holds already: to let go, to refuse, or to suspend whose it is
MONEY = ("payment", "payout")


def acts_on(subject_type: str) -> tuple[str, ...]:
    """The acts that a decision on such a thing may take."""
    if subject_type in MONEY:
        return ("allow", "remove", "suspend")
    return ACTS if subject_type in _HIDEABLE else tuple(a for a in ACTS if a not in ("hold", "remove"))


def require_outsider(case: Case, parties: frozenset[int], actor: Actor) -> None:
    """Raise NotAllowed for whoever has a stake: the author, the other side of the thing, whoever reported it."""
    stake = actor.pk == case.about_id or actor.pk in parties or Report.objects.filter(case=case, reporter_id=actor.pk).exists()
    require(not stake, "moderation_own", "You have a stake in this case: somebody else decides it.")


def require_claim(case: Case, actor: Actor, now: datetime) -> None:
    """Raise NotAllowed unless the actor holds the case's live claim."""
    held = case.claimed_by_id == actor.pk and case.claim_until is not None and case.claim_until > now
    require(held, "moderation_not_claimed", "Claim this case first, so that two people do not decide it at once.")


def require_second(case: Case, actor: Actor) -> None:
    """Raise NotAllowed for whoever may not give a second approval, or proposed the act."""
    require_staff(actor, "moderation_second")
    if actor.pk == case.decided_by_id:
        raise NotAllowed("moderation_second_same", "You proposed this: another person approves it or sends it back.")


def require_appeal_decider(case: Case, actor: Actor) -> None:
    """Raise NotAllowed for whoever took or approved the decision that is appealed."""
    require_staff(actor, "moderation_decide")
    if actor.pk in (case.decided_by_id, case.second_by_id):
        raise NotAllowed("moderation_appeal_same", "You took part in the decision that is appealed: somebody else decides now.")


def needs_second(act: str, user_id: int) -> bool:
    """The stated rule: a suspension always waits for a second person; a removal does when the account holds or has earned much."""
    return act == "suspend" or (act == "remove" and is_high_value(user_id))


def is_high_value(user_id: int) -> bool:
    """Whether what an account holds or has earned and not been paid is worth MODERATION_HIGH_VALUE_USD_MINOR or more; unknown rates count as much."""
    total = 0
    for b in balances_of(user_id):
        sums = (b.wallet, b.held, b.pending, b.available, b.in_transit)
        minor = sum(m.minor for m in sums)
        usd = worth(Money(minor, b.currency), "USD") if minor > 0 else Money(0, "USD")
        if usd is None:
            return True
        total += usd.minor
    return total >= settings.MODERATION_HIGH_VALUE_USD_MINOR


def case_actions(case: Case, actor_id: int, now: datetime) -> list[str]:
    """The last words of the routes that a moderator without a stake may use now."""
    claimed = case.claim_until is not None and case.claim_until > now
    mine = claimed and case.claimed_by_id == actor_id
    if case.state in UNDECIDED:
        if case.needs_second:
            return ["approve", "send-back"] if case.decided_by_id != actor_id else []
        return ["decide", "release"] if mine else [] if claimed else ["claim"]
    if case.state == "appealed" and actor_id not in (case.decided_by_id, case.second_by_id):
        return ["decide-appeal"]
    return []
