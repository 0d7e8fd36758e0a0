"""Taking one's data along, and leaving."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts import closing, exporting
from marketplace.accounts.authentication import actor_of
from marketplace.accounts.models import AccountClosing, DataExport
from marketplace.accounts.sessions import require_person
from marketplace.core.api.files import AnswersWithAFile
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.api.schema import Error
from marketplace.core.api.serializers import ModelSerializer, Serializer

EXPORT_TAG, CLOSE_TAG = ["exports"], ["closing"]
RUNNING = {
    "id": 7, "state": "running", "percent": 42, "step": "jobs/proposals", "requested_at": "2026-11-29T10:00:00Z", "ready_at": None,
    "expires_at": None, "size": 0, "sha256": "", "url": None,
}  # fmt: skip
READY = {**RUNNING, "state": "ready", "percent": 100, "step": "", "ready_at": "2026-11-29T10:01:10Z", "expires_at": "2026-12-06T10:01:10Z", "size": 48211, "sha256": "9f2c…", "url": "/api/v1/me/exports/7/download"}  # fmt: skip


class ExportOut(ModelSerializer):
    """An export and how far it is; `url` is there while it can be downloaded."""

    percent = serializers.IntegerField(min_value=0, max_value=100)
    size = serializers.IntegerField(help_text="Bytes; 0 before it is ready and after it has expired.")
    url = serializers.SerializerMethodField()

    class Meta:
        model = DataExport
        fields = ("id", "state", "percent", "step", "requested_at", "ready_at", "expires_at", "size", "sha256", "url")

    def get_url(self, export: DataExport) -> str | None:
        return f"/api/v1/me/exports/{export.pk}/download" if export.state == "ready" else None


class ExportsView(IdempotentMixin, ListAPIView):
    """One's own exports. A new one holds all own data as JSON and CSV, own files, and what one's reputation is computed from."""

    permission_classes = [IsAuthenticated]
    pace = {"POST": "export"}
    serializer_class = ExportOut
    pagination_class = KeysetPagination
    queryset = DataExport.objects.none()

    def get_queryset(self):  # type: ignore[no-untyped-def]
        return DataExport.objects.filter(user=actor_of(self.request))

    @extend_schema(operation_id="exports_list", tags=EXPORT_TAG)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="export_start",
        tags=EXPORT_TAG,
        request=None,
        responses={201: ExportOut},
        examples=[
            OpenApiExample("It began", {**RUNNING, "state": "queued", "percent": 0, "step": ""}, response_only=True, status_codes=["201"])
        ],
    )
    def post(self, request: Request) -> Response:
        return Response(ExportOut(exporting.export_start(actor=actor_of(request))).data, status=201)


class ExportView(APIView):
    """One of one's own exports: ask again to see how far it is."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="export_read",
        tags=EXPORT_TAG,
        responses=ExportOut,
        examples=[OpenApiExample("Under way", RUNNING, response_only=True), OpenApiExample("Ready", READY, response_only=True)],
    )
    def get(self, request: Request, export_id: int) -> Response:
        return Response(ExportOut(exporting.export_for(actor_of(request), export_id)).data)


class ExportDownloadView(AnswersWithAFile):
    """The file of a ready export: a ZIP archive, for its owner alone."""

    permission_classes = [IsAuthenticated]
    pace = {"GET": "download"}

    @extend_schema(
        operation_id="export_download",
        tags=EXPORT_TAG,
        responses={(200, "application/zip"): OpenApiTypes.BINARY, 409: Error},
    )
    def get(self, request: Request, export_id: int) -> FileResponse:
        export, content = exporting.export_open(actor=actor_of(request), export_id=export_id)
        answer = FileResponse(content, as_attachment=True, filename=f"openlance-export-{export.pk}.zip", content_type="application/zip")
        answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
        answer["X-Content-Type-Options"] = "nosniff"
        answer["Cache-Control"] = "private, no-store"
        return answer


class ObstacleOut(Serializer):
    code = serializers.CharField()
    message = serializers.CharField(help_text="What to do about it.")


class ClosingOut(ModelSerializer):
    """A wish to leave and when it comes true."""

    class Meta:
        model = AccountClosing
        fields = ("id", "state", "reason", "requested_at", "closes_at", "put_off_at")
        extra_kwargs: ClassVar = {
            "closes_at": {"help_text": "UTC. The account closes then, unless one changes one's mind or something stands in the way."}
        }


class ClosingStatus(Serializer):
    """Whether one's account is being closed, and what stands in the way now."""

    closing = ClosingOut(allow_null=True)
    obstacles = ObstacleOut(many=True)
    grace_days = serializers.IntegerField()


class CloseRequest(Serializer):
    password = serializers.CharField(
        max_length=200, required=False, trim_whitespace=False, help_text="Or re-authenticate through /_allauth/ just before."
    )
    reason = serializers.CharField(max_length=500, allow_blank=True, default="")


class CloseView(IdempotentMixin, APIView):
    """Closing one's own account, after a grace in which it can be taken back."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="closing_read",
        tags=CLOSE_TAG,
        responses=ClosingStatus,
        examples=[
            OpenApiExample(
                "Money is held",
                {
                    "closing": None,
                    "obstacles": [
                        {"code": "money_held", "message": "400.00 USD is held on milestones: have it released, given back or settled."}
                    ],
                    "grace_days": 14,
                },
                response_only=True,
            )
        ],
    )
    def get(self, request: Request) -> Response:
        actor = actor_of(request)
        found = closing.closing_of(actor.pk)
        told = {
            "closing": found,
            "obstacles": [{"code": o.code, "message": o.message} for o in closing.obstacles_of(actor.pk)],
            "grace_days": settings.CLOSING_GRACE_DAYS,
        }
        return Response(ClosingStatus(told).data)

    @extend_schema(
        operation_id="closing_request",
        tags=CLOSE_TAG,
        request=CloseRequest,
        responses={201: ClosingOut, 429: Error},
        examples=[OpenApiExample("Leave", {"password": "correct horse battery", "reason": "I found a job."}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        given = CloseRequest(data=request.data)
        given.is_valid(raise_exception=True)
        actor = actor_of(request)
        require_person(request, given.validated_data.get("password"))
        return Response(ClosingOut(closing.closing_request(actor=actor, reason=given.validated_data["reason"])).data, status=201)


class CloseCancelView(IdempotentMixin, APIView):
    """Staying after all."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="closing_cancel", tags=CLOSE_TAG, request=None, responses=ClosingOut)
    def post(self, request: Request) -> Response:
        return Response(ClosingOut(closing.closing_cancel(actor=actor_of(request))).data)
