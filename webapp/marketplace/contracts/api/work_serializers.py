"""The shapes of what goes on beside the milestones: money requests, bonuses, requests between the sides, progress, boards, the calendar."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.core.api.fields import MinorUnits, WholeNumber
from marketplace.core.api.files import FileIds, FileOut
from marketplace.core.api.schema import Amount
from marketplace.core.api.serializers import ModelSerializer, Serializer
from marketplace.core.money import Money

from ..models import Bonus, ProgressReport, RefundRequest, WorkRequest, WorkTask


class ApprovePartSerializer(Serializer):
    """Pay `amount_minor` of what is held now; `rest` says where the remainder shall go when the freelancer agrees or stays silent."""

    amount_minor = MinorUnits()
    rest = serializers.ChoiceField(choices=RefundRequest.To.choices)
    reason = serializers.CharField(max_length=10_000)


class RefundAskSerializer(Serializer):
    """Without `amount_minor` all that is held."""

    amount_minor = MinorUnits(required=False, allow_null=True)
    reason = serializers.CharField(max_length=10_000)


class RefundRefusalSerializer(Serializer):
    answer = serializers.CharField(max_length=10_000)


class BonusInSerializer(Serializer):
    """In the contract's currency, from the wallet."""

    amount_minor = MinorUnits()
    note = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class BonusSerializer(ModelSerializer):
    """Pay beyond the price; the fee is that of the contract's schedule."""

    contract_id = serializers.IntegerField(read_only=True)
    amount = serializers.SerializerMethodField()

    class Meta:
        model = Bonus
        fields = ("id", "contract_id", "amount", "note", "given_at", "clears_at", "cleared_at")
        read_only_fields = fields
        extra_kwargs: ClassVar = {"clears_at": {"help_text": "UTC. From then on it can be paid out."}}

    @extend_schema_field(Amount)
    def get_amount(self, bonus: Bonus) -> dict[str, Any]:
        return asdict(Money(bonus.gross_minor, bonus.currency))


class ExtensionSerializer(Serializer):
    due_at = serializers.DateTimeField()
    reason = serializers.CharField(max_length=10_000)


class ProgressAskSerializer(Serializer):
    text = serializers.CharField(max_length=10_000)


class PauseAskSerializer(Serializer):
    reason = serializers.CharField(max_length=10_000)


class WorkAnswerSerializer(Serializer):
    answer = serializers.CharField(max_length=10_000, required=False, allow_blank=True, default="")


class WorkRequestSerializer(ModelSerializer):
    """What one side asks of the other; `due_at` is the new date of an extension."""

    contract_id = serializers.IntegerField(read_only=True)
    milestone_id = serializers.IntegerField(read_only=True, allow_null=True)
    asker_id = serializers.IntegerField(read_only=True)

    class Meta:
        model = WorkRequest
        fields = ("id", "contract_id", "milestone_id", "kind", "state", "asker_id", "text", "due_at", "asked_at", "answer", "closed_at")
        read_only_fields = fields


class ProgressInSerializer(Serializer):
    text = serializers.CharField(max_length=10_000)
    percent = WholeNumber(min_value=0, max_value=100, required=False, allow_null=True)
    file_ids = FileIds()


class ProgressSerializer(ModelSerializer):
    """How far a milestone is, in the freelancer's words."""

    milestone_id = serializers.IntegerField(read_only=True)
    request_id = serializers.IntegerField(read_only=True, allow_null=True)
    files = serializers.SerializerMethodField()

    class Meta:
        model = ProgressReport
        fields = ("id", "milestone_id", "request_id", "text", "percent", "files", "reported_at")
        read_only_fields = fields

    @extend_schema_field(FileOut(many=True))
    def get_files(self, report: ProgressReport) -> Any:
        return FileOut(self.context["files"].get(report.pk, []), many=True).data


class WorkTaskSerializer(ModelSerializer):
    """A card of the board."""

    milestone_id = serializers.IntegerField(read_only=True)
    assignee = serializers.ChoiceField(choices=["", *WorkTask.Side.values], read_only=True)

    class Meta:
        model = WorkTask
        fields = ("id", "milestone_id", "title", "column", "position", "assignee", "created_at", "changed_at")
        read_only_fields = fields


class BoardSerializer(Serializer):
    """All cards, by column and place; a board holds at most MAX_MILESTONE_TASKS (200)."""

    tasks = WorkTaskSerializer(many=True)


class WorkTaskInSerializer(Serializer):
    title = serializers.CharField(max_length=200)
    column = serializers.ChoiceField(choices=WorkTask.Column.choices, required=False, default="todo")
    assignee = serializers.ChoiceField(choices=["", *WorkTask.Side.values], required=False, default="")


class WorkTaskChangeSerializer(Serializer):
    """Only what is sent is changed; `position` counts from 0 in its column."""

    title = serializers.CharField(max_length=200, required=False)
    column = serializers.ChoiceField(choices=WorkTask.Column.choices, required=False)
    assignee = serializers.ChoiceField(choices=["", *WorkTask.Side.values], required=False)
    position = WholeNumber(min_value=0, max_value=1000, required=False)


class CalendarFeedSerializer(Serializer):
    """`url` is a secret: whoever has it reads your deadlines until you revoke it. Null when there is none."""

    url = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField(allow_null=True)


class CalendarFeedMadeSerializer(Serializer):
    """Read the address with GET."""

    created_at = serializers.DateTimeField()
