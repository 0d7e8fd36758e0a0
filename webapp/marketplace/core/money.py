"""Money as integer minor units and an ISO 4217 code. No float ever enters; mixed currencies raise.

Belongs here: the value type, exponents, exact splitting, parsing and formatting. Not here: exchange rates (payments.fx).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from babel.numbers import get_currency_precision, list_currencies

from .errors import InvalidInput

MAX_MINOR = 2**63 - 1
_CODE = re.compile(r"[A-Z]{3}")


@lru_cache(maxsize=512)
def exponent(currency: str) -> int:
    """Number of decimal places of the currency (JPY 0, USD 2, KWD 3), from CLDR.

    Raises InvalidInput("currency_unknown") for a code that is not a current ISO 4217 currency known to CLDR.
    """
    if not isinstance(currency, str) or not _CODE.fullmatch(currency) or currency not in _known():
        raise InvalidInput(
            "currency_unknown",
            f"{currency!r} is not a currency we know. Use a three-letter ISO 4217 code such as USD.",
            {"currency": ["Unknown currency."]},
        )
    return int(get_currency_precision(currency))


def payable() -> frozenset[str]:
    """Every currency that somebody can be paid in."""
    return _known()


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    # Fund codes, metals and test codes are currencies in CLDR's list but nobody can be paid in them.
    not_payable = {"XXX", "XTS", "XAU", "XAG", "XPT", "XPD", "XDR", "XSU", "XUA", "XBA", "XBB", "XBC", "XBD", "XFO"}
    return frozenset(list_currencies("en")) - not_payable


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount: `minor` units (int, may be negative in differences) of `currency`.

    Raises TypeError for a float, bool or mixed currencies, OverflowError beyond BIGINT.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units are whole numbers (int), not {type(self.minor).__name__}")
        exponent(self.currency)
        if abs(self.minor) > MAX_MINOR:
            raise OverflowError("amount does not fit a BIGINT")

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """Exact amount from decimal text such as "12.50". More decimals than the currency has are an error."""
        try:
            value = Decimal(str(text).strip())
        except InvalidOperation as e:
            raise InvalidInput("amount_unreadable", f"{text!r} is not an amount. Write it like 1250.00.") from e
        if not value.is_finite():
            raise InvalidInput("amount_unreadable", f"{text!r} is not an amount. Write it like 1250.00.")
        scaled = value.scaleb(exponent(currency))
        if scaled != scaled.to_integral_value():
            raise InvalidInput("amount_too_fine", f"{currency} has {exponent(currency)} decimal places; {text!r} has more.")
        return cls(int(scaled), currency)

    def _same(self, other: Money) -> None:
        if not isinstance(other, Money):
            raise TypeError(f"Money and {type(other).__name__} do not mix")
        if other.currency != self.currency:
            raise TypeError(f"{self.currency} and {other.currency} do not mix: convert with a quote first")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __mul__(self, factor: int) -> Money:
        if type(factor) is not int:
            raise TypeError("multiply by a whole number, or use `share` for an exact split")
        return Money(self.minor * factor, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.minor < other.minor

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.minor <= other.minor

    def __gt__(self, other: Money) -> bool:
        self._same(other)
        return self.minor > other.minor

    def __ge__(self, other: Money) -> bool:
        self._same(other)
        return self.minor >= other.minor

    def __bool__(self) -> bool:
        return self.minor != 0

    def split(self, weights: Sequence[int]) -> list[Money]:
        """Parts in proportion to `weights` that sum exactly to this amount (largest remainder; ties to the earlier part)."""
        return [Money(part, self.currency) for part in split_minor(self.minor, weights)]

    def to_decimal(self) -> Decimal:
        """The amount in major units, exact."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def __str__(self) -> str:
        return f"{self.to_decimal():,.{exponent(self.currency)}f} {self.currency}"


def split_minor(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` minor units by whole-number weights; the parts sum exactly to `total`.

    Method: largest remainder (Hamilton); ties go to the earlier part, so that the result is deterministic.
    """
    if not weights or any(type(w) is not int or w < 0 for w in weights) or sum(weights) == 0:
        raise ValueError("weights are whole numbers >= 0, at least one of them positive")
    if total < 0:
        return [-part for part in split_minor(-total, weights)]
    whole = sum(weights)
    parts = [total * w // whole for w in weights]
    remainders = [(-(total * w % whole), i) for i, w in enumerate(weights)]
    for _, i in sorted(remainders)[: total - sum(parts)]:
        parts[i] += 1
    return parts
