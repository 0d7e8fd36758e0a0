"""A share of decided cases is judged once more, blindly, to measure how far moderators agree."""

from __future__ import annotations

from django.conf import settings
from django.utils.crypto import salted_hmac

from marketplace.accounts.models import User
from marketplace.core import clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict
from marketplace.core.policies import require_staff
from marketplace.core.transactions import unit_of_work

from .. import policies
from ..case_reading import rating_for
from ..models import Case, ReasonCode, SecondRating
from ..states import ACTS
from ..subjects import subject


def sample(case: Case) -> None:
    """In the decision's transaction: ask for a second look at MODERATION_RERATE_BPS of 10,000 cases, which ones nobody can foresee."""
    drawn = int(salted_hmac("trust.second_rating", str(case.pk), algorithm="sha256").hexdigest()[:8], 16) % 10_000
    if drawn < settings.MODERATION_RERATE_BPS:
        SecondRating.objects.get_or_create(
            case=case, defaults={"asked_at": clock.now(), "first_act": case.act, "first_code": case.reason_code}
        )


@unit_of_work
def case_rate(*, actor: User, case_id: int, act: str, reason_code: str) -> SecondRating:
    """Judge a sampled case as if it were undecided; nothing is done to anybody. Raises NotAllowed for whoever took part or has a stake, NotFound,
    Conflict when it is judged already, InvalidInput.
    """
    require_staff(actor, "moderation_decide")
    case = Case.objects.select_for_update().get(pk=rating_for(actor, case_id).pk)
    policies.require_outsider(case, subject(case.subject_type, case.subject_id).parties, actor)
    checks = Checks()
    checks.choice("act", act, policies.acts_on(case.subject_type))
    checks.choice("reason_code", reason_code, ReasonCode.values)
    if act in ACTS and (act == "allow") != (reason_code == ReasonCode.NO_BREACH):
        checks.add("reason_code", "“no_breach” goes with “allow”, and with nothing else.")
    checks.raise_if_any()
    rating = SecondRating.objects.select_for_update().get(pk=case.pk)
    if rating.rated_at is not None:
        raise Conflict("moderation_rated", "Somebody else has judged this case meanwhile.")
    rating.rater, rating.act, rating.reason_code, rating.rated_at = actor, act, reason_code, clock.now()
    rating.save(update_fields=["rater", "act", "reason_code", "rated_at"])
    events.record(aggregate=case, kind="moderation.second_rating", actor_id=actor.pk, after={"act": act, "reason_code": reason_code})
    return rating
