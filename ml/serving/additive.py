"""An additive model: every feature contributes a piecewise-linear function of its own, and the score is their sum.

score(x) = base + Σ_f [g_f(x_f) − mean_f], where g_f interpolates linearly between knots and is constant outside them, and
mean_f is the mean of g_f over the training rows, so that a contribution says how far this pair stands from the average pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AdditiveModel:
    """`features` names the columns; `knots[f]`, `values[f]` hold g_f; units are log-odds."""

    features: tuple[str, ...]
    knots: tuple[Floats, ...]
    values: tuple[Floats, ...]
    means: Floats
    base: float

    def parts(self, x: Floats) -> Floats:
        """Contributions, shape (rows, features), of a feature matrix of the same shape. Raises ValueError on another width."""
        if x.ndim != 2 or x.shape[1] != len(self.features):
            raise ValueError(f"expected {len(self.features)} feature columns, got shape {x.shape}")
        out = np.empty(x.shape, dtype=np.float64)
        for f in range(len(self.features)):
            out[:, f] = np.interp(x[:, f], self.knots[f], self.values[f])
        return out - self.means

    def score(self, x: Floats) -> Floats:
        """base + the sum of the parts, shape (rows,)."""
        total: Floats = self.base + self.parts(x).sum(axis=1)
        return total

    def scaled(self, factor: float) -> AdditiveModel:
        """The additive model whose score is `factor` times this one's."""
        return AdditiveModel(self.features, self.knots, tuple(factor * v for v in self.values), factor * self.means, factor * self.base)

    def to_document(self) -> dict[str, Any]:
        """Plain JSON: numbers and names only."""
        return {
            "kind": "additive-1",
            "features": list(self.features),
            "knots": [k.tolist() for k in self.knots],
            "values": [v.tolist() for v in self.values],
            "means": self.means.tolist(),
            "base": self.base,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> AdditiveModel:
        """Inverse of to_document. Raises ValueError when the document is not a whole additive model."""
        try:
            if document["kind"] != "additive-1":
                raise ValueError(f"unknown kind {document['kind']!r}")
            features = tuple(str(f) for f in document["features"])
            knots = tuple(np.asarray(k, dtype=np.float64) for k in document["knots"])
            values = tuple(np.asarray(v, dtype=np.float64) for v in document["values"])
            means = np.asarray(document["means"], dtype=np.float64)
            base = float(document["base"])
        except (KeyError, TypeError) as e:
            raise ValueError(f"not an additive model: {e}") from e
        same = len(features) == len(knots) == len(values) == len(means)
        shapes = same and all(k.shape == v.shape and k.size and np.all(np.diff(k) > 0) for k, v in zip(knots, values, strict=True))
        if not shapes or not all(np.isfinite(v).all() for v in (*knots, *values, means, np.array([base]))):
            raise ValueError("not an additive model: knots, values and means do not fit together")
        return cls(features, knots, values, means, base)


def add(first: AdditiveModel, second: AdditiveModel) -> AdditiveModel:
    """The additive model whose score is the sum of both scores (same features, any knots)."""
    if first.features != second.features:
        raise ValueError("both models must have the same features")
    knots, values = [], []
    for a, av, b, bv in zip(first.knots, first.values, second.knots, second.values, strict=True):
        union = np.union1d(a, b)
        knots.append(union)
        values.append(np.interp(union, a, av) + np.interp(union, b, bv))
    return AdditiveModel(first.features, tuple(knots), tuple(values), first.means + second.means, first.base + second.base)
