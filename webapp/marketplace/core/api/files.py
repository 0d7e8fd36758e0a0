"""Uploading, downloading and taking back files."""

from __future__ import annotations

from typing import Any

from django.core.files.storage import default_storage
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.core import files
from marketplace.core.api.serializers import ModelSerializer, Serializer
from marketplace.core.errors import LengthRequired
from marketplace.core.models import StoredFile

from .fields import MAX_ID, WholeNumber
from .idempotency import IdempotentMixin


class _Address(serializers.CharField):
    def to_representation(self, value: Any) -> str:
        return f"/api/v1/files/{value}"


class FileOut(ModelSerializer):
    """What a page needs to show a file; the content is behind `url`, for those who may read it."""

    url = _Address(source="pk", read_only=True)

    class Meta:
        model = StoredFile
        fields = ("id", "name", "content_type", "size", "sha256", "uploaded_at", "url")


class FileIds(serializers.ListField):
    """Ids of own uploads to attach, at most core.files.MAX_FILES."""

    def __init__(self, **kwargs: Any) -> None:
        child = WholeNumber(min_value=1, max_value=MAX_ID)
        super().__init__(**{"child": child, "required": False, "max_length": files.MAX_FILES, **kwargs})


class FileIn(Serializer):
    file = serializers.FileField(help_text="Up to FILE_MAX_BYTES (50 MiB).", max_length=255)


class AnswersWithAFile(APIView):
    """Of views whose answer is a file: whoever asks for its media type gets it, and refusals are JSON as everywhere."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        return super().perform_content_negotiation(request, force=True)


class TakesAFile(APIView):
    """Of views whose POST brings a form with a file: its length is looked at before anything else, so that no more than a form may have is ever
    written to disk; and since no proof of who asks reads a body, nothing of it is before the caller is let in.
    """

    def check_length(self, announced: int) -> None:
        """Raise InvalidInput when a form of so many bytes is too large."""
        raise NotImplementedError

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if request.method not in SAFE_METHODS:
            announced = request.META.get("CONTENT_LENGTH") or ""
            if not announced.isascii() or not announced.isdigit():
                raise LengthRequired
            self.check_length(int(announced[:20]))
        super().initial(request, *args, **kwargs)


class FilesView(IdempotentMixin, TakesAFile):
    """Upload first; the id that comes back is then named in the request that the file belongs to."""

    permission_classes = [IsAuthenticated]
    pace = {"POST": "upload"}
    parser_classes = [MultiPartParser]

    def check_length(self, announced: int) -> None:
        files.check_length(announced)

    @extend_schema(operation_id="file_upload", tags=["files"], request={"multipart/form-data": FileIn}, responses={201: FileOut})
    def post(self, request: Request) -> Response:
        given = FileIn(data=request.data)
        given.is_valid(raise_exception=True)
        content = given.validated_data["file"]
        stored = files.file_upload(actor=request.user, name=content.name, content_type=content.content_type or "", content=content)
        return Response(FileOut(stored).data, status=201)


class FileView(IdempotentMixin, AnswersWithAFile):
    """One file, as a download."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="file_download", tags=["files"], responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, file_id: int) -> FileResponse:
        stored = files.file_for(request.user, file_id)
        answer = FileResponse(
            default_storage.open(stored.stored_as), as_attachment=True, filename=stored.name, content_type="application/octet-stream"
        )
        answer["Content-Security-Policy"] = "sandbox; default-src 'none'"
        answer["X-Content-Type-Options"] = "nosniff"
        return answer

    @extend_schema(operation_id="file_delete", tags=["files"], responses={204: None})
    def delete(self, request: Request, file_id: int) -> Response:
        files.file_delete(actor=request.user, file_id=file_id)
        return Response(status=204)
