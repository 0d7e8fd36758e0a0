"""Examples of bodies in the API document: on the shape when several operations share it, on the view when only one means it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer

Shape = TypeVar("Shape", bound=type)


def sent(name: str, /, **value: Any) -> OpenApiExample:
    """A body that somebody sends."""
    return OpenApiExample(name, request_only=True, value=value)


def sent_as(name: str, /, **value: Any) -> Callable[[Shape], Shape]:
    """Of a serializer: the example of every operation that reads it and has no examples of its own."""
    decorate: Callable[[Shape], Shape] = extend_schema_serializer(examples=[sent(name, **value)])
    return decorate
