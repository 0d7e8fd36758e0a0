"""Reading the audit of staff's acts."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.core.api.serializers import ModelSerializer
from marketplace.core.audit import acts_for
from marketplace.core.errors import InvalidInput
from marketplace.core.models import StaffAct

from .fields import MAX_ID
from .pagination import KeysetPagination


class StaffActOut(ModelSerializer):
    """One field that staff changed, or one act without a field."""

    class Meta:
        model = StaffAct
        fields = ("id", "actor_id", "action", "object_type", "object_id", "field", "before", "after", "reason", "at")


class AuditView(ListAPIView):
    """What staff did, newest first, for those who may read the audit."""

    permission_classes = [IsAuthenticated]
    serializer_class = StaffActOut
    pagination_class = KeysetPagination
    queryset = StaffAct.objects.none()

    def get_queryset(self):  # type: ignore[no-untyped-def]
        acts = acts_for(self.request.user)
        for name in ("actor_id", "object_id"):
            text = self.request.query_params.get(name)
            if text is None:
                continue
            if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= MAX_ID):
                raise InvalidInput("invalid", "Please correct the marked fields and send it again.", {name: ["Use a whole number."]})
            acts = acts.filter(**{name: int(text)})
        kind = self.request.query_params.get("object_type")
        return acts.filter(object_type=kind[:64]) if kind else acts

    @extend_schema(
        operation_id="audit_list",
        tags=["staff"],
        parameters=[
            OpenApiParameter("actor_id", int, description="Acts of this person only."),
            OpenApiParameter("object_type", str, description="Such as accounts.user."),
            OpenApiParameter("object_id", int, description="Acts on objects with this id."),
        ],
    )
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        return self.list(request)
