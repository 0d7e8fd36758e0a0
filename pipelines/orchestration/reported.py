"""Rounds of the resident loop as Dagster's events: what was read, made and published, and what each check found.

A look at many rounds tells of an asset, and of a check, what is newest; of publications each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from ..publish.lineage import AUDIENCES
from .dbt_graph import Node, load, raw_key

Event = dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation


def events_of(rounds: list[dict[str, Any]]) -> list[Event]:
    """What the logged `rounds` say, oldest first; checks after what they look at. A round that did not publish says what came before."""
    built = any(told.get("models") or told.get("tested") or "tests" in told.get("failed", {}) for told in rounds)
    nodes = {node.unique_id.split(".")[2]: node for node in load()} if built else {}
    published: list[Event] = []
    made: dict[dg.AssetKey, Event] = {}
    checks: dict[tuple[dg.AssetKey, str], Event] = {}
    for told in rounds:
        if told["publish_id"]:
            published += _published(told)
        for table in told["tables"]:
            made[raw_key(table)] = dg.AssetMaterialization(raw_key(table), metadata={"run_seq": told["run_seq"]})
        for name in told.get("models", ()):
            if name in nodes:
                made[nodes[name].key] = dg.AssetMaterialization(nodes[name].key, metadata={"round": told["number"]})
        checks |= {(one.asset_key, one.check_name): one for one in _checks(told, nodes)}
    return [*made.values(), *published, *checks.values()]


def _published(told: dict[str, Any]) -> Iterator[Event]:
    about = {
        "publish_id": told["publish_id"],
        "rows": told["rows"],
        "models": told["affected"],
        "seconds": sum(told["seconds"].values()),
    }
    for audience in AUDIENCES:
        yield dg.AssetMaterialization(["publication", audience, "marts"], metadata=about)


def _checks(told: dict[str, Any], nodes: Mapping[str, Node]) -> Iterator[dg.AssetCheckEvaluation]:
    failed: dict[str, dict[str, Any]] = told.get("failed", {})
    checked, compared = told.get("checked", []), told.get("compared", [])
    # without a comparison nothing new is known of drift; a proof is one of every row
    looked_at = {"contract": checked, "batch": checked, "drift": compared, "proof": compared if told["proved"] else []}
    for check, tables in looked_at.items():
        odd = failed.get(check, {})
        for table in sorted({*tables, *odd}):
            warn = dg.AssetCheckSeverity.WARN if check == "batch" else dg.AssetCheckSeverity.ERROR
            yield _evaluation(raw_key(table), check, odd.get(table, ""), {"table": table, "run_seq": told["run_seq"]}, warn)
    odd = failed.get("tests", {})
    for name in sorted({*told.get("tested", ()), *odd} & nodes.keys()):
        if nodes[name].tests:
            found: dict[str, int] = odd.get(name, {})
            why = ", ".join(f"{test}: {rows} rows" for test, rows in found.items())
            yield _evaluation(nodes[name].key, "tests", why, {"model": name, "failing": dg.MetadataValue.json(found)})
    odd = failed.get("equal_to_marts", {})
    for audience in told.get("equal_to", ()):
        lines: list[str] = odd.get(audience, [])
        key, about = dg.AssetKey(["publication", audience, "marts"]), {"differences": dg.MetadataValue.json(lines)}
        yield _evaluation(key, "equal_to_marts", "; ".join(lines), about)


def _evaluation(
    key: dg.AssetKey, check: str, why: str, about: dict[str, Any], severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=key, check_name=check, passed=not why, metadata={**about, "message": why or "well"}, severity=severity, description=why
    )
