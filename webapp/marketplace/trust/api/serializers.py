"""The shapes of reviews, reputation and text checks on the wire."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.core.api.fields import WholeNumber
from marketplace.core.api.serializers import ModelSerializer, Serializer

from ..models import Review, ReviewVersion
from ..services.texts import CHECKED_TYPES, MAX_TEXT
from ..text.finding import NOTE, REASONS, WARN


class ReviewSerializer(ModelSerializer):
    """A review with the answer of the reviewed side. `hidden_at` is set when moderation took it from view: only its author still reads it."""

    contract_id = serializers.IntegerField()
    author_id = serializers.IntegerField()
    subject_id = serializers.IntegerField()
    reply = serializers.SerializerMethodField()

    class Meta:
        model = Review
        fields: tuple[str, ...] = (
            "id",
            "contract_id",
            "author_id",
            "subject_id",
            "author_side",
            "rating",
            "text",
            "written_at",
            "opened_at",
            "edited_at",
            "reply",
            "replied_at",
            "hidden_at",
        )
        read_only_fields: tuple[str, ...] = fields

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_reply(self, review: Review) -> str | None:
        return review.reply if review.reply_hidden_at is None else None


class ReviewVersionSerializer(ModelSerializer):
    """What a review said until `replaced_at`."""

    class Meta:
        model = ReviewVersion
        fields = ("rating", "text", "replaced_at")
        read_only_fields = fields


class OwnReviewSerializer(ReviewSerializer):
    """An own review with what it said before."""

    versions = ReviewVersionSerializer(many=True)

    class Meta(ReviewSerializer.Meta):
        fields = (*ReviewSerializer.Meta.fields, "versions")
        read_only_fields = fields


class ReviewReplySerializer(Serializer):
    text = serializers.CharField(max_length=5000)


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
    """One verified outcome: `value` is the class of its worth, 1 (below 100 USD) to 4 (10,000 USD and more), `opened_at` when it became known."""

    rating = serializers.IntegerField(source="outcome.rating")
    value = serializers.IntegerField(source="outcome.value")
    opened_at = serializers.DateTimeField(source="outcome.opened_at")
    age_days = serializers.FloatField()
    weight = serializers.FloatField()


class ConductPartSerializer(Serializer):
    """One kind of outcome of a client: 5 when it was done, 1 when it was not; `about` says what counts as done."""

    code = serializers.CharField()
    about = serializers.CharField()
    count = serializers.IntegerField(source="found.count")
    mean = serializers.FloatField(source="found.mean")
    low = serializers.FloatField(source="found.low")
    high = serializers.FloatField(source="found.high")
    inputs = InputSerializer(many=True, source="found.weighed")


class ConductSerializer(Serializer):
    """A client's record by the same formula: over all outcomes, and over each kind."""

    count = serializers.IntegerField(source="whole.count")
    mean = serializers.FloatField(source="whole.mean")
    low = serializers.FloatField(source="whole.low")
    high = serializers.FloatField(source="whole.high")
    parts = ConductPartSerializer(many=True)


class ReputationSerializer(Serializer):
    """Everything that is needed to compute the numbers again: docs/reputation/recompute.py does, from this answer alone."""

    user_id = serializers.IntegerField()
    as_of = serializers.DateTimeField()
    formula = serializers.CharField()
    formula_version = serializers.CharField()
    prior = PriorSerializer()
    half_life_days = serializers.FloatField()
    z = serializers.FloatField(help_text="Half the interval in standard errors.")
    inputs = InputSerializer(many=True)
    count = serializers.IntegerField()
    mean = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    client = ConductSerializer(allow_null=True)


class TextCheckSerializer(Serializer):
    text = serializers.CharField(max_length=MAX_TEXT, allow_blank=True, trim_whitespace=False)
    subject_type = serializers.ChoiceField(
        choices=CHECKED_TYPES, required=False, help_text="What it will be; then copies of what you sent before are found too."
    )


class FindingSerializer(Serializer):
    """`text[start:end]` in code points. `warn`: better change it, a person may look at it; `note`: only good to know."""

    code = serializers.ChoiceField(choices=sorted(REASONS))
    level = serializers.ChoiceField(choices=[WARN, NOTE])
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    excerpt = serializers.CharField()
    reason = serializers.CharField()


class TextReadingSerializer(Serializer):
    """What the rules of this version found; it may be sent all the same."""

    version = serializers.CharField()
    warned = serializers.BooleanField()
    findings = FindingSerializer(many=True)
