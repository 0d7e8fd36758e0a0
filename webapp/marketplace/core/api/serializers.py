"""The base of the house's serializers: REST framework's in every respect, with a shorter way from a row to its answer.

REST framework copies all fields of a serializer for each answer and asks each of them for each row. Here a class works out once how its fields
become JSON; a value that is not of the expected type goes to the field itself, and what is unusual takes REST framework's own way.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from rest_framework import serializers

from marketplace.core import clock

#: fields whose values are JSON already when they are of this very type
_PLAIN: dict[type[serializers.Field], type] = {
    serializers.CharField: str,
    serializers.ChoiceField: str,
    serializers.IntegerField: int,
    serializers.BooleanField: bool,
    serializers.FloatField: float,
}


_LEFT_OUT, _UNKNOWN = object(), object()


def now_of(serializer: serializers.BaseSerializer) -> datetime:
    """The instant of the answer: asked once for a whole list."""
    if "now" not in serializer.context:
        serializer.context["now"] = clock.now()
    found: datetime = serializer.context["now"]
    return found


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    path: tuple[str, ...]
    plain: type | None
    convert: Callable[[Any], Any]
    method: str = ""  # of a SerializerMethodField: the serializer's own method, which may need its context
    shape: Any = None  # of a nested serializer with methods, which may need our context
    many: bool = False
    absent: Any = None  # what stands for a field that is not there: _LEFT_OUT, a default, or _UNKNOWN for REST framework's words


# Comments instead of docstrings on the bases: the API document takes a shape's words from the nearest docstring.
# The shorter way. Answers equal REST framework's; tests/webapp/core/test_serializers.py holds them to it.
class _Short:
    def to_representation(self, instance: Any) -> Any:
        steps = _steps(type(self))  # type: ignore[arg-type]
        if steps is None:
            return super().to_representation(instance)  # type: ignore[misc]
        try:
            return self._told(steps, instance)
        except (KeyError, AttributeError):
            # a field that may be left out, or one that may not: REST framework knows which and has the words
            return super().to_representation(instance)  # type: ignore[misc]

    def _told(self, steps: tuple[_Step, ...], instance: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for step in steps:
            if step.method:
                found[step.name] = getattr(self, step.method)(instance)
                continue
            value = instance
            try:
                for part in step.path:
                    value = value[part] if type(value) is dict or isinstance(value, Mapping) else getattr(value, part)
            except (KeyError, AttributeError):
                if step.absent is _UNKNOWN:
                    raise
                if step.absent is _LEFT_OUT:
                    continue
                value = step.absent
            if value is None or type(value) is step.plain:
                found[step.name] = value
            elif step.shape is not None:
                found[step.name] = step.shape(value, many=step.many, context=self.context).data  # type: ignore[attr-defined]
            else:
                found[step.name] = step.convert(value() if inspect.ismethod(value) else value)
        return found


class Serializer(_Short, serializers.Serializer):
    pass


class ModelSerializer(_Short, serializers.ModelSerializer):
    pass


@cache
def _steps(shape: Any) -> tuple[_Step, ...] | None:
    """How each readable field of the class becomes JSON; None when only REST framework can tell."""
    steps: list[_Step] = []
    for name, field in shape().fields.items():
        if field.write_only:
            continue
        if isinstance(field, serializers.SerializerMethodField):
            steps.append(_Step(name, (), None, field.to_representation, method=str(field.method_name)))
            continue
        many = isinstance(field, serializers.ListSerializer)
        inner = field.child if many else field
        shape = type(inner) if _has_methods(inner) else None
        convert = inner.to_representation if shape else _converter(field)
        if convert is None or field.source in (None, "*"):
            return None
        kind = next((base for base in _PLAIN if type(field).to_representation is base.to_representation), None)
        path = tuple(field.source.split("."))
        steps.append(_Step(name, path, _PLAIN[kind] if kind else None, convert, shape=shape, many=many, absent=_absent(field)))
    return tuple(steps)


def _has_methods(field: serializers.Field) -> bool:
    steps = _steps(type(field)) if isinstance(field, _Short) else None  # type: ignore[arg-type]
    return steps is not None and any(step.method or step.shape for step in steps)


def _absent(field: serializers.Field) -> Any:
    """As rest_framework.fields.Field.get_attribute decides: the default, else null where that is allowed, else nothing where that is."""
    if field.default is not serializers.empty:
        return _UNKNOWN if callable(field.default) else field.default
    return None if field.allow_null else _UNKNOWN if field.required else _LEFT_OUT


def _converter(field: serializers.Field) -> Callable[[Any], Any] | None:
    if isinstance(field, serializers.ListSerializer) and field.child is not None:
        each = _converter(field.child)
        return each and (lambda rows: [each(row) for row in (rows.all() if hasattr(rows, "all") else rows)])
    if isinstance(field, serializers.BaseSerializer):
        # its methods would miss the context of the serializer that is being answered
        known = isinstance(field, _Short) and _steps(type(field)) is not None  # type: ignore[arg-type]
        return field.to_representation if known and not _has_methods(field) else None
    if isinstance(field, serializers.RelatedField | serializers.ManyRelatedField):
        return None  # reads the key without the row
    if type(field) is serializers.DateTimeField:
        return lambda value: _instant(field, value)
    if type(field) is serializers.ListField and type(field.child) is serializers.CharField:
        return lambda texts: list(texts) if all(type(t) is str for t in texts) else field.to_representation(texts)
    convert: Callable[[Any], Any] = field.to_representation
    return convert


def _instant(field: serializers.DateTimeField, value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is UTC:
        return value.isoformat()[:-6] + "Z"
    return field.to_representation(value)
