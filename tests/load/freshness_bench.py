"""make bench NAME=freshness: from a commit in MariaDB to the number that a dashboard reads, end to end, beside a cold start for each round.

A sample market, and a writer that commits impressions, views, searches and changes of jobs and profiles all the time. Markers are
committed one after another at times of their own (a job's title); each is awaited in the published file through marts_reader. First the
resident loop serves them, then rounds that start cold (`python -m pipelines.run`, one after another, as a schedule would do it).

    python tests/load/freshness_bench.py [--scale small|medium] [--markers 24] [--cold 4] [--interval 10] [--database NAME]

With --database the market is the one in that database of the environment's server, instead of one made in the bench's own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "webapp")]
FOLDER = REPO / "var" / "bench" / "freshness"
RESULT = REPO / "var" / "bench" / "freshness.json"
WANTED_P95_SECONDS = 60.0
#: a marker that is not published by then counts as that late
PATIENCE_SECONDS = 600.0
#: writes a second, each a transaction of its own
WRITES = 20
SEED = 7


class Market:
    """The operational database: connections to it, and the environment that makes the platform read it."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env

    def connect(self) -> Any:
        import MySQLdb

        login: dict[str, Any] = {"user": self.env.get("OPENLANCE_DB_USER", "root"), "passwd": self.env.get("OPENLANCE_DB_PASSWORD", "")}
        connection = MySQLdb.connect(
            unix_socket=self.env["OPENLANCE_DB_SOCKET"], db=self.env["OPENLANCE_DB_NAME"], charset="utf8mb4", autocommit=True, **login
        )
        connection.query("SET SESSION time_zone = '+00:00'")
        return connection

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        connection = self.connect()
        try:
            cursor = connection.cursor()
            cursor.execute(sql)
            return list(cursor.fetchall())
        finally:
            connection.close()


def prepare(scale: str, tell: Callable[[str], None]) -> Market:
    """A server of the bench's own with a sample market, kept as a dump until the schema or the simulation changes."""
    from infra.local import services

    digest = hashlib.sha256(scale.encode())
    for file in sorted(
        [*(REPO / "webapp" / "marketplace").glob("*/migrations/*.py"), *(REPO / "webapp/marketplace/simulation").rglob("*.py")]
    ):
        digest.update(file.read_bytes())
    kept = FOLDER.parent / f"freshness-market-{digest.hexdigest()[:16]}.sql"
    env = {**os.environ, **services.start_mariadb(FOLDER / "db", durable=False)}
    login = ["--no-defaults", "--user=root", f"--socket={env['OPENLANCE_DB_SOCKET']}"]
    subprocess.run(["mariadb", *login], input=b"CREATE DATABASE bench CHARACTER SET utf8mb4", check=True)
    env |= {"OPENLANCE_DB_NAME": "bench", "OPENLANCE_SECRET_KEY": "bench", "DJANGO_SETTINGS_MODULE": "config.settings.services"}
    env |= {"OPENLANCE_VAR": str(FOLDER / "platform"), "PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "webapp")])}
    if kept.exists():
        subprocess.run(["mariadb", *login, "bench"], stdin=kept.open("rb"), check=True)
        return Market(env)
    for arguments in (["migrate", "--no-input"], ["load_taxonomy"], ["simulate", "--scale", scale, "--seed", str(SEED)]):
        tell(f"{arguments[0]} …")
        subprocess.run([sys.executable, "webapp/manage.py", *arguments], cwd=REPO, env=env, check=True, stdout=subprocess.DEVNULL)
    for old in FOLDER.parent.glob("freshness-market-*.sql"):
        old.unlink()
    with kept.open("wb") as out:
        subprocess.run(["mariadb-dump", *login, "--triggers", "--skip-comments", "bench"], stdout=out, check=True)
    return Market(env)


class Writer(threading.Thread):
    """Commits small transactions at a steady pace until it is stopped."""

    def __init__(self, market: Market, seed: int) -> None:
        super().__init__(daemon=True)
        self._connection, self._random = market.connect(), random.Random(seed)
        self._ended = threading.Event()
        (self._jobs,) = market.ask("SELECT MIN(id), MAX(id) FROM jobs_job")
        (self._profiles,) = market.ask("SELECT MIN(id), MAX(id) FROM accounts_freelancerprofile")
        (self._users,) = market.ask("SELECT MIN(id), MAX(id) FROM accounts_user WHERE NOT is_staff")
        self.commits = 0

    def run(self) -> None:
        while not self._ended.wait(1 / WRITES):
            cursor = self._connection.cursor()
            for statement, values in self._act():
                cursor.execute(statement, values)
            cursor.close()
            self.commits += 1

    def stop(self) -> None:
        self._ended.set()
        self.join()
        self._connection.close()

    def _act(self) -> list[tuple[str, tuple[Any, ...]]]:
        """One transaction: mostly activity, now and then a job or a profile that somebody edits."""
        r = self._random
        user, job = r.randint(*self._users), r.randint(*self._jobs)
        shown = "INSERT INTO activity_impression (batch, user_id, surface, item_type, item_id, position, propensity, ranking, shown_at, updated_at)"
        chance = r.random()
        if chance < 0.55:
            return [(f"{shown} VALUES (UUID(), %s, 'recommended_jobs', 'job', %s, %s, 0.5, 'bench', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
                     (user, job, r.randint(1, 20)))]  # fmt: skip
        if chance < 0.8:
            return [("INSERT INTO activity_view (user_id, item_type, item_id, batch, viewed_at, updated_at)"
                     " VALUES (%s, 'job', %s, '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))", (user, job))]  # fmt: skip
        if chance < 0.9:
            return [("INSERT INTO activity_search (user_id, surface, query, filters, hits, searched_at, updated_at)"
                     " VALUES (%s, 'job_search', 'bench', '{}', %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))", (user, r.randint(0, 50)))]  # fmt: skip
        if chance < 0.97:
            return [
                ("UPDATE accounts_freelancerprofile SET overview = CONCAT('edited ', NOW(6)) WHERE id = %s", (r.randint(*self._profiles),))
            ]
        return [("UPDATE jobs_job SET description = CONCAT('edited ', NOW(6)) WHERE id = %s", (job,))]


class Markers:
    """Commits markers and waits for each in the published file."""

    def __init__(self, market: Market, seed: int) -> None:
        self._market, self._random = market, random.Random(seed)
        self._jobs = [row[0] for row in market.ask("SELECT id FROM jobs_job ORDER BY id LIMIT 200")]
        self.seconds: list[float] = []

    def one(self, name: str, alive: Callable[[], None]) -> float:
        """Seconds from the commit of one marker until marts_reader finds it."""
        from pipelines import marts_reader

        job = self._random.choice(self._jobs)
        connection = self._market.connect()
        connection.cursor().execute("UPDATE jobs_job SET title = %s WHERE id = %s", (name, job))
        connection.close()
        began, read = time.monotonic(), ""
        while time.monotonic() - began < PATIENCE_SECONDS:
            alive()
            marts = marts_reader.current()
            if marts.publish_id != read:
                read = marts.publish_id
                with marts_reader.open_read_only(marts.path) as db:
                    if db.execute("SELECT 1 FROM client.jobs WHERE job_id = ? AND title = ?", [job, name]).fetchall():
                        break
            time.sleep(0.05)
        self.seconds.append(time.monotonic() - began)
        return self.seconds[-1]

    def pause(self) -> None:
        """The next marker falls anywhere within a round."""
        time.sleep(self._random.uniform(0, 12))


@contextmanager
def resident(env: dict[str, str], interval: float) -> Iterator[subprocess.Popen[bytes]]:
    """The loop as a process of its own; asked to stop at the end."""
    log = FOLDER / "loop.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "pipelines.loop", "--interval", str(interval)]
        process = subprocess.Popen(command, cwd=REPO, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()


class ColdRounds(threading.Thread):
    """`python -m pipelines.run`, one after another."""

    def __init__(self, env: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self._env, self._ended, self.seconds = env, threading.Event(), list[float]()

    def run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            with (FOLDER / "cold.log").open("ab") as out:
                subprocess.run(
                    [sys.executable, "-m", "pipelines.run"], cwd=REPO, env=self._env, stdout=out, stderr=subprocess.STDOUT, check=False
                )
            self.seconds.append(time.monotonic() - began)

    def stop(self) -> None:
        self._ended.set()
        self.join()


def quantile(values: list[float], share: float) -> float:
    """The nearest-rank quantile; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)] if ordered else 0.0


def run(market: Market, options: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Any]:
    """The bench: its figures by name."""
    from pipelines import loop

    os.environ.update({name: market.env[name] for name in ("OPENLANCE_VAR", "OPENLANCE_DB_NAME", "OPENLANCE_DB_SOCKET")})
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "pipelines.run"], cwd=REPO, env=market.env, check=True, stdout=subprocess.DEVNULL)
    first = time.monotonic() - began
    tell(f"first cold round {first:.1f} s")
    writer = Writer(market, options.seed)
    writer.start()
    warm, cold = Markers(market, options.seed), Markers(market, options.seed + 1)
    try:
        with resident(market.env, options.interval) as process:
            while not loop.past():
                _alive(process)
                time.sleep(0.2)
            for n in range(options.markers):
                warm.pause()
                tell(f"marker {n + 1}: published after {warm.one(f'marker {n} of {time.time()}', lambda: _alive(process)):.1f} s")
        told = [one for one in loop.past() if one["state"] == "published"][1:]
        rounds = ColdRounds(market.env)
        rounds.start()
        for n in range(options.cold):
            cold.pause()
            tell(f"cold marker {n + 1}: published after {cold.one(f'cold {n} of {time.time()}', lambda: None):.1f} s")
        rounds.stop()
    finally:
        writer.stop()
    seconds = [sum(one["seconds"].values()) for one in told]
    cpu = {step: round(quantile([one["seconds"].get(step, 0.0) for one in told], 0.5), 2) for step in ("extract", "build", "publish")}
    return {
        "markers": len(warm.seconds),
        "p50_s": round(quantile(warm.seconds, 0.5), 2),
        "p95_s": round(quantile(warm.seconds, 0.95), 2),
        "max_s": round(max(warm.seconds), 2),
        "round_p50_s": round(quantile(seconds, 0.5), 2),
        "cold_p50_s": round(quantile(cold.seconds, 0.5), 2),
        "cold_p95_s": round(quantile(cold.seconds, 0.95), 2),
        "cold_round_p50_s": round(quantile(rounds.seconds, 0.5), 2),
        "steps_p50_s": cpu,
        "models_p50": quantile([one["affected"] for one in told], 0.5),
        "rounds": len(loop.past()),
        "failed_rounds": sum(one["state"] == "failed" for one in loop.past()),
        "writer_commits": writer.commits,
        "seed": options.seed,
        "scale": options.scale,
    }


def _alive(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        raise SystemExit(f"the loop ended with code {process.returncode}:\n{(FOLDER / 'loop.log').read_text()[-3000:]}")


def tell_all(found: dict[str, Any], arguments: list[str]) -> None:
    """Write the result file and print the table."""
    from rich.console import Console
    from rich.table import Table

    wanted = {"p50_s": "", "p95_s": f"<= {WANTED_P95_SECONDS:g}", "max_s": "", "round_p50_s": "", "cold_p50_s": "", "cold_p95_s": "",
              "cold_round_p50_s": "", "markers": ">= 20", "failed_rounds": "0", "writer_commits": ""}  # fmt: skip
    table = Table("figure", "value", "wanted", title=f"freshness: commit → published, {found['scale']} market, seed {found['seed']}")
    for name, target in wanted.items():
        table.add_row(name, str(found[name]), target)
    for step, seconds in found["steps_p50_s"].items():
        table.add_row(f"  {step}", str(seconds), "")
    machine = {"cpus": os.cpu_count(), "platform": platform.platform(), "python": platform.python_version(), "load": os.getloadavg()}
    results = [
        {"metric": name, "value": found[name], "unit": "s" if name.endswith("_s") else "count",
         **({"against": "a cold start for each round", "ratio": round(found[name] / found[f"cold_{name}"], 3)}
            if found.get(f"cold_{name}") else {})}
        for name in wanted
    ]  # fmt: skip
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    command = " ".join(["python", "tests/load/freshness_bench.py", *arguments])
    RESULT.write_text(
        json.dumps({"name": "freshness", "command": command, **found, "machine": machine, "results": results}, indent=1) + "\n"
    )
    Console().print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scale", choices=["small", "medium"], default="small")
    parser.add_argument("--markers", type=int, default=24)
    parser.add_argument("--cold", type=int, default=4, help="markers that cold rounds serve")
    parser.add_argument("--interval", type=float, default=5.0, help="seconds between the beginnings of two resident rounds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", help="take the market of this database")
    options = parser.parse_args()
    begin = time.monotonic()

    def tell(what: str) -> None:
        print(f"{time.monotonic() - begin:6.1f} s  {what}", flush=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    from infra.local import services

    try:
        if options.database:
            own = {"OPENLANCE_DB_NAME": options.database, "OPENLANCE_VAR": str(FOLDER / "platform")}
            market = Market({**os.environ, **own})
            market.env.pop("OPENLANCE_WAREHOUSE", None)
        else:
            market = prepare(options.scale, tell)
        found = run(market, options, tell)
    finally:
        services.stop(FOLDER / "db")
    tell_all(found, sys.argv[1:])
    shutil.rmtree(FOLDER, ignore_errors=True)
    return 0 if found["p95_s"] <= WANTED_P95_SECONDS and not found["failed_rounds"] else 1


if __name__ == "__main__":
    sys.exit(main())
