"""The shapes of weekly hours on the wire."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.core.api.fields import MAX_ID, WholeNumber
from marketplace.core.api.schema import Amount
from marketplace.core.api.serializers import ModelSerializer, Serializer
from marketplace.core.money import Money

from ..hours_policies import week_actions
from ..models import CapChange, HourlyTerms, TimeEntry, Timesheet
from ..services.entries import MAX_WHAT, MOST_ENTRIES
from ..services.weeks import CAP_MOST
from ..states import MILESTONE

MAX_TEXT = 2_000


class CapChangeSerializer(ModelSerializer):
    """A wish for another weekly cap; `mine` says whether the viewer proposed it."""

    contract_id = serializers.IntegerField(read_only=True)
    mine = serializers.SerializerMethodField()

    class Meta:
        model = CapChange
        fields = ("id", "contract_id", "state", "weekly_cap_minutes", "note", "mine", "proposed_at", "answered_at")
        read_only_fields = fields

    def get_mine(self, change: CapChange) -> bool:
        return bool(change.proposer_id == self.context["viewer"].pk)


class HourlyTermsSerializer(ModelSerializer):
    """What a weekly contract agreed on. A change of the cap holds for weeks that are not funded yet."""

    currency = serializers.CharField(source="contract.currency", read_only=True)
    cap_changes = serializers.SerializerMethodField()

    class Meta:
        model = HourlyTerms
        fields = ("rate_minor", "currency", "weekly_cap_minutes", "unspent", "auto_fund", "next_week_at", "stopped_at", "cap_changes")
        read_only_fields = fields

    @extend_schema_field(CapChangeSerializer(many=True))
    def get_cap_changes(self, terms: HourlyTerms) -> Any:
        return CapChangeSerializer(self.context["cap_changes"], many=True, context=self.context).data


class TimeEntrySerializer(ModelSerializer):
    """Minutes of one day (UTC). `amount_minor` is null until the week is closed; `minutes_questioned` is what the question was about."""

    week_id = serializers.IntegerField(source="timesheet_id", read_only=True)

    class Meta:
        model = TimeEntry
        fields = (
            "id",
            "week_id",
            "day",
            "minutes",
            "what",
            "logged_at",
            "amount_minor",
            "question",
            "questioned_at",
            "minutes_questioned",
            "answer",
            "answered_at",
        )
        read_only_fields = fields


class WeekSerializer(ModelSerializer):
    """A week (Monday 00:00 to Sunday 24:00 UTC) or, with part 1, its questioned hours.

    Funding, approval and disputes are those of the milestone `milestone_id`. Hours of a week that is not `protected` cannot be logged.
    """

    contract_id = serializers.IntegerField(read_only=True)
    milestone_id = serializers.IntegerField(read_only=True)
    part = serializers.IntegerField(read_only=True)
    state = serializers.ChoiceField(choices=MILESTONE.choices, source="milestone.state", read_only=True)
    protected = serializers.SerializerMethodField()
    amount_minor = serializers.IntegerField(
        source="milestone.amount_minor",
        read_only=True,
        help_text="What the week costs at most; once it is closed, what its hours are worth.",
    )
    currency = serializers.CharField(source="milestone.currency", read_only=True)
    held = serializers.SerializerMethodField()
    auto_approve_at = serializers.DateTimeField(
        source="milestone.auto_approve_at",
        read_only=True,
        allow_null=True,
        help_text="UTC. If the client asks nothing until then, the hours are approved and paid.",
    )

    class Meta:
        model = Timesheet
        fields: tuple[str, ...] = (
            "id",
            "contract_id",
            "milestone_id",
            "week_start",
            "part",
            "state",
            "protected",
            "rate_minor",
            "cap_minutes",
            "minutes",
            "amount_minor",
            "funded_minor",
            "currency",
            "held",
            "closes_at",
            "closed_at",
            "auto_approve_at",
            "answer_by",
        )
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "closes_at": {"help_text": "UTC. What is logged by then is handed in by itself; the rest of the hold returns to the client."},
            "answer_by": {
                "help_text": "UTC. Questions that the freelancer has not answered by then count as granted: their money returns."
            },
        }

    def get_protected(self, sheet: Timesheet) -> bool:
        return sheet.milestone.state not in ("planned", "cancelled")

    @extend_schema_field(Amount)
    def get_held(self, sheet: Timesheet) -> dict[str, Any]:
        return asdict(self.context["held"].get(sheet.milestone_id) or Money(0, sheet.milestone.currency))


class WeekDetailSerializer(WeekSerializer):
    """A week with its entries and what the viewer may do now (the last words of routes)."""

    entries = serializers.SerializerMethodField()
    actions = serializers.SerializerMethodField()

    class Meta(WeekSerializer.Meta):
        fields = (*WeekSerializer.Meta.fields, "entries", "actions")

    @extend_schema_field(TimeEntrySerializer(many=True))
    def get_entries(self, sheet: Timesheet) -> Any:
        return TimeEntrySerializer(self.context["entries"], many=True).data

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_actions(self, sheet: Timesheet) -> list[str]:
        return week_actions(sheet.contract, sheet, self.context["role"], self.context["now"])


class HoursSettingsSerializer(Serializer):
    """What is left out stays as it is."""

    unspent = serializers.ChoiceField(choices=HourlyTerms.Unspent.choices, required=False)
    auto_fund = serializers.BooleanField(required=False)


class CapChangeProposeSerializer(Serializer):
    weekly_cap_minutes = WholeNumber(min_value=1, max_value=CAP_MOST)
    note = serializers.CharField(max_length=MAX_TEXT, required=False, allow_blank=True, default="")


class EntryLogSerializer(Serializer):
    """`day` by UTC."""

    day = serializers.DateField()
    minutes = WholeNumber(min_value=1, max_value=1440)
    what = serializers.CharField(max_length=MAX_WHAT)


class EntryChangeSerializer(Serializer):
    """What is left out stays as it is."""

    day = serializers.DateField(required=False)
    minutes = WholeNumber(min_value=1, max_value=1440, required=False)
    what = serializers.CharField(max_length=MAX_WHAT, required=False)


class WeekSubmitSerializer(Serializer):
    note = serializers.CharField(max_length=10_000, required=False, allow_blank=True, default="")


class QuestionSerializer(Serializer):
    entry_id = WholeNumber(min_value=1, max_value=MAX_ID)
    reason = serializers.CharField(max_length=MAX_TEXT)


class WeekQuestionSerializer(Serializer):
    questions = QuestionSerializer(many=True, allow_empty=False, max_length=MOST_ENTRIES)  # type: ignore[call-arg]


class AnswerSerializer(Serializer):
    """Fewer `minutes`, or a `text` that says why the entry stands."""

    entry_id = WholeNumber(min_value=1, max_value=MAX_ID)
    minutes = WholeNumber(min_value=0, max_value=1440, required=False, allow_null=True)
    text = serializers.CharField(max_length=MAX_TEXT, required=False, allow_blank=True, default="")


class WeekAnswerSerializer(Serializer):
    answers = AnswerSerializer(many=True, allow_empty=False, max_length=MOST_ENTRIES)  # type: ignore[call-arg]
