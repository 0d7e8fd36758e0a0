"""make bench NAME=growth: what building all models costs on DuckDB and on Spark as the market grows, and where the lines cross.

The raw logs are the small market's, copied (copied_market.py). For each size both engines build every model and seed from an empty work folder, in a
process of their own, without tests; then every model is compared. Told are wall clock, the processor's seconds (of the process and all that it
starts: on a shared machine they say more than the clock), the most memory at one moment, and bytes. A line through the sizes, seconds = a + b ×
million raw rows, gives what a build costs at nothing and each million more; the lines cross at `crossing_million_rows`, if they do.

Copies of one market compress better than markets that differ: bytes are a lower bound.

    python tests/load/growth_bench.py [--events 1,5,20] [--engines duckdb,spark] [--seed 7] [--spark-memory 3g]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "webapp")]
HOME = REPO / "var" / "bench" / "growth"
RESULT = REPO / "var" / "bench" / "growth.json"
ENGINES = ("duckdb", "spark")


def step(what: str) -> None:
    print(f"· {what}", flush=True)


def build_on_spark() -> int:
    """In a process of its own."""
    from pipelines import scale_out

    for line in scale_out.build("build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"):
        print(line)
    return 0


def compare() -> int:
    """In a process of its own; the last line is how many models there are, and those that differ."""
    from pipelines import scale_out

    found = scale_out.compare()
    print(json.dumps([len(found), [f"{one.relation}: {one.difference.reason}" for one in found if one.difference]]))
    return 0


def measure(source: Path, millions: float, options: argparse.Namespace) -> dict[str, Any]:
    """The figures of one size; its folder is gone at the end."""
    from tests.load import copied_market as market

    home = HOME / "market"
    shutil.rmtree(home, ignore_errors=True)
    laid = market.lay(source, home / "raw", max(1, round(millions * 1_000_000 / market.size(source).events)))
    step(f"{millions:g} million events: {laid.rows} raw rows, {laid.events} events, {laid.bytes / 1e6:.0f} MB")
    env = market.environment(home) | {"OPENLANCE_SPARK_MEMORY": options.spark_memory}
    figures: dict[str, Any] = {"raw_rows": laid.rows, "events": laid.events, "raw_mb": round(laid.bytes / 1e6, 1)}
    commands = {
        "duckdb": [sys.executable, str(REPO / "tests" / "load" / "platform_dbt.py"), "--build", "full"],
        "spark": [sys.executable, str(Path(__file__)), "--step", "spark"],
    }
    written = {"duckdb": home / "work" / "warehouse.duckdb", "spark": home / "work" / "spark" / "warehouse"}
    try:
        for engine in options.engines.split(","):
            used = market.watched(commands[engine], env)
            size = market.folder_bytes(written[engine])
            step(
                f"  {engine}: {used.seconds:.0f} s, {used.cpu:.0f} s of the processor, {used.peak_mb} MB of memory, {size / 1e6:.0f} MB written"
            )
            figures |= {
                f"{engine}_seconds": round(used.seconds, 1),
                f"{engine}_cpu_seconds": round(used.cpu, 1),
                f"{engine}_peak_mb": used.peak_mb,
                f"{engine}_written_mb": round(size / 1e6, 1),
            }
        if set(options.engines.split(",")) == set(ENGINES):
            said = market.watched([*commands["spark"][:2], "--step", "compare"], env).said.splitlines()
            models, different = json.loads(next(line for line in reversed(said) if line.startswith("[")))
            step(f"  {models} models compared, {len(different)} differ{': ' if different else ''}{'; '.join(different)}")
            figures |= {"models": models, "models_differ": len(different)}
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return figures


def line(points: list[tuple[float, float]]) -> tuple[float, float]:
    """(a, b) of the line y = a + b x nearest to the points, by least squares."""
    count, across, up = len(points), sum(x for x, _ in points), sum(y for _, y in points)
    spread = count * sum(x * x for x, _ in points) - across**2
    slope = (count * sum(x * y for x, y in points) - across * up) / spread if spread else 0.0
    return (up - slope * across) / count, slope


def lines(sizes: dict[str, dict[str, Any]]) -> dict[str, float]:
    """What a build costs at nothing and for each million raw rows, by engine, and where the engines' lines cross."""
    found: dict[str, float] = {}
    for clock in ("seconds", "cpu_seconds"):
        fitted = {}
        for engine in ENGINES:
            points = [(one["raw_rows"] / 1e6, one[f"{engine}_{clock}"]) for one in sizes.values() if f"{engine}_{clock}" in one]
            if len(points) > 1:
                fitted[engine] = line(points)
                found[f"{engine}_fixed_{clock}"], found[f"{engine}_{clock}_per_million_rows"] = (round(part, 2) for part in fitted[engine])
        if len(fitted) == len(ENGINES):
            (a, b), (c, d) = fitted["duckdb"], fitted["spark"]
            if b > d and c > a:
                found[f"crossing_million_rows_by_{clock}"] = round((c - a) / (b - d), 1)
    return found


def tell(figures: dict[str, Any], options: argparse.Namespace, load: float) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "value", title=f"growth, seed {options.seed}")
    results = []
    for name, value in figures.items():
        table.add_row(name, str(value))
        unit = "s" if "seconds" in name and "crossing" not in name else "MB" if "_mb" in name else "count"
        results.append({"metric": name, "value": value, "unit": unit})
    Console().print(table)
    document = {
        "name": "growth",
        "seed": options.seed,
        "command": " ".join(["python", "tests/load/growth_bench.py", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load_before": load,
        "results": results,
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(document, indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", default="1,5,20", help="millions, with commas")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--spark-memory", default="3g")
    parser.add_argument("--step", choices=["spark", "compare"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        return build_on_spark() if options.step == "spark" else compare()
    from infra.local.environment import install_aside
    from pipelines import scale_out
    from tests.load import copied_market as market

    if "spark" in options.engines and not os.environ.get("OPENLANCE_SPARK_HOME"):
        step(f"Spark (var/tools): {install_aside('spark')}")
    load = round(os.getloadavg()[0], 1)
    if "spark" in options.engines and (lacking := scale_out.missing()):
        step(f"without Spark: {lacking}")
        options.engines = "duckdb"
    shutil.rmtree(HOME, ignore_errors=True)
    sizes: dict[str, dict[str, Any]] = {}
    try:
        source = market.base(HOME / "base", options.seed)
        for millions in options.events.split(","):
            sizes[millions] = measure(source, float(millions), options)
    finally:
        shutil.rmtree(HOME, ignore_errors=True)
    figures = {f"{name}_{millions}m": value for millions, one in sizes.items() for name, value in one.items()} | lines(sizes)
    tell(figures, options, load)
    return 1 if any(one.get("models_differ") for one in sizes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
