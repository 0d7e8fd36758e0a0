"""dbt-mysql's checks inside MariaDB: the product's own database keeps every contract, and each way to break one is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines import source_checks
from pipelines.extract.contracts import load_all
from pipelines.source_checks.checks import BUSY, expected


@pytest.fixture
def installed() -> None:
    if lacking := source_checks.missing():
        pytest.skip(lacking)


@pytest.mark.django_db
def test_the_migrated_database_keeps_every_contract_and_says_what_is_empty(
    installed: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from django.db import connection

    if connection.vendor == "sqlite":
        pytest.skip("dbt-mysql checks MariaDB and MySQL only")
    monkeypatch.setenv("OPENLANCE_DB_NAME", str(connection.settings_dict["NAME"]))
    monkeypatch.setenv("OPENLANCE_VAR", str(tmp_path))
    report = source_checks.check()
    assert report.problems == []
    assert report.tables == len(load_all())
    assert {line.split(":")[0] for line in report.stale} <= set(BUSY)


def test_each_way_to_break_a_contract_is_named(installed: None, source: Any) -> None:
    source.sql("CREATE TABLE parent (id BIGINT PRIMARY KEY)")
    source.sql("INSERT INTO item (name, amount) VALUES ('one', 1)")
    source.sql("INSERT INTO other (note, updated_at) VALUES ('from tomorrow', UTC_TIMESTAMP(6) + INTERVAL 1 DAY)")
    for change in (
        "MODIFY name VARCHAR(20) NULL",
        "MODIFY amount DECIMAL(10, 2)",
        "MODIFY updated_at DATETIME(3) NOT NULL",
        "DROP KEY stamp",
        "ADD parent_id BIGINT, ADD CONSTRAINT to_parent FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE",
        "DROP PRIMARY KEY, MODIFY id BIGINT UNSIGNED NOT NULL",
    ):
        source.sql(f"ALTER TABLE item {change}")
    source.sql("ALTER TABLE other DROP COLUMN note")
    source.sql("DROP TABLE core_deletedrow")
    found = set(source_checks.check().problems)
    (ahead,) = {problem for problem in found if problem[:2] == ("other", "updated_at")}
    assert ahead[2].startswith("is ahead of the clock: ")
    assert found - {ahead} == {
        ("item", "name", "holds 20 characters, declared 40; may be null now"),
        ("item", "amount", "is decimal(10,2), declared bigint"),
        ("item", "updated_at", "is datetime(3), declared datetime(6)"),
        ("item", "updated_at", "is not stamped by the database at each write"),
        ("item", "updated_at", "begins no index: each round would read the whole table"),
        ("item", "id", "is bigint(20) unsigned, declared signed"),
        ("item", "id", "is not the primary key"),
        ("item", "to_parent", "changes rows on its own: on delete cascade"),
        ("other", "note", "is not in the source"),
        ("core_deletedrow", "", "the table is not in the source"),
    }


def test_every_contract_type_has_its_words_in_the_database() -> None:
    for contract in load_all():
        for name, column in contract.columns.items():
            wanted = expected(column)
            assert wanted["types"] and all(word.isalpha() for word in wanted["types"]), (contract.table, name)


def test_without_dbt_mysql_the_check_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENLANCE_DBT_MYSQL_HOME", str(tmp_path))
    assert "make source-check" in source_checks.missing()
    with pytest.raises(source_checks.NotInstalled):
        source_checks.check()
