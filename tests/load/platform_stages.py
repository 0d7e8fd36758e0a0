"""Where the processor's seconds of a first load go: each stage alone, over the same chunks of the bench's table, per million rows.

The least of some repetitions counts, so that the figures mean something on a machine that does other work too. `extract` runs the stages in
three threads and the server beside them; what a load takes by the clock is at best half the sum on two cores.

    python tests/load/platform_stages.py [--repeat 12] [--seed 1]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.load import platform_bench as bench

HOME = bench.HOME.parent / "platform-stages"
ROWS = 50_000


class Stages:
    """Seconds per million rows of each stage, the least so far."""

    def __init__(self) -> None:
        self.least: dict[str, float] = {}

    def __call__(self, stage: str, clock: Callable[[], float], work: Callable[..., Any], *of: Any) -> Any:
        begin = clock()
        done = work(*of)
        seconds = (clock() - begin) * 1_000_000 / ROWS
        self.least[stage] = min(seconds, self.least.get(stage, seconds))
        return done


def server_clock() -> Callable[[], float]:
    """The seconds of the processor that the server has used, to the microsecond."""
    pid = int((HOME / "db" / "mysqld.pid").read_text())
    return lambda: time.clock_gettime((~pid << 3) | 2)


def measure(repeat: int) -> dict[str, float]:
    import pyarrow as pa

    from pipelines.extract import load, sources
    from pipelines.extract.checksum import crc32
    from pipelines.extract.contracts import load_all
    from pipelines.extract.lines import OWN, Lines

    stage, server, own = Stages(), server_clock(), time.thread_time
    [contract] = load_all()
    lines, path = Lines(contract, bench.COLUMNS, OWN), HOME / "group.parquet"
    whole = pa.schema([*sources.schema(contract), *load._META])
    rest = f" ORDER BY `{contract.key}` LIMIT {ROWS}"
    with sources.connect() as source, source.snapshot() as snapshot:
        connection, fetch = snapshot._connection, snapshot._fetch  # type: ignore[attr-defined]

        def read(sql: str) -> Any:
            connection.query(sql)
            return connection.store_result()

        for _ in range(repeat):
            stage("server: rows as the client asks for them", server, read, f"SELECT * FROM {bench.TABLE}{rest}")
            stage("server: rows as lines", server, read, f"SELECT {lines.sql} FROM {bench.TABLE}{rest}")
            stage("server: lines and their checksum", server, fetch, lines, rest)
            got = stage("receive the lines", own, fetch, lines, rest).lines
            found = stage("put them together", own, got.pack)
            stage("their checksum", own, crc32, found.text)
            table = stage("make columns of them", own, lines.table, found)
            full = pa.Table.from_arrays([*table.columns, *load._meta(ROWS, 1, datetime(2026, 1, 1))], schema=whole)
            digest = stage("checksums of the columns", own, load.digest, full)
            with load._writer(path, whole, full) as writer:
                stage("encode, compress and write", own, writer.write_table, full, ROWS)
            if stage("read back and compare", own, load._read_back, path, 0) != digest:
                raise SystemExit("the file reads back differently")
    return stage.least


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeat", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    from infra.local import services

    shutil.rmtree(HOME, ignore_errors=True)
    try:
        os.environ |= services.start_mariadb(HOME / "db", durable=False, buffer_pool="512M")
        os.environ |= {
            "OPENLANCE_DB_NAME": bench.DATABASE,
            "OPENLANCE_VAR": str(HOME / "var"),
            "OPENLANCE_CONTRACTS": str(HOME / "contracts"),
        }
        os.environ.pop("OPENLANCE_SQLITE", None)
        bench.write_contract(HOME / "contracts")
        bench.lay_table(ROWS, options.seed)
        print(f"seconds of the processor per million rows, seed {options.seed}, load {os.getloadavg()[0]:.1f}")
        for name, seconds in measure(options.repeat).items():
            print(f"{seconds:6.2f}  {name}")
    finally:
        services.stop(HOME / "db")
        shutil.rmtree(HOME, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
