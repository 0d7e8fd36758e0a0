"""Money as a value: exact, never a float, never two currencies in one sum; and splits that neither lose nor make a minor unit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.core.errors import InvalidInput
from marketplace.core.money import MAX_MINOR, Money, exponent, split_minor

WEIGHTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=8).filter(any)


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),  # equal remainders: the earlier part
        (5, [1, 1], [3, 2]),
        (-5, [1, 1], [-3, -2]),
        (10, [1, 1, 1, 1], [3, 3, 2, 2]),
        (10, [1, 2, 3], [2, 3, 5]),  # 1.67, 3.33, 5
        (7, [0, 3, 4], [0, 3, 4]),
        (2, [7, 7, 6], [1, 1, 0]),  # 0.7, 0.7, 0.6
        (0, [1, 2], [0, 0]),
        (1, [0, 1], [0, 1]),
    ],
)
def test_a_split_gives_what_is_left_over_to_the_largest_remainders(total: int, weights: list[int], parts: list[int]) -> None:
    assert split_minor(total, weights) == parts


@given(total=st.integers(-(10**15), 10**15), weights=WEIGHTS)
def test_a_split_is_exact_and_each_part_within_one_unit_of_its_share(total: int, weights: list[int]) -> None:
    parts = split_minor(total, weights)
    whole = sum(weights)
    assert sum(parts) == total
    assert all(abs(part * whole - total * weight) < whole for part, weight in zip(parts, weights, strict=True))


@pytest.mark.parametrize("weights", [[], [0, 0], [-1, 2], [0.5, 0.5], [True, 1]])
def test_weights_that_say_nothing_are_refused(weights: Any) -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        split_minor(10, weights)


@pytest.mark.parametrize("minor", [1.0, "1", True, None, Decimal(1)])
def test_minor_units_are_whole_numbers(minor: Any) -> None:
    with pytest.raises(TypeError, match="whole numbers"):
        Money(minor, "USD")


def test_an_amount_that_no_column_holds_is_refused() -> None:
    assert Money(MAX_MINOR, "USD").minor == 2**63 - 1
    for minor in (MAX_MINOR + 1, -MAX_MINOR - 1):
        with pytest.raises(OverflowError):
            Money(minor, "USD")
    with pytest.raises(OverflowError):
        Money(MAX_MINOR, "USD") + Money(1, "USD")


def test_currencies_and_bare_numbers_do_not_mix() -> None:
    one = Money(1, "USD")
    for other in (Money(1, "EUR"), 1, "1"):
        for act in (lambda o: one + o, lambda o: one - o, lambda o: one < o, lambda o: one <= o, lambda o: one > o, lambda o: one >= o):
            with pytest.raises(TypeError, match="do not mix"):
                act(other)
    assert one != Money(1, "EUR")
    for factor in (1.5, True):
        with pytest.raises(TypeError, match="whole number"):
            one * factor  # type: ignore[operator]


def test_arithmetic_is_that_of_whole_numbers() -> None:
    assert Money(1, "USD") + Money(2, "USD") == Money(3, "USD")
    assert Money(1, "USD") - Money(2, "USD") == Money(-1, "USD") == -Money(1, "USD")
    assert Money(3, "USD") * 2 == Money(6, "USD")
    assert sorted([Money(2, "USD"), Money(-1, "USD"), Money(0, "USD")]) == [Money(-1, "USD"), Money(0, "USD"), Money(2, "USD")]
    assert Money(2, "USD") >= Money(2, "USD") <= Money(2, "USD")
    assert not (Money(2, "USD") > Money(2, "USD") or Money(2, "USD") < Money(2, "USD"))
    assert (bool(Money(0, "USD")), bool(Money(-1, "USD"))) == (False, True)


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("USD", 2), ("KES", 2), ("KWD", 3)])
def test_each_currency_has_its_own_number_of_decimals(currency: str, digits: int) -> None:
    assert exponent(currency) == digits
    assert Money(1234, currency).to_decimal() == Decimal(1234).scaleb(-digits)


@pytest.mark.parametrize("currency", ["usd", "US", "USDX", "", "XXX", "XAU", "ZZZ", None, 840])
def test_what_is_no_payable_currency_is_refused(currency: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        exponent(currency)
    assert refused.value.code == "currency_unknown"


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.50", "USD", 1250),
        ("12.5", "USD", 1250),
        (" 7 ", "JPY", 7),
        ("1.234", "KWD", 1234),
        ("-0.01", "USD", -1),
        ("1E+2", "USD", 10_000),
    ],
)
def test_decimal_text_is_read_exactly(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency", "code"),
    [
        ("1.005", "USD", "amount_too_fine"),
        ("0.5", "JPY", "amount_too_fine"),
        ("1,5", "USD", "amount_unreadable"),
        ("", "USD", "amount_unreadable"),
        ("NaN", "USD", "amount_unreadable"),
        ("Infinity", "USD", "amount_unreadable"),
    ],
)
def test_text_that_is_no_amount_of_the_currency_is_refused(text: str, currency: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Money.parse(text, currency)
    assert refused.value.code == code
