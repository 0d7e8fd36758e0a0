"""The shapes of reviews and reputation on the wire."""

from __future__ import annotations

from rest_framework import serializers

from marketplace.core.api.fields import WholeNumber
from marketplace.core.api.serializers import ModelSerializer, Serializer

from ..models import Review


class ReviewSerializer(ModelSerializer):
    contract_id = serializers.IntegerField()
    author_id = serializers.IntegerField()
    subject_id = serializers.IntegerField()

    class Meta:
        model = Review
        fields = ("id", "contract_id", "author_id", "subject_id", "author_side", "rating", "text", "written_at", "opened_at")
        read_only_fields = fields


class ReviewsSerializer(Serializer):
    """What the viewer may read, whether a review is still awaited from them, and when the window shuts."""

    results = ReviewSerializer(many=True)
    may_write = serializers.BooleanField()
    window_shuts_at = serializers.DateTimeField(allow_null=True)


class ReviewWriteSerializer(Serializer):
    rating = WholeNumber(min_value=1, max_value=5)
    text = serializers.CharField(max_length=5000, required=False, allow_blank=True, default="")


class PriorSerializer(Serializer):
    weight = serializers.FloatField()
    mean = serializers.FloatField()
    deviation = serializers.FloatField()


class InputSerializer(Serializer):
    """One opened review: `value` is the class of its contract's worth, 1 (below 100 USD) to 4 (10,000 USD and more)."""

    rating = serializers.IntegerField(source="outcome.rating")
    value = serializers.IntegerField(source="outcome.value")
    opened_at = serializers.DateTimeField(source="outcome.opened_at")
    age_days = serializers.FloatField()
    weight = serializers.FloatField()


class ReputationSerializer(Serializer):
    """Everything that is needed to compute the number again."""

    user_id = serializers.IntegerField()
    as_of = serializers.DateTimeField()
    formula = serializers.CharField()
    prior = PriorSerializer()
    half_life_days = serializers.FloatField()
    inputs = InputSerializer(many=True)
    count = serializers.IntegerField()
    mean = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
