"""How far two people who judge the same cases agree: the share, and Cohen's kappa, which takes off what chance alone would give.

kappa = (p_o − p_e) / (1 − p_e), with p_e from each rater's own shares (Cohen, 1960). Undefined (None) without pairs, and when both
used one and the same category throughout, where chance explains everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Over `n` pairs."""

    n: int
    agreed: int
    kappa: float | None

    @property
    def share(self) -> float | None:
        return self.agreed / self.n if self.n else None


def agreement(pairs: Sequence[Pair]) -> Agreement:
    """Of (first rater's category, second rater's category) pairs."""
    n, agreed = len(pairs), sum(a == b for a, b in pairs)
    if not n:
        return Agreement(0, 0, None)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    by_chance = sum(first[c] * second[c] for c in first)  # of n²
    if by_chance == n * n:
        return Agreement(n, agreed, None)
    return Agreement(n, agreed, (agreed * n - by_chance) / (n * n - by_chance))


def by_category(pairs: Sequence[Pair]) -> dict[str, Agreement]:
    """For each category that either used: agreement on whether it applies, this one against all others."""
    categories = sorted({c for pair in pairs for c in pair})
    return {c: agreement([(str(a == c), str(b == c)) for a, b in pairs]) for c in categories}
