"""The shapes of contracts on the wire."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from marketplace.core.api.fields import MAX_ID, MinorUnits, WholeNumber
from marketplace.core.api.files import FileIds, FileOut
from marketplace.core.api.schema import Amount
from marketplace.core.api.serializers import ModelSerializer, Serializer
from marketplace.core.money import Money
from marketplace.payments.api.serializers import PaymentSerializer

from ..models import Contract, Milestone, RefundRequest, Submission
from .offer_shapes import OfferNow


class PersonSerializer(Serializer):
    """A side of the contract."""

    id = serializers.IntegerField()
    display_name = serializers.CharField()


@extend_schema_serializer(component_name="ContractClock")
class ClockSerializer(Serializer):
    """What happens by itself at `at` when nobody acts."""

    clock = serializers.ChoiceField(
        choices=[
            "auto_approval",
            "bonus_clearing",
            "clearing",
            "dispute_decision",
            "due",
            "funding_opens",
            "hold_limit",
            "offer_expiry",
            "part_clearing",
            "question_answer",
            "refund_answer",
            "review_window",
            "timesheet_close",
            "week_open",
        ]
    )
    at = serializers.DateTimeField()
    then = serializers.CharField()
    milestone_id = serializers.IntegerField(allow_null=True)


class ItemNoteSerializer(Serializer):
    """What is missing of one item of the acceptance list; `item` is its position, from 0."""

    item = serializers.IntegerField()
    text = serializers.CharField()


class SubmissionSerializer(ModelSerializer):
    unmet = serializers.ListField(child=serializers.IntegerField(), read_only=True)
    item_notes = ItemNoteSerializer(many=True, read_only=True)
    files = serializers.SerializerMethodField()

    class Meta:
        model = Submission
        fields = ("id", "version", "note", "files", "submitted_at", "change_request", "unmet", "item_notes", "change_requested_at")
        read_only_fields = fields

    @extend_schema_field(FileOut(many=True))
    def get_files(self, submission: Submission) -> Any:
        return FileOut(self.context["files"].get(submission.pk, []), many=True).data


class RefundRequestSerializer(ModelSerializer):
    """The client asks for held money: back to the wallet, or on to the next milestone. Silence until `answer_by` agrees."""

    milestone_id = serializers.IntegerField(read_only=True)
    amount = serializers.SerializerMethodField()

    class Meta:
        model = RefundRequest
        fields = ("id", "milestone_id", "state", "to", "amount", "reason", "ends_contract", "asked_at", "answer_by", "answer", "closed_at")
        read_only_fields = fields
        extra_kwargs: ClassVar = {"answer_by": {"help_text": "UTC. Silence until then agrees."}}

    @extend_schema_field(Amount)
    def get_amount(self, request: RefundRequest) -> dict[str, Any]:
        return asdict(Money(request.amount_minor, request.currency))


class ToFundSerializer(Serializer):
    """What the client pays to fund a milestone: its amount, and the client's fee and its tax on top. Who pays in another currency asks for a
    quote for the total."""

    amount = Amount()
    fee = Amount()
    tax = Amount()
    total = Amount()


class MilestoneSerializer(ModelSerializer):
    """A milestone; `held` is what its hold contains now. `to_fund` is there for the client until it is funded."""

    contract_id = serializers.IntegerField(read_only=True)
    acceptance = serializers.ListField(child=serializers.CharField(), read_only=True)
    held = serializers.SerializerMethodField()
    to_fund = serializers.SerializerMethodField()
    submissions = SubmissionSerializer(many=True)
    refund_request = serializers.SerializerMethodField()
    clocks = serializers.SerializerMethodField()
    actions = serializers.SerializerMethodField()
    dispute_id = serializers.SerializerMethodField()
    week_id = serializers.SerializerMethodField()

    class Meta:
        model = Milestone
        fields = (
            "id",
            "contract_id",
            "position",
            "state",
            "title",
            "acceptance",
            "amount_minor",
            "currency",
            "held",
            "to_fund",
            "due_at",
            "funded_at",
            "started_at",
            "submitted_at",
            "auto_approve_at",
            "approved_at",
            "approved_by_clock",
            "released_at",
            "clears_at",
            "cleared_at",
            "refunded_at",
            "disputed_at",
            "dispute_id",
            "decide_by",
            "resolved_at",
            "refund_request",
            "submissions",
            "clocks",
            "actions",
            "week_id",
        )
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "due_at": {"help_text": "UTC. From then on the milestone counts as late; no money moves by itself."},
            "auto_approve_at": {"help_text": "UTC. If the client is silent until then, the work is approved and the money released."},
            "clears_at": {"help_text": "UTC. From then on the released money can be paid out."},
            "decide_by": {"help_text": "UTC. When the next step of its dispute is due; null without a dispute."},
        }

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_week_id(self, milestone: Milestone) -> int | None:
        sheet = getattr(milestone, "timesheet", None)
        return None if sheet is None else sheet.pk

    @extend_schema_field(Amount)
    def get_held(self, milestone: Milestone) -> dict[str, Any]:
        return asdict(self.context["held"].get(milestone.pk) or Money(0, milestone.currency))

    @extend_schema_field(ToFundSerializer(allow_null=True))
    def get_to_fund(self, milestone: Milestone) -> Any:
        charge = self.context["to_fund"].get(milestone.pk)
        return None if charge is None else ToFundSerializer(charge).data

    @extend_schema_field(RefundRequestSerializer(allow_null=True))
    def get_refund_request(self, milestone: Milestone) -> Any:
        found = self.context["beside"].refund_requests.get(milestone.pk)
        return None if found is None else RefundRequestSerializer(found).data

    @extend_schema_field(ClockSerializer(many=True))
    def get_clocks(self, milestone: Milestone) -> list[dict[str, Any]]:
        return [c for c in self.context["clocks"] if c["milestone_id"] == milestone.pk]

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_dispute_id(self, milestone: Milestone) -> int | None:
        found: int | None = self.context["disputes"].get(milestone.pk)
        return found

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_actions(self, milestone: Milestone) -> list[str]:
        actions: list[str] = self.context["milestone_actions"][milestone.pk]
        return actions


class MyContractsQuery(Serializer):
    """What a list of one's contracts may be narrowed to."""

    proposal = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, required=False, help_text="Only contracts that came of this proposal."
    )


class ContractSummarySerializer(ModelSerializer):
    """A contract as a list shows it."""

    job_id = serializers.IntegerField()
    proposal_id = serializers.IntegerField()
    client = PersonSerializer()
    freelancer = PersonSerializer()
    role = serializers.SerializerMethodField()

    class Meta:
        model = Contract
        fields: tuple[str, ...] = (
            "id",
            "job_id",
            "proposal_id",
            "title",
            "state",
            "role",
            "client",
            "freelancer",
            "pricing",
            "currency",
            "payee_currency",
            "total_minor",
            "fee_schedule",
            "paused_at",
            "paused_by_staff",
            "disputed_at",
            "offered_at",
            "started_at",
            "ended_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=["client", "freelancer", "staff"]))
    def get_role(self, contract: Contract) -> str:
        viewer = self.context["viewer"]
        return {contract.client_id: "client", contract.freelancer_id: "freelancer"}.get(viewer.pk, "staff")


class ContractWeeksSerializer(Serializer):
    """What a weekly contract agreed on, in short; `contracts/{id}/hours` and `contracts/{id}/weeks` say more."""

    rate_minor = serializers.IntegerField()
    weekly_cap_minutes = serializers.IntegerField()
    stopped_at = serializers.DateTimeField(allow_null=True)


class ContractSerializer(ContractSummarySerializer):
    """A contract with its milestones, the clocks that run, and what the viewer may do now (the last words of routes).

    `hours` is null unless the contract is paid by weekly timesheets: then each week is one of its milestones.
    """

    hours = serializers.SerializerMethodField()
    milestones = serializers.SerializerMethodField()
    clocks = serializers.SerializerMethodField()
    actions = serializers.SerializerMethodField()
    offer = serializers.SerializerMethodField(help_text="What was offered, and until when; null for contracts from before offers ran out.")

    class Meta(ContractSummarySerializer.Meta):
        fields = (*ContractSummarySerializer.Meta.fields, "hours", "milestones", "clocks", "actions", "offer")

    @extend_schema_field(ContractWeeksSerializer(allow_null=True))
    def get_hours(self, contract: Contract) -> Any:
        terms = getattr(contract, "hours", None)
        return None if terms is None else ContractWeeksSerializer(terms).data

    @extend_schema_field(OfferNow(allow_null=True))
    def get_offer(self, contract: Contract) -> Any:
        offer = self.context["offer"]
        return None if offer is None else OfferNow(offer, context=self.context).data

    @extend_schema_field(MilestoneSerializer(many=True))
    def get_milestones(self, contract: Contract) -> Any:
        return MilestoneSerializer(self.context["milestones"], many=True, context=self.context).data

    @extend_schema_field(ClockSerializer(many=True))
    def get_clocks(self, contract: Contract) -> Any:
        return self.context["clocks"]

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_actions(self, contract: Contract) -> list[str]:
        actions: list[str] = self.context["actions"]
        return actions


class TimelineItemSerializer(Serializer):
    """One line: something that happened, money that moved, or a clock still to run."""

    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(choices=["event", "posting", "clock"])
    title = serializers.CharField()
    text = serializers.CharField()
    actor = serializers.CharField()
    future = serializers.BooleanField()
    milestone_id = serializers.IntegerField(allow_null=True)
    amount = Amount(allow_null=True)
    entry_id = serializers.IntegerField(allow_null=True)
    if_nobody_acts = serializers.CharField(allow_null=True)


class TimelineSerializer(Serializer):
    now = serializers.DateTimeField()
    items = TimelineItemSerializer(many=True)


class TermSerializer(Serializer):
    """A milestone of an offer."""

    title = serializers.CharField(max_length=200)
    amount_minor = MinorUnits()
    due_in_days = WholeNumber(min_value=1, max_value=3650, required=False, allow_null=True)
    acceptance = serializers.ListField(child=serializers.CharField(max_length=500), max_length=50, required=False)


class OfferSerializer(Serializer):
    """Without `milestones` the proposal's own are offered. An hourly job's offer names `weekly_cap_minutes`, or milestones as blocks of work."""

    milestones = TermSerializer(many=True, required=False, allow_null=True)
    weekly_cap_minutes = WholeNumber(
        min_value=1, max_value=7 * 24 * 60, required=False, allow_null=True, help_text="Most minutes a week (Monday to Sunday, UTC)."
    )


@extend_schema_serializer(component_name="ContractReason")
class ReasonSerializer(Serializer):
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class RequiredReasonSerializer(Serializer):
    reason = serializers.CharField(max_length=500)


class AcceptSerializer(Serializer):
    """With `revision` an offer whose terms have changed since is not accepted."""

    revision = WholeNumber(min_value=1, max_value=32767, required=False, allow_null=True, default=None)


class FundSerializer(Serializer):
    """How to pay: a provider and its token, or `provider: "wallet"` without one."""

    provider = serializers.CharField(max_length=16, default="sandbox")
    method = serializers.DictField(child=serializers.CharField(max_length=200), required=False, default=dict)
    quote_id = WholeNumber(
        required=False,
        min_value=1,
        max_value=MAX_ID,
        help_text="An exchange quote for the total that funds the milestone: pay in its other currency.",
    )


class SubmitSerializer(Serializer):
    note = serializers.CharField(max_length=10_000)
    file_ids = FileIds()


class ItemNoteInSerializer(Serializer):
    item = WholeNumber(min_value=0, max_value=1000)
    text = serializers.CharField(max_length=2_000)


class ChangesSerializer(Serializer):
    """`unmet` names items of the acceptance list by position, from 0; `items` says of each what is missing."""

    text = serializers.CharField(max_length=10_000)
    unmet = serializers.ListField(child=WholeNumber(min_value=0, max_value=1000), max_length=50, required=False, default=list)
    items = ItemNoteInSerializer(many=True, required=False, max_length=50)  # type: ignore[call-arg]


@extend_schema_serializer(component_name="ContractCancel")
class CancelSerializer(Serializer):
    """`ask_refund`: the client ends a contract whose milestones hold money, and asks for all of it."""

    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
    ask_refund = serializers.BooleanField(required=False, default=False)


class FundedSerializer(Serializer):
    """`payment` is null when the wallet paid. A pending payment funds the milestone when it succeeds."""

    payment = PaymentSerializer(allow_null=True)
    milestone = MilestoneSerializer()
