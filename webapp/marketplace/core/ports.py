"""What lower apps must ask of higher ones in the same call, without importing them.

A port is a typed registry with a defined answer when nobody registered. Providers register in AppConfig.ready.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from .personal import Obstacle, Part

T = TypeVar("T")


class Port(Generic[T]):
    """Zero or more providers, called in the order of their names; `first` asks until one answers other than None."""

    def __init__(self, name: str, default: T) -> None:
        self.name = name
        self.default = default
        self._providers: dict[str, Callable[..., T | None]] = {}

    def register(self, name: str, provider: Callable[..., T | None]) -> None:
        known = self._providers.get(name)
        if known is not None and known is not provider:
            raise RuntimeError(f"port {self.name}: two providers named {name!r}")
        self._providers[name] = provider

    def first(self, **question: Any) -> T:
        for name in sorted(self._providers):
            answer = self._providers[name](**question)
            if answer is not None:
                return answer
        return self.default

    def all(self, **question: Any) -> dict[str, T]:
        answers = {name: self._providers[name](**question) for name in sorted(self._providers)}
        return {name: a for name, a in answers.items() if a is not None}


@dataclass(frozen=True, slots=True)
class FraudDecision:
    """What to do with an act, and why. `reasons` are codes that users may read."""

    verdict: Literal["allow", "hold", "block"] = "allow"
    reasons: tuple[str, ...] = ()
    source: str = "nobody asked"
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Term:
    """A category or a skill of the taxonomy."""

    id: int
    slug: str
    name: str


#: the taxonomy, answered by jobs: (kind="category"|"skill", slugs=[…] or ids=[…]) → the Terms that exist
taxonomy: Port[tuple[Term, ...]] = Port("taxonomy", ())
#: asked at sign-up, job post, proposal, message, payment and payout: (act=, actor_id=, subject_type=, subject_id=)
fraud_decision: Port[FraudDecision] = Port("fraud_decision", FraudDecision())
#: what one app adds to a person's data export: (user_id=) → name of a list to core.personal.Part
personal_data: Port[dict[str, Part]] = Port("personal_data", {})
#: what keeps a person's account from being closed now: (user_id=) → the obstacles, empty when there is none
closing_obstacles: Port[list[Obstacle]] = Port("closing_obstacles", [])
#: what a profile shows of a person's reviews, answered by trust: (user_id=)
rating_of: Port[dict[str, Any]] = Port("rating_of", {})
#: the same numbers for many at once, answered by trust in a constant number of queries: (user_ids=) → user id to numbers; those without
#: reviews are left out
ratings_of: Port[dict[int, dict[str, Any]]] = Port("ratings_of", {})
#: the newest dispute of each disputed milestone, answered by disputes: (milestone_ids=) → milestone id to dispute id
disputes_of: Port[dict[int, int]] = Port("disputes_of", {})
#: what a milestone or bonus is called on documents about its money, answered by the app that owns it: (subject_type=, ids=) → id to title;
#: None when the type is not its own
subject_titles: Port[dict[int, str]] = Port("subject_titles", {})
#: whether somebody sees the object that a file is attached to, answered by the app that owns the object:
#: (actor=, attached_type=, attached_id=) → True or False; None when the type is not its own
file_readers: Port[bool] = Port("file_readers", False)
#: told in the transaction that lifts a suspension, so that what stood still goes on: (user_id=, since=, until=) → how many things go on
suspension_lifted: Port[int] = Port("suspension_lifted", 0)
#: what a client's page shows of their past, each app its own facts: (user_id=) → fact to value
client_history: Port[dict[str, Any]] = Port("client_history", {})
