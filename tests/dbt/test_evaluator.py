"""The rules of dbt-project-evaluator over our manifest, under its own names. The package itself comes from dbt's hub, over the network.

Left out: fct_unused_sources (a table may be extracted before a model needs it), fct_chained_views_dependencies and the rules on
exposures' materializations (every model is a table), fct_rejoining_of_upstream_concepts and fct_model_fanout (matters of taste).
Each rule is shown to see what it looks for, on a manifest with that fault put in.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Manifest = dict[str, Any]
#: folder → how its models are named
NAMES = {
    "staging": r"stg_[a-z]+__[a-z_0-9]+",
    "intermediate": r"int_[a-z_0-9]+",
    "marts": r"(dim|fct|bridge)_[a-z_0-9]+",
    "features": r"feat_[a-z_0-9]+",
    "published": r"(admin|client|freelancer|metrics|science)_[a-z_0-9]+",
}
MOST_JOINS = 12
#: a table's whole log: many rows a key by its nature, beside the model of its present state
MANY = ("_versions", "_log")


def models(manifest: Manifest) -> list[Manifest]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


def layer(node: Manifest) -> str:
    return str(node["fqn"][1])


def parents(node: Manifest, kind: str) -> list[str]:
    return [parent for parent in node["depends_on"]["nodes"] if parent.startswith(f"{kind}.")]


def parents_in(manifest: Manifest, node: Manifest, *layers: str) -> list[str]:
    return [parent for parent in parents(node, "model") if layer(manifest["nodes"][parent]) in layers]


def fct_direct_join_to_source(m: Manifest) -> set[str]:
    return {n["name"] for n in models(m) if parents(n, "source") and parents(n, "model")}


def fct_root_models(m: Manifest) -> set[str]:
    return {n["name"] for n in models(m) if not n["depends_on"]["nodes"]}


def fct_multiple_sources_joined(m: Manifest) -> set[str]:
    return {n["name"] for n in models(m) if len(set(parents(n, "source"))) > 1}


def fct_source_fanout(m: Manifest) -> set[str]:
    """Tables that more than one model stages as its present state: versions and the log's own counts are other things."""
    children = Counter(parent for n in models(m) for parent in set(parents(n, "source")) if not n["name"].endswith((*MANY, "__loads")))
    return {source.rsplit(".", 1)[1] for source, count in children.items() if count > 1}


def fct_duplicate_sources(m: Manifest) -> set[str]:
    relations = Counter((s["schema"], s["identifier"]) for s in m["sources"].values())
    return {table for (_, table), count in relations.items() if count > 1}


def fct_staging_dependent_on_staging(m: Manifest) -> set[str]:
    return {n["name"] for n in models(m) if layer(n) == "staging" and parents_in(m, n, "staging")}


def fct_staging_dependent_on_marts_or_intermediate(m: Manifest) -> set[str]:
    return {n["name"] for n in models(m) if layer(n) == "staging" and parents_in(m, n, *(NAMES.keys() - {"staging"}))}


def fct_marts_or_intermediate_dependent_on_source(m: Manifest) -> set[str]:
    return {n["name"] for n in models(m) if layer(n) != "staging" and parents(n, "source")}


def fct_hard_coded_references(m: Manifest) -> set[str]:
    def code(n: Manifest) -> str:
        # comments, what dbt fills in, and `extract(part from …)`, which reads no relation
        return re.sub(r"\{#.*?#\}|\{\{.*?\}\}|--[^\n]*|extract\(\w+ from", " ", n["raw_code"], flags=re.DOTALL)

    return {n["name"] for n in models(m) if re.search(r"\b(from|join)\s+\"?[a-z_]+\"?\.\"?[a-z_]+", code(n), re.IGNORECASE)}


def fct_too_many_joins(m: Manifest) -> set[str]:
    return {n["name"] for n in models(m) if len(re.findall(r"\bjoin\b", n["raw_code"], re.IGNORECASE)) > MOST_JOINS}


def fct_model_naming_conventions(m: Manifest) -> set[str]:
    return {n["name"] for n in models(m) if not re.fullmatch(NAMES[layer(n)], n["name"])}


def fct_model_directories(m: Manifest) -> set[str]:
    """A staging model lies in the folder of its source system, a published one in that of its audience."""
    place = {"staging": r"stg_([a-z]+)__", "published": r"([a-z]+)_"}
    return {
        n["name"]
        for n in models(m)
        if layer(n) in place and (found := re.match(place[layer(n)], n["name"])) and Path(n["original_file_path"]).parts[2] != found[1]
    }


def fct_test_directories(m: Manifest) -> set[str]:
    """What describes and tests a model lies beside it."""
    return {
        n["name"]
        for n in models(m)
        if not n["patch_path"] or Path(n["patch_path"].split("://")[1]).parent != Path(n["original_file_path"]).parent
    }


def fct_missing_primary_key_tests(m: Manifest) -> set[str]:
    keyed = {
        n["attached_node"]
        for n in m["nodes"].values()
        if n["resource_type"] == "test" and (n.get("test_metadata") or {}).get("name") in {"primary_key", "unique"}
    }
    return {n["name"] for n in models(m) if n["unique_id"] not in keyed and not n["name"].endswith((*MANY, "_events"))}


def fct_untested_models(m: Manifest) -> set[str]:
    tested = {parent for n in m["nodes"].values() if n["resource_type"] == "test" for parent in n["depends_on"]["nodes"]}
    return {n["name"] for n in models(m) if n["unique_id"] not in tested}


def fct_undocumented_models(m: Manifest) -> set[str]:
    return {n["name"] for n in models(m) if not n["description"]} | {
        f"{n['name']}.{name}" for n in models(m) for name, column in n["columns"].items() if not column["description"]
    }


def fct_undocumented_sources(m: Manifest) -> set[str]:
    return {s["source_name"] for s in m["sources"].values() if not s["source_description"]}


def fct_undocumented_source_tables(m: Manifest) -> set[str]:
    return {s["name"] for s in m["sources"].values() if not s["description"]}


def fct_exposures_dependent_on_private_models(m: Manifest) -> set[str]:
    return {
        e["name"]
        for e in m["exposures"].values()
        for parent in e["depends_on"]["nodes"]
        if not parent.startswith("model.") or layer(m["nodes"][parent]) != "published"
    }


def fct_public_models_without_contract(m: Manifest) -> set[str]:
    return {n["name"] for n in models(m) if layer(n) == "published" and not n["config"]["contract"]["enforced"]}


#: what a rule finds and we mean, with the reason
MEANT: dict[str, set[str]] = {
    # the calendar
    "fct_root_models": {"dim_date"},
    # counts the rows of every log
    "fct_multiple_sources_joined": {"stg_marketplace__loads"},
    # one row
    "fct_missing_primary_key_tests": {"int_as_of"},
    "fct_untested_models": {"int_as_of"},
}
STAGED, MART, PUBLIC = "model.openlance.stg_marketplace__jobs", "model.openlance.fct_job", "model.openlance.admin_funnel"
SOURCE = "source.openlance.raw.jobs_job"


def _set(node: str, **values: Any) -> Callable[[Manifest], None]:
    return lambda m: m["nodes"][node].update(values)


def _parents(node: str, *found: str) -> Callable[[Manifest], None]:
    return _set(node, depends_on={"nodes": list(found), "macros": []})


def _untest(m: Manifest) -> None:
    m["nodes"] = {name: n for name, n in m["nodes"].items() if n["resource_type"] != "test" or MART not in n["depends_on"]["nodes"]}


def _duplicate(m: Manifest) -> None:
    m["sources"]["source.openlance.again.jobs_job"] = {**m["sources"][SOURCE]}


#: rule → a fault that it must see
RULES: dict[Callable[[Manifest], set[str]], Callable[[Manifest], None]] = {
    fct_direct_join_to_source: _parents(MART, SOURCE, STAGED),
    fct_root_models: _parents(MART),
    fct_multiple_sources_joined: _parents(STAGED, SOURCE, "source.openlance.raw.jobs_skill"),
    fct_source_fanout: _parents("model.openlance.stg_marketplace__skills", SOURCE),
    fct_duplicate_sources: _duplicate,
    fct_staging_dependent_on_staging: _parents(STAGED, "model.openlance.stg_marketplace__skills"),
    fct_staging_dependent_on_marts_or_intermediate: _parents(STAGED, MART),
    fct_marts_or_intermediate_dependent_on_source: _parents(MART, SOURCE),
    fct_hard_coded_references: _set(MART, raw_code="select * from staging.stg_marketplace__jobs"),
    fct_too_many_joins: _set(MART, raw_code="select 1 from a " + "join b on true " * (MOST_JOINS + 1)),
    fct_model_naming_conventions: _set(MART, name="jobs_fact"),
    fct_model_directories: _set(PUBLIC, original_file_path="models/published/client/admin_funnel.sql"),
    fct_test_directories: _set(MART, patch_path="openlance://models/all.yml"),
    fct_missing_primary_key_tests: _untest,
    fct_untested_models: _untest,
    fct_undocumented_models: _set(MART, description=""),
    fct_undocumented_sources: lambda m: m["sources"][SOURCE].update(source_description=""),
    fct_undocumented_source_tables: lambda m: m["sources"][SOURCE].update(description=""),
    fct_exposures_dependent_on_private_models: lambda m: next(iter(m["exposures"].values()))["depends_on"]["nodes"].append(MART),
    fct_public_models_without_contract: lambda m: m["nodes"][PUBLIC]["config"]["contract"].update(enforced=False),
}


@pytest.fixture(scope="module")
def manifest(empty: Any) -> Manifest:
    return empty.manifest()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_project_keeps_the_rule_and_the_rule_sees_a_fault(rule: Callable[[Manifest], set[str]], manifest: Manifest) -> None:
    meant = MEANT.get(rule.__name__, set())
    assert rule(manifest) - meant == set()
    broken = copy.deepcopy(manifest)
    RULES[rule](broken)
    assert rule(broken) - meant != set()
