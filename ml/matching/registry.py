"""MLflow: one run a training, the registry's versions, and the aliases `champion` and `challenger`."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types.schema import Schema, TensorSpec

from ml.features.text import TextSpace
from ml.gates.gate import Decision
from ml.serving.additive import AdditiveModel

REGISTERED = "matching"
EXPERIMENT = "matching"


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
