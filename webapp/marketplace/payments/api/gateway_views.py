"""Paying in by any gateway, sending it back, and saved means of payment."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.core.api.idempotency import IdempotentMixin, key_of
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.checks import Checks
from marketplace.core.money import Money, exponent

from .. import selectors, services
from ..models import FxQuote, SavedMethod
from ..providers import gateways, offered
from . import gateway_shapes as shapes
from .serializers import PaymentSerializer

TAG = ["payments"]
ESTIMATES_MOST = 20


def _checked(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = serializer.validated_data
    return found


class PaymentGatewaysView(APIView):
    """The ways to pay, or with `purpose=payout` to be paid, for somebody of a country in a currency."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="payment_gateways",
        tags=TAG,
        parameters=[
            OpenApiParameter("currency", str, description="ISO 4217. Default: the one of your settings."),
            OpenApiParameter("country", str, description="ISO 3166-1 alpha-2. Default: the one of your profile."),
            OpenApiParameter("purpose", str, enum=["payment", "payout"], description="Default: payment."),
        ],
        responses=shapes.OfferedGatewaysSerializer,
    )
    def get(self, request: Request) -> Response:
        actor, asked, checks = actor_of(request), request.query_params, Checks()
        country = checks.country("country", asked["country"]) if asked.get("country") else actor.country
        currency = checks.currency("currency", asked["currency"]) if asked.get("currency") else actor.display_currency
        purpose: Any = checks.choice("purpose", asked.get("purpose", "payment"), ["payment", "payout"])
        checks.raise_if_any()
        exponent(currency)
        found = []
        for name in offered(country=country, currency=currency, purpose=purpose):
            able = gateways()[name].capabilities()
            found.append(
                {
                    "provider": name,
                    "flow": able.payer_flow if purpose == "payment" else able.payee_flow,
                    "saves_methods": able.saves_methods,
                    "refunds": able.refunds,
                    "publishable_key": able.publishable_key,
                }
            )
        answer = {"country": country, "currency": currency, "purpose": purpose, "results": found}
        return Response(shapes.OfferedGatewaysSerializer(answer).data)


class MoneyEstimatesView(APIView):
    """About what amounts are worth in another currency; nothing is charged by it."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="money_estimates",
        tags=TAG,
        parameters=[
            OpenApiParameter("amount", str, many=True, required=True, description="Minor units and currency, 20 at most: `150000.USD`."),
            OpenApiParameter("currency", str, description="ISO 4217. Default: the one of your settings."),
        ],
        responses=shapes.MoneyEstimatesSerializer,
    )
    def get(self, request: Request) -> Response:
        checks = Checks()
        given = request.query_params.get("currency")
        currency = checks.currency("currency", given) if given else actor_of(request).display_currency
        texts = request.query_params.getlist("amount")
        if not 1 <= len(texts) <= ESTIMATES_MOST:
            checks.add("amount", f"Give one to {ESTIMATES_MOST} amounts.")
        found = [_typed(text, checks) for text in texts[:ESTIMATES_MOST]]
        checks.raise_if_any()
        results = [{"amount": amount, "worth": selectors.worth(amount, currency)} for amount in found]
        return Response(shapes.MoneyEstimatesSerializer({"currency": currency, "results": results}).data)


def _typed(text: str, checks: Checks) -> Money:
    """An amount of an address: "150000.USD"."""
    minor, _, currency = text.partition(".")
    if not re.fullmatch(r"[0-9]{1,13}", minor) or int(minor) > settings.MAX_AMOUNT_MINOR:
        checks.add("amount", "Write whole minor units and a currency, such as 150000.USD.")
        return Money(0, "USD")
    return Money(int(minor), checks.currency("amount", currency))


class MyPaymentsView(IdempotentMixin, ListAPIView):
    """The user's payments, newest first; POST pays into the wallet. What the payer has to do then is in `next_action`: poll the payment for
    its state, or ask for it when the payer comes back."""

    permission_classes = [IsAuthenticated]
    pagination_class = KeysetPagination
    serializer_class = PaymentSerializer
    keyset = ("-id",)
    told_once = ("next_action",)
    pace = {"POST": "payment"}

    def get_queryset(self) -> Any:
        return selectors.payments_of(actor_of(self.request))

    @extend_schema(operation_id="payments_list", tags=TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(operation_id="payment_start", tags=TAG, request=shapes.PaymentStartSerializer, responses={201: PaymentSerializer})
    def post(self, request: Request) -> Response:
        given = _checked(shapes.PaymentStartSerializer(data=request.data))
        payment = services.wallet_pay_in(
            actor=actor_of(request),
            provider=given["provider"],
            amount=Money(given["amount_minor"], given["currency"]),
            method=given["method"],
            idempotency_key=str(key_of(request, required=True)),
        )
        return Response(PaymentSerializer(payment).data, status=201)


class PaymentRefreshView(IdempotentMixin, APIView):
    """The payer came back from the gateway's page: ask the gateway now how the payment stands."""

    permission_classes = [IsAuthenticated]
    told_once = ("next_action",)

    @extend_schema(operation_id="payment_refresh", tags=TAG, request=None, responses=PaymentSerializer)
    def post(self, request: Request, payment_id: int) -> Response:
        found = services.payment_look(actor=request.user, payment_id=payment_id)
        return Response(PaymentSerializer(found, context={"viewer_id": request.user.pk}).data)


class PaymentCancelView(IdempotentMixin, APIView):
    """Give up a payment that still waits; one that succeeded meanwhile has succeeded."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="payment_cancel", tags=TAG, request=None, responses=PaymentSerializer)
    def post(self, request: Request, payment_id: int) -> Response:
        return Response(PaymentSerializer(services.payment_give_up(actor=request.user, payment_id=payment_id)).data)


class PaymentRefundsView(IdempotentMixin, APIView):
    """What of a payment was or is being sent back; POST asks for more. Only what lies in the wallet can be sent back."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="payment_refunds_list", tags=TAG, responses=shapes.PaymentRefundsSerializer)
    def get(self, request: Request, payment_id: int) -> Response:
        found = selectors.payment_for(request.user, payment_id).refunds.order_by("-id")[:200]
        return Response(shapes.PaymentRefundsSerializer({"results": found}).data)

    @extend_schema(
        operation_id="payment_refund_request",
        tags=TAG,
        request=shapes.PaymentRefundAskSerializer,
        responses={201: shapes.PaymentRefundSerializer},
    )
    def post(self, request: Request, payment_id: int) -> Response:
        given = _checked(shapes.PaymentRefundAskSerializer(data=request.data))
        payment = selectors.payment_for(request.user, payment_id)
        made = services.payment_refund_request(
            actor=request.user,
            payment_id=payment_id,
            amount=Money(given["amount_minor"], payment.currency),
            idempotency_key=str(key_of(request, required=True)),
            reason=given["reason"],
        )
        return Response(shapes.PaymentRefundSerializer(made).data, status=201)


class WalletRefundsView(IdempotentMixin, APIView):
    """Send money of the wallet back to where it came from: to one payment or several, the newest first."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="wallet_refund_request",
        tags=TAG,
        request=shapes.WalletRefundAskSerializer,
        responses={201: shapes.PaymentRefundsSerializer},
    )
    def post(self, request: Request) -> Response:
        given = _checked(shapes.WalletRefundAskSerializer(data=request.data))
        made = services.wallet_refund_request(
            actor=actor_of(request),
            amount=Money(given["amount_minor"], given["currency"]),
            idempotency_key=str(key_of(request, required=True)),
            reason=given["reason"],
        )
        return Response(shapes.PaymentRefundsSerializer({"results": made}).data, status=201)


def _quote(row: FxQuote) -> Any:
    told = {
        "id": row.pk,
        "sell": {"minor": row.sell_minor, "currency": row.sell_currency},
        "buy": {"minor": row.buy_minor, "currency": row.buy_currency},
        "rate": f"{row.rate.rate.normalize():f}",
        "source": row.rate.source,
        "rate_as_of": row.rate.as_of,
        "spread_bps": row.spread_bps,
        "expires_at": row.expires_at,
        "used_at": row.used_at,
    }
    return shapes.ExchangeQuoteSerializer(told).data


class ExchangeQuotesView(IdempotentMixin, APIView):
    """What an amount costs in another currency: to exchange money of the wallet, or to pay for a milestone with."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="exchange_quote",
        tags=TAG,
        request=shapes.ExchangeAskSerializer,
        responses={201: shapes.ExchangeQuoteSerializer},
    )
    def post(self, request: Request) -> Response:
        given = _checked(shapes.ExchangeAskSerializer(data=request.data))
        buy = Money(given["amount_minor"], given["currency"])
        return Response(_quote(services.exchange_quote(actor=request.user, buy=buy, sell_currency=given["pay_currency"])), status=201)


class ExchangeView(IdempotentMixin, APIView):
    """Exchange money of the wallet at the quote's price."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="exchange_use", tags=TAG, request=None, responses=shapes.ExchangeQuoteSerializer)
    def post(self, request: Request, quote_id: int) -> Response:
        services.exchange_make(actor=request.user, quote_id=quote_id)
        return Response(_quote(selectors.fx_quote_for(request.user, quote_id)))


class SavedMethodsView(IdempotentMixin, APIView):
    """The means of payment that the user saved; POST begins to save one more."""

    permission_classes = [IsAuthenticated]
    told_once = ("next_action",)

    @extend_schema(operation_id="payment_methods_list", tags=TAG, responses=shapes.SavedMethodsSerializer)
    def get(self, request: Request) -> Response:
        found = selectors.saved_methods_of(request.user).order_by("-is_default", "-id")[:200]
        return Response(shapes.SavedMethodsSerializer({"results": found}).data)

    @extend_schema(
        operation_id="payment_method_save",
        tags=TAG,
        request=shapes.SavedMethodBeginSerializer,
        responses={201: shapes.SavedMethodSerializer},
    )
    def post(self, request: Request) -> Response:
        given = _checked(shapes.SavedMethodBeginSerializer(data=request.data))
        made = services.method_save(
            actor=actor_of(request),
            provider=given["provider"],
            details=given["details"],
            idempotency_key=str(key_of(request, required=True)),
        )
        return Response(shapes.SavedMethodSerializer(made).data, status=201)


class SavedMethodView(IdempotentMixin, APIView):
    """One saved means of payment: DELETE forgets it, here and at the gateway."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="payment_method_remove", tags=TAG, responses={204: None})
    def delete(self, request: Request, method_id: int) -> Response:
        services.method_remove(actor=request.user, method_id=method_id)
        return Response(status=204)


class SavedMethodRefreshView(IdempotentMixin, APIView):
    """Its owner came back from the form or the bank's page: ask the gateway what came of it."""

    permission_classes = [IsAuthenticated]
    told_once = ("next_action",)

    @extend_schema(operation_id="payment_method_refresh", tags=TAG, request=None, responses=shapes.SavedMethodSerializer)
    def post(self, request: Request, method_id: int) -> Response:
        found: SavedMethod = selectors.saved_method_for(request.user, method_id)
        return Response(shapes.SavedMethodSerializer(services.method_refresh(method_id=found.pk)).data)


class SavedMethodDefaultView(IdempotentMixin, APIView):
    """Offer this means of payment first."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="payment_method_default", tags=TAG, request=None, responses=shapes.SavedMethodSerializer)
    def post(self, request: Request, method_id: int) -> Response:
        return Response(shapes.SavedMethodSerializer(services.method_default(actor=request.user, method_id=method_id)).data)
