"""The same seed makes the same rows, ids included, in databases of the same kind."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[3]
#: stamped by the wall clock, by design: when a row was written and when a rate was fetched
STAMPS = {"updated_at", "fetched_at"}
MARKET = (
    "accounts_user", "accounts_freelancerprofile", "accounts_freelancerskill", "accounts_clientprofile", "jobs_job", "jobs_jobskill",
    "jobs_proposal", "contracts_contract", "contracts_milestone", "contracts_submission", "disputes_dispute", "trust_review",
    "payments_account", "payments_accountbalance", "payments_entry", "payments_posting", "payments_fxrate", "payments_payment",
    "payments_payout", "payments_sandboxobject", "messaging_conversation", "messaging_message", "activity_impression", "activity_search",
    "activity_view",
)  # fmt: skip


def manage(var: Path, *words: str) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OPENLANCE_", "DJANGO_"))}
    env |= {"OPENLANCE_VAR": str(var), "DJANGO_SETTINGS_MODULE": "config.settings.embedded", "PYTHONPATH": "webapp"}
    done = subprocess.run([sys.executable, "webapp/manage.py", *words], cwd=REPO, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def fingerprint(var: Path) -> dict[str, str]:
    """sha256 of every row of every table of the market, in the order of their primary keys."""
    found = {}
    with sqlite3.connect(var / "db.sqlite3") as db:
        for table in MARKET:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[1] not in STAMPS]
            digest = hashlib.sha256()
            for row in db.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1"):
                digest.update(repr(row).encode())
            found[table] = digest.hexdigest()
        digest = hashlib.sha256()
        for row in db.execute(
            "SELECT id, aggregate_type, aggregate_id, version, kind, actor_id, before, after, reason, occurred_at FROM core_event ORDER BY 1"
        ):
            digest.update(repr(row).encode())
        found["core_event"] = digest.hexdigest()
    return found


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables and nothing else; tests take copies, for to migrate takes most of their time."""
    var = tmp_path_factory.mktemp("migrated")
    manage(var, "migrate", "-v0")
    return var


@pytest.fixture(scope="module")
def empty(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database with the taxonomy."""
    var = tmp_path_factory.mktemp("empty") / "var"
    shutil.copytree(migrated, var)
    manage(var, "load_taxonomy")
    return var


def run(empty: Path, target: Path, seed: int) -> tuple[dict[str, str], str]:
    shutil.copytree(empty, target)
    said = manage(target, "simulate", "--scale", "tiny", "--seed", str(seed), "--until", "2026-11-02")
    return fingerprint(target), said


def test_the_same_seed_makes_the_same_rows_and_another_seed_others(empty: Path, tmp_path: Path) -> None:
    first, said = run(empty, tmp_path / "a", 5)
    again, _ = run(empty, tmp_path / "b", 5)
    other, _ = run(empty, tmp_path / "c", 6)
    assert first == again
    # rates are facts, not chance; everything else differs
    assert {table for table in first if first[table] == other[table]} <= {"payments_fxrate", "disputes_dispute"}
    for name in ("truth_pairs", "truth_fraud", "truth_freelancers", "truth_jobs"):
        one, two = ((tmp_path / d / "simulation" / f"{name}.parquet").read_bytes() for d in "ab")
        assert one == two
    assert "Fraud planted:" in said and "writing" in said and "Released (gross):" in said


def test_a_database_without_taxonomy_is_told_what_to_do(migrated: Path, tmp_path: Path) -> None:
    shutil.copytree(migrated, tmp_path / "var")
    with pytest.raises(AssertionError, match="load_taxonomy"):
        manage(tmp_path / "var", "simulate", "--scale", "tiny")
