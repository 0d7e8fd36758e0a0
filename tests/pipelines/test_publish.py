"""Publishing: readers see whole publications only, whatever is killed, and the next round repairs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import docs, files, marts_reader, paths, transform
from pipelines.publish import AuditError, publish, rollback

from .conftest import REPO, Source

_MODELS = {
    "staging/shop/stg_item.sql": """
        select id as item_id, name, coalesce(amount, 0) as amount
        from (select * from {{ source('raw', 'item') }} qualify row_number() over (partition by id order by _run_seq desc) = 1) where _op = 'u'
    """,
    "published/admin/admin_totals.sql": "select count(*) as items, sum(amount)::bigint as amount from {{ ref('stg_item') }}",
    "published/client/client_items.sql": "select item_id, name from {{ ref('stg_item') }}",
    "all.yml": """
version: 2
sources: [{name: raw, schema: raw, tables: [{name: item}]}]
models:
  - name: stg_item
    columns: [{name: item_id, data_tests: [unique, not_null]}, {name: amount, data_tests: [{accepted_values: {arguments: {values: [0, 1, 2, 3], quote: false}}}]}]
  - name: admin_totals
    description: "How much there is."
    config: {schema: admin}
    columns: [{name: items, data_type: bigint}, {name: amount, data_type: bigint, description: "Sum of amounts."}]
  - name: client_items
    config: {schema: client}
    columns: [{name: item_id, data_type: bigint}, {name: name, data_type: varchar}]
""",
}


@pytest.fixture
def marts(source: Source, monkeypatch: pytest.MonkeyPatch) -> Source:
    """One item, extracted, and a small dbt project over it."""
    project = source.folder / "project"
    for name, content in _MODELS.items():
        (project / "models" / name).parent.mkdir(parents=True, exist_ok=True)
        (project / "models" / name).write_text(content)
    (project / "dbt_project.yml").write_text(
        "name: openlance\nprofile: openlance\nmacro-paths: [macros]\nmodels: {openlance: {+materialized: table}}\n"
    )
    shutil.copy(REPO / "dbt_project" / "profiles.yml", project)
    (project / "macros").mkdir()
    shutil.copy(REPO / "dbt_project" / "macros" / "naming.sql", project / "macros")
    monkeypatch.setenv("OPENLANCE_DBT_PROJECT", str(project))
    monkeypatch.delenv("OPENLANCE_WAREHOUSE", raising=False)
    source.sql("INSERT INTO item (name, amount) VALUES ('a', 1)")
    return source


@pytest.fixture(scope="module")
def kept_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first build is kept for the other tests: dbt takes seconds."""
    return tmp_path_factory.mktemp("marts") / "work"


@pytest.fixture
def built(marts: Source, kept_build: Path) -> Source:
    """The marts of one item, as dbt left them."""
    marts.run()
    if kept_build.is_dir():
        shutil.copytree(kept_build, marts.folder / "work", dirs_exist_ok=True)
    else:
        for _ in transform.build():
            pass
        shutil.copytree(marts.folder / "work", kept_build)
    return marts


def seen(query: str, audience: str = "staff") -> list[tuple[Any, ...]]:
    with marts_reader.connect(audience=audience) as db:
        return db.execute(query).fetchall()


def amount() -> int:
    [(total,)] = seen("SELECT amount FROM admin.totals")
    return int(total)


def process(module: str, failpoint: str = "") -> subprocess.CompletedProcess[str]:
    env = os.environ | {"OPENLANCE_FAILPOINT": failpoint, "COLUMNS": "400"}
    return subprocess.run([sys.executable, "-m", module], cwd=REPO, env=env, capture_output=True, text=True, timeout=180, check=False)


def set_marts(amount: int, name: str = "a") -> None:
    """What rebuilt marts would hold."""
    with duckdb.connect(str(paths.warehouse())) as db:
        db.execute(f"UPDATE admin.totals SET amount = {amount}")
        db.execute(f"UPDATE client.items SET name = '{name}'")


def test_without_a_publication_the_reader_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(marts_reader.NothingPublished, match="run `make pipeline`"):
        marts_reader.connect(tmp_path)


def test_publication_holds_marts_by_audience_and_their_lineage(built: Source) -> None:
    done = publish()

    assert done.rows == {"admin.totals": 1, "client.items": 1}
    assert amount() == 1
    assert seen("SELECT * FROM client.items", "tenants") == [(1, "a")]
    with pytest.raises(duckdb.CatalogException):
        seen("SELECT * FROM admin.totals", "tenants")
    with marts_reader.connect() as db, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        db.execute("CREATE TABLE admin.mine (x INT)")

    assert seen("SELECT publish_id, run_seq, models FROM _meta.publish") == [(done.publish_id, 1, 2)]
    total, items, staging, source = (
        "model.openlance.admin_totals",
        "model.openlance.client_items",
        "model.openlance.stg_item",
        "source.openlance.raw.item",
    )
    assert seen("SELECT * FROM _meta.edge ORDER BY ALL") == [(staging, total), (staging, items), (source, staging)]
    assert seen(f"SELECT \"column\", parent, parent_column, how FROM _meta.column_edge WHERE child <> '{staging}' ORDER BY ALL") == [
        ("amount", staging, "amount", "aggregate"),
        ("item_id", staging, "item_id", "as_is"),
        ("items", staging, "*", "aggregate"),
        ("name", staging, "name", "as_is"),
    ]
    assert seen(
        f"SELECT \"column\", parent_column, how FROM _meta.column_edge WHERE child = '{staging}' AND parent = '{source}' ORDER BY ALL"
    ) == [
        ("amount", "amount", "expression"),
        ("item_id", "id", "as_is"),
        ("name", "name", "as_is"),
    ]
    [(text, sql, columns, rows)] = seen(f"SELECT description, sql, columns, rows FROM _meta.model WHERE unique_id = '{total}'")
    assert (text, rows) == ("How much there is.", 1)
    assert "ref('stg_item')" in sql and "Sum of amounts." in columns
    [(tests,)] = seen(f"SELECT tests FROM _meta.model WHERE unique_id = '{staging}'")
    assert tests.count('"status": "pass"') == 3
    assert seen('SELECT "table", rows, drift FROM _meta.source_run WHERE "table" = \'item\'') == [("item", 1, 0)]
    assert seen(f"SELECT count(*) FROM _meta.model WHERE unique_id = '{total}'", "tenants") == [(0,)]


def test_unchanged_parts_are_reused_garbage_goes_and_rollback_returns(built: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.publish.publication.KEEP", 2)
    assert (publish().written, publish().reused) == (2, 2)
    set_marts(2)
    third = publish()
    assert (third.written, third.reused) == (1, 1)
    open_reader = marts_reader.connect()
    set_marts(3)
    publish()
    folder = paths.published() / "staff"
    assert len(list(folder.glob("marts-*"))) == 2
    assert len(list((folder / "parts").iterdir())) == 3, "the first publication's part is gone, the kept ones' parts are not"
    assert amount() == 3
    assert open_reader.execute("SELECT amount FROM admin.totals").fetchall() == [(2,)], "an open reader keeps what it opened"

    assert rollback() == third.publish_id
    assert amount() == 2
    with pytest.raises(marts_reader.NothingPublished):
        rollback()


def test_the_same_rows_are_not_written_again_unless_their_columns_are_others(built: Source) -> None:
    def work(*statements: str) -> None:
        with duckdb.connect(str(paths.warehouse())) as db:
            for statement in statements:
                db.execute(statement)

    work("UPDATE admin.totals SET amount = 7")
    assert publish().written == 2
    folder = paths.published() / "staff" / "parts"
    touched = folder.stat().st_mtime_ns
    assert (publish().written, folder.stat().st_mtime_ns) == (0, touched), "not even to be compared"
    # values at their places as before: the checksum of rows is the same
    work(*(f"ALTER TABLE admin.totals RENAME {old} TO {new}" for old, new in (("items", "x"), ("amount", "items"), ("x", "amount"))))
    assert publish().written == 1
    with marts_reader.connect() as db:
        assert db.execute("SELECT items, amount FROM admin.totals").fetchall() == [(7, 1)]


@pytest.mark.parametrize(
    ("point", "staff", "tenants"),
    [("publish.between_parts", "old", "old"), ("publish.before_switch", "old", "old"), ("publish.switched_staff", "new", "old")],
)
def test_killed_publish_leaves_whole_publications_and_the_next_repairs(built: Source, point: str, staff: str, tenants: str) -> None:
    publish()
    set_marts(3, "new")
    killed = process("pipelines.publish", point)
    assert killed.returncode == -9, killed.stderr
    assert amount() == {"old": 1, "new": 3}[staff]
    assert seen("SELECT name FROM client.items", "tenants") == [({"old": "a", "new": "new"}[tenants],)]

    publish()
    assert (amount(), seen("SELECT name FROM client.items", "tenants")) == (3, [("new",)])
    for audience in ("staff", "tenants"):
        folder = paths.published() / audience
        pointer = files.read_json(folder / "CURRENT.json") or {}
        known = {pointer["file"], *(earlier["file"] for earlier in pointer["previous"])}
        assert {path.name for path in folder.glob("marts-*")} == known
        assert not [path for path in (folder / "parts").iterdir() if path.name.startswith(".")]


def test_round_stops_before_publishing_when_dbt_fails_or_is_killed_and_the_next_repairs(marts: Source) -> None:
    first = process("pipelines.run")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "run 1 · 1 rows extracted" in first.stdout and "drift 0" in first.stdout and "publish id" in first.stdout
    assert amount() == 1

    marts.sql("UPDATE item SET amount = 3")
    killed = process("pipelines.run", "dbt.running")
    assert killed.returncode == 2
    assert "dbt ended with code -9" in killed.stdout
    assert amount() == 1

    marts.sql("UPDATE item SET amount = 99")
    failed = process("pipelines.run")
    assert failed.returncode == 2
    assert "accepted_values" in failed.stdout
    assert amount() == 1
    with pytest.raises(AuditError, match="accepted_values"):
        publish()

    marts.sql("UPDATE item SET amount = 2")
    assert process("pipelines.run").returncode == 0
    assert amount() == 2


def test_round_goes_on_without_a_stopped_table_and_says_so(marts: Source) -> None:
    marts.sql("ALTER TABLE other CHANGE note text LONGTEXT")
    done = process("pipelines.run")
    assert done.returncode == 1
    assert "stopped: other.note: removed from the source; new there: text (renamed?)" in done.stdout
    assert amount() == 1


def test_audit_refuses_columns_that_are_not_declared_and_drift(built: Source) -> None:
    with duckdb.connect(str(paths.warehouse())) as db:
        db.execute("ALTER TABLE client.items ADD COLUMN secret VARCHAR")
    with pytest.raises(AuditError, match=r"client\.items: columns differ from the declared ones: secret"):
        publish()
    with pytest.raises(marts_reader.NothingPublished):
        marts_reader.current()


def test_publish_before_dbt_has_run_is_refused(source: Source) -> None:
    source.run()
    with pytest.raises(AuditError, match=r"dbt has left no manifest\.json"):
        publish()


METRIC = """
[relations."admin.totals"]
rows.item = "select item_id from staging.stg_item"

[metrics.amount]
label = "Amount"
description = "How much there is."
relation = "admin.totals"
value = "sum(amount)"
unit = "count"
filter_rule = "All items."
owner = "shop"
grain = "all"
currency_rule = "No amounts."
late_data_rule = "At the next build."
example = "One item of 1: 1."
"""


BROKEN = [
    (("sum(amount)", "sum(price)"), r"metric amount: Binder Error: .*price"),
    (('relation = "admin.totals"', 'relation = "admin.nothing"'), r"metric amount: admin\.nothing is not published"),
    (('owner = "shop"', ""), "metric amount: no owner, neither here nor on the model"),
    (('value = "sum(amount)"', 'numerator = "sum(amount)"'), "metric amount: numerator do not make a metric"),
    (('unit = "count"', 'unit = "minor"'), "metric amount: unit is one of"),
    (('example = "One item of 1: 1."', 'dimensions = ["colour"]\nexample = "x"'), "dimension colour is no column of admin.totals"),
    (('[relations."admin.totals"]\nrows.item', '[relations."admin.gone"]\nrows.item'), "admin.gone is not published"),
    (("[metrics.amount]", "[metrics.amount"), r"shop\.toml: "),
    (('label = "Amount"', 'lable = "Amount"'), "metric amount: unknown key lable and no label"),
]


def test_a_metric_that_cannot_be_worked_out_stops_the_publication(built: Source) -> None:
    folder = paths.dbt_project() / "metrics"
    folder.mkdir()
    (folder / "shop.toml").write_text(METRIC)
    first = publish()
    assert marts_reader.metric("amount").to_pylist() == [{"value": 1, "base_rows": 1}]
    assert [m.name for m in marts_reader.metrics()] == ["amount"]
    assert marts_reader.metrics(audience="tenants") == [], "the relation is not theirs"
    for change, told in BROKEN:
        assert METRIC.count(change[0]) == 1
        (folder / "shop.toml").write_text(METRIC.replace(*change))
        with pytest.raises(AuditError, match=told):
            publish()
    assert marts_reader.current().publish_id == first.publish_id


def test_documentation_is_files_that_need_no_network(built: Source, tmp_path: Path) -> None:
    folder = paths.dbt_project() / "metrics"
    folder.mkdir()
    (folder / "shop.toml").write_text(METRIC)
    front = docs.build(tmp_path / "site")
    pages = {path.name: path.read_text() for path in front.parent.iterdir()}
    assert set(pages) == {"index.html", "metrics.html", "tables.html", "dbt.html"}
    for text in (
        "How much there is.",
        "One item of 1: 1.",
        "marts_reader.metric(&#x27;amount&#x27;)",
        "dbt.html#!/model/model.openlance.admin_totals",
    ):
        assert text in pages["metrics.html"]
    assert "model.openlance.admin_totals" in pages["dbt.html"], "the manifest is inside"
    assert "<section id='admin.totals'>" in pages["tables.html"] and "href='metrics.html#amount'" in pages["tables.html"]
    for page in ("index.html", "metrics.html", "tables.html"):
        assert not re.search(r"https?:|//|<link|<img|src=|url\(|@import", pages[page].replace("</", "<")), "nothing is fetched"
    (folder / "shop.toml").write_text(METRIC.replace('label = "Amount"', ""))
    with pytest.raises(AuditError, match="metric amount: no label"):
        docs.build(tmp_path / "site")


def test_a_round_that_finds_the_work_file_held_says_so_and_the_next_publishes(marts: Source) -> None:
    held = "import duckdb, sys; work = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    paths.warehouse().parent.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-c", held, str(paths.warehouse())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        refused = process("pipelines.run")
        holder.kill()
    assert refused.returncode == 2 and "held by another process" in refused.stdout, refused.stdout + refused.stderr
    assert process("pipelines.run").returncode == 0
    assert amount() == 1
