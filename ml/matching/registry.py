"""MLflow: one run a training, the registry's versions, and the aliases `champion` and `challenger`.

    python -m ml.matching.registry [--keep N]      forgets all but the newest N versions and those with an alias; each training does it

A run's artifacts hold words of profiles (`text_vocabulary.json`), so that what is kept for ever would outlive whoever wrote them.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")

import mlflow
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types.schema import Schema, TensorSpec

from ml.features.text import TextSpace
from ml.gates.gate import Decision
from ml.serving.additive import AdditiveModel

REGISTERED = "matching"
EXPERIMENT = "matching"
#: Newest versions that stay: a week of trainings.
KEPT = 7
#: A run that says so long that it is at work was killed.
_LONGEST_RUN_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered version with what is needed to score and to export it."""

    version: str
    run_id: str
    model: AdditiveModel
    space: TextSpace


def var() -> Path:
    """The run-time folder, from OPENLANCE_VAR (default: var/ beside the packages)."""
    return Path(os.environ.get("OPENLANCE_VAR", Path(__file__).resolve().parents[2] / "var"))


def connect() -> mlflow.MlflowClient:
    """A client of the tracking store in MLFLOW_TRACKING_URI (default: SQLite under var/mlflow); makes the experiment."""
    home = var() / "mlflow"
    home.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow.db'}"))
    client = mlflow.MlflowClient()
    if client.get_experiment_by_name(EXPERIMENT) is None:
        client.create_experiment(EXPERIMENT, artifact_location=(home / "artifacts").as_uri())
    return client


def served_version(registry_version: str, publish_id: str) -> str:
    """The bundle's name: which model on which marts."""
    return f"matching-v{registry_version}-{publish_id}"


def register(
    *,
    model: AdditiveModel,
    space: TextSpace,
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    report: Mapping[str, Any],
) -> tuple[str, str]:
    """Log one run with everything and register its model; returns (registry version, run id). No alias moves here."""
    connect()
    mlflow.set_experiment(EXPERIMENT)
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype("float64"), (-1, len(model.features)))]),
        outputs=Schema([TensorSpec(np.dtype("float64"), (-1,))]),
    )
    with mlflow.start_run() as run, tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "ranker"
        folder.mkdir()
        (folder / "model.json").write_text(json.dumps(model.to_document(), indent=1))
        space.save(folder)
        mlflow.log_params(dict(params))
        mlflow.log_metrics(dict(metrics))
        mlflow.set_tags(dict(tags))
        mlflow.log_dict(dict(report), "report.json")
        info = mlflow.pyfunc.log_model(
            name="ranker",
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts={"ranker": str(folder)},
            signature=signature,
            pip_requirements=["numpy", "openlance"],
            registered_model_name=REGISTERED,
        )
        return str(info.registered_model_version), run.info.run_id


def log_decision(run_id: str, version: str, decision: Decision) -> None:
    """Write the gate's decision to the run and move the aliases: a promoted version is the champion, another the challenger."""
    client = connect()
    client.set_tag(run_id, "gate", "promoted" if decision.promote else "refused")
    client.log_text(run_id, "\n".join(decision.reasons) + "\n", "gate.txt")
    client.set_registered_model_alias(REGISTERED, "champion" if decision.promote else "challenger", version)


def champion() -> Registered | None:
    """The version that `champion` points to, or None when there is none yet."""
    client = connect()
    try:
        found = client.get_model_version_by_alias(REGISTERED, "champion")
    except MlflowException:
        return None
    local = Path(mlflow.artifacts.download_artifacts(f"models:/{REGISTERED}/{found.version}"))
    folder = local / "artifacts" / "ranker"
    model = AdditiveModel.from_document(json.loads((folder / "model.json").read_text()))
    return Registered(str(found.version), str(found.run_id), model, TextSpace.load(folder))


def forget(keep: int = KEPT) -> list[str]:
    """Delete for good all versions but the newest `keep` and those that an alias names, and every run without a version that stays, with metrics,
    models and artifacts. Runs at work stay. Returns the runs' ids. Raises MlflowException when the store is a server's: `mlflow gc` has to run there.
    """
    client = connect()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None, "connect makes it"
    versions = sorted(client.search_model_versions(f"name = '{REGISTERED}'"), key=lambda one: -int(one.version))
    named = set(map(str, client.get_registered_model(REGISTERED).aliases.values())) if versions else set()
    kept = {one.version for one in versions[:keep]} | {one.version for one in versions if str(one.version) in named}
    kept_runs = {one.run_id for one in versions if one.version in kept}
    for one in versions:
        if one.version not in kept:
            client.delete_model_version(REGISTERED, one.version)
    since = (time.time() - _LONGEST_RUN_SECONDS) * 1000
    runs = _all(lambda page: client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL, page_token=page))
    gone = {
        run.info.run_id
        for run in runs
        if run.info.run_id not in kept_runs and not (run.info.status in ("RUNNING", "SCHEDULED") and run.info.start_time > since)
    }
    for model in _all(lambda page: client.search_logged_models([experiment.experiment_id], page_token=page)):
        if model.source_run_id in gone:
            client.delete_logged_model(model.model_id)
    for run in runs:
        if run.info.run_id in gone and run.info.lifecycle_stage == "active":
            client.delete_run(run.info.run_id)
    if gone:
        _purge(sorted(gone))
    return sorted(gone)


def _all(search: Callable[[str | None], Any]) -> list[Any]:
    """Every page of a search."""
    found: list[Any] = []
    page = None
    while True:
        answer = search(page)
        found += answer
        page = answer.token
        if not page:
            return found


def _purge(runs: list[str]) -> None:
    """Remove these runs, and every deleted model, from the store's disk: deleting alone only hides them."""
    from mlflow.cli import gc

    uri = mlflow.get_tracking_uri()
    with contextlib.redirect_stdout(io.StringIO()):
        gc.main(["--backend-store-uri", uri, "--tracking-uri", uri, "--run-ids", ",".join(runs)], standalone_mode=False)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code: 0 done, 1 what was deleted is still on a server's disk."""
    parser = argparse.ArgumentParser(
        prog="python -m ml.matching.registry", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--keep", type=int, default=KEPT, help=f"how many of the newest versions stay ({KEPT})")
    options = parser.parse_args(arguments)
    if options.keep < 1:
        parser.error("--keep: at least 1")
    try:
        gone = forget(options.keep)
    except MlflowException as refused:
        sys.stderr.write(f"not removed from the disk: {refused}; run `mlflow gc` where the tracking server runs\n")
        return 1
    sys.stdout.write(f"{len(gone)} runs forgotten, with their versions, models and artifacts\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
