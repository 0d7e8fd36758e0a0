"""One table through dlt's sql_database source into Parquet, by one of its backends; tells the seconds, the rows and the peak of memory.

Run by platform_bench.py in a process of its own, with dlt on its path (var/tools/dlt). `connectorx_exact` is connectorx as somebody has to use it
who wants all digits of a decimal, of which it keeps ten places: the server is asked for text.

    python tests/load/platform_dlt.py BACKEND FOLDER TABLE
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any


def cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def decimals_as_text(query: Any, table: Any) -> Any:
    """The query of a table with its decimals as text."""
    import sqlalchemy as sa

    exact = {column.name for column in table.columns if isinstance(column.type, sa.Numeric) and not isinstance(column.type, sa.Float)}
    return sa.select(*(sa.cast(column, sa.String).label(column.name) if column.name in exact else column for column in table.columns))


def main(backend: str, folder: Path, table: str) -> None:
    os.environ |= {"DLT_DATA_DIR": str(folder / "home"), "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
    import dlt
    from dlt.sources.credentials import ConnectionStringCredentials
    from dlt.sources.sql_database import sql_table

    name, port = (os.environ[f"OPENLANCE_DB_{what}"] for what in ("NAME", "PORT"))
    credentials = ConnectionStringCredentials(f"mysql+mysqldb://root@127.0.0.1:{port}/{name}?charset=utf8mb4")
    backend, *exact = backend.split("_")
    # connectorx wants an address of its own
    options = {"conn": f"mysql://root@127.0.0.1:{port}/{name}"} if backend == "connectorx" else {}
    if backend == "pyarrow":
        options = {"tz": "UTC"}
    resource_of_table = sql_table(
        credentials,
        table=table,
        backend=backend,
        chunk_size=50_000,
        reflection_level="full_with_precision",
        backend_kwargs=options,
        query_adapter_callback=decimals_as_text if exact else None,
    )
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.filesystem((folder / "out").as_uri()),
        dataset_name="raw",
    )
    begin, before = time.perf_counter(), cpu()
    pipeline.run(resource_of_table, loader_file_format="parquet", write_disposition="replace")
    seconds, used = time.perf_counter() - begin, cpu() - before
    import duckdb

    rows = duckdb.sql(f"SELECT count(*) FROM read_parquet('{folder}/out/raw/{table}/*.parquet')").fetchone()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": used, "rows": rows and rows[0], "peak_mb": round(peak)}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
