"""Writers that do everything the extraction must survive, while the pipeline runs again and again and is killed at random times.

Writers insert, update and delete, keep transactions open, change rows without touching `updated_at` (not when --stamped), and columns are added. One money moves between the
tables `account` and `vault`, and items come in pairs: a publication that shows another sum, or half a pair, was made of a half state.
A reader opens every publication as it becomes current. When the writers have ended, raw, marts and source must be equal.

    python -m tests.pipelines.storm [--seconds 240] [--seed N] [--stamped]      on a MariaDB of its own, in var/storm
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from . import storming
from .storming import REPO

MONEY, ACCOUNTS = 1_000_000, 40
_STAMP = "updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY stamp (updated_at, id)"
TABLES = {
    "account": f"CREATE TABLE account (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL, {_STAMP})",
    "vault": f"CREATE TABLE vault (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL, {_STAMP})",
    "item": f"CREATE TABLE item (id BIGINT PRIMARY KEY AUTO_INCREMENT, pair BIGINT NOT NULL, note LONGTEXT, amount DECIMAL(18,6), {_STAMP})",
    "core_deletedrow": "CREATE TABLE core_deletedrow (id BIGINT PRIMARY KEY AUTO_INCREMENT, table_name VARCHAR(64) NOT NULL,"
    f" row_id BIGINT NOT NULL, reason VARCHAR(200) NOT NULL, {_STAMP})",
}
COLUMNS = {
    "account": {"balance": ("bigint", False)},
    "vault": {"balance": ("bigint", False)},
    "item": {"pair": ("bigint", False), "note": ("text", True), "amount": ("decimal(18,6)", True)},
}
_CURRENT = (
    "(select * from {{ source('raw', '%s') }} qualify row_number() over (partition by id order by _run_seq desc) = 1) where _op = 'u'"
)
MODELS = {
    "staging/stg_account.sql": "select id, balance from " + _CURRENT % "account",
    "staging/stg_vault.sql": "select id, balance from " + _CURRENT % "vault",
    "staging/stg_item.sql": "select id, pair, note, amount, updated_at from " + _CURRENT % "item",
    "published/admin/admin_sums.sql": """
        select (select coalesce(sum(balance), 0)::bigint from {{ ref('stg_account') }}) as accounts,
            (select coalesce(sum(balance), 0)::bigint from {{ ref('stg_vault') }}) as vaults
    """,
    "published/admin/admin_pairs.sql": "select pair, count(*) as items from {{ ref('stg_item') }} group by pair",
    "published/client/client_items.sql": "select id, pair, note, amount, updated_at from {{ ref('stg_item') }}",
    "all.yml": """
version: 2
sources: [{name: raw, schema: raw, tables: [{name: account}, {name: vault}, {name: item}]}]
models:
  - name: admin_sums
    config: {schema: admin}
    columns: [{name: accounts, data_type: bigint}, {name: vaults, data_type: bigint}]
  - name: admin_pairs
    config: {schema: admin}
    columns: [{name: pair, data_type: bigint}, {name: items, data_type: bigint}]
  - name: client_items
    config: {schema: client}
    columns: [{name: id, data_type: bigint}, {name: pair, data_type: bigint}, {name: note, data_type: varchar}, {name: amount, data_type: "decimal(18,6)"},
      {name: updated_at, data_type: timestamp}]
""",
}
_NOTES = ("", None, "plain", "two\nlines", "Größe 🦉", "\x1f", "\x1e\n", "NULL", "'\"\\")


@dataclass(kw_only=True)
class Storm(storming.Storming):
    """One storm on an empty database. `connect` gives a connection that commits each statement."""

    connect: Callable[[], Any]

    def lay(self) -> None:
        """Tables, money, contracts and a dbt project."""
        control = self.connect()
        for statement in TABLES.values():
            control.query(statement)
        for number in range(1, ACCOUNTS + 1):
            control.query(f"INSERT INTO account (id, balance) VALUES ({number}, {MONEY})")
            control.query(f"INSERT INTO vault (id, balance) VALUES ({number}, 0)")
        control.close()
        contracts, project = self.folder / "contracts", self.folder / "project"
        contracts.mkdir()
        for table, columns in COLUMNS.items():
            lines = [f'table = "{table}"', 'key = "id"', 'stamp = "updated_at"', "personal_data = false", "[columns]"]
            every = {"id": ("bigint", False), "updated_at": ("timestamp", False)} | columns
            lines += [f'{name} = {{ type = "{kind}", nullable = {str(null).lower()} }}' for name, (kind, null) in every.items()]
            (contracts / f"{table}.toml").write_text("\n".join(lines) + "\n")
        kept = REPO / "pipelines" / "extract" / "contracts" / "core_deletedrow.toml"
        (contracts / kept.name).write_text(kept.read_text())
        for name, content in MODELS.items():
            (project / "models" / name).parent.mkdir(parents=True, exist_ok=True)
            (project / "models" / name).write_text(content)
        (project / "dbt_project.yml").write_text(
            "name: openlance\nprofile: openlance\nmacro-paths: [macros]\nmodels: {openlance: {+materialized: table}}\n"
        )
        (project / "profiles.yml").write_text((REPO / "dbt_project" / "profiles.yml").read_text())
        (project / "macros").mkdir()
        (project / "macros" / "naming.sql").write_text((REPO / "dbt_project" / "macros" / "naming.sql").read_text())
        self.env |= storming.ENVIRONMENT | {
            "OPENLANCE_VAR": str(self.folder),
            "OPENLANCE_CONTRACTS": str(contracts),
            "OPENLANCE_DBT_PROJECT": str(project),
        }

    # ----------------------------------------------------------------------- writers

    def _transfer(self, db: Any, random_: random.Random) -> None:
        amount, one, other = random_.randrange(1, 1000), random_.randrange(1, ACCOUNTS + 1), random_.randrange(1, ACCOUNTS + 1)
        amount *= random_.choice((1, 1, -1))
        # in a quiet storm half of the updates leave no trace: only the comparison with the source finds them
        quiet = random_.choice(("", ", updated_at = updated_at")) if self.quiet else ""
        with self._transaction(db, random_):
            db.query(f"UPDATE account SET balance = balance - {amount}{quiet} WHERE id = {one}")
            self.over.wait(random_.choice((0, 0, 0, 0.05, 0.5, 3)))
            db.query(f"UPDATE vault SET balance = balance + {amount}{quiet} WHERE id = {other}")

    def _insert_pair(self, db: Any, random_: random.Random) -> None:
        pair = random_.randrange(2**60)
        with self._transaction(db, random_):
            for _ in range(2):
                note = random_.choice(_NOTES)
                text = "NULL" if note is None else f"CONVERT(0x{note.encode().hex()} USING utf8mb4)" if note else "''"
                db.query(f"INSERT INTO item (pair, note, amount) VALUES ({pair}, {text}, {random_.randrange(10**9)} / 1000000)")
                self.over.wait(random_.choice((0, 0, 0.01, 0.4, 2)))

    def _delete_pair(self, db: Any, random_: random.Random) -> None:
        with self._transaction(db, random_):
            db.query("SELECT pair FROM item ORDER BY RAND() LIMIT 1")
            chosen = db.store_result().fetch_row(maxrows=0)
            if chosen:
                pair = int(chosen[0][0])
                db.query(
                    f"INSERT INTO core_deletedrow (table_name, row_id, reason) SELECT 'item', id, 'storm' FROM item WHERE pair = {pair} FOR UPDATE"
                )
                db.query(f"DELETE FROM item WHERE pair = {pair}")

    def _update(self, db: Any, random_: random.Random) -> None:
        with self._transaction(db, random_):
            # most pairs are written once: what is lost of them stays lost, no later change brings it
            db.query(f"UPDATE item SET amount = amount + 1 WHERE pair MOD 5 = 0 AND id MOD 13 = {random_.randrange(13)}")
            self.over.wait(random_.choice((0, 0, 0.2, 2)))

    def _bulk(self, db: Any, random_: random.Random) -> None:
        db.query(f"UPDATE item SET amount = amount + 0.000001, updated_at = updated_at WHERE id MOD 5 = {random_.randrange(5)}")

    @contextlib.contextmanager
    def _transaction(self, db: Any, random_: random.Random) -> Iterator[None]:
        db.query("BEGIN")
        try:
            yield
            db.query("ROLLBACK" if random_.random() < 0.1 else "COMMIT")
        except BaseException:
            db.query("ROLLBACK")
            raise

    def write(self, number: int) -> None:
        """One writer, until the storm is over."""
        import MySQLdb

        random_, db = random.Random(f"{self.name}/{number}"), self.connect()
        acts = [self._transfer] * 5 + [self._insert_pair] * 4 + [self._delete_pair, self._update] + [self._bulk] * self.quiet
        # each once in any order, however short the storm
        kinds = list(dict.fromkeys(acts))
        first = random_.sample(kinds, len(kinds))
        while not self.over.is_set():
            act = first.pop() if first else random_.choice(acts)
            try:
                act(db, random_)
                self.done[act.__name__.strip("_")] += 1
            except MySQLdb.OperationalError as conflict:
                if conflict.args[0] not in (1205, 1213, 1467):  # waited too long, for a row or for the next number; deadlock: undone
                    raise
            self.over.wait(random_.random() * 0.05)
        db.close()

    def add_columns(self) -> None:
        """A nullable column now and then."""
        random_, db = random.Random(f"{self.name}/columns"), self.connect()
        while not self.over.wait(random_.uniform(2, 9)):
            db.query(f"ALTER TABLE {random_.choice(list(COLUMNS))} ADD COLUMN extra_{self.done['column']} VARCHAR(9) NULL")
            self.done["column"] += 1
        db.close()

    # ----------------------------------------------------------------------- what must hold

    def consistent(self, db: duckdb.DuckDBPyConnection, name: str) -> tuple[int, int]:
        """All money is there, and every item has its other one. Returns pairs, and the money that lies in vaults."""
        [(accounts, vaults)] = db.execute("SELECT accounts, vaults FROM admin.sums").fetchall()
        [(pairs, broken)] = db.execute("SELECT count(*), count(*) FILTER (WHERE items <> 2) FROM admin.pairs").fetchall()
        [(items,)] = db.execute("SELECT count(*) FROM client.items").fetchall()
        if accounts + vaults != MONEY * ACCOUNTS:
            self.failures.append(f"{name} shows {accounts} + {vaults}, which is not {MONEY * ACCOUNTS}")
        if broken or items != 2 * pairs:
            self.failures.append(f"{name} shows {broken} of {pairs} pairs broken and {items} items")
        return pairs, vaults

    def compare(self) -> None:
        """The raw log, and what is published for tenants, beside the source, value by value."""
        db = self.connect()
        with duckdb.connect(str(self.folder / "work" / "warehouse.duckdb"), read_only=True) as work:
            for table, columns in COLUMNS.items():
                names = ", ".join(["id", "updated_at", *columns])
                latest = f"(SELECT * FROM raw.{table} QUALIFY row_number() OVER (PARTITION BY id ORDER BY _run_seq DESC) = 1)"
                held = work.execute(f"SELECT {names} FROM {latest} WHERE _op = 'u' ORDER BY id").fetchall()
                self._same(f"raw.{table}", held, _rows(db, f"SELECT {names} FROM {table} ORDER BY id"))
        from pipelines import marts_reader

        with marts_reader.connect(self.folder / "published", audience="tenants") as published:
            shown = published.execute("SELECT id, pair, note, amount, updated_at FROM client.items ORDER BY id").fetchall()
        self._same("client.items", shown, _rows(db, "SELECT id, pair, note, amount, updated_at FROM item ORDER BY id"))
        db.close()

    def _same(self, what: str, held: list[tuple[Any, ...]], wanted: list[tuple[Any, ...]]) -> None:
        if held != wanted:
            differ = set(held) ^ set(wanted)
            self.failures.append(
                f"{what}: {len(held)} rows, the source has {len(wanted)}; {len(differ)} differ, for one {next(iter(differ))}"
            )


def _rows(db: Any, query: str) -> list[tuple[Any, ...]]:
    cursor = db.cursor()
    cursor.execute(query)
    return [tuple(row) for row in cursor.fetchall()]


def main() -> int:
    """The long form; returns 1 when something was wrong."""
    import shutil

    import MySQLdb

    from infra.local import services

    options = storming.parser(__doc__, seconds=240).parse_args()
    home = REPO / "var" / "storm"
    shutil.rmtree(home, ignore_errors=True)
    storming.begin(options.seed)
    try:
        server = services.start_mariadb(home / "db", durable=False)

        def connect(database: str | None = "storm") -> Any:
            more = {"db": database} if database else {}
            connection = MySQLdb.connect(user="root", unix_socket=server["OPENLANCE_DB_SOCKET"], charset="utf8mb4", autocommit=True, **more)
            connection.query("SET SESSION time_zone = '+00:00'")
            connection.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            return connection

        connect(None).query("CREATE DATABASE storm CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        (home / "work_folder").mkdir()
        kept = {name: value for name, value in os.environ.items() if name not in ("OPENLANCE_WAREHOUSE", "OPENLANCE_SQLITE")}
        env = kept | server | {"OPENLANCE_DB_NAME": "storm"}
        storm = Storm(folder=home / "work_folder", seed=options.seed, connect=connect, env=env, quiet=not options.stamped)
        storm.lay()
        storm.rage(options.seconds)
        storm.settle()
    finally:
        services.stop(home / "db")
    return storming.verdict(storm, home, "raw = marts = source, and every publication was whole")


if __name__ == "__main__":
    sys.exit(main())
