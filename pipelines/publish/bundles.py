"""The score bundles beside the publications: which model, run and publication stand behind the versions that published scores name, and
which bundles must go when somebody was erased. What a bundle is, ml.serving.bundle says.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from .. import files, paths

#: published scores, each with the version of the model that gave it
SCORES = "admin.served_scores"
NAME = "matching"
_GONE = ".gone-"


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


def forget_before(moment: datetime) -> str:
    """Remove the bundles with features of publications made before `moment`, and what killed exports left of that time.

    The one that is served stays; returns its version when it is one of them, else "".
    """
    home = paths.bundles() / NAME
    for path in sorted(home.glob("*/")):
        if path.name.startswith(".writing-"):
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < moment:
                shutil.rmtree(path)
        elif path.name.startswith(_GONE):
            shutil.rmtree(path)
        elif _is_of_before(path, moment) and path.name != _served(home):
            _remove(path)
    served = _served(home)
    return served if served and _is_of_before(home / served, moment) else ""


def _remove(bundle: Path) -> None:
    aside = bundle.with_name(_GONE + bundle.name)
    bundle.rename(aside)
    # somebody may have made it current in between
    if _served(bundle.parent) == bundle.name:
        aside.rename(bundle)
    else:
        shutil.rmtree(aside)


def _served(home: Path) -> str:
    return str((files.read_json(home / "CURRENT.json") or {}).get("version", ""))


def _is_of_before(bundle: Path, moment: datetime) -> bool:
    manifest = files.read_json(bundle / "manifest.json") or {}
    publish_id = str(manifest.get("meta", {}).get("publish_id") or bundle.name.rsplit("-", 1)[-1])
    return publish_id < f"{moment.astimezone(UTC):%Y%m%dT%H%M%S%f}"
