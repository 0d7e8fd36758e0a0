"""Shapes of people: one's own account in full, others by the fields of accounts.policies."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.accounts.models import FreelancerProfile, User
from marketplace.accounts.policies import PUBLIC_FREELANCER_FIELDS, PUBLIC_USER_FIELDS, roles_of
from marketplace.accounts.services import LANGUAGE_LEVELS, LANGUAGES
from marketplace.core import ports
from marketplace.core.api.fields import CurrencyField, MinorUnits, WholeNumber
from marketplace.core.api.serializers import Serializer


class TermSerializer(Serializer):
    """A category or skill."""

    slug = serializers.CharField()
    name = serializers.CharField()


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
    payment_verified = serializers.BooleanField(read_only=True)


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
        plain = {n: getattr(instance, n) for n in PUBLIC_FREELANCER_FIELDS if n not in ("skills", "category")}
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


class FreelancerSerializer(Serializer):
    """A freelancer as others see them."""

    id = serializers.IntegerField()
    public_id = serializers.UUIDField()
    display_name = serializers.CharField()
    country = serializers.CharField()
    profile = FreelancerProfileSerializer(source="freelancer_profile")
    rating = serializers.DictField(help_text="Reputation with formula and inputs; empty before the first review.")

    def to_representation(self, instance: User) -> dict[str, Any]:
        person = {name: getattr(instance, name) for name in PUBLIC_USER_FIELDS}
        person["public_id"] = str(person["public_id"])
        profile = FreelancerProfileSerializer(instance.freelancer_profile).data
        return {**person, "profile": profile, "rating": ports.rating_of.first(user_id=instance.pk)}
