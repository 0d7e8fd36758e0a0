"""One round as always, then the same models on Spark, and the comparison of every model in both engines.

    python -m pipelines.scale_out [--full-refresh] [--no-tests] [--only-spark]

--no-tests leaves out dbt's data tests on Spark (rows that are equal pass the same tests); --only-spark compares with what the last
round left. Exit codes: 0 every model is the same; 1 some model differs, or the round stopped a table; 2 something was not built.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time

from rich.table import Table

from .. import files, paths, refusals, rounds, run
from ..run import console, stage
from . import Comparison, NotInstalled, build, compare, folder, missing


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.scale_out", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--full-refresh", action="store_true", help="read every source row again and rebuild incremental models on DuckDB")
    parser.add_argument("--no-tests", action="store_true", help="build on Spark without dbt's data tests")
    parser.add_argument("--only-spark", action="store_true", help="no round before: compare with what the last one left")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.CRITICAL)
    return refusals.command(lambda: _round(options), prefix="not built on Spark", tell=run.in_red)


def _round(options: argparse.Namespace) -> int:
    if lacking := missing():
        raise NotInstalled(lacking)
    code = 0 if options.only_spark else run.main(["--full-refresh"] if options.full_refresh else [])
    if code == 2:
        return code
    # Spark sees every run in the log: a round that brought no rows left the tables that tell of runs as they were
    rounds.built(only_affected=True, every_run=True)
    with files.lock(paths.round_lock()):
        found = on_spark(tests=not options.no_tests)
    return 1 if code or any(one.difference for one in found) else 0


def on_spark(*, tests: bool) -> list[Comparison]:
    """Build and compare, telling what is at work; the figures go to work/spark/comparison.json."""
    began = time.monotonic()
    with stage("Build marts on Spark (dbt)") as now:
        for line in build("build", *([] if tests else ["--exclude-resource-type", "test"])):
            now.at(line)
            if "Done. PASS=" in line:
                now.result = line.split("Done. ", 1)[1]
    seconds = time.monotonic() - began
    with stage("Compare with DuckDB, row by row") as now:
        found = compare(now.at)
        different = [one for one in found if one.difference]
        now.result = f"{len(found)} models, {sum(one.rows[0] for one in found)} rows, {len(different)} differ"
    _table(found)
    for one in different:
        console.print(f"✗ {one.relation}: {one.difference.reason if one.difference else ''}", style="red", markup=False)
        for example in one.difference.examples if one.difference else ():
            console.print(f"    {example}", markup=False)
    report = {
        "spark_seconds": round(seconds, 1),
        "models": {
            one.relation: {
                "rows": one.rows[0],
                "rows_spark": one.rows[1],
                "checksum": one.checksums[0],
                "checksum_spark": one.checksums[1],
                "difference": one.difference.reason if one.difference else "",
            }
            for one in found
        },
    }
    (folder() / "comparison.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    console.print(f"{len(found) - len(different)} of {len(found)} models are the same on DuckDB and Spark · {seconds:.1f} s on Spark")
    return found


def _table(found: list[Comparison]) -> None:
    shown = Table("model", "rows", "checksum", "")
    for one in found:
        same = one.difference is None
        shown.add_row(
            one.relation,
            str(one.rows[0]) if one.rows[0] == one.rows[1] else f"{one.rows[0]} / {one.rows[1]}",
            one.checksums[0] if same else " / ".join(one.checksums),
            "same" if same else "DIFFERS",
        )
    console.print(shown)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
