"""The money of one contract: who holds what, now or at a past instant, and every entry with its actor, rule and postings."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.core.api.pagination import keyset_page
from marketplace.core.api.schema import Amount
from marketplace.core.api.serializers import Serializer
from marketplace.payments import selectors as money
from marketplace.payments.api.statement_views import AS_OF, PAGE, as_of

from .. import money_story, selectors
from ..clearing import clearing_of

TAG = ["contracts"]


class ContractPositionSerializer(Serializer):
    """What this contract's entries have brought one account, or taken from it."""

    kind = serializers.CharField(help_text="Kind of account: hold, pending, available, wallet, fees, tax, fx_clearing, …")
    owner = serializers.ChoiceField(choices=["client", "freelancer", "platform"])
    milestone_id = serializers.IntegerField(allow_null=True, help_text="Of a hold.")
    amount = Amount()


class ContractMoneySerializer(Serializer):
    """The amounts sum to zero in each currency; the client's wallet stands below zero by what the contract has cost them so far."""

    as_of = serializers.DateTimeField(allow_null=True, help_text="The instant that was asked for; null: now.")
    accounts = ContractPositionSerializer(many=True)


class StoryAccountSerializer(Serializer):
    kind = serializers.CharField()
    owner = serializers.ChoiceField(choices=["client", "freelancer", "platform"])
    milestone_id = serializers.IntegerField(allow_null=True)


class StoryLineSerializer(Serializer):
    """One posting: `amount` from one account to the other."""

    posting_id = serializers.IntegerField()
    leg = serializers.CharField()
    debit = StoryAccountSerializer(help_text="Where it came from.")
    credit = StoryAccountSerializer(help_text="Where it went.")
    amount = Amount()


class StoryRateSerializer(Serializer):
    """The exchange rate of an entry: one unit of `base` costs `rate` units of `quote`, before the spread."""

    base = serializers.CharField()
    quote = serializers.CharField()
    rate = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    spread_bps = serializers.IntegerField()
    as_of = serializers.DateField()


class StoryEntrySerializer(Serializer):
    """One movement of the contract's money, whole."""

    entry_id = serializers.IntegerField()
    at = serializers.DateTimeField()
    kind = serializers.CharField()
    subject_type = serializers.CharField()
    subject_id = serializers.IntegerField(allow_null=True)
    actor = serializers.CharField(help_text="A side's name, Openlance staff, or the clock.")
    actor_id = serializers.IntegerField(allow_null=True)
    rule = serializers.CharField()
    rule_text = serializers.CharField()
    reason = serializers.CharField()
    fee_schedule = serializers.CharField(allow_null=True)
    rate = StoryRateSerializer(allow_null=True)
    lines = StoryLineSerializer(many=True)


class ContractMoneyView(APIView):
    """Who holds what of the contract's money, now or at a past instant."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="contract_money",
        tags=TAG,
        parameters=[AS_OF],
        responses=ContractMoneySerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        contract, at = selectors.contract_for(request.user, pk), as_of(request)
        found = money_story.positions(contract, at)
        return Response(ContractMoneySerializer({"as_of": at, "accounts": found}).data)


class StoryPageSerializer(Serializer):
    results = StoryEntrySerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="Path and query of the next page; null at the end.")


class ContractStoryView(APIView):
    """Every movement of the contract's money in the order it was posted: who or which rule moved it, and between which accounts."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="contract_money_entries",
        tags=TAG,
        parameters=PAGE,
        responses=StoryPageSerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        contract = selectors.contract_for(request.user, pk)
        page = keyset_page(request, money.story_of(pk), ("id",))
        told = [money_story.told(contract, entry) for entry in page.rows]
        return Response(StoryPageSerializer({"results": told, "next": page.next}).data)


class ClearingSerializer(Serializer):
    """Money that was released and becomes available at an instant."""

    contract_id = serializers.IntegerField()
    contract_title = serializers.CharField()
    milestone_id = serializers.IntegerField(allow_null=True, help_text="Null: a bonus.")
    milestone_title = serializers.CharField(allow_blank=True)
    amount = Amount(help_text="After fees and taxes, in the currency of the balance.")
    clears_at = serializers.DateTimeField(help_text="From then on it can be paid out.")


class ClearingAnswerSerializer(Serializer):
    results = ClearingSerializer(many=True)


class ClearingView(APIView):
    """What was released to the signed-in freelancer and can be paid out later, the soonest first; at most 500 rows."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me_clearing", tags=TAG, responses=ClearingAnswerSerializer)
    def get(self, request: Request) -> Response:
        return Response(ClearingAnswerSerializer({"results": clearing_of(int(str(request.user.pk)))}).data)
