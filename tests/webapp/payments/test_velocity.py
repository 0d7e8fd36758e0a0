"""The velocity rules by themselves: what they find at their thresholds, and the honest people whom they leave alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings

from marketplace.payments import velocity
from marketplace.payments.velocity import Attempt, Received, WentBack

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CARDS, SMALL, LARGE, CHANGED, BACK = (
    settings.VELOCITY[rule] for rule in ("card_testing", "small_payments", "new_payee_large", "method_changed", "refund_ping_pong")
)


def tries(n: int, *, every: timedelta = MINUTE, declined: bool = True, usd: int | None = 50_00, cards: int = 1) -> list[Attempt]:
    return [Attempt(NOW - i * every, 1, f"card-{i % cards}", declined, usd) for i in range(n)]


# --- card testing
def test_many_refused_payments_are_found_at_the_threshold_and_not_before() -> None:
    assert velocity.card_testing(tries(7), now=NOW, limits=CARDS) is None
    assert velocity.card_testing(tries(8), now=NOW, limits=CARDS) == {
        "minutes": 60,
        "payments": 8,
        "declined": 8,
        "cards_declined": 1,
        "tiny": 0,
    }


def test_refused_payments_of_many_cards_are_found_sooner() -> None:
    assert velocity.card_testing(tries(3, cards=3), now=NOW, limits=CARDS) is None
    assert velocity.card_testing(tries(4, cards=4), now=NOW, limits=CARDS) is not None


def test_tiny_payments_are_found_though_they_succeed() -> None:
    assert velocity.card_testing(tries(9, declined=False, usd=2_00), now=NOW, limits=CARDS) is None
    assert velocity.card_testing(tries(10, declined=False, usd=2_00), now=NOW, limits=CARDS) is not None
    assert velocity.card_testing(tries(10, declined=False, usd=2_01), now=NOW, limits=CARDS) is None


def test_what_is_older_than_the_window_does_not_count() -> None:
    old = [Attempt(NOW - HOUR, 1, "c", True, 50_00)]  # the window is open at its far end
    assert velocity.card_testing([*tries(7), *old], now=NOW, limits=CARDS) is None
    young = [Attempt(NOW - HOUR + timedelta(microseconds=1), 1, "c", True, 50_00)]
    assert velocity.card_testing([*tries(7), *young], now=NOW, limits=CARDS) is not None


def test_an_honest_payer_with_trouble_is_left_alone() -> None:
    """A card without cover, tried again, then another card, then a third: seven refusals in an hour with three cards, and it works."""
    trouble = [*tries(7, cards=3), *tries(1, declined=False)]
    assert velocity.card_testing(trouble, now=NOW, limits=CARDS) is None


def test_an_agency_that_funds_forty_milestones_in_an_hour_is_left_alone() -> None:
    assert velocity.card_testing(tries(40, every=MINUTE, declined=False, usd=150_00), now=NOW, limits=CARDS) is None


def test_an_amount_of_unknown_worth_is_not_called_tiny() -> None:
    assert velocity.card_testing(tries(40, declined=False, usd=None), now=NOW, limits=CARDS) is None


# --- many small payments between the same two
def came(n: int, *, every: timedelta = MINUTE, usd: int | None = 10_00, payer: int = 1) -> list[Received]:
    return [Received(NOW - i * every, payer, usd) for i in range(n)]


def test_many_small_payments_of_one_payer_are_found_at_the_threshold() -> None:
    assert velocity.small_payments(came(19), now=NOW, limits=SMALL) is None
    assert velocity.small_payments(came(20), now=NOW, limits=SMALL) == {"hours": 24, "payer_id": 1, "small_payments": 20}
    assert velocity.small_payments([*came(10), *came(10, payer=2)], now=NOW, limits=SMALL) is None


def test_one_client_with_ten_small_milestones_is_left_alone() -> None:
    assert velocity.small_payments(came(10, usd=20_00), now=NOW, limits=SMALL) is None


def test_honest_weekly_payroll_is_left_alone() -> None:
    """A client pays the same freelancer each week of a year, small weeks among them."""
    assert velocity.small_payments(came(52, every=7 * DAY, usd=15_00), now=NOW, limits=SMALL) is None


def test_a_day_of_ordinary_payments_is_left_alone() -> None:
    assert velocity.small_payments(came(60, usd=20_01), now=NOW, limits=SMALL) is None


# --- a new payee's large payout
def test_a_large_first_payout_is_found_and_a_later_one_is_not() -> None:
    assert velocity.new_payee_large(usd_minor=5_000_00, paid_before=0, limits=LARGE) == {"usd_minor": 5_000_00, "paid_before": 0}
    assert velocity.new_payee_large(usd_minor=5_000_00, paid_before=1, limits=LARGE) is None


def test_a_first_payout_of_a_normal_size_is_left_alone() -> None:
    assert velocity.new_payee_large(usd_minor=4_999_99, paid_before=0, limits=LARGE) is None


def test_an_amount_of_unknown_worth_counts_as_large() -> None:
    assert velocity.new_payee_large(usd_minor=None, paid_before=0, limits=LARGE) is not None


# --- the place changed shortly before
def changed(usd: int | None = 1_000_00, age: timedelta = HOUR, others: bool = True, share: float = 1.0) -> velocity.Found | None:
    return velocity.method_changed(usd_minor=usd, age=age, had_others=others, share=share, limits=CHANGED)


def test_a_balance_that_goes_to_a_new_place_is_found() -> None:
    assert changed() == {"hours_since_change": 1, "percent_of_balance": 100, "usd_minor": 1_000_00}
    assert changed(share=0.8) is not None
    assert changed(age=7 * DAY - MINUTE) is not None


def test_whoever_has_one_place_or_moves_little_or_waited_is_left_alone() -> None:
    assert changed(others=False) is None  # the first place that somebody ever added
    assert changed(usd=999_99) is None
    assert changed(share=0.79) is None
    assert changed(age=7 * DAY) is None


# --- there and back
def back(n: int, *, every: timedelta = DAY, share: float = 1.0) -> list[WentBack]:
    return [WentBack(NOW - i * every, 300_00, share) for i in range(n)]


def test_money_that_comes_and_goes_again_and_again_is_found() -> None:
    assert velocity.refund_ping_pong(back(3), now=NOW, limits=BACK) is None
    assert velocity.refund_ping_pong(back(4), now=NOW, limits=BACK) == {"days": 30, "sent_back": 4, "usd_minor": 1_200_00}


def test_a_client_who_takes_back_remainders_or_one_payment_a_quarter_is_left_alone() -> None:
    assert velocity.refund_ping_pong(back(12, share=0.3), now=NOW, limits=BACK) is None
    assert velocity.refund_ping_pong(back(12, every=15 * DAY), now=NOW, limits=BACK) is None
