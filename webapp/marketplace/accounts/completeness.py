"""How complete a freelancer's profile is, and what would make it better. Weights sum to 100; the list is published with each answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .models import FreelancerProfile, User

ENOUGH_WORDS = 30
ENOUGH_SKILLS = 3


@dataclass(frozen=True, slots=True)
class Hint:
    """One thing a good profile has: its share of the whole, what to do, and whether it is there."""

    name: str
    weight: int
    advice: str
    there: bool


_Test = Callable[[User, FreelancerProfile | None, dict[str, int]], Any]
_RULES: tuple[tuple[str, int, str, _Test], ...] = (
    ("title", 10, "Give yourself a title that says what you do.", lambda u, p, n: p and p.title),
    ("overview", 15, f"Write an overview of {ENOUGH_WORDS} words or more.", lambda u, p, n: p and len(p.overview.split()) >= ENOUGH_WORDS),
    ("hourly_rate", 10, "Name your hourly rate.", lambda u, p, n: p and p.hourly_rate_minor),
    ("skills", 15, f"Name {ENOUGH_SKILLS} skills or more.", lambda u, p, n: n.get("skills", 0) >= ENOUGH_SKILLS),
    ("category", 5, "Choose your field of work.", lambda u, p, n: p and p.category_id),
    ("country", 5, "Say which country you work from.", lambda u, p, n: u.country),
    ("languages", 5, "Name the languages you speak.", lambda u, p, n: p and p.languages),
    ("portfolio", 15, "Show a piece of work in your portfolio.", lambda u, p, n: n.get("portfolio")),
    ("experience", 10, "Tell where you worked before.", lambda u, p, n: n.get("experience")),
    ("education", 5, "Tell what you learnt, and where.", lambda u, p, n: n.get("education")),
    ("certifications", 5, "Add a certificate; staff can check it.", lambda u, p, n: n.get("certifications")),
)


def hints(user: User, profile: FreelancerProfile | None, counts: dict[str, int]) -> list[Hint]:
    """Every rule with its answer. `counts`: entries by section, and "skills"."""
    return [Hint(name, weight, advice, bool(test(user, profile, counts))) for name, weight, advice, test in _RULES]
