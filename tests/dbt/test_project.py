"""What the project promises of itself: layers, descriptions, contracts, sources that the extraction declares, seeds that are what they say."""

from __future__ import annotations

import csv
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.extract.contracts import load_all

REPO = Path(__file__).resolve().parents[2]
PROJECT = REPO / "dbt_project"
#: which layers a layer may read
READS = {
    "staging": {"source"},
    "intermediate": {"staging", "intermediate", "seed"},
    "marts": {"staging", "intermediate", "marts", "seed"},
    "features": {"staging", "intermediate", "marts", "features"},
    "published": {"intermediate", "marts", "features", "published"},
}


@pytest.fixture(scope="module")
def manifest(empty: Any) -> dict[str, Any]:
    return empty.manifest()


def models(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (node for node in manifest["nodes"].values() if node["resource_type"] == "model")


def layer(node: dict[str, Any]) -> str:
    return node["fqn"][1] if node["resource_type"] == "model" else node["resource_type"]


def test_models_read_only_lower_layers(manifest: dict[str, Any]) -> None:
    known = manifest["nodes"] | manifest["sources"]
    found = {
        (node["name"], layer(known[parent]))
        for node in models(manifest)
        for parent in node["depends_on"]["nodes"]
        if layer(known[parent]) not in READS[layer(node)]
    }
    # the freshness of the raw log is about the staging of the log itself
    assert found == {("admin_freshness", "staging")}


def test_every_model_and_column_is_described_beside_the_model(manifest: dict[str, Any], market: Any) -> None:
    undescribed, strays = [], []
    for node in models(manifest):
        if not node["description"] or not node["patch_path"]:
            undescribed.append(node["name"])
            continue
        beside = Path(node["patch_path"].split("://")[1]).parent
        if beside != Path(node["original_file_path"]).parent:
            strays.append(node["name"])
        undescribed += [f"{node['name']}.{c}" for c, column in node["columns"].items() if not column["description"]]
    assert (undescribed, strays) == ([], [])


def test_every_column_that_is_built_is_declared(manifest: dict[str, Any], market: Any) -> None:
    import duckdb

    with duckdb.connect(str(market.warehouse), read_only=True) as db:
        rows = db.execute(
            "select table_schema, table_name, column_name from information_schema.columns where table_schema <> 'raw'"
        ).fetchall()
    built: dict[tuple[str, str], set[str]] = {}
    for schema, table, column in rows:
        built.setdefault((schema, table), set()).add(column)
    wrong = {n["name"] for n in models(manifest) if set(n["columns"]) != built[n["schema"], n["alias"]]}
    assert wrong == set()


def test_what_is_published_has_an_enforced_contract_and_every_metric_its_rules(manifest: dict[str, Any]) -> None:
    published = [n for n in models(manifest) if layer(n) == "published"]
    assert {n["schema"] for n in published} == {"admin", "client", "freelancer", "metrics", "science"}
    assert [n["name"] for n in published if not n["config"]["contract"]["enforced"]] == []
    told = {n["name"]: set(n["config"]["meta"]) - {"file_order", "rhythm"} for n in published}
    rules = {"owner", "grain", "filter", "currency_rule", "late_data_rule"}
    assert [n["name"] for n in published if (n["schema"] == "admin" or told[n["name"]]) and told[n["name"]] != rules] == []


def test_every_published_table_is_used_by_a_page_or_a_model(manifest: dict[str, Any]) -> None:
    used = {node for exposure in manifest["exposures"].values() for node in exposure["depends_on"]["nodes"]}
    staff = {n["unique_id"] for n in models(manifest) if layer(n) == "published" and n["schema"] in {"admin", "metrics", "science"}}
    assert staff - used == set()


def test_every_key_of_every_model_is_tested(manifest: dict[str, Any]) -> None:
    tested = {
        node["attached_node"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and (node.get("test_metadata") or {}).get("name") in {"primary_key", "never_null"}
    }
    keyless = {"int_as_of"}
    assert {n["name"] for n in models(manifest) if n["unique_id"] not in tested} == keyless


def test_sources_are_the_tables_that_the_extraction_declares(manifest: dict[str, Any]) -> None:
    assert {s["name"] for s in manifest["sources"].values() if s["source_name"] == "raw"} == {contract.table for contract in load_all()}


def test_staging_reads_only_columns_that_the_extraction_declares(manifest: dict[str, Any]) -> None:
    declared = {contract.table: set(contract.columns) for contract in load_all()}
    read: dict[str, set[str]] = {}
    for node in models(manifest):
        parents = [p.rsplit(".", 1)[1] for p in node["depends_on"]["nodes"] if p.startswith("source.openlance.raw.")]
        if len(parents) == 1:
            code = re.sub(r"\{#.*?#\}", "", node["raw_code"], flags=re.DOTALL)
            read.setdefault(parents[0], set()).update(re.findall(r"cast\((\w+) as", code), re.findall(r"'(\w+)': '\w+'", code))
    assert len(read) >= 34
    assert {t: columns - declared[t] for t, columns in read.items() if columns - declared[t]} == {}


def test_words_of_one_engine_stay_in_the_dialect_macros() -> None:
    """Functions that only DuckDB knows may appear in macros/dialect alone, so that another engine needs no change of a model."""
    foreign = re.compile(
        r"\b(epoch_us|epoch_ms|date_diff|to_days|list_aggregate|list_value|product|strftime|read_parquet|asof|qualify)\b", re.IGNORECASE
    )
    files = [p for folder in ("models", "macros", "tests") for p in (PROJECT / folder).rglob("*.sql") if "dialect" not in p.parts]
    assert len(files) > 50
    assert {str(p.relative_to(PROJECT)): m[0] for p in files if (m := foreign.search(p.read_text()))} == {}


def test_every_metric_is_told_in_the_handbook(manifest: dict[str, Any]) -> None:
    text = (REPO / "docs" / "metrics.md").read_text()
    names = [f"{n['schema']}.{n['alias']}" for n in models(manifest) if layer(n) == "published"]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_metric_of_the_overview_is_told_in_the_handbook(market: Any) -> None:
    text = (REPO / "docs" / "metrics.md").read_text()
    assert [r["metric"] for r in market.rows("admin.kpi_overview") if f"`{r['metric']}`" not in text] == []


@pytest.fixture
def reference_seeds() -> Iterator[Any]:
    sys.path.insert(0, str(Path(__file__).parent))
    import reference_seeds as module

    yield module
    sys.path.remove(str(Path(__file__).parent))


def seed(name: str) -> dict[str, str]:
    lines = (PROJECT / "seeds" / f"{name}.csv").read_text().splitlines()[1:]
    return dict(line.split(",") for line in lines)


def table(name: str) -> list[dict[str, str]]:
    with (PROJECT / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_rates_grow_old_in_the_marts_as_in_the_marketplace() -> None:
    told = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]["fx_max_age_days"]
    settings = runpy.run_path(str(REPO / "webapp" / "config" / "settings" / "domain.py"))
    assert told == settings["FX_MAX_AGE_DAYS"] and "admin" in told


def test_currency_exponents_are_those_of_cldr(reference_seeds: Any) -> None:
    found = {code: int(places) for code, places in seed("currency_exponents").items()}
    assert found == reference_seeds.currency_exponents()
    assert (found["JPY"], found["USD"], found["KWD"]) == (0, 2, 3)


def test_currencies_and_countries_have_their_names(reference_seeds: Any) -> None:
    currencies, countries = table("currency_names"), table("countries")
    assert {row["currency"]: row["currency_name"] for row in currencies} == reference_seeds.currency_names()
    assert {row["country"]: (row["country_name"], row["currency"]) for row in countries} == reference_seeds.countries()
    tender = {row["country"]: row["currency"] for row in countries}
    assert (tender["DE"], tender["NA"], tender["KE"], tender["AQ"]) == ("EUR", "NAD", "KES", "XXX")


def test_time_zones_are_those_of_the_iana_database(reference_seeds: Any) -> None:
    """Zones that this machine's database does not know (it may be older or newer) are left to the seed."""
    found = {zone: float(hours) for zone, hours in seed("time_zones").items()}
    here = reference_seeds.time_zones()
    assert len(here.keys() & found.keys()) > 400
    assert {zone for zone in here.keys() & found.keys() if here[zone] != found[zone]} == set()
    assert (found["Africa/Nairobi"], found["Asia/Kolkata"], found["America/New_York"], found["Europe/Dublin"]) == (3.0, 5.5, -5.0, 0.0)
