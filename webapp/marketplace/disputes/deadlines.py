"""How long each stage lasts and what silence then does. Instants are UTC; business days skip Saturdays, Sundays and DISPUTE_HOLIDAYS."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings


def business_days_after(start: datetime, days: int) -> datetime:
    """The same time of day, `days` business days later; a start on a free day counts from the next business day's beginning of counting."""
    holidays = set(settings.DISPUTE_HOLIDAYS)
    at = start
    while days:
        at += timedelta(days=1)
        if at.weekday() < 5 and at.date().isoformat() not in holidays:
            days -= 1
    return at


def response_due(opened_at: datetime) -> datetime:
    """When the other side's answer is due."""
    return business_days_after(opened_at, settings.DISPUTE_RESPONSE_BUSINESS_DAYS)


def stage_ends(stage: str, begins: datetime) -> datetime:
    """When a stage that begins now ends."""
    days = {
        "negotiation": settings.DISPUTE_NEGOTIATION_DAYS,
        "proposal": settings.DISPUTE_PROPOSAL_DAYS,
        "evidence": settings.DISPUTE_EVIDENCE_DAYS,
        "decision": settings.DISPUTE_DECISION_DAYS,
        "appeal": settings.DISPUTE_APPEAL_DAYS,
        "appealed": settings.DISPUTE_DECISION_DAYS,
    }
    return begins + timedelta(days=days[stage])


#: stage → what happens at its end if nobody acts, for people
IF_NOBODY_ACTS = {
    "opened": "The other side has not answered by then: the money is split as the filer claims.",
    "negotiation": "A split is computed from what is on record and shown to both; nobody is bound by it.",
    "proposal": "Unless both accept the computed split, both can hand in evidence; small claims go to a decision at once.",
    "evidence": "Staff decide on what was handed in.",
    "decision": "A decision by staff is due. If it is late, it stays due and is reported; no money moves before it.",
    "appeal": "The decision becomes final and the money moves as decided.",
    "appealed": "A decision by another member of staff is due. It is final; no money moves before it.",
}
