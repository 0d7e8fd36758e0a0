"""How gateways, payments, refunds and saved means of payment look in JSON."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketplace.core.api.fields import CurrencyField, MinorUnits
from marketplace.core.api.schema import Amount
from marketplace.core.api.serializers import ModelSerializer, Serializer

from ..models import PaymentRefund, SavedMethod
from .serializers import NextActionSerializer, next_action


class OfferedGatewaySerializer(Serializer):
    """One way to pay or to be paid. `flow` says what it needs: `element` (its own form in the page), `redirect` (its own page), `phone` (a number;
    the payer answers a prompt), `email`, `onboarding` (its own questions to a payee), `token` (a test token)."""

    provider = serializers.CharField()
    flow = serializers.ChoiceField(choices=["element", "redirect", "phone", "email", "onboarding", "token"])
    saves_methods = serializers.BooleanField(help_text="A means of payment can be saved with it.")
    refunds = serializers.BooleanField(help_text="Money can go back the way it came.")
    publishable_key = serializers.CharField(allow_blank=True, help_text="For the gateway's own form in the page.")


class OfferedGatewaysSerializer(Serializer):
    country = serializers.CharField(allow_blank=True)
    currency = serializers.CharField()
    purpose = serializers.ChoiceField(choices=["payment", "payout"])
    results = OfferedGatewaySerializer(many=True)


class MoneyEstimateSerializer(Serializer):
    amount = Amount()
    worth = Amount(allow_null=True, help_text="About what it is worth, without spread; null where no rate leads there.")


class MoneyEstimatesSerializer(Serializer):
    """What amounts are worth in another currency by the stored rates: for reading, never a price. A price is a quote."""

    currency = serializers.CharField()
    results = MoneyEstimateSerializer(many=True)


class PaymentStartSerializer(Serializer):
    """Money into one's own wallet. `method` is what the gateway needs: {"saved_method_id": …}, {"phone": …}, or a token of its form."""

    provider = serializers.CharField(max_length=16)
    amount_minor = MinorUnits()
    currency = CurrencyField()
    method = serializers.DictField(child=serializers.CharField(max_length=200), required=False, default=dict)


class PaymentRefundAskSerializer(Serializer):
    amount_minor = MinorUnits()
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class WalletRefundAskSerializer(PaymentRefundAskSerializer):
    """Out of the wallet, back to the payments it came from, the newest first."""

    currency = CurrencyField()


class PaymentRefundSerializer(ModelSerializer):
    """Money on its way back to where it came from; `failed` means that it is in the wallet again."""

    payment_id = serializers.IntegerField()

    class Meta:
        model = PaymentRefund
        fields = ["id", "payment_id", "state", "provider", "amount_minor", "currency", "failure_code", "created_at", "settled_at"]
        read_only_fields = fields


class PaymentRefundsSerializer(Serializer):
    results = PaymentRefundSerializer(many=True)


class SavedMethodSerializer(ModelSerializer):
    """A means of payment that the gateway keeps; we know what is printed on receipts."""

    next_action = serializers.SerializerMethodField()

    class Meta:
        model = SavedMethod
        fields = [
            "id",
            "provider",
            "state",
            "brand",
            "last4",
            "exp_month",
            "exp_year",
            "is_default",
            "failure_code",
            "next_action",
            "created_at",
        ]
        read_only_fields = fields

    @extend_schema_field(NextActionSerializer(allow_null=True))
    def get_next_action(self, method: SavedMethod) -> dict[str, Any] | None:
        return next_action(method.provider, method.action)


class SavedMethodsSerializer(Serializer):
    results = SavedMethodSerializer(many=True)


class SavedMethodBeginSerializer(Serializer):
    """Begin to save a means of payment; the gateway's form takes the card itself. The sandbox takes a test token in `details`."""

    provider = serializers.CharField(max_length=16)
    details = serializers.DictField(child=serializers.CharField(max_length=200), required=False, default=dict)


class ExchangeAskSerializer(Serializer):
    """What is wanted, and in which currency it is paid for."""

    amount_minor = MinorUnits()
    currency = CurrencyField()
    pay_currency = CurrencyField()


class ExchangeQuoteSerializer(Serializer):
    """A price that holds until `expires_at`; a payment that is begun with it by then keeps it."""

    id = serializers.IntegerField()
    sell = Amount(help_text="What it costs, spread included.")
    buy = Amount(help_text="What is bought.")
    rate = serializers.CharField(help_text="Units of the bought currency for one of the sold, before the spread.")
    source = serializers.CharField(help_text="Where the rate is from: ecb, admin, derived from two others, or a provider.")  # type: ignore[assignment]
    rate_as_of = serializers.DateField()
    spread_bps = serializers.IntegerField(help_text="Hundredths of a per cent.")
    expires_at = serializers.DateTimeField()
    used_at = serializers.DateTimeField(allow_null=True)
