"""The same models on Spark: built from the same raw Parquet by dbt-spark, and compared with DuckDB's row by row.

Spark and dbt-spark are no part of the environment: they lie in a folder of their own (var/tools/spark, or OPENLANCE_SPARK_HOME), are
put on the path of the one process that needs them, and want Java 17 or newer.
"""

from __future__ import annotations

from .comparison import Comparison, Difference, compare
from .engine import NotInstalled, build, folder, forget, missing

__all__ = ["Comparison", "Difference", "NotInstalled", "build", "compare", "folder", "forget", "missing"]
