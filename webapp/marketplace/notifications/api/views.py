"""The inbox over HTTP."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts.authentication import actor_of
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import KeysetPagination

from .. import selectors, services
from ..models import InboxItem


class InboxItemSerializer(serializers.ModelSerializer):
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
