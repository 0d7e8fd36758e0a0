"""The dbt project is made anew for each check: its tests are ours (project/macros), its sources come from the extraction's contracts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .. import files, paths, tls
from ..extract.contracts import Column, Contract, load_all
from ..refusals import Refused

PROJECT = Path(__file__).with_name("project")
OVER_TLS = Path(__file__).with_name("dbt_over_tls.py")
#: Tables that change all day, and after how many hours of silence somebody should look. A quiet table of another kind is no fault.
BUSY = {"jobs_proposal": (1, 24), "payments_entry": (1, 24), "activity_impression": (1, 24), "activity_view": (1, 24)}
#: dbt takes the year 1 for the last write to an empty table.
_EVER = 1_000_000
_PROBLEM = re.compile(r"PROBLEM\|([^|]*)\|([^|]*)\|(.*)$")
#: What each logical type may be called in information_schema.columns.data_type. Booleans are tinyint, JSON is text on MariaDB.
_WORDS = {
    "boolean": ["tinyint"],
    "integer": ["int"],
    "timestamp": ["datetime"],
    "text": ["longtext", "mediumtext", "text"],
    "json": ["longtext", "json"],
    "uuid": ["uuid", "char", "varchar"],
    "double": ["double"],
    "date": ["date"],
    "varchar": ["varchar"],
    "decimal": ["decimal"],
}


class NotInstalled(Refused):
    """dbt-mysql is not there; the message says how to get it."""


class Failed(Refused):
    """dbt could not check: no connection, or an error of its own. Says nothing about the contracts."""


@dataclass
class Report:
    """`problems`: (table, column or key, what is wrong) of contracts that are broken; `stale`: what was told of quiet tables."""

    tables: int
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)


def packages() -> Path:
    """The folder of dbt-mysql and all it needs."""
    return Path(os.environ.get("OPENLANCE_DBT_MYSQL_HOME") or paths.REPO / "var" / "tools" / "dbt-mysql").absolute()


def missing() -> str:
    """Why no check is possible; "" when it is."""
    if (packages() / "dbt" / "adapters" / "mariadb").is_dir():
        return ""
    return f"dbt-mysql is not in {packages()} (make source-check installs requirements/dbt-mysql.txt there)"


def check() -> Report:
    """Every contract's table against the database of the environment, then the freshness of the busy ones.

    Raises NotInstalled, or Failed when dbt ended without a verdict.
    """
    lacking = missing()
    if lacking:
        raise NotInstalled(lacking)
    try:
        tls.authority()
    except tls.NoCertificate as unreadable:
        raise Failed(str(unreadable)) from unreadable
    contracts = load_all()
    home = paths.var() / "work" / "source_checks"
    _write_project(home, contracts)
    report = Report(len(contracts))
    told = _dbt(home, "test")
    for line in told.splitlines():
        if found := _PROBLEM.search(line):
            report.problems.append((found[1], found[2], found[3].strip()))
    broken = {table for table, _, _ in report.problems}
    results = _artefact(home, "run_results")
    # a table or stamp that is gone is a problem of its contract, and no second one that its rows cannot be read
    errors = [
        r for r in results if r["status"] == "error" and not any(f"{table}_stamps_are_not_ahead" in r["unique_id"] for table in broken)
    ]
    if len(results) < 2 * len(contracts) or errors:
        raise Failed("dbt could not check the source:\n" + "\n".join(told.splitlines()[-12:]))
    told = _dbt(home, "source", "freshness")
    for source in _artefact(home, "sources"):
        table = source["unique_id"].rsplit(".", 1)[1]
        if source["status"] == "runtime error" and table not in broken:
            raise Failed("dbt could not read how fresh the source is:\n" + "\n".join(told.splitlines()[-12:]))
        if source["status"] in ("warn", "error"):
            hours = source["max_loaded_at_time_ago_in_s"] / 3600
            report.stale.append(f"{table}: " + ("it is empty" if hours > _EVER else f"nothing was written for {hours:.1f} hours"))
    return report


def _write_project(home: Path, contracts: list[Contract]) -> None:
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(PROJECT, home)
    (home / "models").mkdir()
    (home / "models" / "sources.yml").write_text(yaml.safe_dump(sources(contracts), sort_keys=False), encoding="utf-8")
    (home / "profiles.yml").write_text(yaml.safe_dump(_profile()), encoding="utf-8")


def sources(contracts: list[Contract]) -> dict[str, Any]:
    """dbt's description of the sources: for each contract its structure, and for busy tables the silence that is still no news."""
    tables = []
    for contract in contracts:
        table: dict[str, Any] = {
            "name": contract.table,
            "tests": [
                {
                    "keeps_contract": {
                        "name": f"{contract.table}_keeps_its_contract",
                        "columns": {name: expected(column) for name, column in contract.columns.items()},
                        "key": contract.key,
                        "stamp": contract.stamp,
                    }
                },
                {"stamps_are_not_ahead": {"name": f"{contract.table}_stamps_are_not_ahead", "stamp": contract.stamp}},
            ],
        }
        if contract.table in BUSY:
            warn, error = BUSY[contract.table]
            table["freshness"] = {"warn_after": {"count": warn, "period": "hour"}, "error_after": {"count": error, "period": "hour"}}
            # stamps are UTC; dbt compares with the server's clock in the server's zone
            table["loaded_at_field"] = f"convert_tz({contract.stamp}, '+00:00', @@session.time_zone)"
        tables.append(table)
    return {"version": 2, "sources": [{"name": "operational", "schema": "{{ target.schema }}", "tables": tables}]}


def expected(column: Column) -> dict[str, Any]:
    """What information_schema must say of a column."""
    type_ = column.declared
    family = type_.family
    words = _WORDS.get(family) or [family.removeprefix("u")]
    unsigned = family.startswith("u") and family != "uuid"
    if family == "uinteger":
        words = ["int"]
    found: dict[str, Any] = {"types": words, "nullable": column.nullable, "unsigned": unsigned}
    if family == "varchar":
        found["length"] = type_.length
    if family == "decimal":
        found["length"], found["scale"] = type_.length, type_.scale
    if family == "timestamp":
        found["scale"] = 6
    return found


def _profile() -> dict[str, Any]:
    output: dict[str, Any] = {
        "type": "mariadb",
        "schema": os.environ.get("OPENLANCE_DB_NAME", "openlance"),
        "username": os.environ.get("OPENLANCE_DB_USER", "root"),
        "password": "{{ env_var('OPENLANCE_DB_PASSWORD', '') }}",
        "charset": "utf8mb4",
        "collation": "utf8mb4_general_ci",
        "ssl_disabled": tls.authority() is None,
        "threads": 1,
    }
    if socket := os.environ.get("OPENLANCE_DB_SOCKET", ""):
        output["unix_socket"] = socket
    else:
        output |= {"server": os.environ.get("OPENLANCE_DB_HOST", "127.0.0.1"), "port": int(os.environ.get("OPENLANCE_DB_PORT", "3306"))}
    return {"source_checks": {"target": "operational", "outputs": {"operational": output}}}


def _dbt(home: Path, *arguments: str) -> str:
    """What dbt said; whether all was well is in its artefacts. -S: none of the environment's packages is seen."""
    quiet = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1", "PYTHONPATH": str(packages()), "PYTHONDONTWRITEBYTECODE": "1"}
    places = ["--project-dir", str(home), "--profiles-dir", str(home), "--target-path", str(home / "target"), "--log-path", str(home)]
    dbt = ["-m", "dbt.cli.main"]
    if authority := tls.authority():
        dbt, quiet = ["-P", str(OVER_TLS)], quiet | {tls.VARIABLE: str(authority)}
    command = [sys.executable, "-S", *dbt, "--no-version-check", "--no-use-colors", *arguments, *places]
    done = subprocess.run(command, env=os.environ | quiet, cwd=home, capture_output=True, text=True, check=False)
    (home / f"{arguments[0]}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    return done.stdout + done.stderr


def _artefact(home: Path, name: str) -> list[dict[str, Any]]:
    return list((files.read_json(home / "target" / f"{name}.json") or json.loads('{"results": []}'))["results"])
