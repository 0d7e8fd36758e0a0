"""Reading cases: the moderators' queue, what the person sees of a decision, what is rated blindly, and what the clock has to do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.crypto import constant_time_compare, salted_hmac

from marketplace.core.errors import NotFound
from marketplace.core.policies import Actor, one_of, require_staff

from .agreement import Agreement, agreement, by_category
from .models import Case, Report, SecondRating
from .states import UNDECIDED

#: newest second ratings that the figures are made from
MOST_RATINGS = 5_000
_SALT = "trust.appeal"


def cases_for(actor: Actor) -> QuerySet[Case]:
    """Every case, with how many reported it. Raises NotAllowed("staff_only")."""
    require_staff(actor, "moderation_decide")
    # a subquery, so that a page counts for its own rows only
    reports = Report.objects.filter(case=OuterRef("pk")).order_by().values("case").annotate(n=Count("pk")).values("n")
    return Case.objects.annotate(report_count=Coalesce(Subquery(reports), 0)).select_related("about", "claimed_by")


def queue(actor: Actor, *, waits_for: str = "", now: datetime) -> QuerySet[Case]:
    """What waits for a moderator, the most urgent first by (decide_by, id): decisions, second approvals, appeals; the actor's own content,
    reports and, where another person must act, own decisions are left out. Raises NotAllowed("staff_only").
    """
    reported = Exists(Report.objects.filter(case=OuterRef("pk"), reporter_id=actor.pk))
    open_ones = cases_for(actor).filter(state__in=(*UNDECIDED, "appealed"), decide_by__isnull=False)
    open_ones = open_ones.exclude(about_id=actor.pk).exclude(reported)
    if waits_for == "second":
        return open_ones.filter(needs_second=True).exclude(decided_by_id=actor.pk)
    if waits_for == "appeal":
        return open_ones.filter(state="appealed").exclude(decided_by_id=actor.pk).exclude(second_by_id=actor.pk)
    undecided = open_ones.filter(state__in=UNDECIDED, needs_second=False)
    if waits_for == "mine":
        return undecided.filter(claimed_by_id=actor.pk, claim_until__gt=now)
    if waits_for == "claim":
        return undecided.filter(Q(claim_until__isnull=True) | Q(claim_until__lte=now))
    return open_ones


def case_for(actor: Actor, case_id: int) -> Case:
    """One case for moderators. Raises NotAllowed("staff_only"), NotFound also for one about the actor: who reported them is not theirs to read."""
    return one_of(cases_for(actor).exclude(about_id=actor.pk), case_id, "case")


def decisions_on(actor: Actor) -> QuerySet[Case]:
    """What was decided on the actor's own content: everything that they were told of."""
    return Case.objects.none() if actor.pk is None else told_to(actor.pk)


def told_to(user_id: int) -> QuerySet[Case]:
    """The cases about a person that they know of. What is only proposed, and waits for a second approval, is not among them."""
    told = Q(state__in=("actioned", "appealed", "upheld", "overturned")) | Q(state="held", content_held=True)
    return Case.objects.filter(told, about_id=user_id)


def decision_for(actor: Actor, case_id: int) -> Case:
    """Raises NotFound when it is absent, about somebody else, or nothing was done."""
    return one_of(decisions_on(actor), case_id, "decision")


def appeal_token(case_id: int) -> str:
    """What the letter's link carries: it opens this one decision, to read and to appeal, and nothing else."""
    return f"{case_id}-{salted_hmac(_SALT, str(case_id), algorithm='sha256').hexdigest()}"


def case_of_token(token: str) -> int | None:
    """The case of a link of ours, else None."""
    number, _, _ = token.partition("-")
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        return None
    return int(number) if constant_time_compare(token, appeal_token(int(number))) else None


def decision_of_token(token: str) -> Case:
    """The decision behind a letter's link. Raises NotFound."""
    case_id = case_of_token(token)
    case = Case.objects.filter(pk=case_id).select_related("about").first() if case_id is not None else None
    if case is None or not decisions_on(case.about).filter(pk=case.pk).exists():
        raise NotFound("decision")
    return case


def reports_by(actor: Actor) -> QuerySet[Report]:
    """The actor's own reports."""
    return Report.objects.filter(reporter_id=actor.pk).select_related("case")


def ratings_waiting(actor: Actor) -> QuerySet[SecondRating]:
    """Sampled cases that the actor may judge blindly: took no part, has no stake. Raises NotAllowed("staff_only")."""
    require_staff(actor, "moderation_decide")
    reported = Exists(Report.objects.filter(case=OuterRef("case_id"), reporter_id=actor.pk))
    waiting = SecondRating.objects.filter(rated_at__isnull=True).exclude(reported).select_related("case")
    return waiting.exclude(case__decided_by_id=actor.pk).exclude(case__second_by_id=actor.pk).exclude(case__about_id=actor.pk)


def rating_for(actor: Actor, case_id: int) -> SecondRating:
    """Raises NotAllowed("staff_only"), NotFound."""
    require_staff(actor, "moderation_decide")
    took_part = Q(case__decided_by_id=actor.pk) | Q(case__second_by_id=actor.pk) | Q(case__about_id=actor.pk)
    return one_of(SecondRating.objects.exclude(took_part).select_related("case"), case_id, "case to judge")


def agreement_figures(actor: Actor) -> dict[str, Any]:
    """How far the newest second ratings agree with the first decisions: on the act, on the reason, and for each reason against all others."""
    require_staff(actor, "moderation_decide")
    rated = SecondRating.objects.filter(rated_at__isnull=False).order_by("-rated_at", "-case_id")
    rows = list(rated.values_list("first_act", "act", "first_code", "reason_code")[:MOST_RATINGS])
    codes = [(first, second) for _, _, first, second in rows]
    return {
        "n": len(rows),
        "act": _told(agreement([(first, second) for first, second, _, _ in rows])),
        "reason_code": _told(agreement(codes)),
        "by_reason_code": [{"code": code, **_told(found)} for code, found in by_category(codes).items()],
    }


def _told(found: Agreement) -> dict[str, Any]:
    return {"n": found.n, "agreed": found.agreed, "share": found.share, "kappa": found.kappa}


def due_case_ids(now: datetime, limit: int = 500) -> list[int]:
    """Cases with a claim, a hold, a proposal or a decision whose time is over; the service decides again under lock."""
    claims = Case.objects.filter(claim_until__lte=now).order_by("claim_until", "id")
    late = Q(state="held") | Q(state__in=("flagged", "appealed"), late_at__isnull=True)
    due = Case.objects.filter(late, decide_by__lte=now).order_by("decide_by", "id")
    found: Iterable[int] = [*claims.values_list("id", flat=True)[:limit], *due.values_list("id", flat=True)[:limit]]
    return list(dict.fromkeys(found))[:limit]
