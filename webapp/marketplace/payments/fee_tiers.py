"""Fees by tiers and with a minimum: pure functions over a schedule's terms in one currency.

Such a fee is of the contract and not of the payment: with F(x) the fee on all that a contract has paid, a payment bears F(before + gross) −
F(before). So the fees of the parts sum to the fee that was quoted for the whole, however the price is cut.
"""

from __future__ import annotations

from typing import Any, Protocol

BPS = 10_000
#: the highest percent that a version may take, in hundredths: then a fee with its tax fits into every payment
MOST_BPS = 3_000


class Terms(Protocol):
    """What of a schedule decides the freelancer's fee."""

    freelancer_fee_bps: int
    tiers: dict[str, list[list[int]]]
    minimum: dict[str, int]


def cumulative(terms: Terms, currency: str) -> bool:
    """Whether the fee depends on what the contract paid before; else it is the percent of each payment."""
    return bool(terms.tiers.get(currency) or terms.minimum.get(currency))


def fee_on(terms: Terms, currency: str, total: int) -> int:
    """F: the fee on `total` minor units paid on one contract. Below the first tier the schedule's percent holds; the sum over the tiers is
    rounded once, half a unit up. The minimum takes half of what is paid at most: so that tax on the fee and something for the freelancer
    are left of each payment, and the invoice can state the tax in full.
    """
    steps = [(0, terms.freelancer_fee_bps), *((start, bps) for start, bps in terms.tiers.get(currency, ()))]
    ends = [start for start, _ in steps[1:]] + [total]
    weighted = sum(bps * max(0, min(end, total) - start) for (start, bps), end in zip(steps, ends, strict=True))
    return max((2 * weighted + BPS) // (2 * BPS), min(terms.minimum.get(currency, 0), total // 2))


def told(terms: Terms, currency: str) -> dict[str, Any] | None:
    """The terms in this currency as a quote tells them; None when the percent is all."""
    if not cumulative(terms, currency):
        return None
    return {
        "freelancer_fee_bps": terms.freelancer_fee_bps,
        "tiers": [{"from_minor": start, "bps": bps} for start, bps in terms.tiers.get(currency, ())],
        "minimum_minor": terms.minimum.get(currency, 0),
    }
