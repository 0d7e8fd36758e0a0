"""Where the platform keeps its run-time state. Everything is asked at call time, so that tests may point it elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]


def var() -> Path:
    """The run-time folder: OPENLANCE_VAR, or `var/` in the repository."""
    return Path(os.environ.get("OPENLANCE_VAR") or REPO / "var").absolute()


def raw() -> Path:
    """The raw change log: Parquet files and the manifest that says which of them count."""
    return var() / "raw"


def warehouse() -> Path:
    """The one work file that dbt builds in: OPENLANCE_WAREHOUSE, or `work/warehouse.duckdb`."""
    return Path(os.environ.get("OPENLANCE_WAREHOUSE") or var() / "work" / "warehouse.duckdb").absolute()


def round_lock() -> Path:
    """Held by whoever changes the work file: a round, the resident loop, a step of Dagster."""
    return var() / "work" / ".round.lock"


def published() -> Path:
    """The folder of published marts, one subfolder an audience."""
    return var() / "published"


def bundles() -> Path:
    """What the web process serves scores from, one subfolder a model: OPENLANCE_BUNDLES, or `bundles/` of the run-time folder."""
    return Path(os.environ.get("OPENLANCE_BUNDLES") or var() / "bundles").absolute()


def dbt_target() -> Path:
    """dbt's artefacts (manifest, run results, logs) of this run-time folder."""
    return var() / "work" / "dbt"


def dbt_project() -> Path:
    """The dbt project's folder: OPENLANCE_DBT_PROJECT, or `dbt_project/` in the repository."""
    return Path(os.environ.get("OPENLANCE_DBT_PROJECT") or REPO / "dbt_project").absolute()
