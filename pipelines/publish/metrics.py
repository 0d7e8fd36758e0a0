"""The metrics folder of the dbt project, read, checked against what is published, and written into `_meta.metric`."""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from ..marts_reader.definitions import GRAINS, KINDS, UNITS, Dimension, Metric
from ..marts_reader.question import READY, compile_question
from ..rows import insert
from .lineage import AuditError, Model

_TYPES = {"DATE": "date", "VARCHAR": "text", "BOOLEAN": "boolean", "BIGINT": "integer", "INTEGER": "integer"}
#: Said in the definition, or taken from the relation's own rules.
_RULES = ("owner", "grain", "currency_rule", "late_data_rule")
_ALWAYS = ("subject", "label", "description", "relation", "unit", "filter_rule", "example")
_OPTIONAL = ("filter", "currency", "time", "time_grain", "dimensions", "required")
_TERMS = {name for names in KINDS.values() for name in names}


def load(folder: Path) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, str]]]:
    """Definitions by metric, and ways back to source rows by relation, from the folder's TOML files. Raises AuditError naming the file."""
    metrics: dict[str, dict[str, Any]] = {}
    relations: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            told = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
            raise AuditError(f"{path.name}: {wrong}") from wrong
        if set(told) - {"metrics", "relations"}:
            raise AuditError(
                f"{path.name}: only [metrics.*] and [relations.*] belong here, not {', '.join(sorted(set(told) - {'metrics', 'relations'}))}"
            )
        for name, definition in told.get("metrics", {}).items():
            if name in metrics:
                raise AuditError(f"{path.name}: the metric {name} is defined twice")
            metrics[name] = {**definition, "subject": path.stem}
        for relation, about in told.get("relations", {}).items():
            if relation in relations or set(about) != {"rows"}:
                raise AuditError(f"{path.name}: {relation} has `rows` and nothing else, once")
            relations[relation] = about["rows"]
    return metrics, relations


def compiled(folder: Path, models: Mapping[str, Model], db: duckdb.DuckDBPyConnection) -> list[Metric]:
    """Every metric whose relation is among `models` (by relation), each tried against the open published file, by name.

    Raises AuditError that names each metric that cannot be worked out and why: also one of a relation that nobody publishes at all.
    """
    definitions, ways = load(folder)
    problems, found = [], []
    for name, told in sorted(definitions.items()):
        relation = told.get("relation", "")
        if relation not in models:
            continue
        try:
            made = _metric(name, told, models[relation], ways.get(relation), _columns(db, relation))
            for split in ([], [d.name for d in made.dimensions]):
                where = {} if split else {d: _ANY[_named(made, d).type] for d in made.required}
                sql, values = compile_question(made, split, where)
                db.execute(f"EXPLAIN {sql}", values)
        except (ValueError, duckdb.Error) as wrong:
            problems.append(f"metric {name}: {str(wrong).splitlines()[0]}")
        else:
            found.append(made)
    if problems:
        raise AuditError("; ".join(problems))
    return found


def described(folder: Path, models: Mapping[str, Model]) -> list[Metric]:
    """Every metric as the columns that the models declare allow it, by name, without any built table. Raises AuditError naming what is wrong."""
    definitions, ways = load(folder)
    problems, found = unpublished(folder, models), []
    for name, told in sorted(definitions.items()):
        if (model := models.get(told.get("relation", ""))) is not None:
            try:
                found.append(_metric(name, told, model, ways.get(model.relation), {c["name"]: c["type"].upper() for c in model.columns}))
            except ValueError as wrong:
                problems.append(f"metric {name}: {wrong}")
    if problems:
        raise AuditError("; ".join(problems))
    return found


_ANY = {"date": "2000-01-01", "text": "", "integer": 0, "boolean": True}


def unpublished(folder: Path, relations: Iterable[str]) -> list[str]:
    """Problems: metrics and ways back that speak of a relation which is not published."""
    definitions, ways = load(folder)
    known = set(relations)
    told = [
        f"metric {name}: {d.get('relation', 'no relation')} is not published"
        for name, d in definitions.items()
        if d.get("relation") not in known
    ]
    return told + [f"metrics folder: {relation} is not published" for relation in ways if relation not in known]


def _named(metric: Metric, name: str) -> Dimension:
    found = metric.dimension(name)
    if found is None:
        raise ValueError(f"`required` names {name}, which is no dimension of it")
    return found


def _columns(db: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {row[0]: row[1] for row in db.execute(f"DESCRIBE {relation}").fetchall()}


def _metric(name: str, told: Mapping[str, Any], model: Model, rows: dict[str, str] | None, columns: Mapping[str, str]) -> Metric:
    """Raises ValueError with what is wrong in the definition."""
    unknown = set(told) - _TERMS - {*_ALWAYS, *_OPTIONAL, *_RULES}
    missing = [key for key in _ALWAYS if not told.get(key)]
    if unknown or missing:
        raise ValueError(" and ".join([*(f"unknown key {key}" for key in sorted(unknown)), *(f"no {key}" for key in missing)]))
    given = {key for key in told if key in _TERMS}
    kind = next((kind for kind, terms in KINDS.items() if set(terms) == given), None)
    if kind is None:
        raise ValueError(
            f"{', '.join(sorted(given)) or 'nothing'} do not make a metric; one of these does: {'; '.join(', '.join(t) for t in KINDS.values())}"
        )
    if told["unit"] not in UNITS or (told["unit"] == "minor") != bool(told.get("currency")):
        raise ValueError(f"unit is one of {', '.join(UNITS)}, and `currency` belongs to minor alone")
    if not rows:
        raise ValueError(f'[relations."{told["relation"]}"] does not say how to come back to source rows')
    rules = {key: str(told.get(key) or model.meta.get(key) or "") for key in _RULES}
    if not all(rules.values()):
        raise ValueError(f"no {', '.join(key for key, rule in rules.items() if not rule)}, neither here nor on the model")
    return Metric(
        name=name,
        kind=kind,
        terms={key: told[key] for key in KINDS[kind]},
        filter=told.get("filter", ""),
        currency=told.get("currency", ""),
        dimensions=tuple(_dimensions(told, columns)),
        required=tuple(told.get("required", ())),
        rows=rows,
        columns=tuple(_used(told, kind, columns)),
        **{key: told[key] for key in _ALWAYS},
        **rules,
    )


def _used(told: Mapping[str, Any], kind: str, columns: Mapping[str, str]) -> list[str]:
    """The relation's columns in the metric's terms and filter."""
    parts = [told[term] for term in KINDS[kind]] + [told.get("filter", "")]
    texts = [
        text for part in parts for text in (part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else [part])
    ]
    words = {word for text in texts for word in re.findall(r"[a-z_][a-z0-9_]*", re.sub(r"'[^']*'", "", text.lower()))}
    return sorted(words & set(columns))


def _dimensions(told: Mapping[str, Any], columns: Mapping[str, str]) -> Iterable[Dimension]:
    if time := told.get("time"):
        if columns.get(time) != "DATE":
            raise ValueError(f"`time` is {time}, which is no date of {told['relation']}")
        finest = told.get("time_grain", "day")
        if finest not in GRAINS:
            raise ValueError(f"`time_grain` is one of {', '.join(GRAINS)}")
        for grain in GRAINS[GRAINS.index(finest) :]:
            yield Dimension(grain, "date", time if grain == finest else f"cast(date_trunc('{grain}', {time}) as date)")
    for column in told.get("dimensions", []):
        if columns.get(column) not in _TYPES:
            raise ValueError(
                f"dimension {column} is no column of {told['relation']} that one can split by ({columns.get(column, 'not there')})"
            )
        yield Dimension(column, _TYPES[columns[column]], f'"{column}"')


def write(db: duckdb.DuckDBPyConnection, metrics: Iterable[Metric]) -> None:
    """`_meta.metric`: one row a metric, readable by itself, with the whole definition as JSON."""
    db.execute(
        """
        CREATE TABLE _meta.metric (name VARCHAR, label VARCHAR, description VARCHAR, relation VARCHAR, unit VARCHAR, currency VARCHAR, owner VARCHAR,
            grain VARCHAR, filter_rule VARCHAR, currency_rule VARCHAR, late_data_rule VARCHAR, example VARCHAR, dimensions VARCHAR[], sql VARCHAR, definition JSON)
        """
    )
    plain = (
        "name",
        "label",
        "description",
        "relation",
        "unit",
        "currency",
        "owner",
        "grain",
        "filter_rule",
        "currency_rule",
        "late_data_rule",
        "example",
    )
    rows = [
        [*(getattr(m, key) for key in plain), [d.name for d in m.dimensions], compile_question(m, m.required)[0], m.dump()] for m in metrics
    ]
    insert(db, "_meta.metric", rows)


def write_answers(db: duckdb.DuckDBPyConnection, metrics: Iterable[Metric], parts: Mapping[str, str], earlier: Path | None) -> int:
    """`_meta.answer`: each metric's figure over everything and by month, by the SQL of the question; returns how many questions were worked out.

    `parts` names the file of each published relation. What the publication `earlier` answered from the same file by the same SQL is taken over.
    """
    db.execute(
        "CREATE TABLE _meta.answer (metric VARCHAR, sql VARCHAR, part VARCHAR, month DATE, value DOUBLE, whole_value BIGINT, numerator DOUBLE,"
        " denominator DOUBLE, events BIGINT, base_rows BIGINT)"
    )
    known = _answered(earlier)
    rows, fresh = [], 0
    for metric in metrics:
        for by in READY:
            if metric.required or not all(metric.dimension(name) for name in by):
                continue
            sql, values = compile_question(metric, by)
            key = (metric.name, sql, parts[metric.relation])
            if key not in known:
                known[key] = [_as_stored(told) for told in db.execute(sql, values).to_arrow_table().to_pylist()]
                fresh += 1
            rows += [[*key, *answer] for answer in known[key]]
    insert(db, "_meta.answer", rows)
    return fresh


def _as_stored(told: Mapping[str, Any]) -> tuple[Any, ...]:
    whole = told["value"] if isinstance(told["value"], int) else None
    return (told.get("month"), told["value"], whole, *(told.get(name) for name in ("numerator", "denominator", "events", "base_rows")))


def _answered(earlier: Path | None) -> dict[tuple[Any, ...], list[tuple[Any, ...]]]:
    found: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    if earlier is not None and earlier.is_file():
        with (
            duckdb.connect(str(earlier), read_only=True) as db,
            contextlib.suppress(duckdb.CatalogException),
        ):  # it may be of before there were any
            for row in db.execute("SELECT * FROM _meta.answer").fetchall():
                found.setdefault(row[:3], []).append(row[3:])
    return found
