"""Column-level lineage worked by hand: renames, joins, unions, aggregates, windows, subqueries. SQL only; nothing is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import paths
from pipelines.publish.columns import Remembered, origins

COLUMNS = {
    ("marts", "orders"): {"id": "BIGINT", "buyer": "BIGINT", "amount": "BIGINT", "day": "DATE"},
    ("marts", "people"): {"id": "BIGINT", "name": "VARCHAR", "country": "VARCHAR"},
}
ORDERS, PEOPLE = '"work"."marts"."orders"', '"work"."marts"."people"'


def of(sql: str) -> dict[str, set[tuple[str, str, str]]]:
    """column → (parent, its column, how)."""
    found: dict[str, set[tuple[str, str, str]]] = {}
    for column, schema, table, parent_column, how in origins(sql, COLUMNS):
        assert schema == "marts"
        found.setdefault(column, set()).add((table, parent_column, how))
    return found


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        (
            f"select id as order_id, cast(amount as double) as amount, amount * 2 as twice, 1 as one from {ORDERS}",
            {
                "order_id": {("orders", "id", "as_is")},
                "amount": {("orders", "amount", "as_is")},
                "twice": {("orders", "amount", "expression")},
            },
        ),
        (
            f"select o.id, p.name, coalesce(p.country, o.day::varchar) as place from {ORDERS} as o left join {PEOPLE} as p on p.id = o.buyer",
            {
                "id": {("orders", "id", "as_is")},
                "name": {("people", "name", "as_is")},
                "place": {("people", "country", "expression"), ("orders", "day", "expression")},
            },
        ),
        (
            f"select id, buyer as x from {ORDERS} union all select id, upper(name) from {PEOPLE}",
            {
                "id": {("orders", "id", "as_is"), ("people", "id", "as_is")},
                "x": {("orders", "buyer", "as_is"), ("people", "name", "expression")},
            },
        ),
        (
            f"select buyer, sum(case when day > '2026-01-01' then amount else 0 end) as spent, count(*) as n from {ORDERS} group by buyer",
            {
                "buyer": {("orders", "buyer", "as_is")},
                "spent": {("orders", "day", "aggregate"), ("orders", "amount", "aggregate")},
                "n": {("orders", "*", "aggregate")},
            },
        ),
        (
            f"select id, sum(amount) over upto as so_far, lag(day) over (partition by buyer order by id) as before from {ORDERS}"
            " window upto as (partition by buyer order by day)",
            {
                "id": {("orders", "id", "as_is")},
                "so_far": {("orders", "amount", "window"), ("orders", "buyer", "window"), ("orders", "day", "window")},
                "before": {("orders", "day", "window"), ("orders", "buyer", "window"), ("orders", "id", "window")},
            },
        ),
        (
            f"with spent as (select buyer, sum(amount) as total from {ORDERS} group by buyer), named as (select s.*, p.name from spent s"
            f" join {PEOPLE} p on p.id = s.buyer) select name, total / 100 as dollars from named",
            {"name": {("people", "name", "as_is")}, "dollars": {("orders", "amount", "aggregate")}},
        ),
        (
            f"select * from (select *, row_number() over (partition by id order by day desc) as age from {ORDERS}) as log where age = 1",
            {
                **{column: {("orders", column, "as_is")} for column in ("id", "buyer", "amount", "day")},
                "age": {("orders", "id", "window"), ("orders", "day", "window")},
            },
        ),
        (
            f"select p.id, (select max(o.amount) from {ORDERS} as o where o.buyer = p.id) as largest from {PEOPLE} as p",
            {"id": {("people", "id", "as_is")}, "largest": {("orders", "amount", "aggregate")}},
        ),
        (
            f"select count(*) as rows_of_both from (select id from {ORDERS} union all select id from {PEOPLE}) as either",
            {"rows_of_both": {("orders", "*", "aggregate"), ("people", "*", "aggregate")}},
        ),
    ],
    ids=["select", "join", "union", "aggregate", "window", "ctes", "star over a subquery", "scalar subquery", "rows of a union"],
)
def test_columns_are_made_of(sql: str, wanted: dict[str, set[tuple[str, str, str]]]) -> None:
    assert of(sql) == wanted


def test_sql_that_cannot_be_read_has_no_edges() -> None:
    assert origins("select from where (", COLUMNS) == []


def test_a_query_is_read_once_until_it_or_the_columns_it_reads_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLANCE_VAR", str(tmp_path))
    grown = COLUMNS | {("marts", "orders"): {**COLUMNS["marts", "orders"], "fee": "BIGINT"}}

    def remembered(sql: str, columns: dict[tuple[str, str], dict[str, str]]) -> list[tuple[str, str, str, str, str]]:
        with Remembered() as found:
            return found.origins(sql, columns)

    sql = f"select * from {ORDERS} where log_run > 3"
    assert remembered(sql, COLUMNS) == origins(sql, COLUMNS)
    kept = (paths.dbt_target() / "column_origins.json").read_text()
    assert remembered(sql.replace("3", "41"), COLUMNS) == origins(sql, COLUMNS)
    assert (paths.dbt_target() / "column_origins.json").read_text() == kept, "only the run it begins at is another"
    assert remembered(sql, grown) == origins(sql, grown) != origins(sql, COLUMNS), "a column joined"
    doubled = sql.replace("*", "id, amount * 2 as amount")
    assert remembered(doubled, grown) == origins(doubled, grown)
