"""The training set of the matcher: one row per impression, labels as they were known at the split, features as they were then.

Pair frame: batch String, freelancer_id Int64, job_id Int64, shown_at Datetime, position Int64, propensity Float64 (0, 1],
bid_at / shortlisted_at / hired_at Datetime? (when that stage was reached), and the values known when it was shown: reputation
Float64?, contracts_done Int64, client_hire_rate Float64, proposals Int64.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.features.sides import Vocabulary, freelancer_side, job_side
from ml.features.text import TextSpace
from ml.serving.pairs import FEATURES, pair_features

STAGES = ("bid_at", "shortlisted_at", "hired_at")
AS_OF_FREELANCER = ("reputation", "contracts_done")
AS_OF_JOB = ("client_hire_rate", "proposals")


@dataclass(frozen=True, slots=True)
class Split:
    """Three consecutive spans of time: fit on [start, valid), choose on [valid, test), report on [test, end]."""

    valid: datetime
    test: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one span: features, labels (0 shown, 1 bid, 2 shortlisted, 3 hired), propensity, list number."""

    pairs: pl.DataFrame
    x: NDArray[np.float64]
    label: NDArray[np.int64]
    propensity: NDArray[np.float64]
    group: NDArray[np.int64]

    def column(self, name: str) -> NDArray[np.float64]:
        """One feature column by name."""
        return self.x[:, list(FEATURES).index(name)]


def time_split(pairs: pl.DataFrame, *, valid_share: float = 0.15, test_share: float = 0.2) -> Split:
    """Cut so that the last `test_share` of impressions is the test span and `valid_share` before it the validation span."""
    at = pairs["shown_at"].sort()
    n = len(at)
    if n < 100:
        raise ValueError(f"only {n} impressions: the matcher needs at least 100 to be trained and judged")
    return Split(at[int(n * (1 - test_share - valid_share))], at[int(n * (1 - test_share))])


def labels(pairs: pl.DataFrame, known_by: datetime | None) -> NDArray[np.int64]:
    """The furthest stage reached by `known_by` (None: ever): nothing that happened later leaks into training."""
    out = np.zeros(len(pairs), dtype=np.int64)
    for stage, name in enumerate(STAGES, start=1):
        reached = pairs[name].is_not_null()
        if known_by is not None:
            reached = reached & (pairs[name] <= known_by).fill_null(False)
        out[reached.to_numpy()] = stage
    return out


def features_of(
    pairs: pl.DataFrame, freelancers: pl.DataFrame, jobs: pl.DataFrame, vocabulary: Vocabulary, space: TextSpace
) -> NDArray[np.float64]:
    """The features of each impression with the as-of values of both sides, through the same function as serving."""
    left = pairs.select("freelancer_id", *AS_OF_FREELANCER).unique(maintain_order=True).with_row_index("fi")
    right = pairs.select("job_id", *AS_OF_JOB).unique(maintain_order=True).with_row_index("ji")
    rows = pairs.join(left, on=["freelancer_id", *AS_OF_FREELANCER], how="left", nulls_equal=True, maintain_order="left")
    rows = rows.join(right, on=["job_id", *AS_OF_JOB], how="left", nulls_equal=True, maintain_order="left")
    f = left.join(freelancers.drop(AS_OF_FREELANCER, strict=False), on="freelancer_id", how="inner", maintain_order="left")
    j = right.join(jobs.drop(AS_OF_JOB, strict=False), on="job_id", how="inner", maintain_order="left")
    if len(f) != len(left) or len(j) != len(right):
        raise ValueError("impressions name freelancers or jobs that the feature tables do not have")
    day = rows["shown_at"].dt.epoch("us").cast(pl.Float64).to_numpy() / 86_400e6
    return pair_features(
        freelancer_side(f, vocabulary, space),
        job_side(j, vocabulary, space),
        rows["fi"].to_numpy().astype(np.int64),
        rows["ji"].to_numpy().astype(np.int64),
        idf=vocabulary.idf,
        day=day,
    )


def part(pairs: pl.DataFrame, x: NDArray[np.float64], rows: NDArray[np.bool_], known_by: datetime | None) -> Part:
    """The rows of one span, lists numbered in order of their batch."""
    chosen = pairs.filter(pl.Series(rows))
    group = chosen["batch"].rank("dense").to_numpy().astype(np.int64)
    return Part(chosen, x[rows], labels(chosen, known_by), chosen["propensity"].to_numpy().astype(np.float64), group)


def digest(*frames: pl.DataFrame) -> str:
    """sha256 over the frames' rows, order-independent, first 16 hex digits: names the data set a run was trained on."""
    total = hashlib.sha256()
    for frame in frames:
        flat = frame.with_columns(pl.col(pl.List(pl.Int64)).list.eval(pl.element().cast(pl.String)).list.join(","))
        hashes = flat.hash_rows(seed=7).sort().to_numpy()
        total.update(hashes.tobytes())
    return total.hexdigest()[:16]
