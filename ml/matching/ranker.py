"""The additive ranker: two logistic models on the whole funnel, added in log-odds.

"You would bid" is learnt on every impression, each bid weighted by 1 / propensity of its position (clipped), so that being
shown low does not count as being unwanted (inverse propensity scoring, Joachims et al. 2017). "The client would choose you" is
learnt on bids only. The score is the bid's log-odds plus `hire_weight` times the hire's; both are additive in the same features, so the
sum is too. For the gain p_bid · (1 + 3 p_hire) (ml.matching.evaluate.GAIN) the right weight near the mean is
d log(1 + 3 p) / d logit(p) = 3 p (1 − p) / (1 + 3 p): about 0.2 for one hire in ten bids.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import SplineTransformer

from ml.serving.additive import AdditiveModel, add
from ml.serving.pairs import FEATURES

Floats = NDArray[np.float64]
MAX_WEIGHT = 10.0
KNOTS = 6


@dataclass(frozen=True, slots=True)
class Settings:
    """Hyper-parameters: strength of the ridge penalty of each head (larger C = weaker), and how much the second head counts."""

    c_bid: float = 1.0
    c_hire: float = 0.1
    hire_weight: float = 0.25


def _knots(column: Floats) -> Floats:
    """Distinct quantiles; at least two knots, so that a constant column becomes a constant."""
    found = np.unique(np.quantile(column, np.linspace(0.0, 1.0, KNOTS)))
    if len(found) < 2:
        found = np.array([found[0] - 0.5, found[0] + 0.5])
    return found


def fit_head(x: Floats, y: NDArray[np.bool_], weight: Floats, *, c: float) -> AdditiveModel:
    """Logistic regression on degree-1 splines of each feature (a hat basis: the coefficient is the value at its knot).

    Raises ValueError when `y` has one class only: there is nothing to learn from.
    """
    if y.all() or not y.any():
        raise ValueError("both outcomes must occur in the training rows")
    knots = [_knots(x[:, f]) for f in range(x.shape[1])]
    basis = ColumnTransformer(
        [
            (name, SplineTransformer(degree=1, knots=k[:, None], extrapolation="constant"), [f])
            for f, (name, k) in enumerate(zip(FEATURES, knots, strict=True))
        ]
    )
    matrix = basis.fit_transform(x)
    fit = LogisticRegression(C=c, max_iter=1000).fit(matrix, y, sample_weight=weight)
    values, at = [], 0
    for k in knots:
        values.append(fit.coef_[0, at : at + len(k)].astype(np.float64))
        at += len(k)
    means = np.array([np.average(np.interp(x[:, f], k, v), weights=weight) for f, (k, v) in enumerate(zip(knots, values, strict=True))])
    return AdditiveModel(tuple(FEATURES), tuple(knots), tuple(values), means, float(fit.intercept_[0] + means.sum()))


def fit_bid(x: Floats, label: NDArray[np.int64], propensity: Floats, *, c: float) -> AdditiveModel:
    """The first head: every impression, bids weighted by 1 / propensity. Raises ValueError on a propensity outside (0, 1]."""
    if not np.all((propensity > 0) & (propensity <= 1)):
        raise ValueError("propensities must be in (0, 1]")
    bid = label >= 1
    return fit_head(x, bid, np.where(bid, np.minimum(1.0 / propensity, MAX_WEIGHT), 1.0), c=c)


def fit_hire(x: Floats, label: NDArray[np.int64], *, c: float) -> AdditiveModel | None:
    """The second head: bids only; None while all or none of them were hired."""
    bid = label >= 1
    hired = label[bid] >= 3
    if hired.all() or not hired.any():
        return None
    return fit_head(x[bid], hired, np.ones(int(bid.sum())), c=c)


def combine(bid: AdditiveModel, hire: AdditiveModel | None, weight: float) -> AdditiveModel:
    """bid + weight · hire."""
    return bid if hire is None or weight == 0 else add(bid, hire.scaled(weight))


def fit(x: Floats, label: NDArray[np.int64], propensity: Floats, settings: Settings) -> AdditiveModel:
    """Train both heads. `label`: 0 shown, 1 bid, 2 shortlisted or offered, 3 hired; `propensity` in (0, 1]."""
    bid = fit_bid(x, label, propensity, c=settings.c_bid)
    return combine(bid, fit_hire(x, label, c=settings.c_hire), settings.hire_weight)
