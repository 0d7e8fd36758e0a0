"""make bench NAME=simulate: a sample market of a scale from nothing, on a MariaDB of the bench's own.

Seconds of `manage.py simulate`, CPU seconds of it and of the server (which tell more than the clock when the machine is shared), the most
memory it had, proposals, events (impressions, searches, views and facts of the outbox), and what the ledger's check says of the books. The
program ends with 1 when the books are wrong, or when the large market is smaller or slower than it promises.

    python tests/load/simulate_bench.py [--scale large] [--keep]

`--keep` leaves the server running and prints its environment, for whoever wants to go on with the market.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "webapp")]
HOME = REPO / "var" / "bench" / "simulate"
RESULT = REPO / "var" / "bench" / "simulate.json"
DATABASE = "openlance_bench_simulate"
SEED, UNTIL = 7, "2026-11-02"
#: what the large market promises
PROMISED = {"proposals": 1_000_000, "events": 5_000_000, "seconds": 900.0}
EVENTS = ("activity_impression", "activity_search", "activity_view", "core_event")
#: of the server: a market's indexes must not be written to disk again and again, nor its log be too short for one transaction
SERVER = {"innodb_buffer_pool_size": 2 << 30, "innodb_log_file_size": 1 << 30}


def environment(stores: dict[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        **stores,
        "DJANGO_SETTINGS_MODULE": "config.settings.services",
        "OPENLANCE_DB_NAME": DATABASE,
        "OPENLANCE_SECRET_KEY": "only-for-the-bench",
        "OPENLANCE_VAR": str(HOME),
        "PYTHONPATH": f"{REPO}{os.pathsep}{REPO / 'webapp'}",
    }


def connect(env: dict[str, str], **options: Any) -> Any:
    import MySQLdb

    return MySQLdb.connect(
        user=env["OPENLANCE_DB_USER"], passwd=env["OPENLANCE_DB_PASSWORD"], unix_socket=env["OPENLANCE_DB_SOCKET"], **options
    )


def cpu_seconds(pid: int) -> float:
    """User and system time that the process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def manage(env: dict[str, str], *words: str) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and most memory (MB) of one command; its lines are shown."""
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, "webapp/manage.py", *words], cwd=REPO, env=env, stdin=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"manage.py {' '.join(words)} failed")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure(env: dict[str, str], scale: str) -> list[dict[str, Any]]:
    admin = connect(env)
    cursor = admin.cursor()
    cursor.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    for name, value in SERVER.items():
        cursor.execute(f"SET GLOBAL {name} = {value}")
    manage(env, "migrate", "-v0")
    manage(env, "load_taxonomy")
    server = int((HOME / "stores" / "mysqld.pid").read_text())
    before = cpu_seconds(server)
    seconds, cpu, peak = manage(env, "simulate", "--scale", scale, "--seed", str(SEED), "--until", UNTIL)
    served = cpu_seconds(server) - before
    cursor.execute(f"USE {DATABASE}")
    rows = {}
    for table in ("jobs_proposal", *EVENTS):
        cursor.execute(f"SELECT COUNT(*) FROM {table}")
        rows[table] = cursor.fetchone()[0]
    cursor.execute("SELECT SUM(data_length + index_length) / 1048576 FROM information_schema.tables WHERE table_schema = DATABASE()")
    size = float(cursor.fetchone()[0])
    admin.close()
    checked, _, _ = manage(env, "ledger_check")
    return [
        {"metric": "seconds", "value": round(seconds, 1), "unit": "s"},
        {"metric": "cpu_seconds", "value": round(cpu, 1), "unit": "s"},
        {"metric": "server_cpu_seconds", "value": round(served, 1), "unit": "s"},
        {"metric": "peak_mb", "value": round(peak), "unit": "MB"},
        {"metric": "proposals", "value": rows["jobs_proposal"], "unit": "rows"},
        {"metric": "events", "value": sum(rows[t] for t in EVENTS), "unit": "rows"},
        *({"metric": table, "value": rows[table], "unit": "rows"} for table in EVENTS),
        {"metric": "database_mb", "value": round(size), "unit": "MB"},
        {"metric": "ledger_check_seconds", "value": round(checked, 1), "unit": "s"},
    ]


def broken(results: list[dict[str, Any]]) -> list[str]:
    """What of the large market's promise does not hold."""
    value = {r["metric"]: r["value"] for r in results}
    small = [f"{name}: {value[name]:,}" for name in ("proposals", "events") if value[name] < PROMISED[name]]
    return small + ([f"{value['seconds']} s"] if value["seconds"] > PROMISED["seconds"] else [])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="large", choices=["small", "medium", "large"])
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    from infra.local import services

    stores = HOME / "stores"
    services.stop(stores)
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    try:
        env = environment(services.start_mariadb(stores, durable=False) | services.start_redis(stores))
        results = measure(env, options.scale)
    finally:
        if not options.keep:
            services.stop(stores)
            shutil.rmtree(stores, ignore_errors=True)
    document = {
        "name": "simulate",
        "command": "python tests/load/simulate_bench.py " + " ".join(sys.argv[1:]),
        "seed": SEED,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[1]:.1f}",
        "results": results,
    }
    RESULT.write_text(json.dumps(document, indent=1) + "\n")
    for r in results:
        print(f"{r['metric']:24} {r['value']:>14,} {r['unit']}")
    wrong = broken(results) if options.scale == "large" else []
    if wrong:
        print("not as promised: " + "; ".join(wrong), file=sys.stderr)
    if options.keep:
        print("\n".join(f"export {name}={env[name]}" for name in env if name.startswith("OPENLANCE_DB_")))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
