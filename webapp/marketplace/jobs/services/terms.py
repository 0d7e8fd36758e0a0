"""Checks of what people enter into posts and proposals; every refusal names its field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from marketplace.core.checks import Checks
from marketplace.core.errors import InvalidInput

from .. import questions
from ..models import Category, Job, Proposal, Skill
from ..questions import Question
from ..selectors import skills_by_slug

MAX_SKILLS = 20
MAX_MILESTONES = 20
MAX_DAYS = 3650


def checked_post(terms: Mapping[str, Any], *, known_questions: Iterable[Question] = ()) -> tuple[dict[str, Any], list[Skill] | None]:
    """Field values for a Job out of those `terms` that are given, and its skills when given. Raises InvalidInput.

    Questions come as `screening_questions`; a text alone that is one of `known_questions` stays what it was.
    """
    checks = Checks()
    found: dict[str, Any] = {}
    texts = {"title": (200, 5), "description": (20000, 20)}
    for name, (longest, shortest) in texts.items():
        if name in terms:
            found[name] = checks.text(name, terms[name], longest=longest, shortest=shortest)
    closed = {
        "pricing": Job.Pricing.values,
        "experience_level": ["", *Job.Level.values],
        "visibility": Job.Visibility.values,
    }
    for name, choices in closed.items():
        if name in terms:
            found[name] = checks.choice(name, terms[name], choices)
    if "currency" in terms:
        found["currency"] = checks.currency("currency", terms["currency"])
    if "location_country" in terms:
        found["location_country"] = checks.country("location_country", terms["location_country"])
    for name in ("budget_min_minor", "budget_max_minor"):
        if name in terms:
            found[name] = None if terms[name] is None else checks.amount(name, terms[name])
    if "duration_days" in terms:
        days = terms["duration_days"]
        found["duration_days"] = None if days is None else checks.whole("duration_days", days, low=1, high=MAX_DAYS)
    if "preferred_start" in terms:
        start = terms["preferred_start"]
        if start is not None and not isinstance(start, date):
            checks.add("preferred_start", "Use a date.")
        found["preferred_start"] = start
    if "screening_questions" in terms:
        found["screening_questions"] = questions.checked(checks, "screening_questions", terms["screening_questions"], known_questions)
    if "category" in terms:
        found["category"] = _category(checks, terms["category"])
    skills = _skills(checks, terms["skills"]) if "skills" in terms else None
    checks.raise_if_any()
    return found, skills


def check_budget(job: Job) -> None:
    """The budget's ends in order, and no upper end alone. Raises InvalidInput."""
    low, high = job.budget_min_minor, job.budget_max_minor
    if high is not None and low is None:
        raise InvalidInput("budget_incomplete", "Give the lower end of the budget too.", {"budget_min_minor": ["Give the lower end too."]})
    if low is not None and high is not None and high < low:
        raise InvalidInput(
            "budget_order", "The budget's upper end is below its lower end.", {"budget_max_minor": ["Must not be below the lower end."]}
        )


def checked_bid(job: Job, terms: Mapping[str, Any]) -> dict[str, Any]:
    """Field values for a Proposal on this job out of those `terms` that are given. Raises InvalidInput."""
    checks = Checks()
    found: dict[str, Any] = {}
    if "cover_letter" in terms:
        found["cover_letter"] = checks.text("cover_letter", terms["cover_letter"], longest=10000, shortest=1)
    if "amount_minor" in terms:
        found["amount_minor"] = checks.amount("amount_minor", terms["amount_minor"])
    if "currency" in terms:
        found["currency"] = checks.currency("currency", terms["currency"])
        if not checks.fields.get("currency") and found["currency"] != job.currency:
            checks.add("currency", f"Bid in the job's currency, {job.currency}. The quote shows what you receive in yours.")
    if "delivery_days" in terms:
        days = terms["delivery_days"]
        found["delivery_days"] = None if days is None else checks.whole("delivery_days", days, low=1, high=MAX_DAYS)
    if "milestones" in terms:
        found["milestones"] = _milestones(checks, terms["milestones"])
    if "answers" in terms:
        most, longest = questions.MAX_QUESTIONS, questions.ANSWER_LENGTH
        found["answers"] = _texts(checks, "answers", terms["answers"], most=most, longest=longest, shortest=0)
    checks.raise_if_any()
    return found


def check_bid_whole(job: Job, proposal: Proposal) -> None:
    """What holds between the terms: milestones sum to the amount, each question has an answer of its kind. Raises InvalidInput."""
    checks = Checks()
    if job.pricing == Job.Pricing.HOURLY and proposal.milestones:
        checks.add("milestones", "An hourly job is paid by timesheet: leave the milestones out.")
    elif job.pricing == Job.Pricing.FIXED:
        total = sum(m["amount_minor"] for m in proposal.milestones)
        if total != proposal.amount_minor:
            checks.add("milestones", f"The milestones sum to {total}, the bid is {proposal.amount_minor}: make them equal.")
    questions.check_answers(checks, questions.read(job.screening_questions), proposal.answers)
    checks.raise_if_any()


def one_milestone(job: Job, amount_minor: int, delivery_days: int | None) -> list[dict[str, Any]]:
    """The whole fixed-price work as one milestone: what a bid without milestones means."""
    return [{"title": job.title, "amount_minor": amount_minor, "due_in_days": delivery_days, "acceptance": []}]


def _texts(checks: Checks, field: str, value: Any, *, most: int, longest: int, shortest: int = 1) -> list[str]:
    if not isinstance(value, list) or len(value) > most:
        checks.add(field, f"Give a list of at most {most} texts.")
        return []
    return [checks.text(f"{field}.{i}", v, longest=longest, shortest=shortest) for i, v in enumerate(value)]


def _milestones(checks: Checks, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) > MAX_MILESTONES or not all(isinstance(m, Mapping) for m in value):
        checks.add("milestones", f"Give a list of at most {MAX_MILESTONES} milestones.")
        return []
    found = []
    for i, given in enumerate(value):
        at = f"milestones.{i}"
        due = given.get("due_in_days")
        found.append(
            {
                "title": checks.text(f"{at}.title", given.get("title"), longest=200, shortest=1),
                "amount_minor": checks.amount(f"{at}.amount_minor", given.get("amount_minor")),
                "due_in_days": None if due is None else checks.whole(f"{at}.due_in_days", due, low=1, high=MAX_DAYS),
                "acceptance": _texts(checks, f"{at}.acceptance", given.get("acceptance", []), most=20, longest=300),
            }
        )
    return found


def _category(checks: Checks, slug: Any) -> Category | None:
    found = Category.objects.filter(slug=slug).first() if isinstance(slug, str) and "\x00" not in slug else None
    if found is None:
        checks.add("category", "Choose one of the categories.")
    return found


def _skills(checks: Checks, slugs: Any) -> list[Skill]:
    if not isinstance(slugs, list) or not all(isinstance(s, str) for s in slugs) or len(slugs) > MAX_SKILLS:
        checks.add("skills", f"Give a list of at most {MAX_SKILLS} skills.")
        return []
    found = skills_by_slug(slugs)
    unknown = sorted({s for s in slugs if s not in found})
    if unknown:
        checks.add("skills", f"Unknown: {', '.join(u[:80] for u in unknown)}.")
    return list({found[s].pk: found[s] for s in slugs if s in found}.values())
