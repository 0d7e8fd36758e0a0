"""The shapes of disputes on the wire."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.core.api.fields import CurrencyField, MinorUnits
from marketplace.core.api.files import FileIds, FileOut
from marketplace.core.api.serializers import ModelSerializer, Serializer
from marketplace.core.files import files_of_many

from ..deadlines import IF_NOBODY_ACTS
from ..models import Dispute, Evidence, SplitOffer
from ..policies import actions


class SplitOfferSerializer(ModelSerializer):
    class Meta:
        model = SplitOffer
        fields = ("side", "to_freelancer_minor", "made_at")
        read_only_fields = fields


class SplitSourceSerializer(Serializer):
    """Rows that a part was read from."""

    kind = serializers.CharField(help_text="milestone, submission or message.")
    ids = serializers.ListField(child=serializers.IntegerField())


class SplitPartSerializer(Serializer):
    """One addend of the computed share, in basis points of the held money. `rows` is empty for precedents, which name nobody, and for
    proposals computed before rows were noted."""

    code = serializers.CharField()
    bps = serializers.IntegerField()
    text = serializers.CharField()
    counted = serializers.BooleanField(default=True, help_text="False: nothing is on record for it; the text says why.")
    rows = SplitSourceSerializer(many=True, default=list)


class SplitProposalSerializer(Serializer):
    """A non-binding split. The parts sum to `share_bps`, the freelancer's share."""

    version = serializers.CharField()
    parts = SplitPartSerializer(many=True)
    share_bps = serializers.IntegerField()
    to_freelancer_minor = serializers.IntegerField()
    to_client_minor = serializers.IntegerField()


class EvidenceSerializer(ModelSerializer):
    author_id = serializers.IntegerField()
    files = serializers.SerializerMethodField()

    class Meta:
        model = Evidence
        fields = ("id", "author_id", "text", "added_at", "files")
        read_only_fields = fields

    @extend_schema_field(FileOut(many=True))
    def get_files(self, evidence: Evidence) -> Any:
        return FileOut(self.context["files"].get(evidence.pk, []), many=True).data


class DisputeSerializer(ModelSerializer):
    """A dispute; `actions` are the last words of the routes the viewer may use now, `if_nobody_acts` what happens at `decide_by`."""

    milestone_id = serializers.IntegerField()
    contract_id = serializers.IntegerField(source="milestone.contract_id")
    filer_id = serializers.IntegerField()
    proposal = SplitProposalSerializer(allow_null=True)
    actions = serializers.SerializerMethodField()
    if_nobody_acts = serializers.SerializerMethodField()

    class Meta:
        model = Dispute
        fields: tuple[str, ...] = (
            "id",
            "milestone_id",
            "contract_id",
            "state",
            "filer_id",
            "claim",
            "claimed_minor",
            "held_minor",
            "currency",
            "response",
            "responded_at",
            "proposal",
            "client_accepted_at",
            "freelancer_accepted_at",
            "to_freelancer_minor",
            "to_client_minor",
            "opened_at",
            "decide_by",
            "late_at",
            "decided_at",
            "decision_reason",
            "appeal_reason",
            "settled_at",
            "settled_by",
            "actions",
            "if_nobody_acts",
        )
        read_only_fields: tuple[str, ...] = fields
        extra_kwargs: ClassVar = {
            "decide_by": {"help_text": "UTC. Then happens what `if_nobody_acts` says."},
        }

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_actions(self, dispute: Dispute) -> list[str]:
        viewer: Any = self.context["viewer"]
        return actions(dispute, viewer)

    @extend_schema_field(serializers.CharField())
    def get_if_nobody_acts(self, dispute: Dispute) -> str:
        return IF_NOBODY_ACTS.get(dispute.state, "")


class DisputeWholeSerializer(DisputeSerializer):
    """With the live offers and everything that was shown."""

    offers = SplitOfferSerializer(many=True, source="live_offers")
    evidence = serializers.SerializerMethodField()

    class Meta(DisputeSerializer.Meta):
        fields = (*DisputeSerializer.Meta.fields, "offers", "evidence")
        read_only_fields = fields

    @extend_schema_field(EvidenceSerializer(many=True))
    def get_evidence(self, dispute: Dispute) -> Any:
        rows = list(dispute.evidence.order_by("id"))
        return EvidenceSerializer(rows, many=True, context={"files": files_of_many(rows)}).data


class ClaimSerializer(Serializer):
    claim = serializers.CharField(max_length=10_000)
    claimed_minor = MinorUnits(required=False, allow_null=True, help_text="What your side claims of the held money; absent: all of it.")
    file_ids = FileIds()


class DisputeResponseSerializer(Serializer):
    text = serializers.CharField(max_length=10_000)
    accept = serializers.BooleanField(default=False, help_text="True: the claim is right; the money moves as claimed.")


class SplitOfferInSerializer(Serializer):
    to_freelancer_minor = MinorUnits(min_value=0, help_text="Of the held money; the rest goes to the client.")


class EvidenceInSerializer(Serializer):
    text = serializers.CharField(max_length=10_000)
    file_ids = FileIds()


class AppealSerializer(Serializer):
    reason = serializers.CharField(max_length=5000)


class SplitSerializer(Serializer):
    """The two parts sum to exactly what is held."""

    to_freelancer_minor = MinorUnits(min_value=0)
    to_client_minor = MinorUnits(min_value=0)
    reason = serializers.CharField(max_length=5000)


#: in what the disputes of a group of precedents are alike
ALIKE = [("filer", "opened by the same side"), ("category", "in this category"), ("amount", "over a like amount")]


class PrecedentsQuery(Serializer):
    category = serializers.SlugField(max_length=64, help_text="Slug, as in `GET /categories`.")
    filer = serializers.ChoiceField(choices=["client", "freelancer"])
    amount_minor = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=settings.MAX_AMOUNT_MINOR,
        help_text="What is held, in minor units of `currency`; absent: any amount.",
    )
    currency = CurrencyField(default="USD")


class AmountBandSerializer(Serializer):
    """Amounts above one end, up to and including the other, in US cents by the rates of today."""

    above_usd_minor = serializers.IntegerField()
    up_to_usd_minor = serializers.IntegerField(allow_null=True)
    text = serializers.CharField()


class PrecedentsSerializer(Serializer):
    """Base rates of the narrowest group that hides each person in it; `n` is 0 and the figures null when there is none.

    `alike_in` says what its disputes have in common; `note` what was given up to find enough of them.
    """

    n = serializers.IntegerField()
    freelancer_share_quartiles_bps = serializers.ListField(child=serializers.IntegerField(), allow_null=True)
    settled_by = serializers.DictField(child=serializers.FloatField(), allow_null=True)
    alike_in = serializers.ListField(child=serializers.ChoiceField(choices=ALIKE))
    amount_band = AmountBandSerializer(allow_null=True)
    note = serializers.CharField(allow_blank=True)
