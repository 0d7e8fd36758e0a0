"""What a round must build: the models below tables that brought rows since each of them was last built well.

The marks stand in the work file itself (schema `_build`), so that a file that was removed or replaced can never look up to date:
a node → the last run of the extraction it holds. A node is marked when it and every test that touches it went well; one that failed,
was skipped or was never reached keeps its old mark and is built in the next round. When the project changed, all are built.

A model whose meta.rhythm is `training` is read by nightly training alone and costs as much as all others: it rests, with what only it is
made of, until it was built so long ago as the setting marts.training_seconds allows (ADR 32).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb

from . import paths, transform
from .extract.log import INCIDENTS, OWN, RUNS
from .rows import insert
from .settings import load
from .transform import Selection
from .warm import project_digest

_WELL = {"success", "pass", "warn", "no-op"}
_BUILT = ("model", "seed", "snapshot")
_SCHEMA = """
    CREATE SCHEMA IF NOT EXISTS _build;
    CREATE TABLE IF NOT EXISTS _build.node (unique_id VARCHAR PRIMARY KEY, run_seq BIGINT, built_at TIMESTAMP);
    ALTER TABLE _build.node ADD COLUMN IF NOT EXISTS built_at TIMESTAMP;
    CREATE TABLE IF NOT EXISTS _build.project (digest VARCHAR);
"""


@dataclass(frozen=True)
class Graph:
    """The project's nodes, each with the raw tables below it, and what its tests touch."""

    names: dict[str, str]
    tables: dict[str, frozenset[str]]
    tests: dict[str, frozenset[str]]
    #: nodes that are built → those they are made of, in an order in which no node stands before one of its parents
    parents: dict[str, frozenset[str]]
    #: nodes that only nightly training reads
    for_training: frozenset[str]

    @classmethod
    def read(cls, manifest: Path) -> Graph:
        """Raises FileNotFoundError before the first build, and where dbt was killed while it wrote the file."""
        content = transform.artefact(manifest)
        if content is None:
            raise FileNotFoundError(manifest)
        nodes, sources = content["nodes"], content["sources"]
        names = {
            unique_id: node["name"]
            for unique_id, node in nodes.items()
            if node["resource_type"] in _BUILT and node["config"].get("materialized") != "ephemeral"
        }
        found: dict[str, frozenset[str]] = {unique_id: frozenset([source["identifier"]]) for unique_id, source in sources.items()}

        def below(unique_id: str) -> frozenset[str]:
            if unique_id not in found:
                found[unique_id] = frozenset()
                parents = nodes.get(unique_id, {}).get("depends_on", {}).get("nodes", [])
                found[unique_id] = frozenset().union(*(below(parent) for parent in parents))
            return found[unique_id]

        tables = {unique_id: below(unique_id) for unique_id in names}
        tests = {
            unique_id: frozenset(node["depends_on"]["nodes"]) & names.keys()
            for unique_id, node in nodes.items()
            if node["resource_type"] == "test"
        }
        parents = _ordered({unique_id: frozenset(nodes[unique_id]["depends_on"].get("nodes", ())) for unique_id in names})
        asked = {unique_id for unique_id in names if (nodes[unique_id]["config"].get("meta") or {}).get("rhythm") == "training"}
        return cls(names, tables, tests, parents, frozenset(asked))

    def standing(self, held: Collection[str]) -> set[str]:
        """The nodes that stay as they were while these tables are set aside."""
        return {unique_id for unique_id in self.names if not self.tables[unique_id].isdisjoint(held)}


def _serving(leaves: Iterable[str], parents: dict[str, frozenset[str]]) -> set[str]:
    """The leaves and the nodes of which nothing else is made. `parents` come first."""
    children: dict[str, set[str]] = {unique_id: set() for unique_id in parents}
    found = set(leaves)
    for unique_id in reversed(parents):
        if children[unique_id] and children[unique_id] <= found:
            found.add(unique_id)
        for parent in parents[unique_id] & parents.keys():
            children[parent].add(unique_id)
    return found


def _ordered(parents: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    order = TopologicalSorter(parents).static_order()
    return {unique_id: parents[unique_id] for unique_id in order if unique_id in parents}


@dataclass(frozen=True)
class Work:
    """What to build (None: everything) and the state of the log that the build will hold. `affected` of the project's `nodes`."""

    selection: Selection | None
    run_seq: int
    digest: str
    affected: int
    nodes: int
    #: Other code than that of the tables: models that take changes must be built whole once, or old rows would keep the old rules.
    project_changed: bool = False

    @property
    def nothing(self) -> bool:
        return self.nodes > 0 and self.affected == 0


def choose(held: Iterable[str] = (), *, every_run: bool = False) -> Work:
    """What must be built so that the marts hold all of the log, except what is made from the `held` tables: that stays as it was.

    What the platform tells of itself is behind while runs bring nothing, unless `every_run` is to be told: then nothing rests either.
    """
    digest, held = project_digest(), frozenset(held)
    with duckdb.connect(str(paths.warehouse())) as work:
        work.execute(_SCHEMA)
        told = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'raw' AND starts_with(table_name, '_')"
        own = {name for (name,) in work.execute(told).fetchall()}
        if RUNS not in own:
            return Work(None, 0, digest, 0, 0)
        rows = work.execute('SELECT "table", max(run_seq) FROM raw._runs WHERE rows + deletes > 0 GROUP BY 1').fetchall()
        changed: dict[str, int] = dict(rows)
        # what the platform tells of itself is told anew when anything was read, a table's state turned, or something failed or went well again
        turned = 'SELECT max(run_seq) FROM (SELECT run_seq, state, lag(state) OVER (PARTITION BY "table" ORDER BY run_seq) AS before FROM raw._runs) WHERE state <> before'
        [(turn,)] = work.execute(turned).fetchall()
        [(incident,)] = work.execute(f"SELECT max(run_seq) FROM raw.{INCIDENTS}").fetchall() if INCIDENTS in own else [(None,)]
        [(first, last)] = work.execute("SELECT coalesce(min(run_seq), 0), coalesce(max(run_seq), 0) FROM raw._runs").fetchall()
        changed |= dict.fromkeys(OWN, last if every_run else max([*changed.values(), turn or 0, incident or 0]))
        built = work.execute("SELECT unique_id, run_seq, built_at FROM _build.node").fetchall()
        marks: dict[str, int] = {unique_id: run_seq for unique_id, run_seq, _ in built}
        known = work.execute("SELECT digest FROM _build.project").fetchall()
    manifest = paths.dbt_target() / "manifest.json"
    try:
        if held and known != [(digest,)] and manifest.is_file():
            # what must stand as it is includes models that the last build did not know yet
            transform.parse(paths.dbt_target())
        graph = Graph.read(manifest)
    except FileNotFoundError:
        if not manifest.is_file():
            return Work(None, last, digest, 0, 0, project_changed=known != [(digest,)])
        graph = Graph.read(transform.parse(paths.dbt_target()))
    count = len(graph.names)
    standing = {graph.names[unique_id] for unique_id in graph.standing(held)}
    forgotten = bool(marks) and min(marks.values()) < first - 1 and not held
    if known != [(digest,)] or forgotten or not transform.remembered():
        selection = Selection((), tuple(sorted(standing))) if standing else None
        return Work(selection, last, digest, count - len(standing), count, project_changed=known != [(digest,)])
    stale = {
        name
        for unique_id, name in graph.names.items()
        if unique_id not in marks or any(changed.get(table, 0) > marks[unique_id] for table in graph.tables[unique_id])
    }
    # a node rests as long as all that is made of it does
    leaves = set() if every_run else graph.for_training & _fresh_enough(built)
    resting = {graph.names[unique_id] for unique_id in _serving(leaves, graph.parents)}
    chosen = stale - standing - resting
    # a node without a mark may hold what older code made of the log: one that was held while the project changed, for one
    anew = any(unique_id not in marks for unique_id, name in graph.names.items() if name in chosen)
    if len(chosen) == count:
        return Work(None, last, digest, count, count, project_changed=anew)
    return Work(Selection(tuple(sorted(chosen)), tuple(sorted(standing | resting))), last, digest, len(chosen), count, project_changed=anew)


def standing(held: Collection[str]) -> set[str]:
    """Graph.standing of the last build. Raises FileNotFoundError before the first one, when something is held."""
    return Graph.read(paths.dbt_target() / "manifest.json").standing(held) if held else set()


def _fresh_enough(built: Iterable[tuple[str, int, datetime | None]]) -> set[str]:
    """Nodes that were built a shorter while ago than a training set may be old."""
    oldest = _now() - timedelta(seconds=load().marts.training_seconds)
    return {unique_id for unique_id, _, at in built if at is not None and at > oldest}


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def forget(selection: Selection | None) -> None:
    """Take marks away before the nodes are built anew: until they are marked again, their rows count as never built and never tested."""
    with duckdb.connect(str(paths.warehouse())) as db:
        db.execute(_SCHEMA)
        if selection and selection.nodes:
            db.execute("DELETE FROM _build.node WHERE list_contains(?, split_part(unique_id, '.', 3))", [list(selection.nodes)])
        else:
            db.execute("DELETE FROM _build.node")


def mark(work: Work) -> None:
    """Remember the nodes that the build which just ended, well or not, brought up to `work.run_seq`."""
    ran = transform.ran()
    if not ran:
        return
    try:
        graph = Graph.read(paths.dbt_target() / "manifest.json")
    except FileNotFoundError:
        return
    spoiled: set[str] = set()
    for test, parents in graph.tests.items():
        if test in ran and ran[test]["status"] not in _WELL:
            spoiled |= parents
    for unique_id, parents in graph.parents.items():  # parents come first
        if parents & spoiled:
            spoiled.add(unique_id)
    good = [
        unique_id
        for unique_id, result in ran.items()
        if unique_id in graph.names and result["status"] in _WELL and unique_id not in spoiled
    ]
    with duckdb.connect(str(paths.warehouse())) as db:
        db.execute(_SCHEMA)
        db.execute("BEGIN")
        if db.execute("SELECT digest FROM _build.project").fetchall() != [(work.digest,)]:
            db.execute("DELETE FROM _build.node")
            db.execute("DELETE FROM _build.project")
            if len(good) >= work.affected:  # else some table may still be of the old code
                db.execute("INSERT INTO _build.project VALUES (?)", [work.digest])
        now = _now()
        insert(db, "_build.node", [[unique_id, work.run_seq, now] for unique_id in good], replace=True)
        # nothing rests on a build that failed: it would hold every publication back until its time is over
        db.execute("UPDATE _build.node SET built_at = NULL WHERE list_contains(?, unique_id)", [sorted(ran.keys() - set(good))])
        db.execute("DELETE FROM _build.node WHERE NOT list_contains(?, unique_id)", [list(graph.names)])
        db.execute("COMMIT")
