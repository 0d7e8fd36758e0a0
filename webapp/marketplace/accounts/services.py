"""What people do with their account and profiles. Events name the changed fields only: an append-only log keeps no personal data."""

from __future__ import annotations

from typing import Any

from marketplace.core import events, ports
from marketplace.core.checks import Checks
from marketplace.core.models import DeletedRow
from marketplace.core.transactions import unit_of_work

from .models import ClientProfile, FreelancerProfile, FreelancerSkill, User

LANGUAGES = ("en", "de", "fr", "es", "pt", "sw", "hi", "ar", "zh", "ja")
LANGUAGE_LEVELS = ("basic", "conversational", "fluent", "native")
MAX_SKILLS = 50
MAX_LANGUAGES = 20


def user_locked(pk: int) -> User:
    """The user, locked: the parent of both profiles."""
    return User.objects.select_for_update().get(pk=pk)


@unit_of_work
def me_update(*, actor: User, **given: Any) -> User:
    """Change one's own display_name, country, time_zone, language or display_currency. Raises InvalidInput with every wrong field."""
    checks = Checks()
    values: dict[str, str] = {}
    if "display_name" in given:
        values["display_name"] = checks.text("display_name", given["display_name"], longest=100, shortest=1)
    if "country" in given:
        values["country"] = checks.country("country", given["country"])
    if "time_zone" in given:
        values["time_zone"] = checks.time_zone("time_zone", given["time_zone"])
    if "language" in given:
        values["language"] = checks.choice("language", given["language"], LANGUAGES)
    if "display_currency" in given:
        values["display_currency"] = checks.currency("display_currency", given["display_currency"])
    checks.raise_if_any()
    user = user_locked(actor.pk)
    for name, value in values.items():
        setattr(user, name, value)
    if values:
        user.save(update_fields=list(values))
        events.record(aggregate=user, kind="user.update", actor_id=actor.pk, after={"fields": sorted(values)})
    return user


@unit_of_work
def client_profile_put(*, actor: User, company_name: str = "", about: str = "") -> ClientProfile:
    """Create or replace the buying side; the same content again changes nothing."""
    checks = Checks()
    values = {
        "company_name": checks.text("company_name", company_name, longest=200),
        "about": checks.text("about", about, longest=5000),
    }
    checks.raise_if_any()
    user_locked(actor.pk)
    there = ClientProfile.objects.filter(user=actor).first()
    if there is not None and all(getattr(there, name) == value for name, value in values.items()):
        return there
    profile, new = ClientProfile.objects.update_or_create(user=actor, defaults=values)
    events.record(aggregate=profile, kind="client_profile.create" if new else "client_profile.update", actor_id=actor.pk)
    return profile


@unit_of_work
def freelancer_profile_put(*, actor: User, title: str, skills: list[dict[str, Any]] | None = None, **given: Any) -> FreelancerProfile:
    """Create or replace the selling side, with its skills ([{"skill": slug, "level": 1–5, "years"}]); `category` is a slug or None.

    hourly_rate_minor is in minor units of `currency`. Raises InvalidInput with every wrong field.
    """
    checks = Checks()
    values = _profile_values(checks, title, given)
    claimed = _skills(checks, skills or [])
    checks.raise_if_any()
    user_locked(actor.pk)
    profile, new = FreelancerProfile.objects.update_or_create(user=actor, defaults=values)
    _set_skills(profile, claimed)
    events.record(
        aggregate=profile,
        kind="freelancer_profile.create" if new else "freelancer_profile.update",
        actor_id=actor.pk,
        after={"skill_ids": sorted(claimed), "category_id": profile.category_id},
    )
    return profile


def _profile_values(checks: Checks, title: Any, given: dict[str, Any]) -> dict[str, Any]:
    rate, category = given.get("hourly_rate_minor"), given.get("category")
    return {
        "title": checks.text("title", title, longest=120, shortest=1),
        "overview": checks.text("overview", given.get("overview", ""), longest=5000),
        "hourly_rate_minor": None if rate is None else checks.amount("hourly_rate_minor", rate),
        "currency": checks.currency("currency", given.get("currency", "USD")),
        "experience_level": checks.choice(
            "experience_level", given.get("experience_level", "intermediate"), FreelancerProfile.Level.values
        ),
        "years_experience": checks.whole("years_experience", given.get("years_experience", 0), low=0, high=80),
        "availability": checks.choice("availability", given.get("availability", "available"), FreelancerProfile.Availability.values),
        "hours_per_week": checks.whole("hours_per_week", given.get("hours_per_week", 40), low=0, high=100),
        "languages": _languages(checks, given.get("languages", [])),
        "category_id": None if category is None else _term_ids(checks, "category", "category", [category]).get(category),
    }


def _languages(checks: Checks, value: Any) -> list[dict[str, str]]:
    if not isinstance(value, list) or len(value) > MAX_LANGUAGES or not all(isinstance(v, dict) for v in value):
        checks.add("languages", f"Give a list of at most {MAX_LANGUAGES} languages.")
        return []
    return [
        {
            "code": checks.text(f"languages.{i}.code", v.get("code"), longest=8, shortest=2),
            "level": checks.choice(f"languages.{i}.level", v.get("level"), LANGUAGE_LEVELS),
        }
        for i, v in enumerate(value)
    ]


def _term_ids(checks: Checks, field: str, kind: str, slugs: list[str]) -> dict[str, int]:
    found = {t.slug: t.id for t in ports.taxonomy.first(kind=kind, slugs=slugs)}
    unknown = sorted({s for s in slugs if s not in found})
    if unknown:
        checks.add(field, f"Unknown: {', '.join(u[:80] for u in unknown)}.")
    return found


def _skills(checks: Checks, value: Any) -> dict[int, tuple[int, int]]:
    """Level and years by skill id."""
    if (
        not isinstance(value, list)
        or len(value) > MAX_SKILLS
        or not all(isinstance(v, dict) and isinstance(v.get("skill"), str) for v in value)
    ):
        checks.add("skills", f"Give a list of at most {MAX_SKILLS} skills.")
        return {}
    ids = _term_ids(checks, "skills", "skill", [v["skill"] for v in value])
    found = {}
    for i, v in enumerate(value):
        level = checks.whole(f"skills.{i}.level", v.get("level", 3), low=1, high=5)
        years = checks.whole(f"skills.{i}.years", v.get("years", 1), low=0, high=80)
        if v["skill"] in ids:
            if ids[v["skill"]] in found:
                checks.add(f"skills.{i}.skill", "Named twice.")
            found[ids[v["skill"]]] = (level, years)
    return found


def _set_skills(profile: FreelancerProfile, claimed: dict[int, tuple[int, int]]) -> None:
    there = {s.skill_id: s for s in profile.skills.all()}
    gone = [s.pk for skill_id, s in there.items() if skill_id not in claimed]
    if gone:
        reason = "skill taken off the profile"
        DeletedRow.objects.bulk_create([DeletedRow(table_name=FreelancerSkill._meta.db_table, row_id=pk, reason=reason) for pk in gone])
        FreelancerSkill.objects.filter(pk__in=gone).delete()
    fresh = []
    for skill_id, (level, years) in claimed.items():
        row = there.get(skill_id)
        if row is None:
            fresh.append(FreelancerSkill(freelancer=profile, skill_id=skill_id, level=level, years=years))
        elif (row.level, row.years) != (level, years):
            FreelancerSkill.objects.filter(pk=row.pk).update(level=level, years=years)
    FreelancerSkill.objects.bulk_create(fresh)
