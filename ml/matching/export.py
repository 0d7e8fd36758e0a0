"""The champion, with the newest published features of both sides, as a bundle for the web process.

    python -m ml.matching.export        writes $OPENLANCE_BUNDLES/matching/<version> and prints its path

`manage.py load_bundle matching <version>` verifies it and makes it current.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ml.features.sides import Vocabulary, freelancer_side, job_side
from ml.features.text import TextSpace
from ml.serving.additive import AdditiveModel
from ml.serving.bundle import write
from ml.serving.pairs import Ints, side_arrays
from ml.serving.recommender import EXPOSURE_EVERY, NAME, Recommender

CANDIDATES = 500
TOP = 100
SLOTS = TOP // EXPOSURE_EVERY


@dataclass(frozen=True, slots=True)
class Exposure:
    """Reserved places: for freelancer row r the job rows `job[start[r]:start[r + 1]]`. `coverage`: share of jobs in some top 100."""

    start: Ints
    job: Ints
    coverage: float
    reserved: int


def assemble(
    *,
    version: str,
    publish_id: str,
    model: AdditiveModel,
    space: TextSpace,
    freelancers: pl.DataFrame,
    jobs: pl.DataFrame,
    day: float,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[Recommender, Exposure]:
    """The recommender over the given frames (columns as in ml.features.sides), with its exposure table."""
    freelancers, jobs = freelancers.sort("freelancer_id"), jobs.sort("job_id")
    vocabulary = Vocabulary.of(freelancers, jobs)
    n = len(freelancers)
    bare = Recommender(
        version=version,
        publish_id=publish_id,
        model=model,
        idf=vocabulary.idf,
        freelancers=freelancer_side(freelancers, vocabulary, space),
        jobs=job_side(jobs, vocabulary, space),
        candidates=CANDIDATES,
        exposure_start=np.zeros(n + 1, dtype=np.int64),
        exposure_job=np.zeros(0, dtype=np.int64),
    )
    exposure = _expose(bare, day, progress)
    whole = Recommender(
        **{f: getattr(bare, f) for f in Recommender.__dataclass_fields__ if not f.startswith("exposure")},
        exposure_start=exposure.start,
        exposure_job=exposure.job,
    )
    return whole, exposure


def _expose(recommender: Recommender, day: float, progress: Callable[[int, int], None]) -> Exposure:
    """Give each job that stands in nobody's first places a reserved one with the freelancers it fits best.

    A job counts as seen when it is among the first TOP − SLOTS by score of anybody: those places are never given away.
    """
    people, jobs = len(recommender.freelancers.ids), len(recommender.jobs.ids)
    seen = np.zeros(jobs, dtype=bool)
    scores = np.empty((people, jobs), dtype=np.float32)
    for row in range(people):
        ranked, x = recommender.rank(row, day)
        seen[ranked[: TOP - SLOTS]] = True
        scores[row] = recommender.model.score(x)
        progress(row + 1, people)
    given: list[list[int]] = [[] for _ in range(people)]
    unseen = [int(j) for j in np.flatnonzero(~seen)]
    placed = 0
    for job in unseen:
        for row in np.argsort(-scores[:, job], kind="stable"):
            if len(given[row]) < SLOTS:
                given[row].append(job)
                placed += 1
                break
    start = np.concatenate([[0], np.cumsum([len(g) for g in given])]).astype(np.int64)
    coverage = 1.0 if jobs == 0 else (int(seen.sum()) + placed) / jobs
    flat = np.asarray([j for g in given for j in g], dtype=np.int64)
    return Exposure(start, flat, coverage, placed)


def write_bundle(root: Path, recommender: Recommender, *, meta: dict[str, object]) -> Path:
    """Write the recommender as a bundle (not yet current) and return its folder."""
    arrays = {
        "idf": recommender.idf,
        "exposure_start": recommender.exposure_start,
        "exposure_job": recommender.exposure_job,
        **side_arrays(recommender.freelancers, "freelancer"),
        **side_arrays(recommender.jobs, "job"),
    }
    documents = {"model": recommender.model.to_document(), "settings": {"candidates": recommender.candidates}}
    return write(root, NAME, recommender.version, arrays=arrays, documents=documents, meta={**meta, "publish_id": recommender.publish_id})


def latency_ms(recommender: Recommender, *, calls: int = 200, seed: int = 0) -> tuple[float, float]:
    """Median and 99th percentile of `recommend(limit=20)` in milliseconds over random freelancers, in this process."""
    if not len(recommender.freelancers.ids):
        return 0.0, 0.0
    rng = np.random.default_rng(seed)
    took = []
    for freelancer in rng.choice(recommender.freelancers.ids, calls):
        begin = time.perf_counter()
        recommender.recommend(int(freelancer), limit=20)
        took.append((time.perf_counter() - begin) * 1e3)
    return float(np.median(took)), float(np.quantile(took, 0.99))


def main() -> int:
    """Export the champion on the newest published marts."""
    from ml.datasets.published import bundles_root, current_sides
    from ml.matching.registry import champion, served_version

    found = champion()
    if found is None:
        print("No champion in the registry yet: run `make train` first.", file=sys.stderr)
        return 1
    sides = current_sides()
    recommender, exposure = assemble(
        version=served_version(found.version, sides.publish_id),
        publish_id=sides.publish_id,
        model=found.model,
        space=found.space,
        freelancers=sides.freelancers,
        jobs=sides.jobs,
        day=sides.day,
    )
    folder = bundles_root() / NAME / recommender.version
    if not folder.exists():
        folder = write_bundle(bundles_root(), recommender, meta={"registry_version": found.version, "run_id": found.run_id})
    print(
        f"{len(recommender.freelancers.ids)} freelancers, {len(recommender.jobs.ids)} open jobs, coverage {exposure.coverage:.1%}, {exposure.reserved} reserved places"
    )
    print(folder.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
