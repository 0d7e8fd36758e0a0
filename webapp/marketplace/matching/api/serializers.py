"""What the API says of recommendations."""

from __future__ import annotations

from rest_framework import serializers

from marketplace.core.api.serializers import Serializer


class RecommendedSkillSerializer(Serializer):
    slug = serializers.CharField()
    name = serializers.CharField()


class RecommendedJobCardSerializer(Serializer):
    """The job as a card: enough to decide whether to open it. Amounts in minor units of `currency`; null: not stated."""

    id = serializers.IntegerField()
    title = serializers.CharField()
    category = serializers.SlugField(source="category.slug")
    category_name = serializers.CharField(source="category.name")
    pricing = serializers.CharField()
    currency = serializers.CharField()
    budget_min_minor = serializers.IntegerField(allow_null=True)
    budget_max_minor = serializers.IntegerField(allow_null=True)
    experience_level = serializers.CharField(allow_blank=True)
    client_country = serializers.CharField(source="client.country", allow_blank=True)
    proposal_count = serializers.IntegerField()
    opened_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)


class PartSerializer(Serializer):
    """One additive contribution; the values of all parts sum to the score."""

    name = serializers.CharField()
    value = serializers.FloatField(help_text="Model: log-odds. Rules: points.")
    text = serializers.CharField()


class HitSerializer(Serializer):
    job = RecommendedJobCardSerializer()
    skills = RecommendedSkillSerializer(many=True)
    position = serializers.IntegerField(min_value=1)
    score = serializers.FloatField()
    placed_by = serializers.ChoiceField(
        choices=["score", "exposure", "rules"], help_text="exposure: a reserved place, so that every job is seen by somebody."
    )
    parts = PartSerializer(many=True)


class RecommendationsSerializer(Serializer):
    """The list that was shown, and what made it."""

    model_version = serializers.CharField()
    publish_id = serializers.CharField(allow_blank=True, help_text="The published marts that the model's features come from.")
    fallback = serializers.BooleanField(help_text="True when the documented rules answered instead of the model.")
    note = serializers.CharField(allow_blank=True, help_text="Why the rules answered.")
    batch = serializers.CharField(help_text="Send it with a view that was opened from this list.")
    results = HitSerializer(source="hits", many=True)


class SuggestedSkill(Serializer):
    """A skill that is not claimed yet."""

    skill = serializers.CharField(help_text="The skill's slug.")
    name = serializers.CharField()
    score = serializers.FloatField(help_text="0 to 1.")
    reason = serializers.CharField()


class SkillSuggestionsSerializer(Serializer):
    """Best first. `note` says why there is nothing, when no model answered."""

    model_version = serializers.CharField()
    note = serializers.CharField(allow_blank=True)
    results = SuggestedSkill(many=True)
