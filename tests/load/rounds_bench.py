"""make bench NAME=rounds: a round of the pipeline from nothing, then one after 1 % of the rows changed, as `make pipeline` takes them.

A sample market on a MariaDB of the bench's own (or, with --database, the one of the environment's server). The first round starts from an
empty run-time folder. Then 1 % of the rows of the big tables change, scattered over all keys: about half of them new, the rest changed, some
deleted; append-only tables get new rows alone, and now and then a job, a profile or a milestone moves. The second round follows that,
within the hour that a comparison with the source is good for; the matcher's training set, which rests for a day (ADR 32), follows in a
third. Seconds, CPU seconds (the round's processes and the server's together), the most memory that all processes of the round had at once,
and drift; at the end the log is compared with the source and each mart with one built whole (--no-proof leaves that out).

    python tests/load/rounds_bench.py [--scale small|medium|large] [--share 0.01] [--seed 7] [--database NAME] [--no-proof]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "webapp"), str(Path(__file__).parent)]
HOME = REPO / "var" / "bench" / "rounds"
RESULT = REPO / "var" / "bench" / "rounds.json"
DATABASE, UNTIL = "openlance_bench_rounds", "2026-11-02"
WANTED = {"peak_mb": 4096, "second_over_first": 0.10}
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_of(pid: int, *, children: bool = False) -> float:
    """User and system time that the process has had; with its ended children's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11 : 15 if children else 13])) / _TICK


def family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found = [pid]
    for one in found:
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


class Watch(threading.Thread):
    """Looks at a process and its descendants many times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._ended = pid, threading.Event()
        self.peak_mb = self.stage_peak_mb = 0.0

    def run(self) -> None:
        while not self._ended.wait(0.05):
            total = 0.0
            for one in family(self._pid):
                try:
                    total += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * _PAGE_MB
                except (FileNotFoundError, ProcessLookupError, IndexError):
                    continue
            self.peak_mb, self.stage_peak_mb = max(self.peak_mb, total), max(self.stage_peak_mb, total)

    def cpu(self) -> float:
        """CPU seconds of all of them up to now, ended ones included."""
        total = 0.0
        for one in family(self._pid):
            try:
                total += cpu_of(one, children=True)
            except (FileNotFoundError, ProcessLookupError):
                continue
        return total

    def stop(self) -> None:
        self._ended.set()
        self.join()


@dataclass
class Measured:
    """One command. `stages`: line → (seconds, CPU seconds, CPU seconds of the server, most memory in MB) up to it from the line before."""

    seconds: float = 0.0
    cpu: float = 0.0
    server_cpu: float = 0.0
    peak_mb: float = 0.0
    drift: int = 0
    rows: int = 0
    stages: list[tuple[str, float, float, float, float]] = field(default_factory=list)

    @property
    def all_cpu(self) -> float:
        return self.cpu + self.server_cpu


def measured(env: dict[str, str], server: int, *words: str) -> Measured:
    """Run `python -m pipelines.run …`. Raises SystemExit when it publishes nothing."""
    done, at, at_server = Measured(), time.monotonic(), cpu_of(server)
    child = subprocess.Popen(
        [sys.executable, "-m", "pipelines.run", *words], cwd=REPO, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    watch = Watch(child.pid)
    watch.start()
    last = (at, 0.0, at_server)
    assert child.stdout is not None
    for line in child.stdout:
        now = (time.monotonic(), watch.cpu(), cpu_of(server))
        print(f"    {line.rstrip()}", flush=True)
        if line[:1] in "✓✗–":
            spent = [late - early for late, early in zip(now, last, strict=True)]
            done.stages.append((line[1:].split(":")[0].strip(), spent[0], spent[1], spent[2], watch.stage_peak_mb))
            watch.stage_peak_mb, last = 0.0, now
        if found := re.search(r"(\d+) rows extracted.* drift (\d+)", line):
            done.rows, done.drift = int(found[1]), int(found[2])
    watch.stop()
    _, status, used = os.wait4(child.pid, 0)
    done.seconds, done.cpu = time.monotonic() - at, used.ru_utime + used.ru_stime
    done.server_cpu, done.peak_mb = cpu_of(server) - at_server, watch.peak_mb
    if status:
        raise SystemExit(f"the round ended with code {os.waitstatus_to_exitcode(status)}")
    return done


class Market:
    """A database with a market, and its server."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env

    def connect(self) -> Any:
        import MySQLdb

        where: dict[str, Any] = {"user": self.env.get("OPENLANCE_DB_USER", "root"), "passwd": self.env.get("OPENLANCE_DB_PASSWORD", "")}
        connection = MySQLdb.connect(unix_socket=self.env["OPENLANCE_DB_SOCKET"], charset="utf8mb4", autocommit=True, **where)
        connection.query("SET SESSION time_zone = '+00:00'")
        return connection

    def pid(self) -> int:
        """The server's process, known by the file it writes."""
        connection = self.connect()
        cursor = connection.cursor()
        cursor.execute("SELECT @@pid_file, @@datadir")
        [(name, folder)] = cursor.fetchall()
        connection.close()
        return int((Path(folder) / name).read_text())

    def manage(self, *words: str) -> None:
        subprocess.run([sys.executable, "webapp/manage.py", *words], cwd=REPO, env=self.env, check=True, stdout=subprocess.DEVNULL)

    def fill(self, scale: str, seed: int) -> None:
        """Make the market."""
        connection = self.connect()
        cursor = connection.cursor()
        cursor.execute(f"CREATE DATABASE {self.env['OPENLANCE_DB_NAME']} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        cursor.execute(f"SET GLOBAL innodb_buffer_pool_size = {2 << 30}")
        connection.close()
        self.manage("migrate", "-v0", "--no-input")
        self.manage("load_taxonomy")
        self.manage("simulate", "--scale", scale, "--seed", str(seed), "--until", UNTIL)


def environment(stores: dict[str, str], database: str) -> dict[str, str]:
    env = {**os.environ, **stores, "OPENLANCE_DB_NAME": database, "OPENLANCE_VAR": str(HOME / "var"), "OPENLANCE_SECRET_KEY": "bench"}
    env |= {"DJANGO_SETTINGS_MODULE": "config.settings.services", "PYTHONPATH": f"{REPO}{os.pathsep}{REPO / 'webapp'}"}
    env.pop("OPENLANCE_WAREHOUSE", None)
    return env


def run(market: Market, options: argparse.Namespace) -> dict[str, Any]:
    from market_changes import change

    server = market.pid()
    print("the first round, from nothing", flush=True)
    first = measured(market.env, server)
    print(f"{options.share:.1%} of the rows of the big tables change", flush=True)
    connection = market.connect()
    connection.select_db(market.env["OPENLANCE_DB_NAME"])
    changed = change(connection, options.share, options.seed)
    connection.close()
    for table, (new, updated, deleted) in changed.items():
        print(f"    {table:28} {new:>8} new {updated:>8} changed {deleted:>8} deleted", flush=True)
    print("the second round", flush=True)
    second = measured(market.env, server)
    print("what rests for a day in between: the training set follows", flush=True)
    training = measured(market.env | {"OPENLANCE_PLATFORM__MARTS__TRAINING_SECONDS": "0"}, server)
    found: dict[str, Any] = {
        "source_rows": first.rows,
        "changed_rows": sum(map(sum, changed.values())),
        **{f"first_{name}": value for name, value in _figures(first).items()},
        **{f"second_{name}": value for name, value in _figures(second).items()},
        **{f"training_{name}": value for name, value in _figures(training).items()},
        "peak_mb": round(max(first.peak_mb, second.peak_mb, training.peak_mb)),
        "drift": first.drift + second.drift + training.drift,
        "second_over_first": round(second.all_cpu / first.all_cpu, 3),
        "second_over_first_wall": round(second.seconds / first.seconds, 3),
        "with_training_over_first": round((second.all_cpu + training.all_cpu) / first.all_cpu, 3),
        "stages": {name: one.stages for name, one in (("first", first), ("second", second), ("training", training))},
    }
    if not options.no_proof:
        print("the log beside the source, and the marts beside those built whole", flush=True)
        found |= proof(market.env)
    return found


def _figures(one: Measured) -> dict[str, float]:
    return {
        "seconds": round(one.seconds, 1),
        "cpu_seconds": round(one.all_cpu, 1),
        "server_cpu_seconds": round(one.server_cpu, 1),
        "peak_mb": round(one.peak_mb),
    }


def proof(env: dict[str, str]) -> dict[str, int]:
    """Rows that a comparison with the source mends, and published relations that a whole build would make otherwise."""
    told = subprocess.run(
        [sys.executable, "-m", "pipelines.extract.run", "--reconcile"], cwd=REPO, env=env, text=True, capture_output=True, check=True
    ).stdout
    mended = sum(int(found) for found in re.findall(r"(\d+) repaired", told))
    before = parts(env)
    anew = "from pipelines import rounds; rounds.built(full_refresh=True); rounds.published()"
    subprocess.run([sys.executable, "-c", anew], cwd=REPO, env=env, check=True, stdout=subprocess.DEVNULL)
    after = parts(env)
    return {"mended_rows": mended, "parts_unlike_built_whole": len(before ^ after)}


def parts(env: dict[str, str]) -> set[str]:
    """Relation and content of each published part that tells of the market, not of the platform's own runs."""
    from pipelines import marts_reader

    os.environ["OPENLANCE_VAR"] = env["OPENLANCE_VAR"]
    with marts_reader.open_read_only(marts_reader.current().path) as db:
        found = db.execute("SELECT part FROM _meta.model WHERE part IS NOT NULL").fetchall()
    return {name for (name,) in found if not name.startswith(("admin.data_quality", "admin.freshness"))}


def tell_all(found: dict[str, Any], options: argparse.Namespace, load: float) -> list[str]:
    """Write the result file, print the figures; what is not as wanted."""
    results = [
        {
            "metric": name,
            "value": value,
            "unit": "MB" if name.endswith("mb") else "s" if "seconds" in name else "ratio" if "over" in name else "count",
        }
        for name, value in found.items()
        if name != "stages"
    ]
    document = {
        "name": "rounds",
        "command": "python tests/load/rounds_bench.py " + " ".join(sys.argv[1:]),
        "seed": options.seed,
        "scale": options.scale,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load before {load:.1f}",
        "results": results,
        "stages": found["stages"],
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    for name, stages in found["stages"].items():
        for title, seconds, cpu, server, peak in stages:
            print(f"{name:7} {title:22} {seconds:8.1f} s {cpu:8.1f} CPU s {server:8.1f} server CPU s {peak:8.0f} MB")
    for result in results:
        print(f"{result['metric']:26} {result['value']:>14,} {result['unit']}")
    wrong = [f"{name} {found[name]}" for name in ("drift", "mended_rows", "parts_unlike_built_whole") if found.get(name)]
    if options.scale == "large":
        wrong += [f"{name} {found[name]} (wanted ≤ {most})" for name, most in WANTED.items() if found[name] > most]
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scale", choices=["small", "medium", "large"], default="medium")
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--database", help="take the market of this database of the environment's server; its rows are changed")
    parser.add_argument("--no-proof", action="store_true", help="leave out the comparison at the end")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    from infra.local import services

    load = os.getloadavg()[1]
    stores = HOME / "stores"
    services.stop(stores)
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    try:
        if options.database:
            market = Market(environment({}, options.database))
        else:
            market = Market(environment(services.start_mariadb(stores, durable=False) | services.start_redis(stores), DATABASE))
            market.fill(options.scale, options.seed)
        found = run(market, options)
    finally:
        services.stop(stores)
        shutil.rmtree(HOME, ignore_errors=True)
    wrong = tell_all(found, options, load)
    if wrong:
        print("not as promised: " + "; ".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
