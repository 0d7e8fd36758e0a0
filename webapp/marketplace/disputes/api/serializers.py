"""The shapes of disputes on the wire."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.core.api.fields import MinorUnits

from ..models import Dispute
from ..policies import actions


class DisputeSerializer(serializers.ModelSerializer):
    """A dispute; `actions` are the last words of the routes the viewer may use now."""

    milestone_id = serializers.IntegerField()
    contract_id = serializers.IntegerField(source="milestone.contract_id")
    filer_id = serializers.IntegerField()
    actions = serializers.SerializerMethodField()

    class Meta:
        model = Dispute
        fields = (
            "id",
            "milestone_id",
            "contract_id",
            "state",
            "filer_id",
            "claim",
            "held_minor",
            "currency",
            "to_freelancer_minor",
            "to_client_minor",
            "opened_at",
            "decide_by",
            "settled_at",
            "decision_reason",
            "actions",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_actions(self, dispute: Dispute) -> list[str]:
        viewer: Any = self.context["viewer"]
        return actions(dispute, viewer)


class ClaimSerializer(serializers.Serializer):
    claim = serializers.CharField(max_length=10_000)


class SplitSerializer(serializers.Serializer):
    """The two parts sum to exactly what is held."""

    to_freelancer_minor = MinorUnits(min_value=0)
    to_client_minor = MinorUnits(min_value=0)
    reason = serializers.CharField(max_length=5000)
