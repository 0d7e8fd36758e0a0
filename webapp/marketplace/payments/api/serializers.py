"""How money looks in JSON: whole minor units and a code; no rules here."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.core.api.fields import MAX_ID, CurrencyField, MinorUnits, WholeNumber
from marketplace.core.api.schema import Amount
from marketplace.core.api.serializers import ModelSerializer, Serializer

from ..models import FeeSchedule, Payment, Payout
from ..providers import gateways
from ..reasons import in_words


class BalancesSerializer(Serializer):
    """The user's money in one currency."""

    currency = serializers.CharField()
    wallet = Amount(help_text="Paid in and not committed.")
    held = Amount(help_text="Funds held on milestones that this user funds.")
    pending = Amount(help_text="Released to this user, in the clearing period.")
    available = Amount(help_text="May be paid out.")
    in_transit = Amount(help_text="Being paid out.")


class BalancesAnswerSerializer(Serializer):
    results = BalancesSerializer(many=True)


class EffectSerializer(Serializer):
    """What an entry did to one of the user's accounts."""

    account = serializers.CharField(source="account_kind")
    milestone_id = serializers.IntegerField(allow_null=True)
    change = Amount()


class TransactionSerializer(Serializer):
    """An entry of the ledger as this user sees it."""

    entry_id = serializers.IntegerField(source="entry.pk")
    kind = serializers.CharField(source="entry.kind")
    at = serializers.DateTimeField(source="entry.occurred_at")
    contract_id = serializers.IntegerField(source="entry.contract_id", allow_null=True)
    subject_type = serializers.CharField(source="entry.subject_type")
    subject_id = serializers.IntegerField(source="entry.subject_id", allow_null=True)
    rule = serializers.CharField(source="entry.rule", help_text="The rule that moved it.")
    reason = serializers.CharField(source="entry.reason")
    changes = EffectSerializer(source="effects", many=True)


class NextActionSerializer(Serializer):
    """What the payer still has to do. `redirect`: open `url`. `stripe`: give `client_secret` and `publishable_key` to Stripe's form. `phone`:
    answer the prompt on the phone."""

    kind = serializers.ChoiceField(choices=["redirect", "stripe", "phone"])
    url = serializers.CharField(required=False)
    client_secret = serializers.CharField(required=False)
    publishable_key = serializers.CharField(required=False)


def next_action(provider: str, action: dict[str, Any]) -> dict[str, Any] | None:
    """As the browser needs it; None when there is nothing to do."""
    there = gateways().get(provider)
    if not action or there is None:
        return None
    key = there.capabilities().publishable_key
    return {**action, **({"publishable_key": key} if key and action.get("kind") == "stripe" else {})}


class PaymentSerializer(ModelSerializer):
    """Money coming in. `next_action` is told to the payer alone."""

    next_action = serializers.SerializerMethodField()

    @extend_schema_field(NextActionSerializer(allow_null=True))
    def get_next_action(self, payment: Payment) -> dict[str, Any] | None:
        viewer = self.context.get("viewer_id", payment.payer_id)
        return next_action(payment.provider, payment.action) if viewer == payment.payer_id else None

    class Meta:
        model = Payment
        fields = [
            "id",
            "state",
            "provider",
            "amount_minor",
            "currency",
            "purpose",
            "purpose_id",
            "failure_code",
            "next_action",
            "received_minor",
            "created_at",
            "settled_at",
        ]
        read_only_fields = fields


class PayoutSerializer(ModelSerializer):
    """Money going out to the user; why it is held, or failed, in plain words."""

    hold_words = serializers.SerializerMethodField()
    failure_words = serializers.SerializerMethodField()

    class Meta:
        model = Payout
        fields = [
            "id",
            "state",
            "provider",
            "amount_minor",
            "currency",
            "failure_code",
            "failure_words",
            "hold_reason",
            "hold_words",
            "held_until",
            "created_at",
            "settled_at",
        ]
        read_only_fields = fields
        extra_kwargs: ClassVar = {
            "held_until": {"help_text": "UTC. Then the payout is sent; null while it is held means that staff decide."}
        }

    def get_hold_words(self, payout: Payout) -> str:
        return in_words(payout.hold_reason)

    def get_failure_words(self, payout: Payout) -> str:
        return in_words(payout.failure_code)


class PayoutRequestSerializer(Serializer):
    amount_minor = MinorUnits()
    currency = CurrencyField()
    method_id = WholeNumber(min_value=1, max_value=MAX_ID, required=False, help_text="Where to: one of the saved places.")
    method = serializers.DictField(
        required=False,
        help_text='Instead of `method_id`, a place that is then saved: the sandbox takes {"token": "bank_ok"}. Without any, your default place.',
    )


def tiers_field(**more: Any) -> serializers.DictField:
    """currency → pairs of minor units and hundredths of a per cent; the service checks what they are."""
    pair = serializers.ListField(child=WholeNumber(), min_length=2, max_length=2)
    told = (
        "By currency: from so many minor units paid on the contract on, so many hundredths of a per cent of what is beyond. "
        "Below the first tier, and in other currencies, the percent holds."
    )
    return serializers.DictField(child=serializers.ListField(child=pair), help_text=told, **more)


def minimum_field(**more: Any) -> serializers.DictField:
    """currency → minor units."""
    told = "By currency: what a contract bears at least, in minor units, out of half of what is paid on it at most."
    return serializers.DictField(child=WholeNumber(), help_text=told, **more)


def client_minimum_field(**more: Any) -> serializers.DictField:
    """currency → minor units."""
    told = "By currency: the least that a client's fee on one funding or bonus is, in minor units."
    return serializers.DictField(child=WholeNumber(), help_text=told, **more)


class FeeScheduleSerializer(ModelSerializer):
    """A published price; a contract keeps the version that it was quoted."""

    tiers = tiers_field(read_only=True)
    minimum = minimum_field(read_only=True)
    client_minimum = client_minimum_field(read_only=True)

    class Meta:
        model = FeeSchedule
        fields = [
            "version",
            "freelancer_fee_bps",
            "tax_bps",
            "tiers",
            "minimum",
            "client_fee_bps",
            "client_minimum",
            "active_from",
        ]
        read_only_fields = fields


class FeeSchedulesSerializer(Serializer):
    current = serializers.CharField(help_text="The version that new quotes use.")
    schedules = FeeScheduleSerializer(many=True)


class ReceivedSerializer(Serializer):
    received = serializers.BooleanField()
