"""What the checks of a round found: told once to people (alerts), and in the form that the loop's log keeps for Dagster.

Belongs here: findings of steps, whoever takes them (run, loop, Dagster). The gate tells itself what it finds in a batch (quality.quarantine),
and the comparison of what readers see what it finds there (quality.published).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any

from . import paths, refusals, transform
from .extract.run import DRIFT, Report, TableResult
from .quality import alerts, incidents
from .quality.published import Difference

_WELL = {"success", "pass", "warn", "no-op"}
_BUILT = ("model", "seed", "snapshot")
#: Stands among a node's tests when the node itself was not made.
BUILD = "build"


def of_tables(report: Report) -> dict[str, dict[str, str]]:
    """Check (contract, drift, batch) → table → why, of the tables that a run stopped."""
    found: dict[str, dict[str, str]] = {}
    for result in report.stopped:
        check = "batch" if result.held else DRIFT if result.drift else "contract"
        found.setdefault(check, {})[result.table] = refusals.discreet(result.stopped)
    return found


def tell_tables(report: Report) -> None:
    """Alert of each table that was stopped, or differs from its source after it was read again; and of what reading again mended, by its rows.

    A proof has an alert of its own (chores).
    """
    failed = of_tables(report)
    alerts.tell("stopped", [alerts.fault(table, "contract", why) for table, why in failed.get("contract", {}).items()], named(report))
    for result in report.tables:
        if result.drift:
            alerts.tell("drift", [alerts.fault(result.table, DRIFT, result.stopped, rows=result.unlike.total)], named(report, result))
        elif result.repaired and result.proof is None:
            why = f"read again, since they differed from the source: {result.unlike}"
            # other rows each time: nothing that lasts
            alerts.record("mended", result.table, [alerts.fault(result.table, DRIFT, why, rows=result.repaired)], named(report, result))


def named(report: Report, result: TableResult | None = None) -> dict[str, Any]:
    """What an alert knows besides: the run and, of a table with rows that differ, the first of them: key, how, columns."""
    rows = {"named": [asdict(row) for row in result.unlike.named]} if result else {}
    return {"run_seq": report.run_seq, **rows}


@dataclass(frozen=True)
class Built:
    """What a build did, by the names of nodes: made, looked at by a test, and for each that is not well its tests with the rows they found."""

    models: list[str] = field(default_factory=list)
    tested: list[str] = field(default_factory=list)
    failed: dict[str, dict[str, int]] = field(default_factory=dict)


def of_build() -> Built:
    """The last build by its own results; a node that a test looked at counts with all of its tests, also those that earlier builds asked."""
    own, every = transform.ran(), transform.results()
    tested: set[str] = set()
    failed: dict[str, dict[str, int]] = {}
    for unique_id, test, nodes in _tests():
        if unique_id in own:
            tested.update(nodes)
        if _bad(every.get(unique_id)):
            for node in nodes:
                failed.setdefault(node, {})[test] = int(every[unique_id].get("failures") or 0)
    made = {unique_id: result for unique_id, result in own.items() if unique_id.startswith(tuple(f"{kind}." for kind in _BUILT))}
    for unique_id, result in made.items():
        if _bad(result):
            failed.setdefault(_name(unique_id), {})[BUILD] = 0
    looked_at = tested | {_name(unique_id) for unique_id in made}
    return Built(
        sorted(_name(unique_id) for unique_id, result in made.items() if result["status"] in _WELL),
        sorted(tested),
        {node: tests for node, tests in sorted(failed.items()) if node in looked_at},
    )


def tell_build() -> None:
    """Alert of each test and each node that failed in the last build, which the marts tell of later."""
    own = transform.ran()
    told, well = [], set()
    for unique_id, test, nodes in _tests():
        node = nodes[0] if nodes else ""
        if _bad(own.get(unique_id)):
            rows = int(own[unique_id].get("failures") or 0)
            why = f"{rows} rows were found, none may be" if rows else "the test did not come to its end"
            told.append(alerts.fault(node, test, why, rows=rows))
        elif own.get(unique_id, {}).get("status") in _WELL:
            well.add((test, node))
    alerts.tell("test failed", told)
    models = {_name(unique_id): result for unique_id, result in own.items() if unique_id.startswith("model.")}
    broken = [alerts.fault(node, BUILD, "was not built; dbt's build.log says why") for node, result in models.items() if _bad(result)]
    alerts.tell("model failed", broken)
    well |= {(BUILD, node) for node, result in models.items() if result["status"] in _WELL}
    failures = [incidents.Failure(one.check, one.table, one.rows, one.message) for one in [*told, *broken]]
    incidents.note(incidents.TEST, failures, well=lambda incident: (incident.name, incident.node) in well)


def note_built() -> None:
    """The last build went well: a test that failed before is over unless its model stood still, and nobody asked it."""
    if not incidents.open_now(incidents.TEST):
        return
    every = transform.results()
    bad = {(test, nodes[0] if nodes else "") for unique_id, test, nodes in _tests() if _bad(every.get(unique_id))}
    bad |= {(BUILD, _name(unique_id)) for unique_id, result in every.items() if unique_id.startswith("model.") and _bad(result)}
    incidents.note(incidents.TEST, [], well=lambda incident: (incident.name, incident.node) not in bad)


class Step(contextlib.ContextDecorator):
    """Around a step of a round: the marts tell of its failure, once a later round goes well. To be asked to stop is none."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(failure, Exception) and not isinstance(failure, refusals.Asked):
            incidents.note(incidents.ROUND, [incidents.Failure(self._name, "", 0, _why(failure))])


def _why(failure: Exception) -> str:
    """One sentence."""
    if isinstance(failure, transform.BuildFailed) and (bad := [unique_id for unique_id, result in transform.ran().items() if _bad(result)]):
        models = sum(unique_id.startswith("model.") for unique_id in bad)
        tests = len(bad) - models
        found = {f"{tests} test{'s' * (tests > 1)} failed": tests, f"{models} model{'s were' if models > 1 else ' was'} not built": models}
        return ", ".join(what for what, count in found.items() if count)
    first = str(failure).strip().partition("\n")[0]
    return first if isinstance(failure, refusals.Refused) else f"{type(failure).__name__}: {first}"


def tell_failure(failure: BaseException) -> None:
    """Alert of a round that failed: the first time, and each hour that it does."""
    alerts.tell("round failed", [alerts.fault("", type(failure).__name__, str(failure))])


def by_audience(found: Iterable[Difference]) -> dict[str, list[str]]:
    """Audience → its differences, a line each."""
    lines: dict[str, list[str]] = {}
    for one in found:
        lines.setdefault(one.audience, []).append(one.line)
    return lines


def _tests() -> Iterator[tuple[str, str, list[str]]]:
    """Each test of the parsed project: unique id, name, and the nodes it looks at, the one it is declared of first."""
    manifest: dict[str, Any] = transform.artefact(paths.dbt_target() / "manifest.json") or {"nodes": {}}
    tests = {unique_id: node for unique_id, node in manifest["nodes"].items() if node["resource_type"] == "test"}
    for unique_id, node in {**tests, **manifest.get("unit_tests", {})}.items():
        parents = [parent for parent in node["depends_on"]["nodes"] if parent.startswith(tuple(f"{kind}." for kind in _BUILT))]
        first = [parent for parent in parents if parent == node.get("attached_node")]
        yield unique_id, node["name"], [_name(parent) for parent in dict.fromkeys(first + sorted(parents))]


def _name(unique_id: str) -> str:
    return unique_id.split(".")[2]


def _bad(result: dict[str, Any] | None) -> bool:
    """Whether it failed; what was skipped says nothing, since something before it failed."""
    return result is not None and result["status"] not in (*_WELL, "skipped")
