"""The house's serializers answer exactly what REST framework's own would, for every shape of the API and for values that no column would give."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils.translation import gettext_lazy
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework import renderers, serializers

from marketplace.core.api.renderers import JSONRenderer
from marketplace.core.api.serializers import ModelSerializer, Serializer


class Inner(Serializer):
    at = serializers.DateTimeField(allow_null=True)
    name = serializers.CharField()


class Outer(Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField(source="person.name")
    kind = serializers.ChoiceField(choices=["a", "b"])
    secret = serializers.CharField(write_only=True)
    share = serializers.FloatField(allow_null=True)
    day = serializers.DateField()
    price = serializers.DecimalField(max_digits=9, decimal_places=2)
    inner = Inner(allow_null=True)
    many = Inner(many=True)
    words = serializers.ListField(child=serializers.CharField())
    anything = serializers.JSONField()
    perhaps = serializers.CharField(required=False)
    nothing = serializers.CharField(allow_null=True, required=False)
    usual = serializers.IntegerField(default=7)
    loud = serializers.SerializerMethodField()

    def get_loud(self, row: Any) -> str:
        name = row["person"]["name"] if isinstance(row, dict) else row.person.name
        return str(name).upper() + self.context.get("mark", "")


def slowly(shape: Serializer, row: Any) -> Any:
    return serializers.Serializer.to_representation(shape, row)


YEAR = (datetime(2, 1, 1), datetime(9998, 1, 1))  # no database of ours holds others, and the zones at their ends have no day to go to
instants = st.datetimes(*YEAR, timezones=st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), timezone(timedelta(hours=-3))]))
inners = st.fixed_dictionaries({"at": st.none() | instants, "name": st.text() | st.integers()})
rows = st.fixed_dictionaries(
    {
        "id": st.integers() | st.booleans() | st.just("12"),
        "person": st.fixed_dictionaries({"name": st.text()}),
        "kind": st.sampled_from(["a", "b", "gone"]),
        "share": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9),
        "day": st.dates(),
        "price": st.decimals(-1000, 1000, places=2),
        "inner": st.none() | inners,
        "many": st.lists(inners, max_size=3),
        "words": st.lists(st.text() | st.integers(), max_size=3),
        "anything": st.none() | st.dictionaries(st.text(), st.integers()),
    },
    optional={"perhaps": st.text(), "nothing": st.none() | st.text(), "usual": st.integers(), "unnamed": st.text()},
)


@given(row=rows)
@settings(max_examples=150, deadline=None)
def test_answers_equal_those_of_rest_framework(row: dict[str, Any]) -> None:
    shape = Outer(context={"mark": "!"})
    assert json.dumps(shape.to_representation(row)) == json.dumps(slowly(Outer(context={"mark": "!"}), row))


def test_objects_callables_and_missing_fields_are_read_as_rest_framework_does() -> None:
    class Row(SimpleNamespace):
        def name(self) -> str:
            return "called"

    class Named(Serializer):
        name = serializers.CharField()
        at = serializers.DateTimeField()

    row = Row(at=datetime(2026, 3, 29, 1, 59, 59, 123456, tzinfo=UTC))
    assert Named().to_representation(row) == slowly(Named(), row) == {"name": "called", "at": "2026-03-29T01:59:59.123456Z"}
    with pytest.raises(KeyError, match="name"):
        Named().to_representation({"at": None})


def every_shape() -> Iterator[type[Serializer]]:
    waiting: list[type] = [Serializer, ModelSerializer]
    while waiting:
        for shape in waiting.pop().__subclasses__():
            waiting.append(shape)
            if shape.__module__.startswith("marketplace.") and shape is not ModelSerializer:
                yield shape


def test_every_shape_of_the_api_is_one_of_the_house() -> None:
    import config.urls  # noqa: F401  # loads every view

    foreign = {
        s.__qualname__
        for s in (*serializers.Serializer.__subclasses__(), *serializers.ModelSerializer.__subclasses__())
        if s.__module__.startswith("marketplace.") and not issubclass(s, Serializer | ModelSerializer)
    }
    assert not foreign and len(list(every_shape())) > 50


awkward = [
    {"big": 2**70, "text": "ü 🙂 \u2028 שלום", "number": 1.5, "none": None, "nested": [[], {}, True]},
    {"price": Decimal("1.10"), "at": datetime(2026, 1, 1, tzinfo=UTC), "day": date(2026, 1, 2), "id": uuid.UUID(int=7)},
    {"lazy": gettext_lazy("Yes"), 3: "a key that is no text"},
    ["a", "b"],
    "text",
    None,
    7,
]


@pytest.mark.parametrize("data", awkward, ids=range(len(awkward)))
def test_what_is_rendered_reads_back_as_rest_framework_would_have_it(data: Any) -> None:
    ours, theirs = JSONRenderer().render(data, "application/json"), renderers.JSONRenderer().render(data, "application/json")
    assert (json.loads(ours) if ours else ours) == (json.loads(theirs) if theirs else theirs)
    indented = JSONRenderer().render(data, "application/json; indent=2")
    assert indented == renderers.JSONRenderer().render(data, "application/json; indent=2")
