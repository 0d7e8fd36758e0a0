"""The registry on a real MLflow store: versions, aliases, the decision in the run, a champion that can be loaded again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.entities import ViewType

from ml.gates.gate import Decision
from ml.matching import registry
from ml.matching.train import Trained, train


@pytest.fixture(scope="module")
def trained(market: Any) -> Trained:
    return train(market.pairs, market.freelancers, market.jobs, seed=3)


def register(trained: Trained, ndcg: float) -> tuple[str, str]:
    return registry.register(
        model=trained.model,
        space=trained.space,
        params={"c_bid": 1.0},
        metrics={"ndcg10_matcher": ndcg},
        tags={"dataset_digest": "d", "publish_id": "p1", "feature_set": "pairs-1"},
        report={"quality": {}},
    )


def test_aliases_follow_the_gate_and_the_champion_scores_as_it_was_trained(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLANCE_VAR", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert registry.champion() is None
    first, run = register(trained, 0.5)
    registry.log_decision(run, first, Decision(True, ("pass: everything",)))
    second, later = register(trained, 0.4)
    registry.log_decision(later, second, Decision(False, ("FAIL: worse than the champion",)))
    champion = registry.champion()
    assert champion is not None
    assert (champion.version, champion.run_id) == (first, run)
    assert np.array_equal(champion.model.score(trained.test.x), trained.model.score(trained.test.x))
    client = registry.connect()
    assert client.get_model_version_by_alias("matching", "challenger").version == int(second)
    assert client.get_run(later).data.tags["gate"] == "refused"
    assert client.get_run(run).data.tags["dataset_digest"] == "d"
    assert not list(tmp_path.rglob("*.pkl")), "a model must not be a pickle"


def test_only_the_newest_versions_and_the_champion_keep_their_words(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLANCE_VAR", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert registry.forget() == []
    made = [register(trained, 0.5) for _ in range(4)]
    registry.log_decision(made[0][1], made[0][0], Decision(True, ("pass: everything",)))
    client = registry.connect()
    experiment = client.get_experiment_by_name(registry.EXPERIMENT)
    assert experiment is not None
    killed, at_work = (client.create_run(experiment.experiment_id).info.run_id for _ in range(2))
    client.set_terminated(killed, "FAILED")

    def words() -> int:
        return len(list(tmp_path.rglob("text_vocabulary.json")))

    assert words() == 4
    assert registry.forget(keep=2) == sorted([made[1][1], killed])
    assert words() == 3, "the champion, and the newest two"
    left = {run.info.run_id for run in client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL)}
    assert left == {made[0][1], made[2][1], made[3][1], at_work}, "none is only hidden"
    assert sorted(int(one.version) for one in client.search_model_versions("name = 'matching'")) == [1, 3, 4]
    champion = registry.champion()
    assert champion is not None and champion.version == "1"
    assert registry.forget(keep=2) == []

    registry.log_decision(made[3][1], made[3][0], Decision(True, ("pass: everything",)))
    assert registry.main(["--keep", "1"]) == 0
    assert words() == 1
