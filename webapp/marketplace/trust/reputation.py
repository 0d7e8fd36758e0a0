"""Reputation: a shrunken mean of verified outcomes, with an interval. Pure arithmetic, published and recomputable: docs/reputation.

For each verified outcome i of a person, such as an opened review:
    rating  r = the stars given, 1 to 5; for what a client did or left undone 5 or 1
    value   v = 1, 2, 3 or 4 for a worth below 100, 1,000, 10,000 USD or more (1 when no exchange rate is known, or nothing was paid)
    recency a = 0.5 ^ (days since the outcome / 365)
    weight  w = v · a
With a prior of k = 4 reviews of m0 = 4.0 stars and standard deviation s0 = 1.0:
    mean     = (k·m0 + Σ w·r) / (k + Σ w)
    variance = (k·(s0² + (m0 − mean)²) + Σ w·(r − mean)²) / (k + Σ w)
    n        = (k + Σ w)² / (k + Σ w²)                          (Kish's effective sample size; the prior counts as k reviews of weight 1)
    interval = mean ± 1.96 · √(variance / n), cut to 1 … 5
Sums are correctly rounded (math.fsum), so that the order of the outcomes and the version of Python change no digit.
Shrinkage towards a prior mean is the usual empirical-Bayes estimate (Efron & Morris 1975); n is from Kish, Survey Sampling (1965).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

VERSION = "reputation-2"
PRIOR_WEIGHT = 4.0
PRIOR_MEAN = 4.0
PRIOR_DEVIATION = 1.0
HALF_LIFE_DAYS = 365.0
Z_95 = 1.96
#: upper ends of the value classes 1, 2 and 3, in USD minor units
VALUE_STEPS = (10_000, 100_000, 1_000_000)
FORMULA = (
    "w = value · 0.5^(age_days/365); mean = (k·m0 + Σ w·rating) / (k + Σ w); "
    "variance = (k·(s0² + (m0−mean)²) + Σ w·(rating−mean)²) / (k + Σ w); "
    "n = (k + Σ w)² / (k + Σ w²); interval = mean ± 1.96·√(variance/n), cut to 1…5"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome as the formula sees it: an opened review, or 5 and 1 for what was done and left undone; `value` is the class 1 to 4."""

    rating: int
    value: int
    opened_at: datetime  #: when it became known


@dataclass(frozen=True, slots=True)
class Weighed:
    """An outcome with its age in days and its weight at the time of asking."""

    outcome: Outcome
    age_days: float
    weight: float


@dataclass(frozen=True, slots=True)
class Reputation:
    """The estimate (stars, 1 to 5), its 95 % interval, and the outcomes it rests on."""

    mean: float
    low: float
    high: float
    count: int
    weighed: tuple[Weighed, ...]


def value_class(usd_minor: int | None) -> int:
    """1 to 4 by worth in USD minor units; 1 when the worth is unknown. The class, not the price, is public."""
    if usd_minor is None:
        return 1
    return 1 + sum(usd_minor >= step for step in VALUE_STEPS)


def reputation(outcomes: Sequence[Outcome], now: datetime) -> Reputation:
    """The formula of this module's docstring; without outcomes it is the prior."""
    weighed = []
    for o in outcomes:
        age = max(0.0, (now - o.opened_at).total_seconds() / 86_400)
        weighed.append(Weighed(o, age, o.value * 0.5 ** (age / HALF_LIFE_DAYS)))
    total = math.fsum([PRIOR_WEIGHT, *(w.weight for w in weighed)])
    mean = math.fsum([PRIOR_WEIGHT * PRIOR_MEAN, *(w.weight * w.outcome.rating for w in weighed)]) / total
    spread = PRIOR_WEIGHT * (PRIOR_DEVIATION**2 + (PRIOR_MEAN - mean) ** 2)
    spread = math.fsum([spread, *(w.weight * (w.outcome.rating - mean) ** 2 for w in weighed)])
    effective = total**2 / math.fsum([PRIOR_WEIGHT, *(w.weight**2 for w in weighed)])
    half = Z_95 * math.sqrt(spread / total / effective)
    return Reputation(mean, max(1.0, mean - half), min(5.0, mean + half), len(weighed), tuple(weighed))
