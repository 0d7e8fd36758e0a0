"""The rule-based order that answers when there is no model: documented, additive, and it says so.

score = 3 · (share of the job's skills the freelancer has) + 1 · (same field of work) + 1 / (1 + days open / 7)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from ml.serving import Part

VERSION = "rules-1"
SKILL_WEIGHT = 3.0
FIELD_WEIGHT = 1.0
FRESH_DAYS = 7.0


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What the rules look at of one open job."""

    job_id: int
    skills: frozenset[int]
    category_id: int
    opened_at: datetime


def score(facts: JobFacts, *, skills: Collection[int], category_id: int | None, now: datetime) -> tuple[Part, ...]:
    """The parts of one job's score; they sum to it."""
    cover = len(facts.skills & set(skills)) / len(facts.skills) if facts.skills else 0.0
    days = max((now - facts.opened_at).total_seconds() / 86400.0, 0.0)
    return (
        Part("skill_cover", SKILL_WEIGHT * cover, "how much of the job your skills cover"),
        Part(
            "category_match",
            FIELD_WEIGHT * (category_id is not None and facts.category_id == category_id),
            "its field of work against yours",
        ),
        Part("age", 1.0 / (1.0 + days / FRESH_DAYS), "how long it has been open"),
    )


def rank(
    jobs: Iterable[JobFacts], *, skills: Collection[int], category_id: int | None, now: datetime, limit: int
) -> list[tuple[int, float, tuple[Part, ...]]]:
    """(job id, score, parts), best first; ties go to the newer job."""
    scored = [(facts, score(facts, skills=skills, category_id=category_id, now=now)) for facts in jobs]
    ordered = sorted(scored, key=lambda s: (-sum(p.value for p in s[1]), -s[0].opened_at.timestamp(), s[0].job_id))
    return [(facts.job_id, sum(p.value for p in parts), parts) for facts, parts in ordered[:limit]]
