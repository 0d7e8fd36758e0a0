"""The additive ranker as an MLflow model written as code: scoring a feature matrix, without any pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.pyfunc.model import PythonModel

from ml.serving.additive import AdditiveModel


class AdditiveRanker(PythonModel):
    """Input: float64 matrix with one column per feature; output: the score in log-odds, one number a row."""

    def load_context(self, context: Any) -> None:
        folder = Path(context.artifacts["ranker"])
        self.model = AdditiveModel.from_document(json.loads((folder / "model.json").read_text()))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # MLflow reads hints as a schema
        return self.model.score(np.asarray(model_input, dtype=np.float64))


mlflow.models.set_model(AdditiveRanker())
