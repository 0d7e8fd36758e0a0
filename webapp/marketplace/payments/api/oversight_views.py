"""Staff's view of all money: lists with filters, what nobody knows the end of, notifications, and what rules found."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.core import clock
from marketplace.core.api.examples import sent
from marketplace.core.api.fields import MAX_ID
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.api.serializers import ModelSerializer, Serializer
from marketplace.core.errors import InvalidInput
from marketplace.core.money import exponent

from .. import oversight
from ..ledger.templates import TEMPLATES
from ..models import Chargeback, Entry, Payment, PaymentRefund, Payout, PayoutResolution, Posting, RiskHold, WebhookEvent, WebhookRefusal
from ..oversight import Wanted
from ..reasons import in_words
from ..redact import redacted
from ..states import CHARGEBACK, PAYMENT, PAYOUT, REFUND, RISK_HOLD
from .statement_views import instant

TAG = ["money oversight"]
GATEWAYS = ("mpesa", "paypal", "sandbox", "stripe")


# --- shapes
class StaffPersonSerializer(Serializer):
    """Whose money it is."""

    id = serializers.IntegerField()
    display_name = serializers.CharField()


class AgeMixin(Serializer):
    """How old a row is; asked once for a whole list."""

    age_hours = serializers.SerializerMethodField(help_text="Whole hours since it was made.")

    def get_age_hours(self, row: Any) -> int:
        if "now" not in self.context:
            self.context["now"] = clock.now()
        now: datetime = self.context["now"]
        return int((now - row.created_at).total_seconds() // 3600)


class StaffPaymentSerializer(AgeMixin, ModelSerializer):
    """A payment as finance staff see it."""

    person = StaffPersonSerializer(source="payer")

    class Meta:
        model = Payment
        fields = [
            *("id", "person", "provider", "state", "amount_minor", "received_minor", "currency", "purpose", "purpose_id", "capture"),
            *("provider_ref", "last_result", "failure_code", "created_at", "settled_at", "age_hours"),
        ]
        read_only_fields = fields


class StaffRefundSerializer(AgeMixin, ModelSerializer):
    """What goes back to a payer's card or account."""

    person = StaffPersonSerializer(source="payment.payer")

    class Meta:
        model = PaymentRefund
        fields = [
            *("id", "person", "payment_id", "provider", "state", "amount_minor", "currency", "provider_ref", "failure_code"),
            *("created_at", "settled_at", "age_hours"),
        ]
        read_only_fields = fields


class StaffPayoutResolutionSerializer(ModelSerializer):
    """Who asked that a sent payout fails here, or a failed one counts as paid, and why."""

    asked_by = StaffPersonSerializer()
    becomes = serializers.SerializerMethodField(help_text="What the payout is once a second person agrees: failed or paid.")

    class Meta:
        model = PayoutResolution
        fields = ["asked_by", "asked_at", "reason", "becomes"]
        read_only_fields = fields

    def get_becomes(self, asked: PayoutResolution) -> str:
        return "failed" if asked.payout.state == "sent" else "paid"


class StaffPayoutSerializer(AgeMixin, ModelSerializer):
    """A payout; what holds it, and why in plain words."""

    person = StaffPersonSerializer(source="payee")
    hold_words = serializers.SerializerMethodField()
    resolution = serializers.SerializerMethodField(help_text="That it is resolved as failed, or settled late, waits for a second person.")

    class Meta:
        model = Payout
        fields = [
            *("id", "person", "provider", "state", "amount_minor", "currency", "provider_ref", "failure_code", "hold_reason", "hold_words"),
            *("held_until", "created_at", "sent_at", "settled_at", "resolution", "age_hours"),
        ]
        read_only_fields = fields

    def get_hold_words(self, payout: Payout) -> str:
        return in_words(payout.hold_reason)

    @extend_schema_field(StaffPayoutResolutionSerializer(allow_null=True))
    def get_resolution(self, payout: Payout) -> Any:
        asked = getattr(payout, "resolution", None)
        return None if asked is None else StaffPayoutResolutionSerializer(asked).data


class StaffChargebackSerializer(AgeMixin, ModelSerializer):
    """A payer's dispute with their bank."""

    person = StaffPersonSerializer(source="payment.payer")

    class Meta:
        model = Chargeback
        fields = [
            *("id", "person", "payment_id", "provider", "provider_ref", "state", "amount_minor", "owed_minor", "told_minor"),
            *("currency", "fee_minor", "fee_currency", "reason", "created_at", "settled_at", "age_hours"),
        ]
        read_only_fields = fields


class StaffLineSerializer(ModelSerializer):
    """One line of an entry, between two accounts by their names."""

    debit = serializers.CharField(source="debit_account.key")
    credit = serializers.CharField(source="credit_account.key")

    class Meta:
        model = Posting
        fields = ["id", "line_no", "leg", "debit", "credit", "amount", "currency"]
        read_only_fields = fields


class StaffEntrySerializer(ModelSerializer):
    """An entry of the ledger with its lines."""

    lines = StaffLineSerializer(source="postings", many=True)

    class Meta:
        model = Entry
        fields = [
            *("id", "kind", "idempotency_key", "subject_type", "subject_id", "contract_id", "gross_minor", "actor_id", "rule", "reason"),
            *("occurred_at", "lines"),
        ]
        read_only_fields = fields


class StaffWebhookSerializer(ModelSerializer):
    """A stored notification, with what may name a person taken out."""

    state = serializers.SerializerMethodField()
    body = serializers.SerializerMethodField()

    class Meta:
        model = WebhookEvent
        fields = [
            *("id", "provider", "event_id", "kind", "object_ref", "subject", "state", "last_error", "received_at", "handled_at", "body"),
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=oversight.WEBHOOK_STATES))
    def get_state(self, row: WebhookEvent) -> str:
        return "handled" if row.handled_at else "failed" if row.last_error else "waiting"

    @extend_schema_field(serializers.JSONField())
    def get_body(self, row: WebhookEvent) -> Any:
        return redacted(row.body)


class StaffWebhookRefusalSerializer(ModelSerializer):
    """A notification that could not be verified; it is never handled."""

    class Meta:
        model = WebhookRefusal
        fields = ["id", "provider", "code", "reason", "size", "body", "remote_ip", "times", "first_at", "last_at"]
        read_only_fields = fields


class StaffRiskHoldSerializer(ModelSerializer):
    """What a rule found; with `shadow` it only counted."""

    person = StaffPersonSerializer(source="user")
    words = serializers.SerializerMethodField()

    class Meta:
        model = RiskHold
        fields = [
            *("id", "person", "act", "subject_id", "rule", "words", "shadow", "state", "evidence", "opened_at", "ends_at", "decided_at"),
        ]
        read_only_fields = fields

    def get_words(self, hold: RiskHold) -> str:
        return in_words(hold.rule)


class RiskFigureSerializer(Serializer):
    """One rule on one day."""

    rule = serializers.CharField()
    day = serializers.DateField()
    counted = serializers.IntegerField(help_text="Found in shadow.")
    open = serializers.IntegerField()
    released = serializers.IntegerField(help_text="False alarms.")
    refused = serializers.IntegerField()
    lapsed = serializers.IntegerField(help_text="Nobody decided in time.")


class RiskFiguresSerializer(Serializer):
    since = serializers.DateTimeField()
    results = RiskFigureSerializer(many=True)


class MoneyReasonSerializer(Serializer):
    reason = serializers.CharField(max_length=500, help_text="Goes to the audit with your name.")


# --- filters
def _parameter(name: str, about: str, schema: Any = OpenApiTypes.STR, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=about, **more)


COMMON = [
    _parameter("gateway", "Of this gateway.", enum=list(GATEWAYS)),
    _parameter("currency", "ISO 4217."),
    _parameter("person", "Of this user.", OpenApiTypes.INT),
    _parameter("least", "Of at least so many minor units.", OpenApiTypes.INT),
    _parameter("most", "Of at most so many minor units.", OpenApiTypes.INT),
    _parameter("from", "From this instant, or the beginning of this day (UTC), on."),
    _parameter("to", "Before this instant, or to the end of this day (UTC)."),
]
TIMES = COMMON[-2:]
UNKNOWN = _parameter("unknown", "Only those whose end nobody knows, or whose amount the gateway tells differently.", OpenApiTypes.BOOL)


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= MAX_ID):
        raise InvalidInput(f"{name}_invalid", f"`{name}` is a whole number.", {name: ["Use a whole number."]})
    return int(text)


def _choice(request: Request, name: str, known: Any) -> str:
    text = str(request.query_params.get(name) or "")
    if text and text not in known:
        raise InvalidInput(f"{name}_unknown", f"There is no such {name}.", {name: [f"Use one of {', '.join(known)}."]})
    return text


def _flag(request: Request, name: str) -> bool | None:
    text = _choice(request, name, ("true", "false"))
    return None if not text else text == "true"


def wanted_by(request: Request, states: Any) -> Wanted:
    """What the query parameters ask for. Raises InvalidInput with what is wrong."""
    currency = str(request.query_params.get("currency") or "")
    if currency:
        exponent(currency)
    return Wanted(
        state=_choice(request, "state", states),
        gateway=_choice(request, "gateway", GATEWAYS),
        currency=currency,
        person=_number(request, "person"),
        least=_number(request, "least"),
        most=_number(request, "most"),
        since=instant(request, "from", end_of_day=False),
        before=instant(request, "to", end_of_day=True),
    )


def _of_state(states: Any) -> OpenApiParameter:
    return _parameter("state", "In this state.", enum=list(states))


class _Desk(ListAPIView):
    """A list for finance staff, newest first."""

    permission_classes = [IsAuthenticated]
    pagination_class = KeysetPagination
    filter_backends: Any = ()

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class StaffPaymentsView(_Desk):
    """Every payment."""

    serializer_class = StaffPaymentSerializer
    queryset = Payment.objects.none()

    def get_queryset(self) -> Any:
        found = oversight.payments(self.request.user, wanted_by(self.request, PAYMENT.states))
        return oversight.unknown_payments(found, clock.now()) if _flag(self.request, "unknown") else found

    @extend_schema(operation_id="staff_payments", tags=TAG, parameters=[_of_state(PAYMENT.states), *COMMON, UNKNOWN])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class StaffRefundsView(_Desk):
    """Every refund to where a payment came from."""

    serializer_class = StaffRefundSerializer
    queryset = PaymentRefund.objects.none()

    def get_queryset(self) -> Any:
        found = oversight.refunds(self.request.user, wanted_by(self.request, REFUND.states))
        return oversight.unknown_refunds(found, clock.now()) if _flag(self.request, "unknown") else found

    @extend_schema(operation_id="staff_refunds", tags=TAG, parameters=[_of_state(REFUND.states), *COMMON, UNKNOWN])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class StaffPayoutsView(_Desk):
    """Every payout; `state=held` are those that wait for somebody or for their time."""

    serializer_class = StaffPayoutSerializer
    queryset = Payout.objects.none()

    def get_queryset(self) -> Any:
        found = oversight.payouts(self.request.user, wanted_by(self.request, PAYOUT.states))
        return oversight.unknown_payouts(found, clock.now()) if _flag(self.request, "unknown") else found

    @extend_schema(operation_id="staff_payouts", tags=TAG, parameters=[_of_state(PAYOUT.states), *COMMON, UNKNOWN])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class StaffChargebacksView(_Desk):
    """Every dispute of a payer with their bank."""

    serializer_class = StaffChargebackSerializer
    queryset = Chargeback.objects.none()

    def get_queryset(self) -> Any:
        found = oversight.chargebacks(self.request.user, wanted_by(self.request, CHARGEBACK.states))
        return oversight.unknown_chargebacks(found) if _flag(self.request, "unknown") else found

    @extend_schema(operation_id="staff_chargebacks", tags=TAG, parameters=[_of_state(CHARGEBACK.states), *COMMON, UNKNOWN])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class StaffEntriesView(_Desk):
    """Every entry of the ledger with its lines. Amount, currency, person and gateway are those of at least one line."""

    serializer_class = StaffEntrySerializer
    queryset = Entry.objects.none()

    def get_queryset(self) -> Any:
        asked = wanted_by(self.request, ())
        kind, contract = _choice(self.request, "kind", sorted(TEMPLATES)), _number(self.request, "contract")
        return oversight.entries(self.request.user, asked, kind=kind, contract=contract)

    @extend_schema(
        operation_id="staff_entries",
        tags=TAG,
        parameters=[
            _parameter("kind", "Kind of entry.", enum=sorted(TEMPLATES)),
            _parameter("contract", "Id of a contract.", OpenApiTypes.INT),
            *COMMON,
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class StaffWebhooksView(_Desk):
    """Stored notifications of gateways, and why they failed."""

    serializer_class = StaffWebhookSerializer
    queryset = WebhookEvent.objects.none()

    def get_queryset(self) -> Any:
        asked = wanted_by(self.request, oversight.WEBHOOK_STATES)
        return oversight.webhooks(self.request.user, asked, kind=str(self.request.query_params.get("kind") or "")[:64])

    @extend_schema(
        operation_id="staff_webhooks",
        tags=TAG,
        parameters=[_of_state(oversight.WEBHOOK_STATES), COMMON[0], _parameter("kind", "The gateway's word for what happened."), *TIMES],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class StaffWebhookRefusalsView(_Desk):
    """Notifications that could not be verified: a wrong secret, a proxy in between, or somebody who tries."""

    serializer_class = StaffWebhookRefusalSerializer
    queryset = WebhookRefusal.objects.none()

    def get_queryset(self) -> Any:
        return oversight.webhook_refusals(self.request.user, wanted_by(self.request, ()))

    @extend_schema(operation_id="staff_webhook_refusals", tags=TAG, parameters=[COMMON[0], *TIMES])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class StaffRiskHoldsView(_Desk):
    """What the velocity rules hold, held, or only counted."""

    serializer_class = StaffRiskHoldSerializer
    queryset = RiskHold.objects.none()

    def get_queryset(self) -> Any:
        rule = str(self.request.query_params.get("rule") or "")[:32]
        state, person = _choice(self.request, "state", RISK_HOLD.states), _number(self.request, "person")
        return oversight.risk_holds(self.request.user, state=state, rule=rule, shadow=_flag(self.request, "shadow"), person=person)

    @extend_schema(
        operation_id="staff_risk_holds",
        tags=TAG,
        parameters=[
            _of_state(RISK_HOLD.states),
            _parameter("rule", "Of this rule."),
            _parameter("shadow", "Only those that count, or only those that hold.", OpenApiTypes.BOOL),
            COMMON[2],
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class StaffRiskFiguresView(APIView):
    """How often each rule held, only counted, and was wrong, by day; of the last 30 days, or since `from`."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="staff_risk_figures", tags=TAG, parameters=[TIMES[0]], responses=RiskFiguresSerializer)
    def get(self, request: Request) -> Response:
        since = instant(request, "from", end_of_day=False) or clock.now() - timedelta(days=30)
        found = oversight.risk_figures(request.user, since)
        return Response(RiskFiguresSerializer({"since": since, "results": found}).data)


# --- acts
class StaffAct(IdempotentMixin, APIView):
    """An act of staff, with its reason for the audit."""

    permission_classes = [IsAuthenticated]

    def reason(self, request: Request) -> str:
        given = MoneyReasonSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return str(given.validated_data["reason"])


ASK = sent("Ask again", reason="The payer says that the money has left their account.")


class _AskView(StaffAct):
    """Have the gateway asked how it stands, now. The answer comes a moment later: read it again then."""

    kind: ClassVar[str]
    shape: ClassVar[Any]

    def ask(self, request: Request, pk: int) -> Response:
        row = oversight.ask_again(actor=request.user, kind=self.kind, pk=pk, reason=self.reason(request))
        return Response(self.shape(row).data, status=status.HTTP_202_ACCEPTED)


class StaffPaymentQueryView(_AskView):
    kind, shape = "payment", StaffPaymentSerializer

    @extend_schema(
        operation_id="staff_payment_query", tags=TAG, request=MoneyReasonSerializer, responses={202: StaffPaymentSerializer}, examples=[ASK]
    )
    def post(self, request: Request, payment_id: int) -> Response:
        return self.ask(request, payment_id)


class StaffRefundQueryView(_AskView):
    kind, shape = "refund", StaffRefundSerializer

    @extend_schema(
        operation_id="staff_refund_query", tags=TAG, request=MoneyReasonSerializer, responses={202: StaffRefundSerializer}, examples=[ASK]
    )
    def post(self, request: Request, refund_id: int) -> Response:
        return self.ask(request, refund_id)


class StaffPayoutQueryView(_AskView):
    kind, shape = "payout", StaffPayoutSerializer

    @extend_schema(
        operation_id="staff_payout_query", tags=TAG, request=MoneyReasonSerializer, responses={202: StaffPayoutSerializer}, examples=[ASK]
    )
    def post(self, request: Request, payout_id: int) -> Response:
        return self.ask(request, payout_id)


class StaffWebhookReplayView(StaffAct):
    """Handle a stored notification once more: what it names is fetched and applied again, which moves nothing twice."""

    @extend_schema(
        operation_id="staff_webhook_replay",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses={202: StaffWebhookSerializer},
        examples=[
            sent("Once more", reason="The payment was made known meanwhile."),
        ],
    )
    def post(self, request: Request, webhook_id: int) -> Response:
        row = oversight.webhook_replay(actor=request.user, webhook_id=webhook_id, reason=self.reason(request))
        return Response(StaffWebhookSerializer(row).data, status=status.HTTP_202_ACCEPTED)
