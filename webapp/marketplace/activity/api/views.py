"""Views that the browser reports; lists record their own impressions on the server."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.activity import capture
from marketplace.core.api.fields import WholeNumber
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.serializers import Serializer


class Opened(Serializer):
    item_type = serializers.ChoiceField(choices=["job", "freelancer", "proposal"])
    item_id = WholeNumber(min_value=1, max_value=2**63 - 1)
    batch = serializers.RegexField(r"^[0-9a-f-]{36}$", required=False, help_text="The list it was opened from, as the list named itself.")


class ViewsView(IdempotentMixin, APIView):
    """One object opened by the signed-in person."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="activity_view", tags=["activity"], request=Opened, responses={202: Opened})
    def post(self, request: Request) -> Response:
        given = Opened(data=request.data)
        given.is_valid(raise_exception=True)
        capture.view(user_id=request.user.pk, **given.validated_data)
        return Response(given.data, status=202)
