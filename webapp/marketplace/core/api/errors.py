"""Every refusal leaves the API as {"code", "message", "fields"}."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from marketplace.core.errors import DomainError

SIGN_IN = "Sign in first (/sign-in), or send a token of yours in the header Authorization (see /api/docs)."


def _flatten(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for key, value in detail.items():
            found.update(_flatten(value, f"{prefix}.{key}" if prefix else str(key)))
        return found
    if isinstance(detail, list):
        if all(isinstance(d, str) for d in detail):
            return {prefix or "non_field_errors": [str(d) for d in detail]}
        found = {}
        for i, value in enumerate(detail):
            found.update(_flatten(value, f"{prefix}.{i}" if prefix else str(i)))
        return found
    return {prefix or "non_field_errors": [str(detail)]}


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception hook. Unknown exceptions are not swallowed: they are bugs and stay 500."""
    if isinstance(exc, DomainError):
        set_rollback()
        return Response({"code": exc.code, "message": exc.message, "fields": exc.fields}, status=exc.status)
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    if not isinstance(exc, exceptions.APIException):
        return None
    set_rollback()
    if type(exc) is exceptions.NotAuthenticated:  # what to do instead of what is missing; which header says how is of that exception
        exc.detail = exceptions.ErrorDetail(SIGN_IN, "not_authenticated")
    headers = {}
    if auth_header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = f"{wait:.0f}"
    if isinstance(exc, exceptions.ValidationError):
        body = {"code": "invalid", "message": "Please correct the marked fields and send it again.", "fields": _flatten(exc.detail)}
    else:
        code = exc.get_codes()
        body = {"code": code if isinstance(code, str) else "error", "message": str(exc.detail), "fields": {}}
    return Response(body, status=exc.status_code, headers=headers)
