"""Jobs for a freelancer out of a loaded bundle: retrieve, rank, re-rank for exposure, explain."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .additive import AdditiveModel
from .bundle import CorruptBundle, current, load_array
from .pairs import FEATURES, FreelancerSide, Ints, JobSide, pair_features

NAME = "matching"
#: an exposure slot comes after so many ranked places
EXPOSURE_EVERY = 10


@dataclass(frozen=True, slots=True)
class Part:
    """One additive contribution in log-odds; `text` says in words what it stands for."""

    name: str
    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """`score` = the sum of `parts` (which include the base). `placed_by` is "score" or "exposure"."""

    job_id: int
    score: float
    parts: tuple[Part, ...]
    placed_by: str


@dataclass(frozen=True, slots=True)
class Recommender:
    """A bundle in memory (arrays are memory maps). Safe to share between threads: nothing in it changes."""

    version: str
    publish_id: str
    model: AdditiveModel
    idf: NDArray[np.float64]
    freelancers: FreelancerSide
    jobs: JobSide
    candidates: int
    exposure_start: Ints
    exposure_job: Ints

    def row_of(self, freelancer_id: int) -> int | None:
        """Row of a freelancer, or None when the bundle does not know them (they joined after it was made)."""
        at = int(np.searchsorted(self.freelancers.ids, freelancer_id))
        known = at < len(self.freelancers.ids) and int(self.freelancers.ids[at]) == freelancer_id
        return at if known else None

    def retrieve(self, row: int, features: NDArray[np.float64]) -> Ints:
        """Rows of the candidate jobs: the best by skill cover, text and field of work, at most `candidates`."""
        names = list(FEATURES)
        column = {n: features[:, names.index(n)] for n in ("skill_cover", "text_similarity", "category_match")}
        near = column["skill_cover"] + column["text_similarity"] + 0.5 * column["category_match"]
        keep = min(self.candidates, len(near))
        found: Ints = np.sort(np.argpartition(-near, keep - 1)[:keep]) if keep else np.zeros(0, dtype=np.int64)
        return found

    def recommend(
        self, freelancer_id: int, *, limit: int, day: float | None = None, exclude: Collection[int] = ()
    ) -> list[Recommendation] | None:
        """At most `limit` jobs, best first; None when the freelancer is not in the bundle.

        `day` is the business day as days since 1970-01-01 UTC (default: now); jobs in `exclude` are left out. Ties go to the
        smaller job id.
        """
        row = self.row_of(freelancer_id)
        if row is None:
            return None
        ranked, x = self.rank(row, time.time() / 86400.0 if day is None else day, exclude)
        if not len(ranked):
            return []
        order, reserved = self._with_exposure(row, ranked, limit, exclude)
        parts = self.model.parts(x[order])
        return [self._explain(int(j), parts[k], int(j) in reserved) for k, j in enumerate(order)]

    def rank(self, row: int, day: float, exclude: Collection[int] = ()) -> tuple[Ints, NDArray[np.float64]]:
        """Rows of the retrieved jobs by score, and the feature matrix of all jobs for this freelancer."""
        n = len(self.jobs.ids)
        rows = np.full(n, row, dtype=np.int64)
        x = pair_features(self.freelancers, self.jobs, rows, np.arange(n), idf=self.idf, day=np.full(n, day))
        found = self.retrieve(row, x)
        if len(exclude):
            found = found[~np.isin(self.jobs.ids[found], np.fromiter(exclude, dtype=np.int64))]
        score = self.model.score(x[found])
        return found[np.lexsort((self.jobs.ids[found], -score))], x

    def _with_exposure(self, row: int, ranked: Ints, limit: int, exclude: Collection[int]) -> tuple[Ints, set[int]]:
        """Lay the freelancer's reserved jobs into every EXPOSURE_EVERY-th place; they keep their own score."""
        top = [int(j) for j in ranked[:limit]]
        kept = self.exposure_job[self.exposure_start[row] : self.exposure_start[row + 1]]
        reserved = [int(j) for j in kept if int(j) not in top and int(self.jobs.ids[j]) not in exclude]
        reserved = reserved[: limit // EXPOSURE_EVERY]
        order: list[int] = []
        waiting = list(reserved)
        while len(order) < limit and (top or waiting):
            slot = (len(order) + 1) % EXPOSURE_EVERY == 0
            order.append(waiting.pop(0) if waiting and (slot or not top) else top.pop(0))
        return np.asarray(order, dtype=np.int64), set(reserved)

    def _explain(self, job_row: int, values: NDArray[np.float64], reserved: bool) -> Recommendation:
        parts = [Part("base", float(self.model.base), "an average freelancer and an average job")]
        parts += [Part(n, float(v), t) for (n, t), v in zip(FEATURES.items(), values, strict=True)]
        score = float(sum(p.value for p in parts))
        return Recommendation(int(self.jobs.ids[job_row]), score, tuple(parts), "exposure" if reserved else "score")


def _side(folder: Path, kind: type[Any], prefix: str) -> Any:
    side = kind(**{name: load_array(folder, f"{prefix}_{name}") for name in kind.__dataclass_fields__})
    rows = len(side.ids)
    if len(side.skill_start) != rows + 1 or any(
        len(getattr(side, n)) != rows for n in kind.__dataclass_fields__ if not n.startswith("skill_")
    ):
        raise CorruptBundle(f"{folder}: the arrays of {prefix} have different lengths; export the bundle again")
    return side


def load_recommender(root: Path) -> Recommender:
    """The current matching bundle, verified by hash. Raises NoBundle or CorruptBundle."""
    folder, manifest = current(root, NAME)
    try:
        document = json.loads((folder / "model.json").read_text())
        model = AdditiveModel.from_document(document)
        settings = json.loads((folder / "settings.json").read_text())
        candidates = int(settings["candidates"])
    except (OSError, ValueError, KeyError) as e:
        raise CorruptBundle(f"{folder}: model.json or settings.json is unreadable ({e}); export the bundle again") from e
    if model.features != tuple(FEATURES):
        raise CorruptBundle(f"{folder}: the model was made for other features; export it again with this version")
    freelancers = _side(folder, FreelancerSide, "freelancer")
    jobs = _side(folder, JobSide, "job")
    exposure_start = load_array(folder, "exposure_start")
    if len(exposure_start) != len(freelancers.ids) + 1:
        raise CorruptBundle(f"{folder}: the exposure table does not fit the freelancers; export the bundle again")
    return Recommender(
        version=str(manifest["version"]),
        publish_id=str(manifest["meta"].get("publish_id", "")),
        model=model,
        idf=load_array(folder, "idf"),
        freelancers=freelancers,
        jobs=jobs,
        candidates=candidates,
        exposure_start=exposure_start,
        exposure_job=load_array(folder, "exposure_job"),
    )
