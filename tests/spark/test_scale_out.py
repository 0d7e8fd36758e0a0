"""That the same models give the same rows on Spark, for all of them, and that Spark keeps contracts and rules as DuckDB does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.extract.contracts import load_all
from pipelines.extract.log import RUNS_COLUMNS, Entry, Log, Manifest, log_columns
from pipelines.scale_out.session import rows, settings, spark_type


def artefact(on_spark: Any, name: str) -> dict[str, Any]:
    return json.loads((on_spark.folder / "work" / "spark" / "dbt" / f"{name}.json").read_text(encoding="utf-8"))


def test_every_model_has_the_same_rows_in_both_engines(on_spark: Any) -> None:
    different = {name: one.difference for name, one in on_spark.models.items() if one.difference}
    assert different == {}
    nodes = artefact(on_spark, "manifest")["nodes"].values()
    built = {f"{n['schema']}.{n['alias']}" for n in nodes if n["resource_type"] in ("model", "seed")}
    assert on_spark.models.keys() == built
    filled = [one for one in on_spark.models.values() if one.rows[0]]
    assert len(filled) >= 55 and sum(one.rows[0] for one in filled) > 100_000


def test_the_rules_hold_on_spark_and_its_contracts_are_enforced(on_spark: Any) -> None:
    manifest, results = artefact(on_spark, "manifest"), artefact(on_spark, "run_results")["results"]
    assert manifest["metadata"]["adapter_type"] == "spark"
    passed = {r["unique_id"] for r in results if r["status"] == "pass"}
    assert passed >= set(manifest["unit_tests"]) and len(manifest["unit_tests"]) >= 12
    made = {r["unique_id"] for r in results if r["status"] == "success"}
    contracts = {n["unique_id"] for n in manifest["nodes"].values() if n["resource_type"] == "model" and n["contract"]["enforced"]}
    assert contracts <= made and len(contracts) >= 15


def test_spark_leaves_nothing_outside_the_run_time_folder(on_spark: Any) -> None:
    kept = {path.name for path in (on_spark.folder / "work" / "spark").iterdir()}
    assert kept >= {"warehouse", "dbt", "build.log"}
    assert not kept & {"metastore_db", "derby.log", "spark-warehouse"}
    assert list((on_spark.folder / "work" / "spark" / "tmp").iterdir()) == []


def test_a_log_of_many_rows_gets_compiled_code_however_few_bytes_it_has(tmp_path: Path) -> None:
    log, count = Log(tmp_path), 1_200_000
    (tmp_path / "t").mkdir()
    with duckdb.connect() as db:
        for number, part in enumerate((count, 7, 5)):
            db.execute(f"COPY (SELECT 1 AS id FROM range({part})) TO '{tmp_path}/t/{number}.parquet' (FORMAT parquet)")
    log.commit(Manifest(tables={"t": Entry(files=["t/0.parquet", "t/1.parquet"])}), {})
    assert rows(log) == count + 7, "the third file does not count"
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.parquet")) < 1 << 20
    compiled = [settings(some)["spark.sql.codegen.wholeStage"] for some in (rows(log), 100_000)]
    assert compiled == ["true", "false"]


def test_every_raw_column_has_a_type_on_spark() -> None:
    kinds = {kind for contract in load_all() for kind in log_columns(contract).values()} | set(RUNS_COLUMNS.values())
    assert {spark_type(kind) for kind in kinds} >= {"bigint", "string", "timestamp", "boolean"}
    assert spark_type("DECIMAL(20,6)") == "decimal(20,6)"
    with pytest.raises(ValueError, match="no raw column of type INTERVAL"):
        spark_type("INTERVAL")
