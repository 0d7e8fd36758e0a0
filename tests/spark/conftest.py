"""The sample market's raw log built on Spark once, beside the warehouse that the sample house built on DuckDB."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines import scale_out
from pipelines.scale_out import Comparison


@dataclass(frozen=True)
class BuiltOnSpark:
    """A run-time folder with raw log, DuckDB's warehouse and Spark's tables, and what dbt said on Spark."""

    folder: Path
    said: list[str]
    models: dict[str, Comparison]


@pytest.fixture(scope="session")
def on_spark(sample_house: Path, tmp_path_factory: pytest.TempPathFactory) -> BuiltOnSpark:
    """Without dbt's data tests: rows that are equal pass the same tests, and the sample house ran them."""
    lacking = scale_out.missing()
    if lacking:
        pytest.skip(lacking)
    home = tmp_path_factory.mktemp("spark")
    (home / "raw").symlink_to(sample_house / "raw")
    (home / "work").mkdir()
    shutil.copy(sample_house / "work" / "warehouse.duckdb", home / "work" / "warehouse.duckdb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENLANCE_VAR", str(home))
        patch.delenv("OPENLANCE_WAREHOUSE", raising=False)
        said = list(scale_out.build("build", "--exclude-resource-type", "test", "--exclude-resource-type", "exposure"))
        return BuiltOnSpark(home, said, {one.relation: one for one in scale_out.compare()})
