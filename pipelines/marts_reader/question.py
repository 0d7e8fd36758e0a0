"""A question about a metric, checked and turned into SQL. Names come from the metric's definition, values are bound: nothing a caller says is SQL."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from .definitions import Dimension, Metric

#: One value, several of which one must hold (a list, tuple or set), a range, or None for "unknown".
Condition = Any


class MetricError(ValueError):
    """The question cannot be answered; the message says what can be asked instead."""


class UnknownMetric(MetricError):
    """No metric of that name was published."""


class BadQuestion(MetricError):
    """The metric has no such dimension, or the value is not of its type, or what must be held apart would be put together."""


@dataclass(frozen=True, slots=True)
class Between:
    """From `since` up to, but without, `until`; either end may be open."""

    since: Any = None
    until: Any = None


def listed(names: Iterable[str]) -> str:
    """Names for a message."""
    return ", ".join(names) or "none"


def nearest(name: object, names: Iterable[str]) -> str:
    """ " Did you mean …?" when there is something like it, else nothing."""
    found = difflib.get_close_matches(str(name), list(names), n=1)
    return f" Did you mean {found[0]}?" if found else ""


def compile_question(metric: Metric, by: Sequence[str] = (), where: Mapping[str, Condition] | None = None) -> tuple[str, list[Any]]:
    """SQL and its values: one row for each combination of `by`, in their order, with `value` and what it was made of. Raises BadQuestion."""
    split = _split(metric, by)
    condition, values = conditions(metric, where)
    missing = [name for name in metric.required if name not in by and not _is_one((where or {}).get(name))]
    if missing:
        raise BadQuestion(f"{metric.name} cannot be put together over {listed(missing)}: name it in `by`, or one value of it in `where`")
    return _QUERIES[metric.kind](metric, split, condition), values


def conditions(metric: Metric, where: Mapping[str, Condition] | None) -> tuple[str, list[Any]]:
    """The metric's own filter and `where` as one SQL condition, and the values to bind. Raises BadQuestion."""
    parts, values = [f"({metric.filter})"] if metric.filter else [], []
    if where is not None and not isinstance(where, Mapping):
        raise BadQuestion("`where` maps names of dimensions to values, such as {'month': '2026-03-01'}")
    for name, condition in (where or {}).items():
        sql, bound = _condition(metric, _dimension(metric, name), condition)
        parts.append(sql)
        values += bound
    return " and ".join(parts) or "true", values


def _is_one(condition: Condition) -> bool:
    if isinstance(condition, list | tuple | set | frozenset):
        return len(condition) == 1
    return condition is not None and not isinstance(condition, Between)


def _split(metric: Metric, by: Sequence[str]) -> list[Dimension]:
    if isinstance(by, str):
        raise BadQuestion(f"`by` is a list of names: [{by!r}]")
    found = [_dimension(metric, name) for name in by]
    if len({d.name for d in found}) < len(found):
        raise BadQuestion(f"`by` names a dimension twice: {listed(d.name for d in found)}")
    return found


def _dimension(metric: Metric, name: object) -> Dimension:
    found = metric.dimension(name) if isinstance(name, str) else None
    if found is None:
        names = [d.name for d in metric.dimensions]
        raise BadQuestion(f"{metric.name} has no dimension {name!r}.{nearest(name, names)} It has: {listed(names)}")
    return found


def _condition(metric: Metric, dimension: Dimension, condition: Condition) -> tuple[str, list[Any]]:
    sql = f"({dimension.sql})"
    if condition is None:
        return f"{sql} is null", []
    if isinstance(condition, Between):
        ends = [(op, end) for op, end in ((">=", condition.since), ("<", condition.until)) if end is not None]
        if not ends:
            raise BadQuestion(f"the range for {dimension.name} has neither `since` nor `until`: leave it out")
        if dimension.type == "boolean":
            raise BadQuestion(f"{dimension.name} is true or false: a range means nothing")
        return " and ".join(f"{sql} {op} ?" for op, _ in ends), [_typed(metric, dimension, end) for _, end in ends]
    if isinstance(condition, list | tuple | set | frozenset):
        values = [_typed(metric, dimension, value) for value in condition]
        if not values:
            raise BadQuestion(f"the list for {dimension.name} is empty: nothing could be counted")
        return f"{sql} in ({', '.join('?' * len(values))})", values
    return f"{sql} = ?", [_typed(metric, dimension, condition)]


def _typed(metric: Metric, dimension: Dimension, value: Any) -> Any:
    """`value` as the dimension's type; only what is it already, and ISO dates, pass."""
    if dimension.type == "date" and isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    fits = {
        "date": isinstance(value, date) and not isinstance(value, datetime),
        "text": isinstance(value, str),
        "integer": isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63,
        "boolean": isinstance(value, bool),
    }
    if not fits[dimension.type]:
        wanted = {"date": "a date or its ISO text (2026-03-01)", "text": "text", "integer": "a whole number", "boolean": "True or False"}
        raise BadQuestion(f"{metric.name}: {dimension.name} is compared with {wanted[dimension.type]}, not with {value!r}")
    return value


def _selected(split: Sequence[Dimension], more: Iterable[str]) -> str:
    return ", ".join([*(f'{d.sql} as "{d.name}"' for d in split), *more])


#: What a publication answers ahead: the figure over everything, and each month's
READY: tuple[tuple[str, ...], ...] = ((), ("month",))


def ready_answer(metric: Metric, by: Sequence[str]) -> str:
    """SQL that reads the answer to a question of READY out of `_meta.answer`, with the columns and types of the question; its value is the question's SQL."""
    more = {"ratio": ["numerator", "denominator"], "median_wait": ["events"]}.get(metric.kind, [])
    value = "whole_value" if _is_whole(metric) else "value"
    return f"select {', '.join([*by, f'{value} as value', *more, 'base_rows'])} from _meta.answer where sql = ? order by month"


def _is_whole(metric: Metric) -> bool:
    return metric.kind in ("value", "staged") and metric.unit in ("minor", "count")


def _grouped(split: Sequence[Dimension]) -> str:
    """GROUP BY and ORDER BY over the split; a question without one has one row, also of nothing."""
    places = ", ".join(str(n + 1) for n in range(len(split)))
    return f" group by {places} order by {places}" if split else ""


def _as_unit(metric: Metric, sql: str) -> str:
    return f"cast({sql} as {'bigint' if _is_whole(metric) else 'double'})"


def _one_value(metric: Metric, split: Sequence[Dimension], condition: str) -> str:
    columns = _selected(split, [f"{_as_unit(metric, metric.terms['value'])} as value", "count(*) as base_rows"])
    return f"select {columns} from {metric.relation} where {condition}{_grouped(split)}"


def _ratio(metric: Metric, split: Sequence[Dimension], condition: str) -> str:
    parts = [f"cast({metric.terms[name]} as double) as {name}" for name in ("numerator", "denominator")]
    inner = f"select {_selected(split, [*parts, 'count(*) as base_rows'])} from {metric.relation} where {condition}{_grouped(split)}"
    names = ", ".join(
        [*(f'"{d.name}"' for d in split), "numerator / nullif(denominator, 0.0) as value", "numerator", "denominator", "base_rows"]
    )
    return f"select {names} from ({inner}) as parts{_ordered(split)}"


def _ordered(split: Sequence[Dimension]) -> str:
    return " order by " + ", ".join(str(n + 1) for n in range(len(split))) if split else ""


def _staged(metric: Metric, split: Sequence[Dimension], condition: str) -> str:
    per, measures = metric.terms["per"], metric.terms["measures"]
    groups = ", ".join(str(n + 1) for n in range(len(split) + len(per)))
    over = ", ".join(d.sql for d in split) or "true"
    first = _selected(split, [*per, *(f"{sql.replace('{split}', over)} as {name}" for name, sql in measures.items())])
    inner = f"select {first} from {metric.relation} where {condition} group by {groups}"
    again = [f'"{d.name}"' for d in split]
    columns = ", ".join([*again, f"{_as_unit(metric, metric.terms['value'])} as value", "count(*) as base_rows"])
    return f"select {columns} from ({inner}) as staged{_grouped(split)}"


def _median_wait(metric: Metric, split: Sequence[Dimension], condition: str) -> str:
    """The first time at which the Kaplan–Meier curve is at or below one half; null when it never is.

    Rounded: the product of 2/3 and 3/4 is one half, whatever its last digit.
    """
    names = "".join(f'"{d.name}", ' for d in split)
    over = f"partition by {names[:-2]} " if split else ""
    watched = _selected(split, [f"{metric.terms['hours']} as hours", f"{metric.terms['happened']} as happened"])
    return (
        f"with watched as (select {watched} from {metric.relation} where {condition} and {metric.terms['hours']} is not null), "
        f"by_time as (select {names}hours, count(*) filter (where happened) as events, count(*) as leaving from watched group by all), "
        f"at_time as (select *, sum(leaving) over ({over}order by hours desc) as at_risk from by_time), "
        f"curve as (select *, product(1.0 - events / cast(at_risk as double)) over ({over}order by hours) as survival from at_time) "
        f"select {names}min(hours) filter (where round(survival, 12) <= 0.5) as value, cast(coalesce(sum(events), 0) as bigint) as events, "
        f"cast(coalesce(sum(leaving), 0) as bigint) as base_rows from curve{_grouped(split)}"
    )


_QUERIES = {"value": _one_value, "ratio": _ratio, "staged": _staged, "median_wait": _median_wait}
