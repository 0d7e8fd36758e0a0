"""What people do with their account and profiles. Events name the changed fields only: an append-only log keeps no personal data."""

from __future__ import annotations

from typing import Any

from marketplace.core import events, ports
from marketplace.core.checks import Checks
from marketplace.core.errors import NotAllowed
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from .models import ClientProfile, CompanyDetails, FreelancerProfile, FreelancerSkill, User
from .standing import user_restore as user_restore
from .standing import user_suspend as user_suspend
from .states import COMPANY

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
def client_payment_verify(*, user_id: int) -> bool:
    """For payments: a payment of this client has succeeded. Says whether that is news; nothing happens without a client profile, or twice."""
    user_locked(user_id)
    profile = ClientProfile.objects.filter(user=user_id, payment_verified=False).first()
    if profile is None:
        return False
    profile.payment_verified = True
    profile.save(update_fields=["payment_verified"])
    events.record(aggregate=profile, kind="client_profile.verify", actor_id=None, after={"payment_verified": True})
    return True


@unit_of_work
def client_profile_put(*, actor: User, company_name: str = "", about: str = "", website: str = "") -> ClientProfile:
    """Create or replace the buying side; the same content again changes nothing.

    A company that staff had checked is unchecked again when its name or website changes.
    """
    checks = Checks()
    values = {
        "company_name": checks.text("company_name", company_name, longest=200),
        "about": checks.text("about", about, longest=5000),
    }
    website = checks.link("website", website)
    checks.raise_if_any()
    user_locked(actor.pk)
    there = ClientProfile.objects.filter(user=actor).select_related("company").first()
    told = (
        {**{name: getattr(there, name) for name in values}, "website": getattr(getattr(there, "company", None), "website", "")}
        if there
        else {}
    )
    if there is not None and told == {**values, "website": website}:
        return there
    profile, new = ClientProfile.objects.update_or_create(user=actor, defaults=values)
    company, _ = CompanyDetails.objects.get_or_create(profile=profile)
    company.website = website
    company.save(update_fields=["website"])
    events.record(aggregate=profile, kind="client_profile.create" if new else "client_profile.update", actor_id=actor.pk)
    if company.check_state != COMPANY.initial and (told.get("company_name"), told.get("website")) != (values["company_name"], website):
        company.checked_at, company.checked_by, company.check_reason = None, None, ""
        also = ["checked_at", "checked_by", "check_reason"]
        move(company, COMPANY, "recheck", role="owner", actor_id=actor.pk, field="check_state", also=also)
    profile.company = company
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


@unit_of_work
def freelancer_profile_change(*, actor: User, **given: Any) -> FreelancerProfile:
    """Change the given fields of the selling side, named as in freelancer_profile_put; the others stay.

    Raises NotAllowed without a freelancer profile, InvalidInput with every wrong field.
    """
    user_locked(actor.pk)
    profile = FreelancerProfile.objects.filter(user=actor).first()
    if profile is None:
        raise NotAllowed("freelancer_profile_missing", "Fill in your freelancer profile first.")
    checks = Checks()
    whole = {name: getattr(profile, name) for name in _PLAIN} | {n: v for n, v in given.items() if n != "skills"}
    values = _profile_values(checks, whole.pop("title"), whole)
    claimed = _skills(checks, given["skills"]) if "skills" in given else None
    checks.raise_if_any()
    changed = sorted({"category_id" if n == "category" else n for n in given if n != "skills"})
    for name in changed:
        setattr(profile, name, values[name])
    if changed:
        profile.save(update_fields=changed)
    if claimed is not None:
        _set_skills(profile, claimed)
    if given:
        after: dict[str, Any] = {"fields": sorted(given), "category_id": profile.category_id}
        if claimed is not None:
            after["skill_ids"] = sorted(claimed)
        events.record(aggregate=profile, kind="freelancer_profile.update", actor_id=actor.pk, after=after)
    return profile


#: the columns that hold a profile's fields as they come; the category is an id there and a slug outside
_PLAIN = (
    "title",
    "overview",
    "hourly_rate_minor",
    "currency",
    "experience_level",
    "years_experience",
    "availability",
    "hours_per_week",
    "languages",
)


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
    found = [
        {
            "code": checks.language(f"languages.{i}.code", v.get("code")),
            "level": checks.choice(f"languages.{i}.level", v.get("level"), LANGUAGE_LEVELS),
        }
        for i, v in enumerate(value)
    ]
    if len({v["code"] for v in found}) < len(found):
        checks.add("languages", "A language is named twice.")
    return found


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
        FreelancerSkill.objects.filter(pk__in=gone).delete()
    fresh = []
    for skill_id, (level, years) in claimed.items():
        row = there.get(skill_id)
        if row is None:
            fresh.append(FreelancerSkill(freelancer=profile, skill_id=skill_id, level=level, years=years))
        elif (row.level, row.years) != (level, years):
            FreelancerSkill.objects.filter(pk=row.pk).update(level=level, years=years)
    FreelancerSkill.objects.bulk_create(fresh)


@unit_of_work
def freelancer_skills_replace(*, skill_id: int, by: int, limit: int) -> int:
    """For jobs, when staff merge skills: up to `limit` profiles that claim the one claim the other instead, with the higher level and the
    longer years where they claimed both; returns how many, 0 when nobody claims it any more."""
    owners = FreelancerSkill.objects.filter(skill_id=skill_id).order_by("pk").values_list("freelancer__user_id", flat=True)[:limit]
    users = list(User.objects.select_for_update().filter(pk__in=list(owners)).order_by("pk"))
    for profile in FreelancerProfile.objects.filter(user__in=users).order_by("pk"):
        claimed = {s.skill_id: (s.level, s.years) for s in profile.skills.all()}
        if skill_id not in claimed:
            continue
        level, years = claimed.pop(skill_id)
        other = claimed.get(by, (level, years))
        claimed[by] = max(level, other[0]), max(years, other[1])
        _set_skills(profile, claimed)
        after = {"skill_ids": sorted(claimed), "category_id": profile.category_id}
        events.record(aggregate=profile, kind="freelancer_profile.update", actor_id=None, after=after, reason="skills merged")
    return len(users)
