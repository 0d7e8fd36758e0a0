"""What the comparison of the engines calls the same, and what it finds. Needs no Spark: the Parquet is written by DuckDB."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from pipelines import scale_out
from pipelines.scale_out import Comparison

COLUMNS = "id BIGINT, price DECIMAL(20, 4), share DOUBLE, seen TIMESTAMP, day DATE, name VARCHAR, open BOOLEAN, skills BIGINT[]"
ROW = "1, 12.5, 0.1, '2026-03-01 12:00:00.000001', '2026-03-01', 'Zoë', true, [1, 2]"
SECOND = "2, NULL, NULL, NULL, NULL, NULL, NULL, NULL"
#: the same values as Spark writes them: wider numbers, instants with a zone
THEIRS = (
    "CAST(id AS INTEGER) AS id, CAST(price AS DECIMAL(38, 18)) AS price, share, seen AT TIME ZONE 'UTC' AS seen, day, name, open, skills"
)


@pytest.fixture
def compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Comparison]:
    """Compare a table of two rows with what `change` makes of it on the other side."""
    monkeypatch.setenv("OPENLANCE_VAR", str(tmp_path))
    monkeypatch.delenv("OPENLANCE_WAREHOUSE", raising=False)
    model = {"resource_type": "model", "schema": "marts", "alias": "thing", "config": {"materialized": "table"}}
    target, files = tmp_path / "work" / "spark" / "dbt", tmp_path / "work" / "spark" / "warehouse" / "marts.db" / "thing"
    target.mkdir(parents=True)
    files.mkdir(parents=True)
    (target / "manifest.json").write_text(json.dumps({"nodes": {"thing": model, "a test": {"resource_type": "test"}}}))

    def compare(query: str) -> Comparison:
        with duckdb.connect(str(tmp_path / "work" / "warehouse.duckdb")) as db:
            db.execute("SET TimeZone = 'UTC'")
            db.execute(f"CREATE SCHEMA marts; CREATE TABLE marts.thing ({COLUMNS})")
            db.execute(f"INSERT INTO marts.thing VALUES ({ROW}), ({SECOND})")
            db.execute(f"COPY ({query}) TO '{files / 'part.parquet'}' (FORMAT parquet)")
        (found,) = scale_out.compare()
        return found

    return compare


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT {THEIRS} FROM marts.thing ORDER BY id DESC",
        f"SELECT {THEIRS.replace('share,', 'share * (1 + 1e-13) AS share,')} FROM marts.thing",
        f"SELECT name, {THEIRS.replace('name, ', '')} FROM marts.thing",
    ],
    ids=["other widths and order", "a double's last digits", "columns in another order"],
)
def test_the_same_values_are_the_same(compared: Callable[..., Comparison], query: str) -> None:
    found = compared(query)
    assert found.difference is None
    assert found.rows == (2, 2) and found.checksums[0] == found.checksums[1] != "0" * 16


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (f"SELECT {THEIRS} FROM marts.thing UNION ALL SELECT {THEIRS} FROM marts.thing WHERE id = 1", "rows differ"),
        (f"SELECT {THEIRS} FROM marts.thing WHERE id = 1", "rows differ"),
        (f"SELECT {THEIRS.replace('price AS', 'price + 0.0001 AS')} FROM marts.thing", "rows differ"),
        (f"SELECT {THEIRS.replace('share,', 'share * (1 + 1e-7) AS share,')} FROM marts.thing", "rows differ"),
        (f"SELECT {THEIRS.replace('seen AT', '(seen + INTERVAL 1 MICROSECOND) AT')} FROM marts.thing", "rows differ"),
        (f"SELECT {THEIRS.replace('name,', chr(39) * 2 + ' AS name,')} FROM marts.thing", "rows differ"),
        (f"SELECT {THEIRS.replace('skills', 'list_reverse(skills) AS skills')} FROM marts.thing", "rows differ"),
        (f"SELECT {THEIRS.replace('CAST(price AS DECIMAL(38, 18))', 'CAST(price AS DOUBLE)')} FROM marts.thing", "other kinds of values"),
        (f"SELECT {THEIRS.replace(', open', '')} FROM marts.thing", "only one of them has the columns open"),
    ],
    ids=["a row twice", "a row too few", "money", "a double", "an instant", "null and empty", "order of a list", "kind", "column"],
)
def test_every_change_is_found(compared: Callable[..., Comparison], query: str, reason: str) -> None:
    found = compared(query)
    assert found.difference is not None and found.difference.reason.startswith(reason)
    if reason == "rows differ":
        assert found.checksums[0] != found.checksums[1]
        assert found.difference.examples and all(line.startswith("only in ") for line in found.difference.examples)


def test_what_spark_did_not_make_is_a_difference(compared: Callable[..., Comparison], tmp_path: Path) -> None:
    compared(f"SELECT {THEIRS} FROM marts.thing")
    for path in (tmp_path / "work" / "spark" / "warehouse").rglob("*.parquet"):
        path.unlink()
    (found,) = scale_out.compare()
    assert found.difference is not None and found.difference.reason == "Spark made no file of it"


def test_a_machine_without_java_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install openjdk-17-jre-headless" in scale_out.missing()
    with pytest.raises(scale_out.NotInstalled, match="openjdk"):
        list(scale_out.build("build"))
