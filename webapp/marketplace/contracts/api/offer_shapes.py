"""The shapes of offers and counter-offers on the wire."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from marketplace.core.api.schema import Amount, FeeTermsSerializer
from marketplace.core.api.serializers import Serializer, now_of

from .. import policies
from ..models import CounterOffer
from ..states import COUNTER_OFFER


@extend_schema_serializer(component_name="OfferQuote")
class OfferQuoteSerializer(Serializer):
    """What the whole price brings the freelancer: gross = fee + tax + net exactly."""

    gross = Amount()
    fee = Amount()
    tax = Amount()
    withheld = Amount(required=False, help_text="Kept back for the freelancer's own authorities, where the law says so.")
    net = Amount()
    payee_net = Amount()
    fee_schedule = serializers.CharField()
    fee_terms = FeeTermsSerializer(
        required=False, help_text="Where the fee goes by what the contract has paid: the fee of the whole, however it is paid."
    )
    fx_rate = serializers.CharField(allow_null=True)
    spread_bps = serializers.IntegerField()
    clears_on = serializers.DateField(
        help_text="When all of it can be paid out if the last milestone is handed in on time and approved at once."
    )
    clears_on_if_silent = serializers.DateField(help_text="The same when silence approves it.")


class OfferedMilestone(Serializer):
    """A milestone as a counter-offer says it."""

    title = serializers.CharField()
    amount_minor = serializers.IntegerField()
    due_in_days = serializers.IntegerField(allow_null=True)
    acceptance = serializers.ListField(child=serializers.CharField())


class CounterOfferSerializer(Serializer):
    """Other terms for an offer; `actions` are what the viewer may do with them now."""

    id = serializers.IntegerField()
    contract_id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=COUNTER_OFFER.choices)
    milestones = OfferedMilestone(many=True)
    total_minor = serializers.IntegerField()
    currency = serializers.CharField(source="contract.currency")
    message = serializers.CharField()
    quote = OfferQuoteSerializer()
    made_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    actions = serializers.SerializerMethodField()

    def get_actions(self, counter: CounterOffer) -> list[str]:
        return policies.counter_offer_actions(counter, self.context["viewer"], now_of(self))


class OfferNow(Serializer):
    """What is offered, and until when: without an answer the offer ends at `expires_at`."""

    revision = serializers.IntegerField(help_text="Send it when you accept: changed terms are then not accepted unread.")
    made_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    quote = OfferQuoteSerializer()
    counter_offer = CounterOfferSerializer(allow_null=True, help_text="The one that waits for the client's answer.")
