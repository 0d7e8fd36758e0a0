"""Two people leave the sample house: nothing personal of them is left in any file of the platform, built by the real project."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import paths, rounds, transform
from pipelines.extract import erasure
from pipelines.extract.contracts import load_all
from pipelines.extract.types import hash_key
from tests import house_people
from tests.conftest import REPO, sample_house_env


def keyed(value: str) -> str:
    """As the log holds a hashed column."""
    return hashlib.sha256(f"{hash_key()}\x1f{value}".encode()).hexdigest()


HASHES = {
    "the place to be paid": keyed(house_people.PLACE),
    "the tax number": keyed(house_people.VAT_ID),
    "the file": keyed(hashlib.sha256(f"{house_people.PREFIX}file".encode()).hexdigest()),
}
WORDS = {f"{house_people.PREFIX}{word}": word for word in house_people.READ | house_people.NEVER_READ}
WORDS |= {value: what for what, value in HASHES.items()}
WORDS |= {house_people.VAT_ID: "the tax number in the clear", house_people.PLACE: "the place in the clear"}
PATTERN = "|".join(re.escape(word) for word in sorted(WORDS, key=len, reverse=True))


#: What leaves the product of an event.
EVENT_COLUMNS = {
    *("id", "aggregate_type", "aggregate_id", "version", "kind", "actor_id", "state_before", "state_after", "occurred_at", "created_at"),
}
#: What events of the sample house say beside the state, and no column of the log takes.
STAYING = {
    *("amount_minor", "auto_approve_at", "by_clock", "cleared_at", "clears_at", "contract_id", "currency", "decide_by", "failure_code"),
    *(
        "fields",
        "held_minor",
        "job_id",
        "milestone_id",
        "milestones",
        "proposal_id",
        "provider",
        "purpose",
        "purpose_id",
        "reasons",
        "source",
    ),
    *("subject_id", "task_id", "title", "to_client_minor", "to_freelancer_minor", "total_minor", "user_id", "version"),
    # of those that house_people tells
    *("answers", "files", "label", "last4", "vat_id"),
}
#: A batch that was set aside, and scores of a publication of before.
COPY = "quality/quarantine/accounts_freelancerprofile/batch.parquet"
SCORES = "bundles/matching/matching-v1-20200101T000000000000/model.json"


def held(folder: Path) -> dict[str, set[str]]:
    """File → the personal values it holds: in its bytes, and in the rows of Parquet and DuckDB, whose bytes are compressed."""
    found: dict[str, set[str]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("db.sqlite3")):
        words = {word.decode() for word in re.findall(PATTERN.encode(), path.read_bytes())}
        if path.suffix == ".parquet":
            with duckdb.connect() as db:
                words |= _rows(db, f"read_parquet('{path}')")
        elif path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as db:
                names = db.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
                for schema, name in names:
                    words |= _rows(db, f'"{schema}"."{name}"')
        if words:
            found[str(path.relative_to(folder))] = {WORDS[word] for word in words}
    return found


def _rows(db: duckdb.DuckDBPyConnection, relation: str) -> set[str]:
    query = f"SELECT DISTINCT unnest(regexp_extract_all(CAST(r AS VARCHAR), ?)) FROM {relation} AS r"
    return {word for (word,) in db.execute(query, [PATTERN]).fetchall()}


def below(found: dict[str, set[str]], part: str) -> set[str]:
    return set().union(*(words for name, words in found.items() if name.startswith(part)))


@pytest.fixture
def people(sample_house: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((sample_house / "people.json").read_text())
    return found


@pytest.fixture
def house(sample_house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sample house whose accounts and platform may change, with what else a house may have left: files of killed acts, Spark's tables."""
    home = tmp_path / "house"
    home.mkdir()
    with closing(sqlite3.connect(sample_house / "db.sqlite3")) as source, closing(sqlite3.connect(home / "db.sqlite3")) as copy:
        source.backup(copy)
    for part in ("raw", "work", "published"):
        shutil.copytree(sample_house / part, home / part)
    overview = f"{house_people.PREFIX}overview"
    for left in ("raw/.staging/part.parquet", "work/spark/warehouse/science.db/feat_freelancers/part.parquet", COPY):
        (home / left).parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect() as db:
            db.execute(f"COPY (SELECT '{overview}' AS overview) TO '{home / left}' (FORMAT parquet)")
    for left in (
        "published/.spill/duckdb_temp_storage.tmp",
        "published/staff/parts/.science.feat_freelancers.12",
        "work/spark/spark.log",
        SCORES,
    ):
        (home / left).parent.mkdir(parents=True, exist_ok=True)
        (home / left).write_text(overview)
    for name, value in sample_house_env(home).items():
        monkeypatch.setenv(name, value)
    for name in ("OPENLANCE_CONTRACTS", "OPENLANCE_DBT_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    # the hour that the product's other apps get is tested where accounts become due
    monkeypatch.setattr(erasure, "SETTLED", timedelta(0))
    return home


def without_tests(arguments: list[str]) -> Generator[str, None, int]:
    """dbt as always, but for the tests of the data, which other suites run."""
    return (yield from transform.cold([*arguments, "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]))


def test_what_an_event_says_stays_in_the_product_but_for_states(sample_house: Path) -> None:
    """The log has the columns of this list and no others; a state is a word of a machine, whatever else the event says."""
    assert set(next(c for c in load_all() if c.table == "core_event").columns) == EVENT_COLUMNS
    with closing(sqlite3.connect(sample_house / "db.sqlite3")) as db:
        said = [tuple(map(json.loads, row)) for row in db.execute("SELECT before, after FROM core_event ORDER BY id")]
        moved = list(db.execute("SELECT state_before, state_after FROM core_event ORDER BY id"))
    words = set(re.findall(PATTERN, str(said)))
    assert {WORDS[word] for word in words} == {"answer", "part", "label", "card", "attached", "task", "the tax number in the clear"}
    told = [(before.get("state"), after.get("state")) for before, after in said]
    assert moved == told and ("offered", "active") in moved
    states = {state for row in moved for state in row if state is not None}
    assert all(re.fullmatch("[a-z_]{2,20}", state) for state in states), states
    # posts are imported where the real ones are at hand
    assert {key for row in said for one in row for key in one} - {"state", "import_source"} == STAYING


def test_nothing_personal_of_whoever_left_is_in_any_file_of_the_platform(house: Path, people: dict[str, Any]) -> None:
    before = held(house)
    assert below(before, "raw/") == house_people.READ | HASHES.keys(), "in the log, and nothing beside it"
    assert below(before, "published/staff/parts/science.") == {"title", "overview"}
    assert {"title", "overview"} <= below(before, "work/warehouse.duckdb")
    assert below(before, "quality/quarantine/") == below(before, "bundles/") == {"overview"}

    leave = [sys.executable, "-m", "tests.house_people", "close", str(people["freelancer"]), str(people["client"])]
    left = subprocess.run(leave, cwd=REPO, capture_output=True, text=True, check=False)
    assert left.returncode == 0, left.stderr
    assert not rounds.extracted(reconcile=False).stopped
    rounds.built(runner=without_tests)
    done = rounds.published()

    assert held(house) == {}
    assert (erasure.due(load_all()), erasure.unfinished()) == ([], [])
    told = json.loads((paths.raw() / erasure.RECORD).read_text())
    assert len(told) == 2 and all(one["finished_at"] for one in told.values())
    assert [path.name for path in (house / "published" / "staff").glob("marts-*")] == [f"marts-{done.publish_id}.duckdb"]

    from ml.datasets.published import training_frames

    frames = training_frames()
    assert frames.publish_id == done.publish_id
    learnt = "".join(str(frame.rows()) for frame in (frames.pairs, frames.freelancers, frames.jobs))
    assert not re.search(PATTERN, learnt), "the next training set"
    mine = frames.freelancers.filter(frames.freelancers["freelancer_id"] == people["freelancer"])
    assert mine.rows(named=True)[0]["text"].strip() == "Closed account"
    # what the other side's record needs stays
    from pipelines import marts_reader

    with marts_reader.connect() as db:
        kept = db.execute("SELECT title FROM client.jobs WHERE job_id = ?", [people["kept_job"]]).fetchall()
    assert kept == [(people["kept_title"],)]
