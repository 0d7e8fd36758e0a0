"""The gate before the log, and what it set aside.

A batch with a finding worth it does not enter the log: its table's mark stays where it was, so that nothing is lost, a copy with the findings
lies under `quality/quarantine/<table>/`, and the other tables go on. What is made from the table stands still (affected) until somebody
decides. Each run looks again at what the mark then covers, so that a source mended by itself is let in by itself, also when nothing is left to
let in. Rows that only a comparison with the source can find are looked at again by the next comparison; till then table and release wait.

To release is to accept the findings by name: a later batch with another fault is set aside again. To drop forgets the copy and nothing else.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from .. import files, paths
from ..extract.contracts import Contract
from ..extract.log import Log
from ..extract.run import Reach
from ..settings import Quality
from . import alerts, incidents
from .checks import Awake, Finding, check_batch, check_runs

_BATCH, _WHY, _ACCEPTED = "batch.parquet", "findings.json", "accepted.json"


def folder() -> Path:
    """One folder a table that has something set aside or accepted."""
    return paths.var() / "quality" / "quarantine"


def held_tables() -> list[str]:
    """Tables with a batch set aside."""
    return sorted(path.parent.name for path in folder().glob(f"*/{_WHY}"))


def waiting_tables() -> list[str]:
    """Tables of which the log lacks what the others tell of: those with a batch set aside, and those stopped after they had been read.

    What is made of them stays as it was, so that nobody sees some tables go on without the others. One that never was read holds back nothing.
    """
    known = Log(paths.raw()).manifest().tables
    return sorted({*held_tables(), *(table for table, entry in known.items() if entry.stopped and entry.low is not None)})


def held() -> list[dict[str, Any]]:
    """What is set aside: table, since, at, rows, run_seq, findings."""
    return [files.read_json(folder() / table / _WHY) or {} for table in held_tables()]


class UnknownTable(ValueError):
    """Nothing of that table is set aside."""


def release(table: str, *, who: str, reason: str) -> list[Finding]:
    """Accept the findings of the batch that is set aside: the next run takes it in. Returns them. Raises UnknownTable."""
    why = _why(table)
    findings = [Finding(**found) for found in why["findings"]]
    files.write_json(folder() / table / _ACCEPTED, {"who": who, "reason": reason, "findings": [[f.check, f.column] for f in findings]})
    alerts.record("released", table, findings, {"who": who, "reason": reason})
    return findings


def drop(table: str, *, who: str, reason: str) -> list[Finding]:
    """Forget the copy; the next run reads from the kept mark and checks what it finds. Returns the findings. Raises UnknownTable."""
    findings = [Finding(**found) for found in _why(table)["findings"]]
    shutil.rmtree(folder() / table)
    alerts.record("dropped", table, findings, {"who": who, "reason": reason})
    return findings


def forget_copies(tables: Iterable[str]) -> list[str]:
    """Remove the copies of these tables' batches, whole or half written; returns the files' names. Findings and releases stay: the mark was not
    moved, so the next run reads the rows again and judges what they are by then.
    """
    copies = [path for table in tables for path in sorted((folder() / table).glob(f"*{_BATCH}*"))]
    for path in copies:
        path.unlink()
    return [str(path.relative_to(folder())) for path in copies]


def _why(table: str) -> dict[str, Any]:
    found = files.read_json(folder() / table / _WHY) if table in held_tables() else None
    if found is None:
        raise UnknownTable(f"nothing of {table!r} is set aside; set aside are: {', '.join(held_tables()) or 'no tables'}")
    return dict(found)


class Gate:
    """Looks at each batch of one run. Give it to the extraction."""

    def __init__(self, settings: Quality) -> None:
        self._settings = settings
        self._settled: list[str] = []
        self._found: list[Finding] = []
        self._incidents: list[incidents.Incident] = []
        self._runs: dict[str, list[tuple[datetime, int]]] | None = None
        self._awake = Awake([], 0)

    def inspect(
        self,
        db: duckdb.DuckDBPyConnection,
        contract: Contract,
        history: str,
        runs: str,
        counts: tuple[int, int],
        run_seq: int,
        at: datetime,
        reach: Reach,
    ) -> str:
        """ "" when the batch in `staged` may enter the log, else why it was set aside. `history` and `runs` are SQL of the log so far."""
        if self._runs is None:
            self._runs = {}
            past = f'SELECT "table", known_at, rows + deletes FROM ({runs}) WHERE rows + deletes > 0 ORDER BY run_seq'
            for table, when, rows in db.execute(past).fetchall():
                self._runs.setdefault(table, []).append((when, rows))
            made = db.execute(f"SELECT DISTINCT known_at FROM ({runs}) ORDER BY 1").fetchall()
            self._awake = Awake([when for (when,) in made], self._settings.silence_hours * 3600)
        earlier = self._runs.get(contract.table, [])
        # the first batch is the table as it stood
        if not earlier:
            return ""
        findings = check_runs(contract.table, earlier[1:], self._awake, at, sum(counts), self._settings)
        if any(counts):
            names = ", ".join(f'"{name}"' for name in contract.columns)
            batch = f"SELECT {names} FROM staged WHERE _op = 'u'"
            findings += check_batch(db, contract, batch, history, counts[1], self._settings)
        return self._decide(db, contract.table, findings, sum(counts), run_seq, at, reach)

    def _decide(
        self, db: duckdb.DuckDBPyConnection, table: str, findings: list[Finding], rows: int, run_seq: int, at: datetime, reach: Reach
    ) -> str:
        place = folder() / table
        accepted = {tuple(pair) for pair in (files.read_json(place / _ACCEPTED) or {"findings": []})["findings"]}
        before = files.read_json(place / _WHY) or {}
        bad = [finding for finding in findings if finding.held and (finding.check, finding.column) not in accepted]
        warned = alerts.unheard([finding for finding in findings if not finding.held], at)
        if warned:
            alerts.record("warned", table, warned, {"run_seq": run_seq}, at=at)
        self._found += warned
        if not bad:
            used = any((finding.check, finding.column) in accepted for finding in findings)
            # a run that did not look where the batch was found cannot tell that it is gone
            if place.is_dir() and (used or reach.compared or not before.get("beyond")):
                self._settled.append(table)
            return ""
        place.mkdir(parents=True, exist_ok=True)
        temporary = place / f".{_BATCH}.{os.getpid()}"
        db.execute(f"COPY (SELECT * FROM staged) TO '{temporary}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")
        temporary.replace(place / _BATCH)
        why = {
            "table": table,
            "since": before.get("since", at.isoformat()),
            "at": at.isoformat(),
            "run_seq": run_seq,
            "rows": rows,
            "beyond": reach.beyond or (bool(before.get("beyond")) and not reach.compared),
            "findings": [asdict(finding) for finding in bad],
        }
        files.write_json(place / _WHY, why)
        known = {(found["check"], found["column"]) for found in before.get("findings", [])}
        if new := [finding for finding in bad if (finding.check, finding.column) not in known]:
            self._found += new
            alerts.record("set aside", table, new, {"run_seq": run_seq, "batch": str(place / _BATCH)}, at=at)
        return "set aside: " + "; ".join(finding.line for finding in bad)

    def findings(self) -> list[tuple[Any, ...]]:
        """What this run told, each once: see extract.run.Gate."""
        return [(f.table, f.check, f.column, f.severity, f.value, f.threshold, f.rows, f.message) for f in self._found]

    def incidents(self) -> list[tuple[Any, ...]]:
        """See extract.run.Gate."""
        self._incidents = incidents.untold()
        return [incidents.row(one) for one in self._incidents]

    def committed(self) -> None:
        """The run's log stands: what was let in is no longer set aside, and what was accepted for it is used up."""
        for table in self._settled:
            why = files.read_json(folder() / table / _WHY)
            shutil.rmtree(folder() / table, ignore_errors=True)
            if why:
                alerts.record("let in", table, [Finding(**found) for found in why["findings"]], {})
        self._settled.clear()
        incidents.told(self._incidents)
