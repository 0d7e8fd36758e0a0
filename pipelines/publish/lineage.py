"""What dbt knows of the models: SQL, columns, tests and their results, parents. Read from its manifest.json and run_results.json."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import transform
from ..refusals import Refused

#: Who sees which schemas.
AUDIENCES = {"staff": ("admin", "client", "freelancer", "metrics", "science"), "tenants": ("client", "freelancer")}
_BAD = {"error", "fail", "runtime error", "skipped", "partial success"}


class AuditError(Refused):
    """Something is wrong with the marts: they are not published, readers keep what they have."""


@dataclass(frozen=True)
class Model:
    """One model, seed or source table. `sql` is what people wrote, `compiled` what the engine ran, `built_at` when it did ("" when nobody knows)."""

    unique_id: str
    name: str
    layer: str
    relation: str
    schema: str
    alias: str
    description: str
    sql: str
    compiled: str
    columns: list[dict[str, str]]
    meta: dict[str, Any]
    parents: list[str]
    published: bool
    built_at: str = ""
    tests: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Lineage:
    """All models by unique id, and the dbt run that built them."""

    models: dict[str, Model]
    invocation_id: str
    problems: list[str]

    def published(self, audience: str) -> list[Model]:
        """The models an audience may see, by schema and name."""
        schemas = AUDIENCES[audience]
        return sorted((m for m in self.models.values() if m.published and m.schema in schemas), key=lambda m: (m.schema, m.alias))

    def ancestry(self, leaves: Iterable[Model]) -> list[Model]:
        """The leaves and everything they are made of."""
        found: dict[str, Model] = {}
        waiting = list(leaves)
        while waiting:
            model = waiting.pop()
            if model.unique_id not in found:
                found[model.unique_id] = model
                waiting += [self.models[parent] for parent in model.parents if parent in self.models]
        return sorted(found.values(), key=lambda model: model.unique_id)


def read(target: Path) -> Lineage:
    """Raises AuditError when dbt, and the tests of what it built, have not come to their end in `target`."""
    if transform.unfinished():
        raise AuditError("the last build was cut short before its tests were over: build the marts first")
    manifest, results = (_left(target / name) for name in ("manifest.json", "run_results.json"))
    status = {result["unique_id"]: result for result in results["results"]}
    problems = [
        f"{unique_id}: {result['status']}{': ' + result['message'] if result.get('message') else ''}"
        for unique_id, result in status.items()
        if result["status"] in _BAD
    ]
    models = {unique_id: replace(model, built_at=_ended(status.get(unique_id))) for unique_id, model in _models(manifest, target).items()}
    for unique_id, node in manifest["nodes"].items():
        if node["resource_type"] == "test":
            outcome = status.get(unique_id, {}).get("status", "not run")
            told = {
                "name": node["name"],
                "column": node.get("column_name") or "",
                "status": outcome,
                "description": node.get("description") or "",
            }
            for parent in {node.get("attached_node") or "", *node["depends_on"]["nodes"]} & set(models):
                models[parent].tests.append(told)
    for unique_id, unit in manifest.get("unit_tests", {}).items():
        outcome = status.get(unique_id, {}).get("status", "not run")
        for parent in set(unit["depends_on"]["nodes"]) & set(models):
            models[parent].tests.append(
                {"name": unit["name"], "column": "", "status": outcome, "description": unit.get("description") or ""}
            )
    return Lineage(models, results["metadata"]["invocation_id"], problems)


def _ended(result: dict[str, Any] | None) -> str:
    return max((step["completed_at"] for step in (result or {}).get("timing", ()) if step.get("completed_at")), default="")


def read_models(target: Path) -> dict[str, Model]:
    """All models by unique id, without the outcome of any build. Raises AuditError when dbt has not parsed the project in `target`."""
    return _models(_left(target / "manifest.json"), target)


def _left(file: Path) -> dict[str, Any]:
    found = transform.artefact(file)
    if found is None:
        raise AuditError(f"dbt has left no {file.name} that is whole in {file.parent}: build the marts first")
    return found


def _models(manifest: dict[str, Any], target: Path) -> dict[str, Model]:
    nodes = manifest["nodes"] | manifest["sources"]
    kinds = ("model", "seed", "source", "snapshot")
    return {unique_id: _model(unique_id, node, target) for unique_id, node in nodes.items() if node["resource_type"] in kinds}


def _compiled(node: dict[str, Any], target: Path) -> str:
    """What the engine ran last: a build of some models leaves the others' SQL of before in its folder. Seeds and sources have none."""
    if node["resource_type"] not in ("model", "snapshot"):
        return ""
    if node.get("compiled_code"):
        return str(node["compiled_code"])
    path = target / "compiled" / node["package_name"] / node["original_file_path"]
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _model(unique_id: str, node: dict[str, Any], target: Path) -> Model:
    source = node["resource_type"] == "source"
    folders = node["fqn"][1:-1]
    return Model(
        unique_id=unique_id,
        name=node["name"],
        layer="raw" if source else (folders[0] if folders else node["resource_type"]),
        relation=f"{node['schema']}.{node.get('alias') or node.get('identifier') or node['name']}",
        schema=node["schema"],
        alias=node.get("alias") or node.get("identifier") or node["name"],
        description=node.get("description") or "",
        sql=node.get("raw_code") or "",
        compiled=_compiled(node, target),
        columns=[
            {"name": column["name"], "type": column.get("data_type") or "", "description": column.get("description") or ""}
            for column in node["columns"].values()
        ],
        meta=node.get("meta") or node.get("config", {}).get("meta") or {},
        parents=sorted(node.get("depends_on", {}).get("nodes", [])),
        published=node["resource_type"] == "model" and folders[:1] == ["published"],
    )
