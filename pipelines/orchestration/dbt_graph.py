"""dbt's models as assets: their keys, groups and parents, read from a manifest that is parsed when it is missing or old."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from dagster import AssetKey

from .. import files, paths, transform

#: How long one waits while another parses the project.
_PATIENCE_SECONDS = 180.0


@dataclass(frozen=True)
class Node:
    """One model, seed or snapshot. `tests` are the names of the data and unit tests it is blocked by."""

    unique_id: str
    key: AssetKey
    group: str
    description: str
    parents: tuple[AssetKey, ...]
    published: bool
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        """What dbt calls it."""
        return self.unique_id.split(".")[2]


def raw_key(table: str) -> AssetKey:
    """raw/<app>/<table>."""
    return AssetKey(["raw", table.split("_", 1)[0], table])


def load() -> list[Node]:
    """Every node of the project, each after its parents, as Dagster demands of what a step yields; always in the same order. Raises transform.BuildFailed when the project does not parse."""
    manifest = json.loads(_manifest().read_text(encoding="utf-8"))
    nodes = {unique_id: node for unique_id, node in manifest["nodes"].items() if node["resource_type"] in ("model", "seed", "snapshot")}
    sources = {
        unique_id: raw_key(node["identifier"]) for unique_id, node in manifest["sources"].items() if not node["identifier"].startswith("_")
    }
    keys = sources | {unique_id: _key(node) for unique_id, node in nodes.items()}
    tests: dict[str, list[str]] = {unique_id: [] for unique_id in nodes}
    for test in _tests(manifest):
        for parent in set(test["depends_on"]["nodes"]) & set(nodes):
            tests[parent].append(test["name"])
    found = {
        unique_id: Node(
            unique_id,
            keys[unique_id],
            keys[unique_id].path[0],
            node["description"],
            tuple(sorted({keys[parent] for parent in node["depends_on"].get("nodes", []) if parent in keys})),
            "published" in node["fqn"],
            tuple(sorted(tests[unique_id])),
        )
        for unique_id, node in nodes.items()
    }
    parents = {unique_id: sorted(set(nodes[unique_id]["depends_on"].get("nodes", [])) & set(nodes)) for unique_id in sorted(nodes)}
    return [found[unique_id] for unique_id in TopologicalSorter(parents).static_order()]


def _tests(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (node for node in manifest["nodes"].values() if node["resource_type"] == "test")
    yield from manifest.get("unit_tests", {}).values()


def _key(node: dict[str, Any]) -> AssetKey:
    """<layer>/<domain>/<name>, from the folders the file lies in."""
    layer, domain = ([*node["fqn"][1:-1], "shared", "shared"] if node["resource_type"] == "model" else ["reference", "shared"])[:2]
    return AssetKey([layer, domain, node["alias"]])


def _manifest() -> Path:
    """A manifest no older than the project's newest file, in a folder apart from that of a build that may be running."""
    project, target = paths.dbt_project(), paths.var() / "work" / "dbt-parse"
    manifest = target / "manifest.json"
    newest = max((path.stat().st_mtime for path in project.rglob("*") if path.is_file()), default=0.0)
    # web server, daemon and runs ask beside each other
    with files.lock(target.with_name(".dbt-parse.lock"), wait_seconds=_PATIENCE_SECONDS):
        if transform.artefact(manifest) is None or manifest.stat().st_mtime < newest:
            transform.parse(target)
    return manifest
