"""Moderators at work: claim, decide, approve, send back, and what the clock does when nobody acts.

Every verb locks the case first, then what the act touches. Rules: docs/adr/0011-moderation.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from marketplace.accounts.models import User
from marketplace.core import audit, clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.policies import require_staff
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from .. import policies
from ..models import Case, ReasonCode, Report
from ..states import ACTS, CASE, UNDECIDED
from ..subjects import subject
from . import acts, ratings

MAX_REASON = 2_000
MAX_EVIDENCE, EVIDENCE_LENGTH = 10, 1_000
#: what a decision leaves on the case; forgotten when it is sent back or runs out
_DECISION = ("act", "reason_code", "reason", "evidence", "decided_by", "decided_at", "needs_second", "content_held")


@unit_of_work
def case_claim(*, actor: User, case_id: int) -> Case:
    """Take an undecided case for MODERATION_CLAIM_MINUTES; claiming one's own claim again prolongs it.

    Raises NotAllowed, NotFound, Conflict("moderation_claimed") while somebody else holds it, Conflict when it is decided.
    """
    case = _entered(actor, case_id, "moderation_decide")
    now = clock.now()
    if case.state not in UNDECIDED:
        raise Conflict("moderation_decided", "This case is decided already.")
    if case.claimed_by_id not in (None, actor.pk) and case.claim_until is not None and case.claim_until > now:
        raise Conflict("moderation_claimed", "Somebody else is at this case. Take another, or wait until the claim runs out.")
    case.claimed_by, case.claim_until = actor, now + timedelta(minutes=settings.MODERATION_CLAIM_MINUTES)
    case.save(update_fields=["claimed_by", "claim_until"])
    until = {"claim_until": case.claim_until.isoformat()}
    events.record(aggregate=case, kind="moderation.claim", actor_id=actor.pk, after=until)
    return case


@unit_of_work
def case_release(*, actor: User, case_id: int) -> Case:
    """Give a claimed case back. Raises NotAllowed unless the actor holds its claim."""
    case = _entered(actor, case_id, "moderation_decide")
    policies.require_claim(case, actor, clock.now())
    _unclaim(case)
    case.save(update_fields=["claimed_by", "claim_until"])
    events.record(aggregate=case, kind="moderation.release", actor_id=actor.pk)
    return case


@unit_of_work
def case_decide(*, actor: User, case_id: int, act: str, reason_code: str, reason: str = "", evidence: Sequence[str] = ()) -> Case:
    """Decide a claimed case: allow it, warn its author, hold it for MODERATION_HOLD_DAYS, remove it, or suspend the author; the act is taken in
    this transaction, or waits for a second person where the rule of `policies.needs_second` says so. The author is told the reason and the
    evidence; so are those who reported it, of the outcome.

    Raises NotAllowed without a live claim or with a stake, NotFound, Conflict when the state or the thing itself does not allow it, InvalidInput.
    """
    case = _entered(actor, case_id, "moderation_decide")
    now = clock.now()
    policies.require_claim(case, actor, now)
    decided = _checked(case, act, reason_code, reason, evidence)
    if case.state not in UNDECIDED or case.needs_second:
        raise Conflict("moderation_not_undecided", "This case is decided, or waits for a second person.")
    before = _told(case)
    for name, value in decided.items():
        setattr(case, name, value)
    case.decided_by, case.decided_at = actor, now
    _unclaim(case)
    if policies.needs_second(act, case.about_id):
        case.needs_second, case.decide_by = True, now + timedelta(days=settings.MODERATION_SECOND_DAYS)
        _audit(actor, "moderation_decide", case, before, {**_told(case), "state": "held"})
        return _move(case, "propose", actor)
    _take(case, actor, "moderation_decide", before)
    return case


@unit_of_work
def case_approve(*, actor: User, case_id: int) -> Case:
    """The second person agrees: the proposed act is taken now. Raises NotAllowed for whoever proposed it or has a stake, Conflict otherwise."""
    case = _waiting(actor, case_id)
    case.second_by, case.second_at = actor, clock.now()
    _take(case, actor, "moderation_second", _told(case))
    return case


@unit_of_work
def case_send_back(*, actor: User, case_id: int, reason: str) -> Case:
    """The second person does not agree: the case is undecided again, and what was held is back in view. The proposal stays in the events."""
    case = _waiting(actor, case_id)
    checks = Checks()
    reason = checks.text("reason", reason, longest=audit.REASON_LENGTH, shortest=1)
    checks.raise_if_any()
    before = _told(case)
    audit.record(actor=actor, action="moderation_second", obj=case, reason=reason, before=before, after={"state": "flagged"})
    return _undecided_again(case, "send_back", reason, actor)


@unit_of_work
def case_advance(*, case_id: int) -> bool:
    """The clock's act: end claims, holds and proposals whose time is over, and tell of decisions that are late. Run twice, the second does
    nothing. Returns whether anything was done.
    """
    case = _locked(case_id)
    now = clock.now()
    if case.claim_until is not None and case.claim_until <= now:
        _unclaim(case)
        case.save(update_fields=["claimed_by", "claim_until"])
        events.record(aggregate=case, kind="moderation.claim_ran_out", actor_id=None)
        return True
    if case.decide_by is None or case.decide_by > now:
        return False
    if case.state == "held":
        _undecided_again(case, "run_out", "No second person approved it in time." if case.needs_second else "The time of the hold is over.")
        return True
    if case.state not in ("flagged", "appealed") or case.late_at is not None:
        return False
    case.late_at = now
    case.save(update_fields=["late_at"])
    due = {"decide_by": case.decide_by.isoformat(), "state": case.state}
    kind = "moderation.appeal_late" if case.state == "appealed" else "moderation.late"
    events.record(aggregate=case, kind=kind, actor_id=None, after=due, reason="The decision is late.")
    return True


def _take(case: Case, actor: User, action: str, before: dict[str, Any]) -> None:
    """Do what was decided, in this transaction, and tell of it."""
    act = case.act
    acts.do(act, case, actor, case.reason)
    if case.content_held and act not in ("hold", "remove"):
        acts.lift_hold(case, actor, case.reason)
    now = clock.now()
    case.content_held, case.needs_second = act == "hold", False
    if act == "hold":
        case.decide_by = now + timedelta(days=settings.MODERATION_HOLD_DAYS)
    else:
        case.decide_by = case.live_key = None
        case.appeal_until = None if act == "allow" else now + timedelta(days=settings.MODERATION_APPEAL_DAYS)
    word = "clear" if act == "allow" and case.state == "held" else act
    move_to = CASE.transitions.get((case.state, word))
    _audit(actor, action, case, before, {**_told(case), "state": move_to.to if move_to else case.state})
    _move(case, word, actor)
    if act != "hold":
        _answer_reports(case, actor)
        ratings.sample(case)


def _move(case: Case, action: str, actor: User) -> Case:
    also = [*_DECISION, "decide_by", "live_key", "appeal_until", "claimed_by", "claim_until", "second_by", "second_at"]
    extra = {"act": case.act, "reason_code": case.reason_code, "about_id": case.about_id}
    if case.subject_type in policies.MONEY:
        extra["subject_type"] = case.subject_type
    move(case, CASE, action, role="staff", actor_id=actor.pk, reason=case.reason[:500], also=also, extra=extra)
    return case


def _undecided_again(case: Case, action: str, reason: str, actor: User | None = None) -> Case:
    """held → flagged: the content is back in view, the decision forgotten, and a new one due."""
    proposed = {"proposed_act": case.act, "proposed_code": case.reason_code, "decided_by": case.decided_by_id, "about_id": case.about_id}
    if case.content_held:
        proposed["not_undone"] = acts.lift_hold(case, actor, reason)
        told = {"about_id": case.about_id, "not_undone": proposed["not_undone"]}
        events.record(aggregate=case, kind="moderation.lifted", actor_id=None if actor is None else actor.pk, after=told, reason=reason)
    case.act = case.reason_code = case.reason = ""
    case.evidence, case.decided_by, case.decided_at, case.needs_second, case.content_held = [], None, None, False, False
    case.decide_by = clock.now() + timedelta(days=settings.MODERATION_DECISION_DAYS)
    role, actor_id = ("system", None) if actor is None else ("staff", actor.pk)
    move(case, CASE, action, role=role, actor_id=actor_id, reason=reason, also=[*_DECISION, "decide_by"], extra=proposed)
    return case


def _answer_reports(case: Case, actor: User) -> None:
    outcome = "no_breach" if case.act == "allow" else "measures"
    now = clock.now()
    for report in Report.objects.filter(case=case, answered_at__isnull=True).order_by("id"):
        report.answered_at = now
        report.save(update_fields=["answered_at"])
        events.record(aggregate=report, kind=f"report.{outcome}", actor_id=actor.pk, after={"case_id": case.pk})


def _checked(case: Case, act: Any, reason_code: Any, reason: Any, evidence: Any) -> dict[str, Any]:
    checks = Checks()
    act = checks.choice("act", act, ACTS)
    if act and act not in policies.acts_on(case.subject_type):
        if case.subject_type in policies.MONEY:
            checks.add("act", "Money can be let go (allow) or refused (remove), or its owner suspended.")
        else:
            checks.add("act", f"A {case.subject_type} cannot be held or removed: warn or suspend its author.")
    reason_code = checks.choice("reason_code", reason_code, ReasonCode.values)
    if act and reason_code and (act == "allow") != (reason_code == ReasonCode.NO_BREACH):
        checks.add("reason_code", "“no_breach” goes with “allow”, and with nothing else.")
    allowed = act == "allow"
    reason = checks.text("reason", reason, longest=MAX_REASON, shortest=0 if allowed else 1)
    if not isinstance(evidence, Sequence) or isinstance(evidence, str) or len(evidence) > MAX_EVIDENCE:
        checks.add("evidence", f"Give a list of at most {MAX_EVIDENCE} texts.")
        evidence = []
    shown = [checks.text(f"evidence.{i}", e, longest=EVIDENCE_LENGTH, shortest=1) for i, e in enumerate(evidence)]
    if act and not allowed and not shown:
        checks.add("evidence", "Show what breaks the rules: quote it. The person reads it.")
    checks.raise_if_any()
    return {"act": act, "reason_code": reason_code, "reason": reason or "It breaks no rule.", "evidence": shown}


def _told(case: Case) -> dict[str, Any]:
    return {"state": case.state, "act": case.act, "reason_code": case.reason_code, "needs_second": case.needs_second}


def _audit(actor: User, action: str, case: Case, before: dict[str, Any], after: dict[str, Any]) -> None:
    audit.record(actor=actor, action=action, obj=case, reason=case.reason[: audit.REASON_LENGTH], before=before, after=after)


def _unclaim(case: Case) -> None:
    case.claimed_by = case.claim_until = None


def _waiting(actor: User, case_id: int) -> Case:
    """A case that waits for a second person, entered by somebody who may be that person."""
    case = _entered(actor, case_id, "moderation_second")
    if not case.needs_second:
        raise Conflict("moderation_no_second", "This case waits for nobody's approval.")
    policies.require_second(case, actor)
    return case


def _entered(actor: User, case_id: int, action: str) -> Case:
    """The case, locked, for staff who may `action` and have no stake in it. Raises NotAllowed, NotFound."""
    require_staff(actor, action)
    case = _locked(case_id)
    policies.require_outsider(case, subject(case.subject_type, case.subject_id).parties, actor)
    return case


def _locked(case_id: int) -> Case:
    case = Case.objects.select_for_update().filter(pk=case_id).first()
    if case is None:
        raise NotFound("case")
    return case


def appeal_ends(now: datetime) -> datetime:
    """When a decision on an appeal that comes now is due."""
    return now + timedelta(days=settings.MODERATION_APPEAL_DECISION_DAYS)
