"""Personal data in the platform: what is hashed on the way, and what is left of a person whom the product has erased."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from ml.serving import bundle
from pipelines import erase, marts_reader, paths, rounds, transform
from pipelines.extract import contracts, description, erasure
from pipelines.extract.types import hash_key
from pipelines.quality import alerts, waiting_tables

from .conftest import REPO, Source

MARK = "Zweifelsohne"
_STAMPED = "updated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), KEY stamp (updated_at, id)"
_TABLES = {
    "accounts_user": ("country VARCHAR(20) NOT NULL", 'country = { type = "varchar(20)", nullable = false }', 'id = "accounts_user"'),
    "accounts_accountclosing": (
        "user_id BIGINT NOT NULL, state VARCHAR(12) NOT NULL",
        'user_id = { type = "bigint", nullable = false }\nstate = { type = "varchar(12)", nullable = false }',
        'user_id = "accounts_user"',
    ),
    "accounts_freelancerprofile": (
        "user_id BIGINT NOT NULL, title VARCHAR(40) NOT NULL",
        'user_id = { type = "bigint", nullable = false }\ntitle = { type = "varchar(40)", nullable = false }',
        'user_id = "accounts_user"',
    ),
    "accounts_line": (
        "freelancer_id BIGINT NOT NULL, line VARCHAR(40) NOT NULL",
        'freelancer_id = { type = "bigint", nullable = false }\nline = { type = "varchar(40)", nullable = false }',
        'freelancer_id = "accounts_freelancerprofile"',
    ),
}
_MODELS = {
    "published/science/science_feat_freelancers.sql": "select id as freelancer_id, title as text from ({{ current_rows('accounts_freelancerprofile') }}) as p",
    "published/freelancer/freelancer_lines.sql": "select id as line_id, line from ({{ current_rows('accounts_line') }}) as l",
    "all.yml": """
version: 2
sources: [{name: raw, schema: raw, tables: [{name: accounts_freelancerprofile}, {name: accounts_line}]}]
models:
  - {name: science_feat_freelancers, config: {schema: science}, columns: [{name: freelancer_id, data_type: bigint}, {name: text, data_type: varchar}]}
  - {name: freelancer_lines, config: {schema: freelancer}, columns: [{name: line_id, data_type: bigint}, {name: line, data_type: varchar}]}
""",
}


def dbt_project(folder: Path, models: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of these models with the house's macros."""
    project = folder / "project"
    for name, content in models.items():
        (project / "models" / name).parent.mkdir(parents=True, exist_ok=True)
        (project / "models" / name).write_text(content)
    (project / "dbt_project.yml").write_text("name: openlance\nprofile: openlance\nmodels: {openlance: {+materialized: table}}\n")
    shutil.copy(REPO / "dbt_project" / "profiles.yml", project)
    shutil.copytree(REPO / "dbt_project" / "macros", project / "macros")
    monkeypatch.setenv("OPENLANCE_DBT_PROJECT", str(project))
    return project


@pytest.mark.parametrize("nullable", [False, True])
def test_hashed_column_never_leaves_the_source_in_clear(source: Source, nullable: bool) -> None:
    """The first load, following, and reconciliation give the same hash; whoever lacks the key cannot make it."""
    path = source.folder / "contracts" / "item.toml"
    spec = f'secret = {{ type = "varchar(9)", nullable = {str(nullable).lower()}, personal = "hash" }}\n'
    path.write_text(path.read_text().replace('omitted = ["secret"]\n', "") + spec)
    if not nullable:
        source.sql("ALTER TABLE item MODIFY secret VARCHAR(9) NOT NULL")
    source.sql(
        "INSERT INTO item (id, name, secret, updated_at) VALUES (1, 'a', 'Müller', '2026-01-01'), (2, 'b', 'Müller', '2026-01-01'), (3, 'c', '', '2026-01-01')"
    )
    source.run()
    source.sql("UPDATE item SET secret = 'Meier' WHERE id = 2")
    if nullable:
        source.sql("UPDATE item SET secret = NULL WHERE id = 3")
    source.run()

    def keyed(value: str) -> str:
        return hashlib.sha256(f"{hash_key()}\x1f{value}".encode()).hexdigest()

    wanted = {1: keyed("Müller"), 2: keyed("Meier"), 3: None if nullable else keyed("")}
    assert dict(source.state(columns="id, secret")) == wanted
    report = source.run(reconcile=True, prove=True)
    assert not report.stopped and sum(done.repaired for done in report.tables) == 0
    assert source.warehouse("SELECT DISTINCT secret FROM raw.item WHERE id = 1 AND _run_seq = 1") == [(keyed("Müller"),)]


def test_another_key_gives_other_hashes(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    path = source.folder / "contracts" / "item.toml"
    path.write_text(
        path.read_text().replace('omitted = ["secret"]\n', "") + 'secret = { type = "varchar(9)", nullable = true, personal = "hash" }\n'
    )
    monkeypatch.setenv("OPENLANCE_HASH_KEY", "it's \\ key")
    source.sql("INSERT INTO item (name, secret) VALUES ('a', 'Müller')")
    source.run()
    assert source.state(columns="secret") == [(hashlib.sha256("it's \\ key\x1fMüller".encode()).hexdigest(),)]


#: Where the log's values are found: in its files, and through the work file's views of them.
READ = {"raw/item", "work/warehouse.duckdb"}


def contract_of_item(source: Source, amount: str) -> None:
    """What becomes of its column `amount`."""
    path = source.folder / "contracts" / "item.toml"
    kept = [line for line in path.read_text().splitlines() if not line.startswith("amount")]
    path.write_text("\n".join([*kept, f"amount = {{ {amount} }}"]) + "\n")


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "of_before_columns_were_noted"])
def test_a_column_omitted_later_leaves_files_of_before(source: Source, noted: bool) -> None:
    """Versions and deleted rows stay without it; the work file and copies that were set aside go; a second run finds nothing to do."""
    source.sql("ALTER TABLE item MODIFY amount VARCHAR(40)")
    contract_of_item(source, 'type = "varchar(40)", nullable = true')
    source.sql(f"INSERT INTO item (name, amount) VALUES ('a', '{MARK} 1'), ('b', '{MARK} 2'), ('c', NULL)")
    rounds.extracted(reconcile=False)
    source.sql(f"UPDATE item SET name = 'a2', amount = '{MARK} 3' WHERE id = 1")
    source.sql("INSERT INTO core_deletedrow (table_name, row_id, reason) VALUES ('item', 2, 'x')")
    source.sql("DELETE FROM item WHERE id = 2")
    rounds.extracted(reconcile=False)
    history = "SELECT id, name, _op, _run_seq, _known_at FROM raw.item ORDER BY id, _run_seq"
    before = source.warehouse(history)
    assert len(before) == 5 and kinds(holding(source.folder, MARK)) == READ
    set_aside(source.folder, "item")
    if not noted:
        manifest = json.loads((paths.raw() / "manifest.json").read_text())
        del manifest["tables"]["item"]["columns"]
        (paths.raw() / "manifest.json").write_text(json.dumps(manifest))

    contract_of_item(source, 'type = "varchar(40)", nullable = true, personal = "omit"')
    rounds.extracted(reconcile=False)
    assert holding(source.folder, MARK) == set()
    assert source.warehouse(history) == before
    files = {path: path.stat().st_mtime_ns for path in (paths.raw() / "item").rglob("*.parquet")}
    rounds.extracted(reconcile=False)
    assert files == {path: path.stat().st_mtime_ns for path in (paths.raw() / "item").rglob("*.parquet")} and len(files) == 1


def test_a_column_hashed_later_leaves_files_of_before_and_comes_back_as_hash(source: Source) -> None:
    source.sql("ALTER TABLE item MODIFY amount VARCHAR(40)")
    contract_of_item(source, 'type = "varchar(40)", nullable = true')
    source.sql(f"INSERT INTO item (name, amount) VALUES ('a', '{MARK}'), ('b', NULL)")
    rounds.extracted(reconcile=False)
    assert kinds(holding(source.folder, MARK)) == READ
    contract_of_item(source, 'type = "varchar(40)", nullable = true, personal = "hash"')
    rounds.extracted(reconcile=False)
    assert holding(source.folder, MARK) == set()
    keyed = hashlib.sha256(f"{hash_key()}\x1f{MARK}".encode()).hexdigest()
    assert source.state(columns="name, amount") == [("a", keyed), ("b", None)]


def test_columns_leave_the_log_also_when_the_run_was_cut(source: Source) -> None:
    source.sql("ALTER TABLE item MODIFY amount VARCHAR(40)")
    contract_of_item(source, 'type = "varchar(40)", nullable = true')
    source.sql(f"INSERT INTO item (name, amount) VALUES ('a', '{MARK}')")
    rounds.extracted(reconcile=False)
    contract_of_item(source, 'type = "varchar(40)", nullable = true, personal = "omit"')
    assert source.run_process("extract.before_manifest", "--no-reconcile").returncode == -9
    assert "raw/item" in kinds(holding(source.folder, MARK)), "nothing counts yet"
    rounds.extracted(reconcile=False)
    assert holding(source.folder, MARK) == set() and source.names() == ["a"]


@pytest.fixture
def people(source: Source, monkeypatch: pytest.MonkeyPatch) -> Source:
    """Users 1 and 2 with a profile and two lines each, in the source and in a dbt project."""
    for table, (columns, declared, person) in _TABLES.items():
        source.sql(f"CREATE TABLE {table} (id BIGINT PRIMARY KEY AUTO_INCREMENT, {columns}, {_STAMPED})")
        (source.folder / "contracts" / f"{table}.toml").write_text(
            f'table = "{table}"\nkey = "id"\nstamp = "updated_at"\npersonal_data = true\n[columns]\nid = {{ type = "bigint", nullable = false }}\n'
            f'updated_at = {{ type = "timestamp", nullable = false }}\n{declared}\n[people]\n{person}\n'
        )
    dbt_project(source.folder, _MODELS, monkeypatch)
    monkeypatch.setattr(erasure, "SETTLED", timedelta(0))
    source.sql(f"INSERT INTO accounts_user (country) VALUES ('{MARK}land'), ('DE')")
    source.sql(f"INSERT INTO accounts_freelancerprofile (id, user_id, title) VALUES (11, 1, '{MARK} Design'), (12, 2, 'Other Design')")
    source.sql(
        f"INSERT INTO accounts_line (id, freelancer_id, line) VALUES (21, 11, 'at {MARK}'), (22, 12, 'elsewhere'), (23, 12, 'as first')"
    )
    source.sql("INSERT INTO accounts_accountclosing (user_id, state) VALUES (1, 'pending')")
    return source


def leave(source: Source) -> None:
    """What the product does to user 1; user 2 meanwhile changes and deletes as people do."""
    source.sql("UPDATE accounts_user SET country = '' WHERE id = 1")
    source.sql("UPDATE accounts_freelancerprofile SET title = 'Closed account' WHERE user_id = 1")
    source.sql("UPDATE accounts_line SET line = 'as second' WHERE id = 23")
    source.sql("INSERT INTO core_deletedrow (table_name, row_id, reason) VALUES ('accounts_line', 21, 'x'), ('accounts_line', 22, 'x')")
    source.sql("DELETE FROM accounts_line WHERE id IN (21, 22)")
    source.sql("UPDATE accounts_accountclosing SET state = 'erased'")


def round_of() -> None:
    rounds.extracted()
    rounds.built()
    rounds.published()


def holding(folder: Path, mark: str) -> set[str]:
    """Files below the folder that hold the text, in the clear or inside Parquet and DuckDB's own compression."""
    found = set()
    for path in (path for path in folder.rglob("*") if path.is_file()):
        if mark.encode() in path.read_bytes():
            found.add(path)
        if path.suffix == ".parquet":
            found |= {path} if _within([f"read_parquet('{path}')"], None, mark) else set()
        elif path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as db:
                names = db.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall()
            found |= {path} if _within([f'"{schema}"."{name}"' for schema, name in names], path, mark) else set()
    return {str(path.relative_to(folder)) for path in found}


def _within(relations: list[str], file: Path | None, mark: str) -> bool:
    with duckdb.connect(str(file) if file else ":memory:", read_only=file is not None) as db:
        return any(
            db.execute(f"SELECT count(*) FROM {relation} r WHERE r::VARCHAR LIKE '%{mark}%'").fetchall() != [(0,)] for relation in relations
        )


def kinds(found: set[str]) -> set[str]:
    return {"/".join(name.split("/")[:2]) for name in found}


def build_on_spark(folder: Path) -> None:
    """What a build on Spark leaves: tables made of the raw log, what was spilled, and dbt's artefacts."""
    table = folder / "work" / "spark" / "warehouse" / "marts.db" / "dim_freelancer"
    table.mkdir(parents=True)
    with duckdb.connect() as db:
        lines = f"SELECT * FROM read_parquet('{folder}/raw/accounts_freelancerprofile/**/*.parquet', hive_partitioning = false)"
        db.execute(f"COPY ({lines}) TO '{table / 'part-00000.zstd.parquet'}' (FORMAT parquet, COMPRESSION zstd)")
    (folder / "work" / "spark" / "tmp").mkdir()
    (folder / "work" / "spark" / "tmp" / "spilled").write_bytes(f"{MARK} Design".encode())


def set_aside(folder: Path, table: str = "accounts_line") -> None:
    """What a batch that was set aside leaves, whole and half written, and the release that waits for it."""
    place = folder / "quality" / "quarantine" / table
    place.mkdir(parents=True)
    for name in ("batch.parquet", ".batch.parquet.7"):
        with duckdb.connect() as db:
            db.execute(f"COPY (SELECT 21 AS id, 'at {MARK}' AS line) TO '{place / name}' (FORMAT parquet)")
    (place / "findings.json").write_text(json.dumps({"table": table, "beyond": True, "rows": 1, "findings": []}))
    (place / "accepted.json").write_text('{"findings": []}')


def export(folder: Path, version: str, publish_id: str, word: str, *, served: bool = False) -> None:
    """A bundle of scores; that of a person's features holds their word."""
    bundle.write(
        folder / "bundles",
        "matching",
        version,
        arrays={"text": np.frombuffer(word.encode(), np.uint8)},
        documents={},
        meta={"publish_id": publish_id},
    )
    if served:
        bundle.switch(folder / "bundles", "matching", version)


def bundles(folder: Path) -> set[str]:
    return {path.name for path in (folder / "bundles" / "matching").iterdir() if path.is_dir()}


EVERYWHERE = {
    "raw/accounts_user",
    "raw/accounts_freelancerprofile",
    "raw/accounts_line",
    "work/warehouse.duckdb",
    "work/spark",
    "quality/quarantine",
    "bundles/matching",
    "published/staff",
    "published/tenants",
}


def test_nothing_is_left_of_an_erased_person_in_any_file(people: Source) -> None:
    round_of()
    people.sql(f"UPDATE accounts_line SET line = 'still at {MARK}' WHERE id = 21")
    round_of()
    build_on_spark(people.folder)
    set_aside(people.folder)
    before = marts_reader.current().publish_id
    export(people.folder, f"matching-v1-{before}", before, MARK)
    assert kinds(holding(people.folder, MARK)) == EVERYWHERE
    assert marts_reader.connect().execute("SELECT text FROM science.feat_freelancers ORDER BY 1").fetchall() == [
        ("Other Design",),
        (f"{MARK} Design",),
    ]

    leave(people)
    round_of()
    assert holding(people.folder, MARK) == set()
    features = marts_reader.connect().execute("SELECT freelancer_id, text FROM science.feat_freelancers ORDER BY 1").fetchall()
    assert features == [(11, "Closed account"), (12, "Other Design")], "the next training set"
    others = people.warehouse("SELECT id, line, _op FROM raw.accounts_line ORDER BY id, _run_seq")
    assert others == [(22, "elsewhere", "u"), (22, "elsewhere", "d"), (23, "as first", "u"), (23, "as second", "u")], (
        "history of others stays"
    )
    assert (erasure.due(people.contracts()), erasure.unfinished()) == ([], [])
    report = people.run(reconcile=True, prove=True)
    assert not report.stopped and sum(done.repaired for done in report.tables) == 0


@pytest.mark.parametrize("killed_at", ["extract.before_manifest", "erase.after_raw", "erase.before_forgetting"])
def test_erasure_that_was_cut_is_finished_by_the_next_round(people: Source, monkeypatch: pytest.MonkeyPatch, killed_at: str) -> None:
    """dbt is left out: what it would build stands in the work file and in a publication of before."""
    people.run()
    build_on_spark(people.folder)
    set_aside(people.folder)
    leave(people)
    people.run()
    work, old = paths.warehouse(), paths.published() / "staff" / "parts" / "old.parquet"
    with duckdb.connect(str(work)) as db:
        db.execute(f"CREATE TABLE mart AS SELECT '{MARK} Design' AS title")
    old.parent.mkdir(parents=True)
    old.write_bytes(MARK.encode())
    (paths.published() / "staff" / marts_reader.POINTER).write_text(
        '{"publish_id": "1", "file": "none.duckdb", "published_at": "x", "previous": []}'
    )

    def dies(name: str) -> None:
        if name == killed_at:
            raise KeyboardInterrupt

    def both() -> None:
        erase.begin(people.contracts())
        erase.finish()

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("pipelines.extract.log.failpoint", dies)
        patch.setattr("pipelines.erase.failpoint", dies)
        both()
    assert erasure.due(people.contracts()) or erasure.unfinished()
    both()
    assert holding(people.folder, MARK) == set()
    kept = {path.name for path in (people.folder / "quality" / "quarantine" / "accounts_line").iterdir()}
    assert kept == {"findings.json", "accepted.json"}, "nobody's decision is lost with the copy"
    assert (erasure.due(people.contracts()), erasure.unfinished()) == ([], [])


def test_account_is_due_once_the_product_has_had_its_hour(people: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(people)
    people.run()
    monkeypatch.setattr(erasure, "SETTLED", timedelta(hours=1))
    [(known,)] = people.warehouse("SELECT _known_at FROM raw.accounts_accountclosing")
    edge = known.replace(tzinfo=UTC) + timedelta(hours=1)
    assert erasure.due(people.contracts(), now=edge - timedelta(seconds=1)) == []
    assert erasure.due(people.contracts(), now=edge) == [erasure.Due(1, 1)]
    assert erase.begin(people.contracts()) == [], "not yet"


def test_nobody_is_erased_while_the_log_is_behind_in_a_table_of_people(people: Source) -> None:
    """What the log holds as present there would be kept, and is not blank."""
    people.run()
    leave(people)
    people.sql("ALTER TABLE accounts_freelancerprofile CHANGE title heading VARCHAR(40) NOT NULL")
    people.run()
    assert waiting_tables() == ["accounts_freelancerprofile"]
    assert erase.begin(people.contracts(), behind=waiting_tables()) == []
    assert erase.begin(people.contracts()) == [erasure.Due(1, 1)]


def test_an_erasure_waits_while_any_table_is_set_aside_and_everybody_sees_the_rest_meanwhile(people: Source) -> None:
    """A work file made anew would lack what is made of that table: nothing could be published, nor the erasure be finished."""
    set_aside(people.folder, "item")
    model = paths.dbt_project() / "models" / "published" / "freelancer" / "freelancer_items.sql"
    model.write_text("select id as item_id from ({{ current_rows('item') }}) as i")
    every = paths.dbt_project() / "models" / "all.yml"
    every.write_text(
        every.read_text().replace("{name: accounts_line}]", "{name: accounts_line}, {name: item}]")
        + "  - {name: freelancer_items, config: {schema: freelancer}, columns: [{name: item_id, data_type: bigint}]}\n"
    )
    aside = people.folder / "quality" / "quarantine" / "item"
    aside.rename(people.folder / "later")
    people.sql("INSERT INTO item (name) VALUES ('a')")
    round_of()
    (people.folder / "later").rename(aside)

    leave(people)
    people.sql("UPDATE accounts_freelancerprofile SET title = 'New Design' WHERE user_id = 2")

    def without_comparison() -> set[tuple[str]]:
        rounds.extracted(reconcile=False)
        rounds.built(only_affected=True)
        rounds.published()
        return set(marts_reader.connect().execute("SELECT text FROM science.feat_freelancers").fetchall())

    assert without_comparison() == {("Closed account",), ("New Design",)}
    assert (erasure.due(people.contracts()), erasure.unfinished()) == ([erasure.Due(1, 1)], [])
    assert [(line["event"], line["table"], line["rows"]) for line in alerts.history()] == [("erasure waits", "item", 1)]
    shutil.rmtree(aside)
    assert without_comparison() == {("Closed account",), ("New Design",)} and holding(people.folder, MARK) == set()
    assert (erasure.due(people.contracts()), erasure.unfinished()) == ([], [])


def test_what_stands_still_outlives_no_erasure_that_was_begun(people: Source) -> None:
    round_of()
    leave(people)
    rounds.extracted()
    assert erasure.unfinished() == [1], "taken out of the log, and then a batch is set aside"
    set_aside(people.folder)
    # as a build leaves it that is killed before it made anything
    transform.parse(paths.dbt_target())
    rounds.built(only_affected=True)
    rounds.published()
    assert erasure.unfinished() == [] and holding(people.folder, MARK) == {
        f"quality/quarantine/accounts_line/{name}" for name in ("batch.parquet", ".batch.parquet.7")
    }


def test_what_the_product_did_late_is_erased_again_by_command(people: Source) -> None:
    people.run()
    people.sql("UPDATE accounts_accountclosing SET state = 'erased'")
    people.run()
    erase.begin(people.contracts())
    leave(people)
    people.run()
    assert erase.begin(people.contracts()) == [] and holding(people.folder / "raw", MARK) != set()
    assert len(erase.begin(people.contracts(), again=True)) == 1
    assert holding(people.folder, MARK) == set()


def test_scores_of_before_an_erasure_go_once_newer_ones_are_served(people: Source, capsys: pytest.CaptureFixture[str]) -> None:
    people.run()
    export(people.folder, "matching-v1-20200101T000000000000", "20200101T000000000000", MARK)
    export(people.folder, "matching-v2-20200102T000000000000", "20200102T000000000000", MARK, served=True)
    killed = people.folder / "bundles" / "matching" / ".writing-x"
    killed.mkdir()
    (killed / "text.npy").write_bytes(MARK.encode())
    os.utime(killed, (0, 0))
    assert erase.forget_scores() == "" and len(bundles(people.folder)) == 3, "nobody was erased"

    leave(people)
    people.run()
    erase.begin(people.contracts())
    assert erase.finish() == 1
    assert bundles(people.folder) == {"matching-v2-20200102T000000000000"}, "what is served stays"
    assert erase.main([]) == 0
    told = capsys.readouterr().out
    assert "the scores that are served, matching-v2-20200102T000000000000, are of before an erasure: export newer ones" in told

    export(people.folder, "matching-v2-29990101T000000000000", "29990101T000000000000", "blank")
    assert erase.forget_scores() != "" and holding(people.folder / "bundles", MARK) != set(), "exported, and not yet served"
    bundle.switch(people.folder / "bundles", "matching", "matching-v2-29990101T000000000000")
    assert (erase.main([]), capsys.readouterr().out) == (0, "0 closed accounts erased from raw files, marts and publications\n")
    assert bundles(people.folder) == {"matching-v2-29990101T000000000000"}


def test_command_says_how_many_were_erased(people: Source) -> None:
    done = subprocess.run([sys.executable, "-m", "pipelines.erase"], cwd=REPO, capture_output=True, text=True, timeout=180, check=False)
    assert (done.returncode, done.stdout) == (0, "0 closed accounts erased from raw files, marts and publications\n"), done.stderr


def test_people_lead_to_tables_that_have_some(people: Source) -> None:
    (people.folder / "contracts" / "other.toml").write_text(
        (people.folder / "contracts" / "other.toml").read_text() + '[people]\nid = "item"\n'
    )
    with pytest.raises(ValueError, match=r"\[people\] of other leads to no table that has a person"):
        erasure.erase_raw([1], people.contracts())


def test_a_contract_that_says_what_none_can_is_refused(people: Source) -> None:
    path = people.folder / "contracts" / "accounts_line.toml"
    path.write_text(path.read_text().replace("[people]", "[peeple]"))
    with pytest.raises(ValueError, match=r"accounts_line\.toml: peeple is no part of a contract; there are columns, history_days"):
        contracts.load(path)


@pytest.mark.django_db
def test_what_closing_erases_and_the_platform_reads_is_erased_here_too() -> None:
    """The product's own list of what closing does (tests/webapp/accounts/test_personal_data.py) against the contracts' [people]."""
    from tests.webapp.accounts.test_personal_data import ERASED, ON_CLOSING, tables_naming_a_person

    blanked = {
        "accounts_user",
        "accounts_clientprofile",
        "accounts_companydetails",
        "accounts_freelancerprofile",
        "accounts_accountclosing",
        "activity_search",
    }
    erased = {table for table, rule in ON_CLOSING.items() if rule == ERASED} | blanked
    by_table = {contract.table: contract for contract in contracts.load_all()}
    assert {table for table in erased & by_table.keys() if not by_table[table].people} == set()
    assert erased & by_table.keys() and set(by_table) & tables_naming_a_person().keys()
    erasure._owners_first(list(by_table.values()))


CLUB = {
    "club": {"name": {"kind": "CharField", "nullable": False, "max_length": 40}, "founder_id": {"kind": "BigAutoField", "nullable": False, "references": "accounts_user"}},
    "club_member": {
        "club_id": {"kind": "BigAutoField", "nullable": False, "references": "club"},
        "email": {"kind": "CharField", "nullable": True, "max_length": 191},
        "note": {"kind": "TextField", "nullable": False},
        "fee": {"kind": "DecimalField", "nullable": False, "max_digits": 10, "decimal_places": 2},
    },
}  # fmt: skip
CLUB_STAGING = {
    "staging/marketplace/stg_marketplace__clubs.sql": """
        select cast(id as bigint) as club_id, cast(name as varchar) as name
        from ({{ current_rows('club') }}) as present
    """,
    "staging/marketplace/stg_marketplace__club_members.sql": """
        select cast(id as bigint) as club_member_id, cast(club_id as bigint) as club_id, cast(fee as decimal(10, 2)) as fee
        from ({{ current_rows('club_member') }}) as present
    """,
    "published/client/client_club_fees.sql": """
        select clubs.name, sum(members.fee) as fees
        from {{ ref('stg_marketplace__clubs') }} as clubs join {{ ref('stg_marketplace__club_members') }} as members using (club_id) group by 1
    """,
    "all.yml": """
version: 2
sources: [{name: raw, schema: raw, tables: [{name: club}, {name: club_member}]}]
models: [{name: client_club_fees, config: {schema: client}, columns: [{name: name, data_type: varchar}, {name: fees, data_type: decimal}]}]
""",
}


def test_new_tables_join_by_one_contract_and_one_staging_model_each(
    source: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The recipe of docs/data-platform.md, step by step."""
    source.sql(
        f"CREATE TABLE club (id BIGINT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(40) NOT NULL, founder_id BIGINT NOT NULL, {_STAMPED})"
    )
    source.sql(
        "CREATE TABLE club_member (id BIGINT PRIMARY KEY AUTO_INCREMENT, club_id BIGINT NOT NULL, email VARCHAR(191), note LONGTEXT NOT NULL,"
        f" fee DECIMAL(10,2) NOT NULL, {_STAMPED})"
    )
    first = {"id": {"kind": "BigAutoField", "nullable": False}, "updated_at": {"kind": "DateTimeField", "nullable": False}}
    told = {
        name: {"app": "club", "key": "id", "stamp": "updated_at", "stamp_indexed": True, "append_only": False, "columns": first | more}
        for name, more in CLUB.items()
    }
    (tmp_path / "source_tables.json").write_text(json.dumps(told))
    monkeypatch.setenv("OPENLANCE_SOURCE_TABLES", str(tmp_path / "source_tables.json"))
    dbt_project(source.folder, CLUB_STAGING, monkeypatch)

    assert contracts.main(["propose", "club", "club_member"]) == 0
    by_table = {contract.table: contract for contract in source.contracts()}
    assert by_table["club"].personal_data and list(by_table["club"].columns) == ["id", "updated_at", "name", "founder_id"]
    assert by_table["club_member"].omitted == ("email", "note")
    assert set(contracts.compare(by_table["club"], {}).violations) == {"club: the table is not in the source"}

    source.sql("INSERT INTO club (name, founder_id) VALUES ('Go', 1)")
    source.sql("INSERT INTO club_member (club_id, email, note, fee) VALUES (1, 'a@example.org', '', 1.10), (1, NULL, 'x', 2.20)")
    round_of()
    assert marts_reader.connect().execute("SELECT name, CAST(fees AS VARCHAR) FROM client.club_fees").fetchall() == [("Go", "3.30")]
    assert holding(source.folder / "raw", "example.org") == set()


def test_contract_proposed_again_keeps_what_a_review_decided(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    table = description.parse(
        {"club": {"app": "club", "key": "id", "stamp": "updated_at", "stamp_indexed": True, "append_only": False, "columns": {
            "id": {"kind": "BigAutoField", "nullable": False}, "updated_at": {"kind": "DateTimeField", "nullable": False},
            "name": {"kind": "CharField", "nullable": False, "max_length": 40}, "note": {"kind": "TextField", "nullable": False},
            "picture": {"kind": "BinaryField", "nullable": False}, "extra": {"kind": "TextField", "nullable": True}}}}
    )["club"]  # fmt: skip
    reviewed = (
        'history_days = 9\nomitted = ["picture"]\n[columns]\nname = { personal = "hash" }\nnote = {}\n[people]\nid = "accounts_user"\n'
    )
    path = source.folder / "contracts" / "club.toml"
    path.write_text(description.propose(table, reviewed))
    contract = contracts.load(path)
    assert (contract.history_days, contract.people, contract.omitted) == (9, {"id": "accounts_user"}, ("picture", "extra"))
    assert contract.columns["name"].type.family == "hashed" and str(contract.columns["note"].type) == "text"
    with pytest.raises(ValueError, match=r"club\.picture: there is no type for BinaryField"):
        description.propose(table)
    with pytest.raises(ValueError, match="needs a StampedField"):
        description.propose(description.Table("club", "id", None, False, {}))
