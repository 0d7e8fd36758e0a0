"""Bundles and the recommender as the web process sees them: no pickle, no training code, nothing damaged is served."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.matching.export import assemble, write_bundle
from ml.matching.train import train
from ml.serving import BundleError, CorruptBundle, NoBundle, current, load_recommender, switch, write
from ml.serving.recommender import NAME

DAY = 20_600.0


@pytest.fixture(scope="module")
def exported(market: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    trained = train(market.pairs, market.freelancers, market.jobs, seed=3)
    recommender, _ = assemble(
        version="1@p1", publish_id="p1", model=trained.model, space=trained.space, freelancers=market.freelancers, jobs=market.jobs, day=DAY
    )
    root = tmp_path_factory.mktemp("bundles")
    write_bundle(root, recommender, meta={"run_id": "r"})
    switch(root, NAME, "1@p1")
    return root, recommender


@pytest.fixture
def root(exported: tuple[Path, Any], tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    import shutil

    return Path(shutil.copytree(exported[0], tmp_path / "bundles"))


def test_what_was_exported_is_what_is_served(exported: tuple[Path, Any]) -> None:
    root, made = exported
    loaded = load_recommender(root)
    assert (loaded.version, loaded.publish_id) == ("1@p1", "p1")
    for person in made.freelancers.ids[:10]:
        assert loaded.recommend(int(person), limit=20, day=DAY) == made.recommend(int(person), limit=20, day=DAY)


def test_parts_of_each_recommendation_sum_to_its_score_and_scores_fall(exported: tuple[Path, Any]) -> None:
    found = load_recommender(exported[0]).recommend(1, limit=50, day=DAY)
    assert found
    for hit in found:
        assert sum(p.value for p in hit.parts) == pytest.approx(hit.score, abs=1e-9)
    ranked = [h.score for h in found if h.placed_by == "score"]
    assert ranked == sorted(ranked, reverse=True)


def test_excluded_jobs_do_not_come_and_strangers_get_none(exported: tuple[Path, Any]) -> None:
    loaded = load_recommender(exported[0])
    first = loaded.recommend(1, limit=5, day=DAY)
    assert first
    without = loaded.recommend(1, limit=5, day=DAY, exclude={first[0].job_id})
    assert without
    assert first[0].job_id not in {h.job_id for h in without}
    assert loaded.recommend(987_654, limit=5, day=DAY) is None


@pytest.mark.parametrize("file", ["model.json", "freelancer_ids.npy", "manifest.json"])
def test_a_changed_file_is_refused(root: Path, file: str) -> None:
    path = root / NAME / "1@p1" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(CorruptBundle):
        load_recommender(root)


def test_a_missing_file_is_refused(root: Path) -> None:
    (root / NAME / "1@p1" / "job_vector.npy").unlink()
    with pytest.raises(CorruptBundle, match="job_vector"):
        load_recommender(root)


def test_an_unreadable_pointer_is_refused_and_no_pointer_is_told(root: Path) -> None:
    (root / NAME / "CURRENT.json").write_text("{")
    with pytest.raises(CorruptBundle):
        load_recommender(root)
    (root / NAME / "CURRENT.json").unlink()
    with pytest.raises(NoBundle, match="make train"):
        load_recommender(root)


def test_a_damaged_bundle_is_never_made_current(root: Path) -> None:
    folder = write(root, NAME, "2", arrays={"a": np.arange(3)}, documents={}, meta={})
    np.save(folder / "a.npy", np.arange(4))
    with pytest.raises(CorruptBundle):
        switch(root, NAME, "2")
    assert current(root, NAME)[1]["version"] == "1@p1"


def test_a_version_is_written_once(root: Path) -> None:
    with pytest.raises(BundleError, match="exists already"):
        write(root, NAME, "1@p1", arrays={}, documents={}, meta={})


def test_object_arrays_cannot_enter_a_bundle(root: Path) -> None:
    with pytest.raises(ValueError, match=r"[Oo]bject arrays"):
        write(root, NAME, "3", arrays={"evil": np.array([{"a": 1}], dtype=object)}, documents={}, meta={})
    assert not (root / NAME / "3").exists()


def test_a_manifest_that_points_outside_its_folder_is_refused(root: Path) -> None:
    folder = write(root, NAME, "4", arrays={"a": np.arange(3)}, documents={}, meta={})
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../1@p1/model.json"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CorruptBundle):
        switch(root, NAME, "4")


def test_serving_imports_neither_training_code_nor_mlflow() -> None:
    code = "import sys, ml.serving; bad = {'sklearn', 'mlflow', 'polars', 'duckdb', 'ml.matching', 'ml.features'} & set(sys.modules); sys.exit(str(bad) if bad else 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
