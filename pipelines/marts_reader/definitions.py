"""What a metric is: its definition as it stands in `dbt_project/metrics` and, compiled, in `_meta.metric` of each published file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

#: unit → what a value is: whole minor units of `currency`, a share of 1, hours, a count, or a bare number
UNITS = ("minor", "share", "hours", "count", "number")
#: Ways of working a metric out of a relation's rows; `terms` hold the SQL each of them needs.
KINDS = {
    "value": ("value",),  # one aggregate
    "ratio": ("numerator", "denominator"),  # two aggregates, divided last; null over 0
    "staged": ("per", "measures", "value"),  # `measures` by dimensions and `per`, then `value` over those groups
    "median_wait": ("hours", "happened"),  # Kaplan–Meier: rows that have not happened are censored at `hours`
}
#: Grains of a day, coarsest last.
GRAINS = ("day", "week", "month", "quarter", "year")


@dataclass(frozen=True, slots=True)
class Dimension:
    """What a metric can be split and filtered by. `type` is date, text, integer or boolean; `sql` an expression over the relation's columns."""

    name: str
    type: str
    sql: str


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of a `subject` (the file that defines it). A question must split by or filter on each of `required`, because figures that differ in it must not be put together.

    `rows` says how to come back to source rows: source table → SQL over `cell`, the relation's rows behind a figure. `columns` are those of
    the relation that the value is made of.
    """

    name: str
    subject: str
    label: str
    description: str
    relation: str
    kind: str
    terms: dict[str, Any]
    filter: str
    unit: str
    currency: str
    dimensions: tuple[Dimension, ...]
    required: tuple[str, ...]
    owner: str
    grain: str
    filter_rule: str
    currency_rule: str
    late_data_rule: str
    example: str
    rows: dict[str, str]
    columns: tuple[str, ...] = ()

    def dimension(self, name: str) -> Dimension | None:
        """The dimension of that name; None when the metric has none."""
        return next((d for d in self.dimensions if d.name == name), None)

    def dump(self) -> str:
        """JSON; `load` reads it back."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def load(cls, text: str) -> Metric:
        """The inverse of `dump`."""
        stored: Mapping[str, Any] = json.loads(text)
        dimensions = tuple(Dimension(**d) for d in stored["dimensions"])
        return cls(**{**stored, "dimensions": dimensions, "required": tuple(stored["required"]), "columns": tuple(stored["columns"])})
