"""make bench NAME=platform: what extraction costs beside the bare client and beside dlt, and what following small changes costs.

A table of 13 columns (exact decimals, microseconds, text with line breaks and four-byte characters, NULLs) made from a seed in a MariaDB of the
bench's own with a buffer pool of 2 GB. In each round: `floor`, the client that throws the rows away (`mariadb --quick -e 'select *'`); `full`, our
extraction into an empty log with the source's checksum, Parquet and manifest; dlt's backends into Parquet. Processes are fresh each time and start-
up is left out of ours and of dlt's alike. What dlt wrote in the first round is compared with the source's rows, value by value: `ours_over_dlt` is
beside the fastest backend, `ours_over_dlt_right` beside the fastest of which no row is wrong: connectorx cuts decimals, `connectorx_exact` asks for
them as text. All of them reach the server by TCP on this machine,
the only way that all of them have. `cpu_over_floor` and `cpu_over_dlt` compare the processor's seconds, the server's and the client's together:
they say the same on a machine that does other work. Then 1 % of the rows change, scattered over the keys, again and again: `incremental` is the run
that follows them, and `reconcile` the comparison of every block with the source, reported apart. Then dbt builds the marts of 5 million events
whole and after 1 % changed rows (platform_dbt.py). At last what the pages ask is asked of publications of markets of 5 and 50 million events
(platform_queries.py): `query_p95_ms` is that of the slowest question.

    python tests/load/platform_bench.py [--rows 5000000] [--rounds 3] [--changes 5] [--seed 1] [--without sqlalchemy,pandas] [--events 5,50] [--dbt-events 5]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "webapp")]
HOME = REPO / "var" / "bench" / "platform"
RESULT = REPO / "var" / "bench" / "platform.json"
DATABASE, TABLE = "openlance_bench_platform", "event"
BACKENDS = ("connectorx", "connectorx_exact", "pyarrow", "pandas", "sqlalchemy")
#: These take many times as long as the fastest: once is enough to see that.
ONCE = ("pandas", "sqlalchemy")
WANTED = {
    "ours_over_floor": 1.25,
    "ours_over_dlt": 0.8,
    "ours_over_dlt_right": 0.8,
    "incremental_over_full": 0.08,
    "peak_mb": 4096,
    "query_p95_ms_50m": 300,
}

COLUMNS = {
    "id": ("BIGINT PRIMARY KEY", "bigint", False),
    "updated_at": ("DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)", "timestamp", False),
    "created_at": ("DATETIME(6) NOT NULL", "timestamp", False),
    "user_id": ("BIGINT UNSIGNED", "ubigint", True),
    "kind": ("VARCHAR(32) NOT NULL", "varchar(32)", False),
    "title": ("VARCHAR(200) NOT NULL", "varchar(200)", False),
    "body": ("LONGTEXT", "text", True),
    "amount": ("DECIMAL(24,12)", "decimal(24,12)", True),
    "price_minor": ("BIGINT NOT NULL", "bigint", False),
    "ratio": ("DOUBLE", "double", True),
    "visible": ("TINYINT(1) NOT NULL", "boolean", False),
    "position": ("SMALLINT UNSIGNED NOT NULL", "usmallint", False),
    "day": ("DATE", "date", True),
}


def values(seed: int) -> str:
    """The rows in SQL: every figure is a CRC32 of the seed, the column and the number of the row."""

    def any_of(column: str) -> str:
        return f"CRC32(CONCAT('{seed}{column}', seq))"

    return (
        f"seq, '2026-01-01' + INTERVAL ({any_of('u')} MOD 20000000) SECOND + INTERVAL ({any_of('m')} MOD 1000000) MICROSECOND,"
        f" '2025-01-01' + INTERVAL seq SECOND + INTERVAL ({any_of('c')} MOD 1000000) MICROSECOND, NULLIF({any_of('o')} MOD 200000, 0),"
        f" ELT(1 + {any_of('k')} MOD 4, 'search', 'home', 'digest', 'invite'), CONCAT('Größe 🦉 ', MD5({any_of('t')})),"
        f" IF({any_of('b')} MOD 5 = 0, NULL, CONCAT('first line ', MD5({any_of('x')}), '\\n\"second\", \\\\')),"
        f" IF(seq MOD 7 = 0, NULL, CONCAT({any_of('a')}, '.', LPAD({any_of('d')}, 12, '0'))), CAST({any_of('p')} AS SIGNED) - 2000000000,"
        f" IF(seq MOD 9 = 0, NULL, {any_of('r')} / 4294967296), seq MOD 2, seq MOD 50000,"
        " IF(seq MOD 11 = 0, NULL, '2020-01-01' + INTERVAL (seq MOD 2000) DAY)"
    )


def step(what: str) -> None:
    print(f"· {what}", flush=True)


def connect(database: str | None = DATABASE) -> Any:
    import MySQLdb

    options = {"db": database} if database else {}
    return MySQLdb.connect(
        user="root", passwd="", host="127.0.0.1", port=int(os.environ["OPENLANCE_DB_PORT"]), charset="utf8mb4", autocommit=True, **options
    )


def lay_table(rows: int, seed: int) -> None:
    control = connect(None)
    control.query(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    control.select_db(DATABASE)
    control.query("SET SESSION time_zone = '+00:00'")
    declared = ", ".join(f"{name} {spec[0]}" for name, spec in COLUMNS.items())
    control.query(f"CREATE TABLE {TABLE} ({declared}, KEY stamp (updated_at, id))")
    for first in range(1, rows + 1, 250_000):
        last = min(rows, first + 249_999)
        control.query(f"INSERT INTO {TABLE} SELECT {values(seed)} FROM seq_{first}_to_{last}")
    control.query(f"ANALYZE TABLE {TABLE}")
    control.store_result()
    # neither side is to share the disk with the server's writing
    control.query("SET GLOBAL innodb_max_dirty_pages_pct = 0, innodb_max_dirty_pages_pct_lwm = 0")
    settle(control, "Innodb_buffer_pool_pages_dirty", 100)
    control.query("SET GLOBAL innodb_max_dirty_pages_pct = DEFAULT, innodb_max_dirty_pages_pct_lwm = DEFAULT")
    os.sync()
    control.close()


def settle(control: Any, status: str, most: int) -> None:
    """Wait until no more than `most` is left of what the server does after a change, in whose time no pipeline would run."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        control.query(f"SHOW GLOBAL STATUS LIKE '{status}'")
        [(_, left)] = control.store_result().fetch_row(maxrows=0)
        if int(left) <= most:
            return
        time.sleep(0.2)
    raise SystemExit(f"{status} was still {left} after five minutes")


def write_contract(folder: Path) -> None:
    folder.mkdir(parents=True)
    lines = [f'table = "{TABLE}"', 'key = "id"', 'stamp = "updated_at"', "personal_data = false", "[columns]"]
    lines += [f'{name} = {{ type = "{kind}", nullable = {str(null).lower()} }}' for name, (_, kind, null) in COLUMNS.items()]
    (folder / f"{TABLE}.toml").write_text("\n".join(lines) + "\n")


# --------------------------------------------------------------------------- what runs in processes of its own


def child(*arguments: str, path: str = "") -> dict[str, Any]:
    """A fresh process of ours; what its last line says."""
    env = (
        os.environ
        | {"OPENLANCE_DB_SOCKET": ""}
        | ({"PYTHONPATH": f"{path}{os.pathsep}{REPO}"} if path else {"PYTHONPATH": f"{REPO}{os.pathsep}{REPO / 'webapp'}"})
    )
    done = subprocess.run([sys.executable, *arguments], cwd=REPO, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def cpu() -> float:
    """Seconds of the processor that this process and its children have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def server_cpu() -> float:
    """Seconds of the processor that the server has used."""
    pid = (HOME / "db" / "mysqld.pid").read_text().strip()
    used = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


def timed(**options: Any) -> tuple[float, Any]:
    from pipelines.extract.run import extract

    begin = time.perf_counter()
    report = extract(**options)
    seconds = time.perf_counter() - begin
    if report.stopped:
        raise SystemExit(f"stopped: {report.stopped[0].stopped}")
    return seconds, report


def full() -> dict[str, Any]:
    """The first load. Modules are there before the clock starts."""
    import MySQLdb  # noqa: F401
    import pandas  # noqa: F401 — DuckDB and pyarrow bring it in once they see Python's values
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401

    before = cpu()
    seconds, report = timed()
    return {
        "seconds": seconds,
        "cpu": cpu() - before,
        "rows": report.tables[0].rows,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def follow(rounds: int, seed: int) -> dict[str, Any]:
    """1 % of the rows change and a run follows, `rounds` times; at the end everything is compared with the source."""
    from pipelines import paths
    from pipelines.extract import sources
    from pipelines.extract.changes import block_checksums, source_checksums, work_connection
    from pipelines.extract.contracts import load_all
    from pipelines.extract.log import Log, current

    control = connect()
    timed(reconcile=False)  # so that nothing is imported or planned for the first time below
    seconds, rows, warm = [], [], []
    for number in range(rounds):
        low = Log(paths.raw()).manifest().tables[TABLE].low
        control.query(f"UPDATE {TABLE} SET price_minor = price_minor + 1 WHERE CRC32(CONCAT('{seed}s', id)) MOD 100 = {number % 100}")
        # rows of before are removed in the background; a pipeline that runs each minute seldom meets that
        settle(control, "Innodb_history_list_length", 100)
        begin = time.perf_counter()
        control.query(f"SELECT * FROM {TABLE} WHERE updated_at >= '{low}'")
        control.store_result().fetch_row(maxrows=0)
        warm.append(time.perf_counter() - begin)
        took, report = timed(reconcile=False)
        seconds.append(took)
        rows.append(report.tables[0].rows)
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    reconcile, report = timed(reconcile=True)
    drift = report.tables[0].repaired + report.tables[0].drift
    [contract] = load_all()
    log = Log(paths.raw())
    db = work_connection(log.staging)
    with sources.connect() as source, source.snapshot() as snapshot:
        held = block_checksums(db, contract, f"SELECT * FROM ({current(log.paths(log.manifest(), TABLE), contract)}) WHERE _op = 'u'")
        equal = held == source_checksums(snapshot, contract)
    return {
        "seconds": seconds, "rows": rows, "warm": warm, "peak_mb": peak, "reconcile": reconcile, "drift_rows": drift, "equal": equal,
        "reconcile_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }  # fmt: skip


def questions(events: int, seed: int) -> dict[str, Any]:
    """p95 of each question in milliseconds, by the clock and of the processor."""
    from tests.load import platform_queries

    folder = HOME / "queries"
    try:
        times = platform_queries.ask(platform_queries.lay(folder, events, seed), events, seed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {name: {which: platform_queries.p95(some) for which, some in one.items()} for name, one in times.items()}


# --------------------------------------------------------------------------- the bench


def floor() -> dict[str, float]:
    address = ["--protocol=tcp", "--host=127.0.0.1", f"--port={os.environ['OPENLANCE_DB_PORT']}"]
    command = ["mariadb", "--no-defaults", "-uroot", *address, "--default-character-set=utf8mb4"]
    begin, before = time.perf_counter(), cpu() + server_cpu()
    with Path(os.devnull).open("w") as nowhere:
        subprocess.run([*command, "--quick", DATABASE, "-e", f"select * from {TABLE}"], stdout=nowhere, check=True)
    return {"seconds": time.perf_counter() - begin, "cpu": cpu() + server_cpu() - before}


def one_full(rows: int) -> dict[str, Any]:
    shutil.rmtree(HOME / "var", ignore_errors=True)
    before = server_cpu()
    found = child(str(Path(__file__)), "--step", "full")
    found["cpu"] += server_cpu() - before
    if found["rows"] != rows:
        raise SystemExit(f"{found['rows']} of {rows} rows arrived")
    return found


def one_dlt(backend: str, rows: int, *, compare: bool = False) -> dict[str, Any]:
    from infra.local.environment import aside

    folder = HOME / "dlt"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        before = server_cpu()
        found = child(str(REPO / "tests" / "load" / "platform_dlt.py"), backend, str(folder), TABLE, path=str(aside("dlt")))
        found["cpu"] += server_cpu() - before
        if compare:
            # in a process of its own: what this one held at most would count as its children's
            found |= child(str(Path(__file__)), "--step", "wrong")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if found["rows"] != rows:
        raise SystemExit(f"dlt/{backend}: {found['rows']} of {rows} rows arrived")
    return found


def wrong() -> dict[str, int]:
    """Rows that dlt wrote otherwise than the source has them: than ours, which are compared with its checksum."""
    import duckdb

    ours, theirs = (
        f"read_parquet('{where}')" for where in (HOME / "var/raw" / TABLE / "*/*.parquet", HOME / "dlt/out/raw" / TABLE / "*.parquet")
    )
    with duckdb.connect(config={"memory_limit": "4GB"}) as db:
        db.execute("SET TimeZone = 'UTC'")
        kinds = {row[0]: row[1] for row in db.execute(f"DESCRIBE SELECT * FROM {ours}").fetchall()}
        unlike = " OR ".join(f'o."{name}" IS DISTINCT FROM TRY_CAST(t."{name}" AS {kinds[name]})' for name in COLUMNS if name != "id")
        [(found,)] = db.execute(
            f"SELECT count(*) FROM {ours} AS o FULL JOIN {theirs} AS t ON o.id = t.id WHERE o.id IS NULL OR {unlike}"
        ).fetchall()
    return {"wrong_rows": int(found)}


def middle(rounds: Sequence[Mapping[str, float]], what: str) -> float:
    return median(one[what] for one in rounds)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All figures by name."""
    floors: list[dict[str, float]] = []
    ours: list[dict[str, Any]] = []
    theirs: dict[str, list[dict[str, Any]]] = {}
    backends = [name for name in BACKENDS if name not in options.without.split(",")]
    floor()  # the rows into the buffer pool
    for number in range(options.rounds):
        floors.append(floor())
        step(f"round {number + 1}: floor {floors[-1]['seconds']:.1f} s")
        ours.append(one_full(options.rows))
        step(f"round {number + 1}: ours {ours[-1]['seconds']:.1f} s, {ours[-1]['peak_mb']} MB")
        for backend in backends:
            if number == 0 or backend not in ONCE:
                found = one_dlt(backend, options.rows, compare=number == 0)
                theirs.setdefault(backend, []).append(found)
                step(f"round {number + 1}: dlt/{backend} {found['seconds']:.1f} s, {found['peak_mb']} MB")
    size = sum(path.stat().st_size for path in (HOME / "var" / "raw").rglob("*.parquet"))
    follow_up = child(str(Path(__file__)), "--step", "follow", "--changes", str(options.changes), "--seed", str(options.seed))
    step(f"1 % changed: {', '.join(f'{s:.2f}' for s in follow_up['seconds'])} s; reconciliation {follow_up['reconcile']:.1f} s")
    whole, least = middle(ours, "seconds"), middle(floors, "seconds")
    figures: dict[str, Any] = {
        "floor_seconds": round(least, 2),
        "full_seconds": round(whole, 2),
        "ours_over_floor": round(whole / least, 3),
        "cpu_over_floor": round(middle(ours, "cpu") / middle(floors, "cpu"), 3),
        "peak_mb": max([found["peak_mb"] for found in ours] + [follow_up["peak_mb"], follow_up["reconcile_peak_mb"]]),
        "bytes_per_row": round(size / options.rows, 1),
        "incremental_seconds": round(median(follow_up["seconds"]), 3),
        "incremental_over_full": round(median(follow_up["seconds"]) / whole, 4),
        "warm_read_over_full": round(median(follow_up["warm"]) / whole, 4),
        "incremental_rows": round(median(follow_up["rows"])),
        "reconcile_seconds": round(follow_up["reconcile"], 2),
        "drift_rows": follow_up["drift_rows"],
        "checksums_equal": int(follow_up["equal"]),
    }
    for backend, rounds in theirs.items():
        figures[f"dlt_{backend}_seconds"] = round(middle(rounds, "seconds"), 2)
        figures[f"dlt_{backend}_wrong_rows"] = rounds[0]["wrong_rows"]
    if theirs:
        figures["ours_over_dlt"] = round(whole / min(middle(rounds, "seconds") for rounds in theirs.values()), 3)
        figures["cpu_over_dlt"] = round(middle(ours, "cpu") / min(middle(rounds, "cpu") for rounds in theirs.values()), 3)
    right = [middle(rounds, "seconds") for rounds in theirs.values() if not rounds[0]["wrong_rows"]]
    if right:
        figures["ours_over_dlt_right"] = round(whole / min(right), 3)
    return figures


def ask(options: argparse.Namespace) -> dict[str, Any]:
    """The questions' figures, for each size of market."""
    figures: dict[str, Any] = {}
    for millions in filter(None, options.events.split(",")):
        found = child(str(Path(__file__)), "--step", "questions", "--events", millions, "--seed", str(options.seed))
        # of the slowest question, not of all together
        figures[f"query_p95_ms_{millions}m"] = round(max(one["ms"] for one in found.values()), 1)
        figures[f"query_cpu_p95_ms_{millions}m"] = round(max(one["cpu_ms"] for one in found.values()), 1)
        told = ", ".join(f"{name} {one['ms']:.0f} ({one['cpu_ms']:.0f})" for name, one in found.items())
        step(f"{millions} million events, p95 in ms (of the processor): {told}")
    return figures


def tell(figures: dict[str, Any], options: argparse.Namespace) -> bool:
    """Write the result file and print the table; whether every wanted figure is reached."""
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "value", "wanted", title=f"platform: {options.rows} rows x {len(COLUMNS)} columns, seed {options.seed}")
    reached = figures["drift_rows"] == 0 and figures["checksums_equal"] == 1 and not figures.get("dbt_relations_differ")
    results = []
    for name, value in figures.items():
        wanted = WANTED.get(name)
        table.add_row(name, str(value), f"<= {wanted}" if wanted else "")
        unit = (
            "s"
            if name.endswith("_seconds")
            else "MB"
            if name.endswith("_mb")
            else "ms"
            if "_ms_" in name
            else "ratio"
            if "_over_" in name
            else "count"
        )
        results.append({"metric": name, "value": value, "unit": unit} | ({"against": wanted} if wanted else {}))
        reached = reached and (wanted is None or value <= wanted)
    Console().print(table)
    document = {
        "name": "platform",
        "seed": options.seed,
        "rows": options.rows,
        "rounds": options.rounds,
        "command": " ".join(["python", "tests/load/platform_bench.py", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load_before": options.load,
        "results": results,
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(document, indent=1) + "\n")
    return bool(reached)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--changes", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without", default="", help="backends of dlt to leave out, with commas")
    parser.add_argument("--events", default="5,50", help="millions, with commas; empty for none")
    parser.add_argument("--dbt-events", type=float, default=5, help="millions; 0 for no builds of dbt")
    parser.add_argument("--step", choices=["full", "wrong", "follow", "questions"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        steps: dict[str, Callable[[], dict[str, Any]]] = {
            "full": full,
            "wrong": wrong,
            "follow": lambda: follow(options.changes, options.seed),
            "questions": lambda: questions(int(float(options.events) * 1_000_000), options.seed),
        }
        print(json.dumps(steps[options.step]()))
        return 0
    from infra.local import services
    from infra.local.environment import QUIET, install_aside
    from tests.load import platform_dbt

    # as all of the project's processes have it, dlt's as well
    os.environ |= QUIET

    options.load = [round(one, 1) for one in os.getloadavg()]
    if len(options.without.split(",")) < len(BACKENDS):
        step(f"dlt (var/tools): {install_aside('dlt')}")
    shutil.rmtree(HOME, ignore_errors=True)
    try:
        os.environ |= services.start_mariadb(HOME / "db", durable=False, buffer_pool="2G")
        os.environ |= {"OPENLANCE_DB_NAME": DATABASE, "OPENLANCE_VAR": str(HOME / "var"), "OPENLANCE_CONTRACTS": str(HOME / "contracts")}
        os.environ.pop("OPENLANCE_WAREHOUSE", None)
        os.environ.pop("OPENLANCE_SQLITE", None)
        write_contract(HOME / "contracts")
        begin = time.monotonic()
        lay_table(options.rows, options.seed)
        step(f"{options.rows} rows laid in {time.monotonic() - begin:.0f} s")
        figures = measure(options)
        services.stop(HOME / "db")
        if options.dbt_events:
            # those builds know the market's tables, not the one of this bench
            del os.environ["OPENLANCE_CONTRACTS"]
            figures |= platform_dbt.run(options.dbt_events, say=step)
        figures |= ask(options)
    finally:
        services.stop(HOME / "db")
        shutil.rmtree(HOME, ignore_errors=True)
    return 0 if tell(figures, options) else 1


if __name__ == "__main__":
    sys.exit(main())
