"""Keyset pages: every page costs the same, and rows that arrive meanwhile neither repeat nor hide others.

A page continues after the last row's key: `u >= x AND (u > x OR id > y)`, which MySQL answers from one index range.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from marketplace.core.errors import InvalidInput
from marketplace.core.prepared import Statement

M = TypeVar("M", bound=models.Model)
DEFAULT_LIMIT = 25
MAX_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """One page: its rows, and the address of the next one (path and query), or None at the end."""

    rows: list[M]
    next: str | None


def limit_of(request: Request, default: int = DEFAULT_LIMIT) -> int:
    """The query parameter `limit`, 1 to 100. Raises InvalidInput for anything else."""
    text = request.query_params.get("limit")
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_LIMIT):
        raise InvalidInput(
            "limit_invalid", f"`limit` is a whole number from 1 to {MAX_LIMIT}.", {"limit": [f"Use a whole number from 1 to {MAX_LIMIT}."]}
        )
    return int(text)


def encode_cursor(values: Sequence[Any]) -> str:
    """An opaque, URL-safe text of JSON values and instants."""
    plain = [v.isoformat() if isinstance(v, datetime | date) else v for v in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def decode_cursor(text: str, length: int) -> list[Any]:
    """The values of a cursor made by encode_cursor. Raises InvalidInput for anything that is not one of `length` values."""
    try:
        values = json.loads(base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, RecursionError) as e:
        raise _bad_cursor() from e
    if not isinstance(values, list) or len(values) != length or not all(isinstance(v, str | int | float) for v in values):
        raise _bad_cursor()
    return values


def _bad_cursor() -> InvalidInput:
    return InvalidInput(
        "cursor_invalid", "This page address is not valid. Start again from the first page.", {"cursor": ["Not a page address of ours."]}
    )


def keyset_page(request: Request, queryset: QuerySet[M], keyset: Sequence[str], *, limit: int | None = None) -> Page[M]:
    """The page that the request's `cursor` and `limit` ask for.

    `keyset` is one or two field names with an optional minus; none may be null and the last must be unique. Issues one query.
    """
    limit = limit or limit_of(request)
    cursor = request.query_params.get("cursor")
    if cursor:
        queryset = queryset.filter(_after(keyset, _typed(queryset.model, keyset, decode_cursor(cursor, len(keyset)))))
    return _page(request, list(queryset.order_by(*keyset)[: limit + 1]), keyset, limit)


class PreparedPages(Generic[M]):
    """keyset_page for lists that are asked for often: `build` makes the queryset out of values, as for a Statement; see there."""

    def __init__(self, model: type[M], build: Callable[..., QuerySet[M]], keyset: Sequence[str]) -> None:
        self._model, self._build, self._keyset = model, build, tuple(keyset)
        self._rows: Statement[M] = Statement(self._after)

    def __call__(self, request: Request, **values: Any) -> Page[M]:
        """The page that the request's `cursor` and `limit` ask for; one query."""
        limit = limit_of(request)
        cursor = request.query_params.get("cursor")
        after = _typed(self._model, self._keyset, decode_cursor(cursor, len(self._keyset))) if cursor else []
        # in a tuple: the limit stands in the statement's text
        rows = self._rows(page=(limit + 1,), **values, **{f"after_{i}": value for i, value in enumerate(after)})
        return _page(request, rows, self._keyset, limit)

    def _after(self, *, page: tuple[int], **values: Any) -> QuerySet[M]:
        after = [values.pop(name) for name in sorted(values) if name.startswith("after_")]
        rows = self._build(**values)
        if after:
            rows = rows.filter(_after(self._keyset, after))
        return rows.order_by(*self._keyset)[: page[0]]


def _page(request: Request, rows: list[M], keyset: Sequence[str], limit: int) -> Page[M]:
    if len(rows) <= limit:
        return Page(rows, None)
    rows = rows[:limit]
    last = encode_cursor([getattr(rows[-1], name.lstrip("-")) for name in keyset])
    return Page(rows, replace_query_param(request.get_full_path(), "cursor", last))


def _typed(model: type[models.Model], keyset: Sequence[str], values: Sequence[Any]) -> list[Any]:
    typed = []
    for name, value in zip(keyset, values, strict=True):
        try:
            typed.append(model._meta.get_field(name.lstrip("-")).to_python(value))  # type: ignore[union-attr]
        except (ValidationError, ValueError, TypeError, OverflowError) as e:
            raise _bad_cursor() from e
    if any(isinstance(v, int) and abs(v) >= 2**63 for v in typed) or any(isinstance(v, datetime) and v.tzinfo is None for v in typed):
        raise _bad_cursor()
    return typed


def _after(keyset: Sequence[str], typed: Sequence[Any]) -> Q:
    def beyond(name: str, value: Any, *, strictly: bool) -> Q:
        lookup = ("lt" if name.startswith("-") else "gt") + ("" if strictly else "e")
        return Q(**{f"{name.lstrip('-')}__{lookup}": value})

    if len(keyset) == 1:
        return beyond(keyset[0], typed[0], strictly=True)
    first, second = keyset
    return beyond(first, typed[0], strictly=False) & (beyond(first, typed[0], strictly=True) | beyond(second, typed[1], strictly=True))


class KeysetPagination(BasePagination):
    """For generic list views: `pagination_class = KeysetPagination` and, on the view, `keyset = ("-submitted_at", "-id")` (default: newest id first)."""

    def paginate_queryset(self, queryset: QuerySet[Any], request: Request, view: Any = None) -> list[Any]:
        self.page = keyset_page(request, queryset, getattr(view, "keyset", ("-id",)))
        return self.page.rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.page.next})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return page_schema(schema)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return PAGE_PARAMETERS


def page_schema(items: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI schema of a page of `items` (an array schema)."""
    link = {
        "type": "string",
        "nullable": True,
        "format": "uri-reference",
        "description": "Path and query of the next page; null at the end.",
    }
    return {"type": "object", "required": ["results", "next"], "properties": {"results": items, "next": link}}


PAGE_PARAMETERS: list[dict[str, Any]] = [
    {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"}, "description": "From `next` of the page before."},
    {
        "name": "limit",
        "in": "query",
        "required": False,
        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        "description": "Rows on a page.",
    },
]
