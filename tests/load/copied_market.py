"""Raw logs of any size: the small sample market's log, copied as often as it takes, for growth_bench.py and platform_dbt.py.

Each copy is a market of its own beside the others: its keys and what points at them are moved to a range of their own, and so are the texts that
tell rows apart (batches, keys of idempotency). What markets share is there once: categories, skills, exchange rates, fees. So joins, groups and
books are those of a market with so many times the people; what a copy does not add is days, skills and waits of other lengths.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.extract.contracts import Contract, load_all
from pipelines.extract.log import OWN, RUNS, Log, current, log_columns, select

REPO = Path(__file__).resolve().parents[2]
#: tables whose rows all markets share, by the beginning of their names, and the columns that point at them
SHARED_TABLES = ("jobs_category", "jobs_skill", "jobs_bidcreditrule", "payments_fxrate", "payments_feeschedule")
SHARED_COLUMNS = {"category_id", "skill_id", "fx_rate_id", "origin_id"}
#: texts that tell rows or groups of rows apart
NAMES = {"batch", "key", "idempotency_key", "public_id", "provider_ref", "source_key"}
EVENTS = ("activity_impression", "activity_search", "activity_view", "core_event")
#: keys of one copy lie below
SPAN = 10_000_000
SEED = 7


def environment(home: Path) -> dict[str, str]:
    """Of a process that works in `home`, on SQLite where it needs a source."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENLANCE_") or name == "OPENLANCE_SPARK_HOME"}
    return kept | {
        "OPENLANCE_VAR": str(home),
        "OPENLANCE_SQLITE": str(home / "db.sqlite3"),
        "DJANGO_SETTINGS_MODULE": "config.settings.embedded",
        "PYTHONPATH": f"{REPO}{os.pathsep}{REPO / 'webapp'}",
    }


def base(home: Path, seed: int = SEED) -> Path:
    """Make the small sample market on SQLite and extract it; returns the folder of its raw log."""
    home.mkdir(parents=True)
    manage = [sys.executable, "webapp/manage.py"]
    for command in (
        [*manage, "migrate", "--no-input"],
        [*manage, "load_taxonomy"],
        [*manage, "simulate", "--scale", "small", "--seed", str(seed)],
        [sys.executable, "-m", "pipelines.extract.run"],
    ):
        done = subprocess.run(command, cwd=REPO, env=environment(home), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command[1:])} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return home / "raw"


@dataclass(frozen=True)
class Size:
    """What a raw log holds."""

    rows: int
    events: int
    bytes: int


def _moved(name: str, kind: str, key: str) -> str:
    """A column of a copied row."""
    if name == key or (name.endswith("_id") and name not in SHARED_COLUMNS and kind.endswith("INT")):
        return f'CAST("{name}" + copy * {SPAN} AS {kind}) AS "{name}"'
    if name in NAMES and kind == "VARCHAR":
        return f'CASE WHEN copy = 0 OR "{name}" = \'\' THEN "{name}" ELSE "{name}" || \'~\' || copy END AS "{name}"'
    return f'"{name}"'


def _is_shared(table: str) -> bool:
    return table.startswith(SHARED_TABLES) or table in OWN


def _commit(raw: Path, seq: int, files: Mapping[str, Sequence[str]], low: str | None = None) -> None:
    manifest = {
        "run_seq": seq,
        "look": None,
        "tables": {table: {"low": low, "files": list(names)} for table, names in sorted(files.items())},
    }
    (raw / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def lay(source: Path, raw: Path, copies: int) -> Size:
    """Write the log at `source`, copied so many times, to the new folder `raw`."""
    log, files = Log(source), {}
    manifest = log.manifest()
    contracts: Iterable[Contract | None] = [*load_all(), None]
    with duckdb.connect(config={"memory_limit": "2GB", "preserve_insertion_order": "false", "temp_directory": str(raw / ".spill")}) as db:
        db.execute("SET TimeZone = 'UTC'")
        for contract in contracts:
            table, columns = (contract.table, log_columns(contract)) if contract else (RUNS, OWN[RUNS])
            paths = log.paths(manifest, table)
            if not paths:
                continue
            rows = select(paths, columns)
            if contract and not _is_shared(table):
                moved = ", ".join(_moved(name, kind, contract.key) for name, kind in columns.items())
                rows = f"SELECT {moved} FROM ({rows}), (SELECT range AS copy FROM range({copies}))"
            files[table] = [_write(db, raw, table, 1, rows)]
    _commit(raw, manifest.run_seq, files)
    laid = size(raw)
    if not laid.events:
        raise SystemExit(f"the copied log of {source} has no events: are OPENLANCE_CONTRACTS those of the market?")
    return laid


def change(raw: Path, share: int = 100) -> int:
    """A second run: one row in `share` of every copied table was written again since, bids with another amount; returns how many that were."""
    log, total = Log(raw), 0
    manifest = log.manifest()
    files = {table: [*entry.files] for table, entry in manifest.tables.items()}
    seq = manifest.run_seq + 1
    with duckdb.connect(config={"memory_limit": "2GB", "preserve_insertion_order": "false"}) as db:
        db.execute("SET TimeZone = 'UTC'")
        for contract in load_all():
            paths = log.paths(manifest, contract.table)
            if not paths or _is_shared(contract.table):
                continue
            made = {
                "_run_seq": str(seq),
                "_known_at": "_known_at + INTERVAL 1 HOUR",
                contract.stamp: f'"{contract.stamp}" + INTERVAL 1 MINUTE',
            }
            made |= {"amount_minor": "amount_minor + 100"} if contract.table == "jobs_proposal" else {}
            rows = ", ".join(
                f'CAST({made.get(name, chr(34) + name + chr(34))} AS {kind}) AS "{name}"' for name, kind in log_columns(contract).items()
            )
            query = f"SELECT {rows} FROM ({current(paths, contract, f'hash({contract.key}) % {share} = 0')}) WHERE _op = 'u'"
            [(found,)] = db.execute(f"SELECT count(*) FROM ({query})").fetchall()
            if found:
                files[contract.table].append(_write(db, raw, contract.table, seq, query))
                total += found
        runs = select(log.paths(manifest, RUNS), OWN[RUNS])
        later = (
            f"SELECT * REPLACE ({seq} AS run_seq, known_at + INTERVAL 1 HOUR AS known_at) FROM ({runs}) WHERE run_seq = {manifest.run_seq}"
        )
        files[RUNS].append(_write(db, raw, RUNS, seq, later))
    _commit(raw, seq, files)
    return total


def _write(db: duckdb.DuckDBPyConnection, raw: Path, table: str, seq: int, rows: str) -> str:
    path = raw / table / f"{seq:08d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    db.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    return str(path.relative_to(raw))


def size(raw: Path) -> Size:
    """Rows, events and bytes of a raw log."""
    log = Log(raw)
    manifest = log.manifest()
    counts = {}
    with duckdb.connect() as db:
        for table in manifest.tables:
            listed = ", ".join(f"'{path}'" for path in log.paths(manifest, table))
            if not listed:
                continue
            [(counts[table],)] = db.execute(f"SELECT count(*) FROM read_parquet([{listed}], hive_partitioning = false)").fetchall()
    return Size(sum(counts.values()), sum(counts.get(table, 0) for table in EVENTS), folder_bytes(raw))


def folder_bytes(folder: Path) -> int:
    """Of all files below a folder, or of one file; 0 when there is none."""
    if folder.is_file():
        return folder.stat().st_size
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# --------------------------------------------------------------------------- a process and what it starts, watched


@dataclass(frozen=True)
class Used:
    """What a process and all that it started took: wall clock, processor, and the most memory that all had at one moment."""

    seconds: float
    cpu: float
    peak_mb: int
    said: str


def watched(command: Sequence[str], env: Mapping[str, str]) -> Used:
    """Run it to its end. Raises SystemExit with what it said when it fails."""
    began, before, cpu, peak = time.perf_counter(), _children(), {}, 0
    process = subprocess.Popen(command, cwd=REPO, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True)
    reader.start()
    while process.poll() is None:
        resident = 0
        for pid, ticks, pages in _family(process.pid):
            cpu[pid] = ticks
            resident += pages
        peak = max(peak, resident)
        time.sleep(0.2)
    reader.join(timeout=10)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{''.join(said)[-4000:]}")
    page, tick = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
    # what was seen while it ran misses what began and ended between two looks; what the system counted misses children that nobody waited for
    used = max(sum(cpu.values()) / tick, _children() - before)
    return Used(time.perf_counter() - began, used, peak * page // 2**20, "".join(said))


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _family(root: int) -> list[tuple[int, int, int]]:
    """(process, ticks of the processor, resident pages) of a process and its descendants."""
    known: dict[int, tuple[int, int, int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            known[int(entry.name)] = (int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[21]))
    family, grown = {root}, True
    while grown:
        more = {pid for pid, (parent, *_) in known.items() if parent in family} - family
        family, grown = family | more, bool(more)
    return [(pid, known[pid][1], known[pid][2]) for pid in family if pid in known]
