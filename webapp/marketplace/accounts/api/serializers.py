"""Shapes of people: one's own account in full, others by the fields of accounts.policies."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.accounts.models import ClientProfile, CompanyDetails, FreelancerProfile, User
from marketplace.accounts.policies import audience_of, roles_of, seen_by
from marketplace.accounts.sections import SECTIONS
from marketplace.accounts.services import LANGUAGE_LEVELS, LANGUAGES
from marketplace.accounts.states import COMPANY
from marketplace.core import ports
from marketplace.core.api.fields import CurrencyField, MinorUnits, WholeNumber
from marketplace.core.api.serializers import Serializer

from .section_shapes import CertificationOut, EducationOut, ExperienceOut, PortfolioOut, entries_told

#: upper ends in USD: below 1,000, below 10,000, below 100,000, and above
SPENT_BANDS = ["none", "under_1k", "under_10k", "under_100k", "over_100k"]


class TermSerializer(Serializer):
    """A category or skill."""

    slug = serializers.CharField()
    name = serializers.CharField()


class CompanyCheck(Serializer):
    """What staff found; the reason is for the client and staff only."""

    state = serializers.ChoiceField(choices=COMPANY.choices)
    checked_at = serializers.DateTimeField(allow_null=True, required=False)
    reason = serializers.CharField(required=False)


def company_check(company: CompanyDetails, audience: str) -> dict[str, Any]:
    """The check as this audience sees it, in the shape of CompanyCheck."""
    names = {"check_state": "state", "checked_at": "checked_at", "check_reason": "reason"}
    return {names[n]: getattr(company, n) for n in seen_by(audience, "company_details") if n in names}


class ClaimedSkill(Serializer):
    skill = serializers.CharField(max_length=80, help_text="The skill's slug.")
    name = serializers.CharField(read_only=True)
    level = WholeNumber(min_value=1, max_value=5, default=3, help_text="1 knows it … 5 teaches it.")
    years = WholeNumber(min_value=0, max_value=80, default=1)


class SpokenLanguage(Serializer):
    code = serializers.CharField(min_length=2, max_length=8)
    level = serializers.ChoiceField(choices=list(LANGUAGE_LEVELS))


class ClientProfileSerializer(Serializer):
    company_name = serializers.CharField(max_length=200, allow_blank=True, default="")
    about = serializers.CharField(max_length=5000, allow_blank=True, default="")
    website = serializers.CharField(max_length=500, allow_blank=True, default="", help_text="Beginning with https:// or http://.")
    payment_verified = serializers.BooleanField(read_only=True)
    verification = CompanyCheck(read_only=True, help_text="What staff found when they checked the company.")

    def to_representation(self, instance: ClientProfile) -> dict[str, Any]:
        company = getattr(instance, "company", None) or CompanyDetails()
        plain = ("company_name", "about", "payment_verified")
        return {
            **{name: getattr(instance, name) for name in seen_by("owner", "client_profile") if name in plain},
            "website": company.website,
            "verification": company_check(company, "owner"),
        }


class FreelancerProfileSerializer(Serializer):
    title = serializers.CharField(max_length=120)
    overview = serializers.CharField(max_length=5000, allow_blank=True, default="")
    hourly_rate_minor = MinorUnits(allow_null=True, default=None)
    currency = CurrencyField(default="USD")
    experience_level = serializers.ChoiceField(choices=FreelancerProfile.Level.choices, default="intermediate")
    years_experience = WholeNumber(min_value=0, max_value=80, default=0)
    availability = serializers.ChoiceField(choices=FreelancerProfile.Availability.choices, default="available")
    hours_per_week = WholeNumber(min_value=0, max_value=100, default=40)
    languages = SpokenLanguage(many=True, default=list)
    category = serializers.CharField(max_length=64, allow_null=True, default=None, help_text="The category's slug.")
    skills = ClaimedSkill(many=True, default=list)

    def to_representation(self, instance: FreelancerProfile) -> dict[str, Any]:
        claimed = sorted(instance.skills.all(), key=lambda s: (-s.level, s.pk))
        terms = {t.id: t for t in ports.taxonomy.first(kind="skill", ids=[s.skill_id for s in claimed])}
        category = ports.taxonomy.first(kind="category", ids=[instance.category_id]) if instance.category_id else ()
        plain = {n: getattr(instance, n) for n in seen_by("public", "freelancer_profile") if n != "category_id"}
        return {
            **plain,
            "category": category[0].slug if category else None,
            "skills": [
                {"skill": terms[s.skill_id].slug, "name": terms[s.skill_id].name, "level": s.level, "years": s.years}
                for s in claimed
                if s.skill_id in terms
            ],
        }


class RolesSerializer(Serializer):
    client = serializers.BooleanField()
    freelancer = serializers.BooleanField()
    staff = serializers.BooleanField()
    groups = serializers.ListField(child=serializers.CharField())


class MeSerializer(Serializer):
    """One's own account."""

    id = serializers.IntegerField()
    public_id = serializers.UUIDField()
    display_name = serializers.CharField()
    email = serializers.EmailField()
    country = serializers.CharField()
    time_zone = serializers.CharField()
    language = serializers.CharField()
    display_currency = serializers.CharField()
    roles = serializers.SerializerMethodField()
    client_profile = serializers.SerializerMethodField()
    freelancer_profile = serializers.SerializerMethodField()

    @extend_schema_field(RolesSerializer)
    def get_roles(self, user: User) -> Any:
        return RolesSerializer(roles_of(user)).data

    @extend_schema_field(ClientProfileSerializer(allow_null=True))
    def get_client_profile(self, user: User) -> Any:
        profile = getattr(user, "client_profile", None)
        return ClientProfileSerializer(profile).data if profile else None

    @extend_schema_field(FreelancerProfileSerializer(allow_null=True))
    def get_freelancer_profile(self, user: User) -> Any:
        profile = getattr(user, "freelancer_profile", None)
        return FreelancerProfileSerializer(profile).data if profile else None


class MeChange(Serializer):
    display_name = serializers.CharField(max_length=100, required=False)
    country = serializers.CharField(max_length=2, allow_blank=True, required=False, help_text="ISO 3166-1 alpha-2.")
    time_zone = serializers.CharField(max_length=64, required=False, help_text="IANA name.")
    language = serializers.ChoiceField(choices=list(LANGUAGES), required=False)
    display_currency = CurrencyField(required=False)


class FreelancerProfileChange(FreelancerProfileSerializer):
    """Only what is sent changes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "partial": True})


class FreelancerSerializer(Serializer):
    """A freelancer as others see them."""

    id = serializers.IntegerField()
    public_id = serializers.UUIDField()
    display_name = serializers.CharField()
    country = serializers.CharField()
    time_zone = serializers.CharField(help_text="IANA name.")
    profile = FreelancerProfileSerializer(source="freelancer_profile")
    certifications = CertificationOut(many=True)
    portfolio = PortfolioOut(many=True)
    experience = ExperienceOut(many=True)
    education = EducationOut(many=True)
    rating = serializers.DictField(help_text="Reputation with formula and inputs; empty before the first review.")

    def to_representation(self, instance: User) -> dict[str, Any]:
        audience = audience_of(self.context["viewer"], instance.pk)
        person = {name: getattr(instance, name) for name in seen_by("public", "user")}
        person["public_id"] = str(person["public_id"])
        profile = instance.freelancer_profile
        rows = sorted(profile.entries.all(), key=lambda e: (e.position, e.pk))
        entries = entries_told(rows, audience)
        by_section = {s: [entries[e.pk] for e in rows if e.section == s] for s in SECTIONS}
        shown = FreelancerProfileSerializer(profile).data
        return {**person, "profile": shown, **by_section, "rating": ports.rating_of.first(user_id=instance.pk)}


class ClientHistory(Serializer):
    """What a client did here; amounts are classes, never sums."""

    jobs_posted = serializers.IntegerField(default=0)
    jobs_open = serializers.IntegerField(default=0)
    hires = serializers.IntegerField(default=0, help_text="Contracts that began.")
    contracts_active = serializers.IntegerField(default=0)
    contracts_completed = serializers.IntegerField(default=0)
    spent_band = serializers.ChoiceField(choices=SPENT_BANDS, default="none", help_text="Of what was released to freelancers, in USD.")


class ClientSerializer(Serializer):
    """A client as others see them."""

    id = serializers.IntegerField()
    public_id = serializers.UUIDField()
    display_name = serializers.CharField()
    country = serializers.CharField()
    company_name = serializers.CharField()
    about = serializers.CharField()
    website = serializers.CharField()
    payment_verified = serializers.BooleanField()
    verification = CompanyCheck()
    client_since = serializers.DateTimeField()
    history = ClientHistory()
    rating = serializers.DictField(help_text="Reputation with formula and inputs; empty before the first review.")

    def to_representation(self, instance: User) -> dict[str, Any]:
        audience = audience_of(self.context["viewer"], instance.pk)
        profile = instance.client_profile
        company = getattr(profile, "company", None) or CompanyDetails()
        known = ClientHistory(data={k: v for facts in ports.client_history.all(user_id=instance.pk).values() for k, v in facts.items()})
        known.is_valid(raise_exception=True)
        person = {name: getattr(instance, name) for name in seen_by("public", "user") if name != "time_zone"}
        told = {name: getattr(profile, name) for name in seen_by("public", "client_profile") if name != "created_at"}
        return {
            **person,
            "public_id": str(person["public_id"]),
            **told,
            "website": company.website,
            "verification": company_check(company, audience),
            "client_since": profile.created_at,
            "history": known.validated_data,
            "rating": ports.rating_of.first(user_id=instance.pk),
        }
