"""The inbox over HTTP."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.core.api.fields import WholeNumber
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.api.serializers import ModelSerializer, Serializer

from .. import selectors, services
from ..letters import preference_of
from ..models import InboxItem, Preference
from ..policies import ALWAYS, TOPICS


class InboxItemSerializer(ModelSerializer):
    class Meta:
        model = InboxItem
        fields = ("id", "kind", "text", "link", "created_at", "read_at")
        read_only_fields = fields


class InboxView(ListAPIView):
    """What the signed-in person was told, newest first."""

    permission_classes = [IsAuthenticated]
    serializer_class = InboxItemSerializer
    pagination_class = KeysetPagination
    keyset = ("-id",)
    queryset = InboxItem.objects.none()

    def get_queryset(self) -> Any:
        return selectors.inbox_of(self.request.user)

    @extend_schema(operation_id="me_inbox", tags=["notifications"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class InboxReadView(IdempotentMixin, APIView):
    """Mark one item as read."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me_inbox_read", tags=["notifications"], request=None, responses=InboxItemSerializer)
    def post(self, request: Request, pk: int) -> Response:
        return Response(InboxItemSerializer(services.item_read(actor=actor_of(request), item_id=pk)).data)


class ReadAllSerializer(Serializer):
    read = serializers.IntegerField(help_text="How many items were new.")


class InboxReadAllView(IdempotentMixin, APIView):
    """Mark everything as read."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me_inbox_read_all", tags=["notifications"], request=None, responses=ReadAllSerializer)
    def post(self, request: Request) -> Response:
        return Response({"read": services.inbox_read_all(actor=actor_of(request))})


class MinuteField(WholeNumber):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 0, "max_value": services.LAST_MINUTE, "help_text": "Minute of the local day.", **kwargs})


class PreferenceSerializer(Serializer):
    """How somebody wants to hear. The inbox always fills; letters about the account always come."""

    pace = serializers.ChoiceField(choices=Preference.Pace.choices, default=Preference.Pace.INSTANT)
    by_topic = serializers.DictField(
        child=serializers.ChoiceField(choices=Preference.Pace.choices),
        default=dict,
        help_text=f"Where it differs from `pace`: {', '.join(t for t in TOPICS if t not in ALWAYS)}.",
    )
    quiet_from = MinuteField(allow_null=True, default=None)
    quiet_to = MinuteField(allow_null=True, default=None)
    digest_at = MinuteField(default=480)


class PreferenceView(IdempotentMixin, APIView):
    """What comes by e-mail, at what pace, and when it is quiet."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me_notification_settings", tags=["notifications"], responses=PreferenceSerializer)
    def get(self, request: Request) -> Response:
        return Response(PreferenceSerializer(preference_of(actor_of(request).pk)).data)

    @extend_schema(
        operation_id="me_notification_settings_put",
        tags=["notifications"],
        request=PreferenceSerializer,
        responses=PreferenceSerializer,
        examples=[
            OpenApiExample(
                "A daily letter, disputes at once, quiet from 22:00 to 07:00",
                value={"pace": "daily", "by_topic": {"disputes": "instant"}, "quiet_from": 1320, "quiet_to": 420, "digest_at": 480},
                request_only=True,
            )
        ],
    )
    def put(self, request: Request) -> Response:
        given = PreferenceSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(PreferenceSerializer(services.preference_put(actor=actor_of(request), **given.validated_data)).data)
