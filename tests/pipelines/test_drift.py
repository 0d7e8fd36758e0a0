"""Models, contracts and database are compared, and the one that two others outvote is named."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest

from pipelines.extract import contracts, description, drift
from pipelines.extract.contracts import Column, Contract
from pipelines.extract.description import Described, Table
from pipelines.extract.types import HASHED, Type

BIG, NAME = Type("bigint"), Type("varchar", 40)
MODEL = Table(
    "item",
    "id",
    "updated_at",
    True,
    {"id": Described(BIG, False), "updated_at": Described(Type("timestamp"), False), "name": Described(NAME, False)},
)
CONTRACT = Contract(
    "item",
    "id",
    "updated_at",
    False,
    {"id": Column(BIG, False), "updated_at": Column(Type("timestamp"), False), "name": Column(NAME, False)},
)
DATABASE = {"id": (BIG, False), "updated_at": (Type("timestamp"), False), "name": (NAME, False)}
NEW = (Type("integer"), True)


def told(
    model: Table | None = MODEL, contract: Contract | None = CONTRACT, database: dict[str, Any] | None = None, **options: Any
) -> list[str]:
    there = {"item": DATABASE if database is None else database}
    reasons = options.pop("reasons", {})
    found = drift.moves({"item": model} if model else {}, [contract] if contract else [], there, reasons=reasons, **options)
    return [f"{move.side}: {move.text}" for move in found]


def test_three_sides_that_agree_say_nothing() -> None:
    assert told() == []


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        ({"model": replace(MODEL, columns=MODEL.columns | {"extra": Described(*NEW)})}, "models: item.extra: integer or null in the models, absent in the contract, absent in the database"),
        ({"contract": replace(CONTRACT, columns=CONTRACT.columns | {"extra": Column(*NEW)})}, "contract: item.extra: absent in the models, integer or null in the contract, absent in the database"),
        ({"database": DATABASE | {"extra": NEW}}, "database: item.extra: absent in the models, absent in the contract, integer or null in the database"),
        ({"model": replace(MODEL, columns=MODEL.columns | {"name": Described(NAME, True)})}, "models: item.name: varchar(40) or null in the models, varchar(40) in the contract, varchar(40) in the database"),
        ({"contract": replace(CONTRACT, columns=CONTRACT.columns | {"name": Column(Type("varchar", 30), False)})}, "contract: item.name: varchar(40) in the models, varchar(30) in the contract, varchar(40) in the database"),
        ({"database": {name: kind for name, kind in DATABASE.items() if name != "name"}}, "database: item.name: varchar(40) in the models, varchar(40) in the contract, absent in the database"),
        ({"contract": replace(CONTRACT, key="name")}, "contract: item: key and stamp are name, updated_at in the contract, id, updated_at in the models"),
        ({"model": replace(MODEL, stamp_indexed=False)}, "models: item: no index on (updated_at, id), each run would read the whole table"),
        ({"contract": None}, "models: item: is new; propose a contract, or leave it out in _left_out.toml with the reason"),
        ({"model": None}, "models: item: is gone; delete its contract and what reads it"),
        ({"reasons": {"item": "secret"}}, "contract: item: is both extracted and left out (secret)"),
    ],
    ids=lambda given: "".join(given) if isinstance(given, dict) else "",
)  # fmt: skip
def test_the_side_that_moved_is_named(moved: dict[str, Any], expected: str) -> None:
    assert told(**moved) == [expected]


def test_models_and_database_that_moved_together_leave_the_contract_behind() -> None:
    found = told(replace(MODEL, columns=MODEL.columns | {"extra": Described(*NEW)}), database=DATABASE | {"extra": NEW})
    assert found == ["contract: item.extra: integer or null in the models, absent in the contract, integer or null in the database"]


def test_ways_in_which_databases_store_the_same_are_no_difference() -> None:
    kinds = {"json": Type("text"), "boolean": Type("tinyint"), "uuid": Type("varchar", 32)}
    model = replace(MODEL, columns=MODEL.columns | {kind: Described(Type(kind), True) for kind in kinds})
    contract = replace(CONTRACT, columns=CONTRACT.columns | {kind: Column(Type(kind), True) for kind in kinds})
    assert told(model, contract, DATABASE | {kind: (stored, True) for kind, stored in kinds.items()}) == []


def test_hashed_and_left_out_columns_are_compared_as_the_source_holds_them() -> None:
    hashed = replace(CONTRACT, columns=CONTRACT.columns | {"name": Column(HASHED, False, NAME)})
    kept = {name: column for name, column in CONTRACT.columns.items() if name != "name"}
    left = replace(CONTRACT, columns=kept, omitted=("name",), left_out={"name": Column(NAME, False)})
    assert told(contract=hashed) == told(contract=left) == []
    assert len(told(contract=replace(left, left_out={"name": Column(BIG, False)}))) == 1


@pytest.mark.django_db
def test_nothing_has_moved_in_this_house(monkeypatch: pytest.MonkeyPatch) -> None:
    """The models as they are now, the committed description and contracts, and the migrated database."""
    from django.core.management import call_command
    from django.db import connection

    said = StringIO()
    call_command("describe_tables", "--print", stdout=said)
    models = description.parse(json.loads(said.getvalue()))
    assert drift.stale(description.read(), models) == [], "run `manage.py describe_tables` and review the difference"
    if connection.vendor != "mysql":
        found = drift.moves(models, contracts.load_all(), drift.as_witness(models), reasons=drift.left_out())
    else:
        from pipelines.extract import sources

        monkeypatch.setenv("OPENLANCE_DB_NAME", str(connection.settings_dict["NAME"]))
        monkeypatch.delenv("OPENLANCE_SQLITE", raising=False)
        with sources.connect() as source:
            witness = {contract.table: source.columns(contract.table) for contract in contracts.load_all()}
        found = drift.moves(models, contracts.load_all(), witness, reasons=drift.left_out())
    assert [str(move) for move in found] == []
    assert all(len(reason) > 10 for reason in drift.left_out().values())


@pytest.mark.django_db
def test_a_hard_delete_leaves_its_tombstone_whoever_deletes() -> None:
    """Also Django's cascade, which no service sees."""
    from django.db import connection

    from marketplace.core import triggers

    if connection.vendor != "mysql":
        pytest.skip("SQLite is read whole: it needs no tombstones")
    extracted = {contract.table for contract in contracts.load_all()} - {triggers.TOMBSTONES}
    kept = {table for table in extracted if triggers.append_only_names(table)[1] in triggers.existing()}
    assert {table for table in extracted - kept if f"{table}_tombstone" not in triggers.existing()} == set()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO jobs_category (id, slug, name) VALUES (987654, 'gone', 'Gone')")
        cursor.execute("DELETE FROM jobs_category WHERE id = 987654")
        cursor.execute("SELECT table_name, row_id FROM core_deletedrow ORDER BY id DESC LIMIT 1")
        assert cursor.fetchone() == ("jobs_category", 987654)
