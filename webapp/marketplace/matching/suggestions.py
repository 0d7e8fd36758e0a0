"""Skills that a freelancer may have and does not claim. Models register here; without one the answer is empty and says why.

Belongs here: asking the models and checking what they say. Not here: the models themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.accounts import selectors as accounts
from marketplace.accounts.models import User
from marketplace.core import ports
from marketplace.core.errors import NotAllowed
from marketplace.core.ports import Port, Term

MAX_SUGGESTIONS = 50


@dataclass(frozen=True, slots=True)
class Suggested:
    """One skill as a model proposes it: score from 0 to 1, and why in words that the freelancer may read."""

    skill_id: int
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answers, best first, under its version."""

    model_version: str
    skills: Sequence[Suggested] = ()


#: the models, asked in the order of their names until one knows the freelancer: (user_id=, skill_ids=, limit=) → Answer or None
suggesters: Port[Answer] = Port("skill_suggesters", Answer("none"))


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What is shown. `note` says in words why there is nothing, when no model answered."""

    model_version: str
    note: str
    skills: list[tuple[Term, Suggested]]


def skill_suggestions(*, actor: User, limit: int = 10) -> Suggestions:
    """Skills of the taxonomy that the freelancer does not claim yet, best first, at most `limit`; each named once.

    Raises NotAllowed for an actor without a freelancer profile.
    """
    if accounts.freelancer_profile_of(actor.pk) is None:
        raise NotAllowed("freelancer_profile_missing", "Suggestions need a freelancer profile. Fill yours in first.")
    claimed = accounts.skill_ids_of([actor.pk]).get(actor.pk, set())
    answer = suggesters.first(user_id=actor.pk, skill_ids=frozenset(claimed), limit=min(limit, MAX_SUGGESTIONS))
    fresh = {s.skill_id: s for s in reversed(answer.skills) if s.skill_id not in claimed}
    terms = {t.id: t for t in ports.taxonomy.first(kind="skill", ids=list(fresh))} if fresh else {}
    ordered = sorted((s for pk, s in fresh.items() if pk in terms), key=lambda s: (-s.score, s.skill_id))
    note = "no model suggests skills yet" if answer is suggesters.default else ""
    return Suggestions(answer.model_version, note, [(terms[s.skill_id], s) for s in ordered[:limit]])
