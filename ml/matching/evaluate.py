"""How good an order is: NDCG@10 and MRR over the lists that were shown, with gains corrected for position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: gain of shown, bid, shortlisted, hired
GAIN = np.array([0.0, 1.0, 2.0, 4.0])
MAX_WEIGHT = 10.0
TIE_SEED = 20260101


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over the lists with at least one bid; `low`–`high` is a 95 % bootstrap interval of the NDCG over lists."""

    ndcg10: float
    mrr: float
    lists: int
    low: float
    high: float


def gains(label: NDArray[np.int64], propensity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gain of each row, divided by the (clipped) probability that its position was looked at."""
    weighted: NDArray[np.float64] = GAIN[label] * np.minimum(1.0 / propensity, MAX_WEIGHT)
    return weighted


def per_list(
    score: NDArray[np.float64], gain: NDArray[np.float64], group: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """NDCG@10 and reciprocal rank of the first gain for each list that has any gain.

    Ties are broken by a fixed pseudo-random order: rows come as they were shown, and people act more on what stands first, so that the
    row order would lend an undecided score the answer.
    """
    ndcg, rr = [], []
    tie = np.random.default_rng(TIE_SEED).permutation(len(score))
    order = np.lexsort((tie, -score, group))
    bounds = np.flatnonzero(np.diff(group[order], prepend=-1))
    for rows in np.split(order, bounds[1:]):
        g = gain[rows]
        if not g.any():
            continue
        discount = 1.0 / np.log2(np.arange(2, min(10, len(g)) + 2))
        best = np.sort(g)[::-1][:10]
        ndcg.append(float((g[:10] * discount).sum() / (best * discount).sum()))
        rr.append(1.0 / (1.0 + float(np.flatnonzero(g)[0])))
    return np.asarray(ndcg), np.asarray(rr)


def quality(score: NDArray[np.float64], gain: NDArray[np.float64], group: NDArray[np.int64], *, seed: int = 0) -> Quality:
    """Quality of an order given by `score` (higher first). Raises ValueError when no list has a gain."""
    ndcg, rr = per_list(score, gain, group)
    if not len(ndcg):
        raise ValueError("no list with an outcome to evaluate on")
    rng = np.random.default_rng(seed)
    boot = ndcg[rng.integers(0, len(ndcg), (400, len(ndcg)))].mean(axis=1)
    low, high = np.quantile(boot, [0.025, 0.975])
    return Quality(float(ndcg.mean()), float(rr.mean()), len(ndcg), float(low), float(high))


def segment_quality(
    score: NDArray[np.float64], gain: NDArray[np.float64], group: NDArray[np.int64], segment: Sequence[str] | NDArray[np.str_]
) -> dict[str, Quality]:
    """Quality within each segment of lists (a list belongs to the segment of its rows); segments without outcomes are left out."""
    names = np.asarray(segment)
    found = {}
    for name in sorted(set(names.tolist())):
        rows = names == name
        if (gain[rows] > 0).any():
            found[name] = quality(score[rows], gain[rows], group[rows])
    return found
