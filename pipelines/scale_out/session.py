"""The process that holds the Spark session: raw log in, dbt build, tables out as Parquet. Needs pyspark and dbt-spark on its path.

python -m pipelines.scale_out.session [arguments of dbt build]
"""

from __future__ import annotations

import os
import sys
from typing import Any

import pyarrow.parquet as pq

from .. import paths
from ..extract.contracts import load_all
from ..extract.log import OWN, Log, log_columns
from .engine import folder

#: The physical type in which Spark reads what DuckDB wrote to Parquet; unsigned types are one size wider there.
SPARK_TYPES = {
    "TINYINT": "tinyint",
    "UTINYINT": "smallint",
    "SMALLINT": "smallint",
    "USMALLINT": "int",
    "INTEGER": "int",
    "UINTEGER": "bigint",
    "BIGINT": "bigint",
    "UBIGINT": "decimal(20,0)",
    "BOOLEAN": "boolean",
    "DOUBLE": "double",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "VARCHAR": "string",
}


#: Below so many raw rows nearly all time is Java compiling code that then runs once: leave that out. Bytes would not tell: rows that repeat take few.
SMALL = 1_000_000


def settings(raw_rows: int) -> dict[str, str]:
    """Spark's settings: one machine, no network, no web page, UTC, exact decimals, everything below the run-time folder."""
    home, cores = folder(), os.environ.get("OPENLANCE_SPARK_CORES", "2")
    small = raw_rows < SMALL
    java = [
        "-Duser.timezone=UTC",
        f"-Djava.io.tmpdir={home / 'tmp'}",
        "-XX:+UseParallelGC",
        *(["-XX:TieredStopAtLevel=1"] if small else []),
    ]
    return {
        "spark.master": f"local[{cores}]",
        "spark.app.name": "openlance",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": os.environ.get("OPENLANCE_SPARK_MEMORY", "2g"),
        "spark.driver.extraJavaOptions": " ".join(java),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": str(home / "tmp"),
        "spark.sql.warehouse.dir": str(home / "warehouse"),
        # no metastore: tables of one build are found in the process that built them, and after it by their folders
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.globalTempDatabase": "raw",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        # a product of decimals keeps its scale, as in DuckDB; what does not fit is an error and never a rounding
        "spark.sql.decimalOperations.allowPrecisionLoss": "false",
        "spark.sql.parquet.inferTimestampNTZ.enabled": "false",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
        "spark.sql.codegen.wholeStage": str(not small).lower(),
        "spark.sql.codegen.factoryMode": "NO_CODEGEN" if small else "FALLBACK",
        "spark.sql.shuffle.partitions": cores if small else str(4 * int(cores)),
        "spark.sql.adaptive.enabled": "true",
        "spark.scheduler.mode": "FAIR",
    }


def start(raw_rows: int) -> Any:
    """The one session of this process; dbt-spark's session method finds it."""
    from pyspark.sql import SparkSession

    (folder() / "tmp").mkdir(parents=True, exist_ok=True)
    builder = SparkSession.builder
    for name, value in settings(raw_rows).items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def rows(log: Log) -> int:
    """Rows of all files that count."""
    manifest = log.manifest()
    return sum(pq.read_metadata(path).num_rows for table in manifest.tables for path in log.paths(manifest, table))


def expose(spark: Any, log: Log) -> int:
    """Make `raw.<table>` show exactly the committed files of each contract's table; returns how many tables that were."""
    manifest = log.manifest()
    tables = {contract.table: log_columns(contract) for contract in load_all()} | OWN
    for table, columns in tables.items():
        schema = ", ".join(f"`{name}` {spark_type(kind)}" for name, kind in columns.items())
        files = [str(path) for path in log.paths(manifest, table)]
        frame = spark.read.schema(schema).parquet(*files) if files else spark.createDataFrame([], schema)
        frame.createOrReplaceGlobalTempView(table)
    return len(tables)


def spark_type(kind: str) -> str:
    """DuckDB's type of a raw column in Spark's words. Raises ValueError for one that no contract may have."""
    if kind.startswith("DECIMAL"):
        return kind.lower()
    if kind not in SPARK_TYPES:
        raise ValueError(f"Spark reads no raw column of type {kind}; known are {', '.join(sorted(SPARK_TYPES))}")
    return SPARK_TYPES[kind]


def say(line: str) -> None:
    """One line to whoever started this process."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Build; returns dbt's exit code."""
    from dbt.cli.main import dbtRunner

    log = Log(paths.raw())
    raw_rows = rows(log)
    spark = start(raw_rows)
    try:
        say(f"{expose(spark, log)} raw tables, {raw_rows} rows")
        project, artefacts = str(paths.dbt_project()), str(folder() / "dbt")
        places = ["--project-dir", project, "--profiles-dir", project, "--target-path", artefacts, "--log-path", artefacts]
        done = dbtRunner().invoke(["--no-version-check", "--no-use-colors", *(arguments or ["build"]), "--target", "spark", *places])
        if done.exception:
            say(f"Error: {done.exception}")
            return 2
        return 0 if done.success else 1
    finally:
        spark.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
