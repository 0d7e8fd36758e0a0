"""The person whose content was acted on asks for another look; somebody who took no part decides, and what was wrong is undone."""

from __future__ import annotations

from marketplace.accounts.models import User
from marketplace.core import audit, clock
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from .. import policies
from ..case_reading import case_of_token, decision_for
from ..models import Case
from ..states import CASE
from . import acts
from .cases import _entered, _locked, _told, appeal_ends

MAX_REASON = 5_000
MAX_ANSWER = 2_000


@unit_of_work
def case_appeal(*, actor: User, case_id: int, reason: str) -> Case:
    """The author says why the decision is wrong, within MODERATION_APPEAL_DAYS. Raises NotFound for everybody else, Conflict, InvalidInput."""
    return _appeal(_locked(decision_for(actor, case_id).pk), reason)


@unit_of_work
def case_appeal_by_token(*, token: str, reason: str) -> Case:
    """The same by the link of the letter, for whoever cannot sign in because of the decision. Raises NotFound for a link that is not ours."""
    case_id = case_of_token(token)
    if case_id is None:
        raise NotFound("decision")
    return _appeal(_locked(case_id), reason)


def _appeal(case: Case, reason: str) -> Case:
    checks = Checks()
    reason = checks.text("reason", reason, longest=MAX_REASON, shortest=1)
    checks.raise_if_any()
    now = clock.now()
    if case.state == "actioned" and (case.appeal_until is None or case.appeal_until <= now):
        raise Conflict("moderation_appeal_over", "The time for an appeal is over. Write to support if something new has come up.")
    case.appeal_reason, case.appealed_at, case.decide_by, case.late_at = reason, now, appeal_ends(now), None
    also = ["appeal_reason", "appealed_at", "decide_by", "late_at"]
    extra = {"act": case.act, "about_id": case.about_id, "decide_by": case.decide_by.isoformat()}
    move(case, CASE, "appeal", role="subject", actor_id=case.about_id, reason=reason[:500], also=also, extra=extra)
    return case


@unit_of_work
def appeal_decide(*, actor: User, case_id: int, overturn: bool, reason: str) -> Case:
    """Somebody who took no part in the decision upholds it, or overturns and undoes it in this transaction. It is final; the author reads why.

    Raises NotAllowed, NotFound, Conflict when nothing is appealed, InvalidInput. What cannot be undone any more, such as bringing back a post
    that its client closed, is named in the event.
    """
    case = _entered(actor, case_id, "moderation_decide")
    policies.require_appeal_decider(case, actor)
    checks = Checks()
    reason = checks.text("reason", reason, longest=MAX_ANSWER, shortest=1)
    checks.raise_if_any()
    before, word = _told(case), "overturn" if overturn else "uphold"
    extra = {"act": case.act, "about_id": case.about_id}
    if overturn and case.state == "appealed":
        extra["not_undone"] = acts.undo(case, actor, reason)
    case.appeal_decided_by, case.appeal_decided_at, case.appeal_answer, case.decide_by = actor, clock.now(), reason, None
    also = ["appeal_decided_by", "appeal_decided_at", "appeal_answer", "decide_by"]
    move(case, CASE, word, role="staff", actor_id=actor.pk, reason=reason[:500], also=also, extra=extra)
    audit.record(
        actor=actor,
        action="moderation_decide",
        obj=case,
        reason=reason[: audit.REASON_LENGTH],
        before={"state": before["state"]},
        after={"state": case.state},
    )
    return case
