"""dbt incremental beside full, for platform_bench.py: the models of a market of some million events, whole, and after 1 % of its rows changed.

The log is the small market's, copied (copied_market.py). Three builds of all models and seeds, without tests, which cost the same in both: whole;
incremental after 1 % of the rows of every table of the market were written again, scattered over the keys; whole again over the same log. The
last two must hold the same rows in every relation, by pipelines.scale_out's canonical checksum (doubles to nine digits).

    python tests/load/platform_dbt.py [--events 5] [--seed 7]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "webapp")]
HOME = REPO / "var" / "bench" / "platform-dbt"


def build(full: bool) -> int:
    """In a process of its own: the log as it is now, and dbt over it."""
    from pipelines import paths, transform
    from pipelines.extract.contracts import load_all
    from pipelines.extract.log import Log, expose

    expose(Log(paths.raw()), load_all(), paths.warehouse())
    arguments = ["build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test", *(["--full-refresh"] if full else [])]
    lines = transform.cold(arguments)
    while True:
        try:
            print(next(lines))
        except StopIteration as ended:
            return int(ended.value)


def checksums(warehouse: Path) -> dict[str, tuple[int, str]]:
    """Relation → rows and canonical checksum of all that dbt made."""
    import duckdb

    from pipelines.scale_out.comparison import ROWS, measured

    with duckdb.connect(str(warehouse), read_only=True) as db:
        db.execute("SET TimeZone = 'UTC'")
        names = db.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema NOT IN ('raw', 'main')"
            " AND NOT ends_with(table_name, '__left') ORDER BY ALL"
        ).fetchall()
        return {f"{schema}.{name}": measured(db, f'SELECT {ROWS} FROM "{schema}"."{name}"') for schema, name in names}


def run(events: float = 5, seed: int = 7, say: Any = print) -> dict[str, Any]:
    """The figures; the folder is gone at the end."""
    from tests.load import copied_market as market

    shutil.rmtree(HOME, ignore_errors=True)
    try:
        source = market.base(HOME / "base", seed)
        copies = max(1, round(events * 1_000_000 / market.size(source).events))
        laid = market.lay(source, HOME / "var" / "raw", copies)
        say(f"dbt: {copies} copies of the small market, {laid.rows} raw rows, {laid.events} events")
        env = market.environment(HOME / "var")
        command = [sys.executable, str(Path(__file__)), "--build"]
        whole = market.watched([*command, "full"], env)
        changed = market.change(HOME / "var" / "raw")
        small = market.watched([*command, "incremental"], env)
        grown = checksums(HOME / "var" / "work" / "warehouse.duckdb")
        again = market.watched([*command, "full"], env)
        fresh = checksums(HOME / "var" / "work" / "warehouse.duckdb")
        different = sorted(name for name in grown.keys() | fresh.keys() if grown.get(name) != fresh.get(name))
        say(f"dbt: whole {whole.seconds:.0f} s, after {changed} changed rows {small.seconds:.0f} s, whole again {again.seconds:.0f} s")
        if different:
            say(f"dbt: incremental and whole differ in {', '.join(different)}")
        return {
            "dbt_events": laid.events,
            "dbt_raw_rows": laid.rows,
            "dbt_changed_rows": changed,
            "dbt_full_seconds": round(whole.seconds, 1),
            "dbt_incremental_seconds": round(small.seconds, 1),
            "dbt_incremental_over_full": round(small.seconds / whole.seconds, 3),
            "dbt_cpu_incremental_over_full": round(small.cpu / whole.cpu, 3),
            "dbt_full_cpu_seconds": round(whole.cpu, 1),
            "dbt_incremental_cpu_seconds": round(small.cpu, 1),
            "dbt_peak_mb": max(one.peak_mb for one in (whole, small, again)),
            "dbt_relations": len(grown),
            "dbt_relations_differ": len(different),
        }
    finally:
        shutil.rmtree(HOME, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=float, default=5, help="millions")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--build", choices=["full", "incremental"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        return build(options.build == "full")
    figures = run(options.events, options.seed, lambda line: print(f"· {line}", flush=True))
    result = REPO / "var" / "bench" / "platform-dbt.json"
    result.parent.mkdir(parents=True, exist_ok=True)
    command = " ".join(["python", "tests/load/platform_dbt.py", *sys.argv[1:]])
    unit = {"seconds": "s", "full": "ratio", "mb": "MB"}
    results = [{"metric": name, "value": value, "unit": unit.get(name.rsplit("_", 1)[1], "count")} for name, value in figures.items()]
    document = {"name": "platform-dbt", "seed": options.seed, "command": command, "load_before": os.getloadavg()[0], "results": results}
    result.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(figures, indent=1))
    return 1 if figures["dbt_relations_differ"] else 0


if __name__ == "__main__":
    sys.exit(main())
