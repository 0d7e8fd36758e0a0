"""Which registered model, MLflow run and publication stand behind the versions that published scores name."""

from __future__ import annotations

import duckdb

from .. import files, paths

#: published scores, each with the version of the model that gave it
SCORES = "admin.served_scores"
NAME = "matching"


def write(db: duckdb.DuckDBPyConnection, published: set[str]) -> None:
    """`_meta.bundle`: one row a version named by the published scores whose bundle is on this machine; rules have none, and what was cleaned away is left out.

    Only these are read: each round of a busy market leaves a bundle.
    """
    db.execute("CREATE TABLE _meta.bundle (model_version VARCHAR, registry_version VARCHAR, run_id VARCHAR, publish_id VARCHAR)")
    if SCORES not in published:
        return
    for (version,) in db.execute(f"SELECT DISTINCT model_version FROM {SCORES} ORDER BY 1").fetchall():
        folder = paths.bundles() / NAME / version
        manifest = files.read_json(folder / "manifest.json") if folder.parent == paths.bundles() / NAME else None
        if manifest:
            told = [manifest["meta"].get(key) for key in ("registry_version", "run_id", "publish_id")]
            db.execute("INSERT INTO _meta.bundle VALUES (?, ?, ?, ?)", [version, *told])
