"""Minor units as each gateway counts them. Ours are CLDR's; theirs differ for some currencies, and each gateway has its own exceptions.

Nothing is ever rounded: an amount that a gateway cannot express is refused before it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import gcd

from marketplace.core.errors import InvalidInput
from marketplace.core.money import Money, exponent


@dataclass(frozen=True, slots=True)
class Units:
    """A gateway's map: decimal places where they are not `default`, and of which multiple (in its units) an amount must be."""

    default: int
    places: Mapping[str, int] = field(default_factory=dict)
    multiple: Mapping[str, int] = field(default_factory=dict)

    def of(self, currency: str) -> int:
        return self.places.get(currency, self.default)

    def out(self, amount: Money) -> int:
        """The amount in the gateway's units. Raises InvalidInput("amount_too_fine") when it has no such amount."""
        shift = self.of(amount.currency) - exponent(amount.currency)
        units, left = (amount.minor * 10**shift, 0) if shift >= 0 else divmod(amount.minor, 10**-shift)
        step = self.multiple.get(amount.currency, 1)
        if left or units % step:
            smallest = Decimal(step).scaleb(-self.of(amount.currency))
            raise InvalidInput(
                "amount_too_fine",
                f"This gateway moves {amount.currency} in steps of {smallest.normalize():f}. Choose such an amount.",
                {"amount_minor": ["Not an amount that this gateway can move."]},
            )
        return units

    def up(self, amount: Money) -> Money:
        """The least amount from there on that the gateway can move."""
        step = self._step(amount.currency)
        return Money(-(-amount.minor // step) * step, amount.currency)

    def down(self, amount: Money) -> Money:
        """The greatest amount up to there that the gateway can move; nothing where it has none."""
        step = self._step(amount.currency)
        return Money(amount.minor // step * step, amount.currency)

    def _step(self, currency: str) -> int:
        """Of which multiple, in our minor units, an amount must be."""
        shift, step = self.of(currency) - exponent(currency), self.multiple.get(currency, 1)
        return step // gcd(step, 10**shift) if shift >= 0 else step * 10**-shift

    def back(self, units: int, currency: str) -> Money:
        """What the gateway's units are in ours. Raises ValueError when ours cannot say it: nobody agreed to such an amount."""
        shift = exponent(currency) - self.of(currency)
        minor, left = (units * 10**shift, 0) if shift >= 0 else divmod(units, 10**-shift)
        if left:
            raise ValueError(f"{units} {currency} at the gateway is no whole number of our minor units")
        return Money(minor, currency)

    def text(self, amount: Money) -> str:
        """As decimal text with the gateway's number of places: "12.50", "1200"."""
        places = self.of(amount.currency)
        return f"{Decimal(self.out(amount)).scaleb(-places):.{places}f}"

    def read(self, text: str, currency: str) -> Money:
        """The amount of decimal text. Raises ValueError or InvalidInput for what is not exactly one of ours."""
        return Money.parse(text, currency)


_NO_DECIMALS = ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
_THREE = ("BHD", "JOD", "KWD", "OMR", "TND")

#: Stripe counts in hundredths except for these. ISK and UGX have no decimals but are sent with two zeros; thousandths end in a zero.
STRIPE = Units(
    default=2,
    places={**dict.fromkeys(_NO_DECIMALS, 0), **dict.fromkeys(_THREE, 3)},
    multiple={"ISK": 100, "UGX": 100, **dict.fromkeys(_THREE, 10)},
)
#: Stripe's payouts know no fillér and no fractions of a Taiwan dollar either
STRIPE_PAYOUT = Units(default=2, places=STRIPE.places, multiple={**STRIPE.multiple, "HUF": 100, "TWD": 100})
PAYPAL = Units(default=2, places=dict.fromkeys(("HUF", "JPY", "TWD"), 0))
#: whole shillings
MPESA = Units(default=0)
