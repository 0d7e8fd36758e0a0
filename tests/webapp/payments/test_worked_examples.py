"""Movements of money as an accountant would write them: what is debited, what is credited, and what is left where."""

from __future__ import annotations

from typing import Any

import pytest

from marketplace.core import clock
from marketplace.core.errors import Conflict, IdempotencyConflict, InvalidInput
from marketplace.core.money import Money
from marketplace.payments import fees, fx, selectors, services
from marketplace.payments.models import Entry, FeeSchedule, FxRate, Posting

pytestmark = [pytest.mark.django_db, pytest.mark.parity]


def USD(minor: int) -> Money:
    return Money(minor, "USD")


def page(entry: Entry) -> list[tuple[str, str, str, int]]:
    """The entry's lines: leg, debited account, credited account, minor units."""
    postings = entry.postings.order_by("line_no")
    return list(postings.values_list("leg", "debit_account__key", "credit_account__key", "amount"))


def test_a_deposit_debits_the_gateway_and_credits_the_wallet(alice: Any, pay: Any, proven: Any) -> None:
    payment = pay(alice, USD(10_000))

    entry = Entry.objects.get(kind="deposit", subject_id=payment.pk)
    assert page(entry) == [("deposit", "clearing:sandbox:USD", f"wallet:{alice.pk}:USD", 10_000)]
    assert selectors.balances_of(alice.pk)[0].wallet == USD(10_000)
    proven()


def test_a_hold_takes_the_milestones_price_out_of_the_wallet(alice: Any, fund: Any) -> None:
    entry = fund(alice, 7, USD(10_000))

    assert page(entry) == [("hold", f"wallet:{alice.pk}:USD", "hold:7:USD", 10_000)]
    balances = selectors.balances_of(alice.pk)[0]
    assert (balances.wallet, balances.held) == (USD(0), USD(10_000))


def test_a_release_of_100_dollars_pays_90_to_the_freelancer_and_10_in_fees(
    alice: Any, bob: Any, fund: Any, release: Any, proven: Any
) -> None:
    fund(alice, 7, USD(10_000))

    entry = release(bob, 7, USD(10_000))

    assert page(entry) == [
        ("net", "hold:7:USD", f"pending:{bob.pk}:USD", 9_000),
        ("fee", "hold:7:USD", "fees:USD", 1_000),
    ]
    assert selectors.held(7) == USD(0)
    assert selectors.balances_of(bob.pk)[0].pending == USD(9_000)
    proven()


def test_a_release_with_tax_has_three_legs_that_sum_to_the_gross(alice: Any, bob: Any, fund: Any, release: Any, proven: Any) -> None:
    FeeSchedule.objects.create(version="taxed", freelancer_fee_bps=1_000, tax_bps=1_900, active_from="2026-01-01T00:00:00Z")
    fund(alice, 7, USD(10_001))

    entry = release(bob, 7, USD(10_001), fee_schedule="taxed")

    # fee 1000.1, tax 190.019, net 8810.881: the left-over cent goes to the largest remainder
    assert page(entry) == [
        ("net", "hold:7:USD", f"pending:{bob.pk}:USD", 8_811),
        ("fee", "hold:7:USD", "fees:USD", 1_000),
        ("tax", "hold:7:USD", "tax:USD", 190),
    ]
    proven()


@pytest.mark.parametrize(
    ("gross", "tax_bps", "parts"),
    [
        (105, 0, (11, 0, 94)),  # 10.5 and 94.5: of two equal remainders, the fee's comes first
        (104, 0, (10, 0, 94)),  # 10.4 and 93.6
        (106, 0, (11, 0, 95)),  # 10.6 and 95.4
        (1, 0, (0, 0, 1)),
        (105, 1_900, (10, 2, 93)),  # 10.5, 1.995 and 92.505: two units are left over, and the fee has the smallest remainder
    ],
)
def test_fee_tax_and_net_share_the_left_over_units_by_largest_remainder(gross: int, tax_bps: int, parts: tuple[int, int, int]) -> None:
    split = fees.split(USD(gross), FeeSchedule(version="any", freelancer_fee_bps=1_000, tax_bps=tax_bps))

    assert (split.fee.minor, split.tax.minor, split.net.minor) == parts


def test_clearing_moves_what_was_released_to_the_available_balance(alice: Any, bob: Any, fund: Any, release: Any, proven: Any) -> None:
    fund(alice, 7, USD(10_000))
    release(bob, 7, USD(4_000), part=1)
    release(bob, 7, USD(6_000), part=2)

    entry = services.clear(contract_id=1, milestone_id=7, payee_id=bob.pk)

    assert page(entry) == [("clear", f"pending:{bob.pk}:USD", f"available:{bob.pk}:USD", 9_000)]
    balances = selectors.balances_of(bob.pk)[0]
    assert (balances.pending, balances.available) == (USD(0), USD(9_000))
    proven()


def test_a_part_clears_alone_and_the_rest_with_the_close(alice: Any, bob: Any, fund: Any, release: Any, proven: Any) -> None:
    fund(alice, 7, USD(10_000))
    release(bob, 7, USD(4_000), part=2)

    part = services.clear_part(contract_id=1, milestone_id=7, part=2, payee_id=bob.pk)

    assert page(part) == [("clear", f"pending:{bob.pk}:USD", f"available:{bob.pk}:USD", 3_600)]
    assert services.clear_part(contract_id=1, milestone_id=7, part=2, payee_id=bob.pk).pk == part.pk
    release(bob, 7, USD(6_000), part=1)
    rest = services.clear(contract_id=1, milestone_id=7, payee_id=bob.pk)
    assert page(rest) == [("clear", f"pending:{bob.pk}:USD", f"available:{bob.pk}:USD", 5_400)]
    with pytest.raises(Conflict, match="nothing_to_clear"):
        services.clear_part(contract_id=1, milestone_id=7, part=1, payee_id=bob.pk)
    proven()


def test_what_is_left_of_a_hold_rolls_through_the_wallet_into_another(
    alice: Any, bob: Any, pay: Any, milestone: Any, release: Any, proven: Any
) -> None:
    first = milestone(alice, bob, USD(10_000), "released")
    second = type(first).objects.create(contract=first.contract, position=2, title="Next", amount_minor=15_000, currency="USD")
    pay(alice, USD(25_000))
    common = {"contract_id": first.contract_id, "payer_id": alice.pk, "actor_id": alice.pk}
    for m, price in ((first, 10_000), (second, 15_000)):
        services.hold(milestone_id=m.pk, amount=USD(price), rule="client_funding", **common)
    release(bob, first.pk, USD(7_000), contract_id=first.contract_id)

    entry = services.roll(
        milestone_id=first.pk, to_milestone_id=second.pk, amount=USD(3_000), rule="freelancer_agrees", reason="later", **common
    )

    wallet = f"wallet:{alice.pk}:USD"
    assert page(entry) == [
        ("refund", f"hold:{first.pk}:USD", wallet, 3_000),
        ("hold", wallet, f"hold:{second.pk}:USD", 3_000),
    ]
    assert (selectors.held(first.pk), selectors.held(second.pk)) == (USD(0), USD(18_000))
    proven()


def test_a_bonus_pays_out_of_the_wallet_with_the_schedules_fee(alice: Any, bob: Any, pay: Any, proven: Any) -> None:
    pay(alice, USD(10_000))
    terms = {"contract_id": 1, "payer_id": alice.pk, "payee_id": bob.pk, "payee_currency": "USD", "fee_schedule": "standard-1"}

    entry = services.bonus(bonus_id=3, gross=USD(10_000), actor_id=alice.pk, rule="client_bonus", **terms)

    assert page(entry) == [
        ("net", f"wallet:{alice.pk}:USD", f"pending:{bob.pk}:USD", 9_000),
        ("fee", f"wallet:{alice.pk}:USD", "fees:USD", 1_000),
    ]
    cleared = services.clear_bonus(contract_id=1, bonus_id=3, payee_id=bob.pk)
    assert page(cleared) == [("clear", f"pending:{bob.pk}:USD", f"available:{bob.pk}:USD", 9_000)]
    with pytest.raises(Conflict, match="insufficient_funds"):
        services.bonus(bonus_id=4, gross=USD(1), actor_id=alice.pk, rule="client_bonus", **terms)
    proven()


def test_nothing_is_cleared_before_a_release(alice: Any, bob: Any, fund: Any) -> None:
    fund(alice, 7, USD(10_000))

    with pytest.raises(Conflict, match="nothing_to_clear"):
        services.clear(contract_id=1, milestone_id=7, payee_id=bob.pk)


def test_a_refund_returns_the_hold_to_the_wallet(alice: Any, fund: Any, proven: Any) -> None:
    fund(alice, 7, USD(10_000))

    entry = services.refund(
        contract_id=1, milestone_id=7, payer_id=alice.pk, amount=USD(10_000), actor_id=None, rule="freelancer_refund", reason="cannot do it"
    )

    assert page(entry) == [("refund", "hold:7:USD", f"wallet:{alice.pk}:USD", 10_000)]
    assert (entry.rule, entry.reason) == ("freelancer_refund", "cannot do it")
    assert selectors.balances_of(alice.pk)[0].wallet == USD(10_000)
    proven()


def settle(alice: Any, bob: Any, to_payee: int, to_payer: int) -> Entry:
    return services.settle(
        contract_id=1,
        milestone_id=7,
        payer_id=alice.pk,
        payee_id=bob.pk,
        payee_currency="USD",
        to_payee=USD(to_payee),
        to_payer=USD(to_payer),
        fee_schedule="standard-1",
        actor_id=None,
        rule="dispute_decision",
        reason="half of it was delivered",
    )


def test_a_settlement_splits_the_whole_hold_in_one_entry(alice: Any, bob: Any, fund: Any, proven: Any) -> None:
    fund(alice, 7, USD(10_000))

    entry = settle(alice, bob, 6_000, 4_000)

    assert page(entry) == [
        ("net", "hold:7:USD", f"pending:{bob.pk}:USD", 5_400),
        ("fee", "hold:7:USD", "fees:USD", 600),
        ("refund", "hold:7:USD", f"wallet:{alice.pk}:USD", 4_000),
    ]
    assert entry.gross_minor == 6_000
    assert settle(alice, bob, 6_000, 4_000).pk == entry.pk
    proven()


@pytest.mark.parametrize(("to_payee", "to_payer"), [(10_000, 0), (0, 10_000)])
def test_a_settlement_may_give_everything_to_one_side(alice: Any, bob: Any, fund: Any, proven: Any, to_payee: int, to_payer: int) -> None:
    fund(alice, 7, USD(10_000))

    settle(alice, bob, to_payee, to_payer)

    assert selectors.held(7) == USD(0)
    assert selectors.balances_of(alice.pk)[0].wallet == USD(to_payer)
    proven()


@pytest.mark.parametrize(("to_payee", "to_payer"), [(6_000, 3_999), (6_000, 4_001)])
def test_a_settlement_that_does_not_sum_to_the_hold_is_refused(alice: Any, bob: Any, fund: Any, to_payee: int, to_payer: int) -> None:
    fund(alice, 7, USD(10_000))

    with pytest.raises(Conflict, match="split_mismatch"):
        settle(alice, bob, to_payee, to_payer)

    assert selectors.held(7) == USD(10_000)
    assert not Entry.objects.filter(kind="settle").exists()


@pytest.mark.parametrize(("to_payee", "to_payer"), [(10_001, -1), (-1, 10_001)])
def test_a_settlement_has_no_negative_part(alice: Any, bob: Any, fund: Any, to_payee: int, to_payer: int) -> None:
    fund(alice, 7, USD(10_000))

    with pytest.raises(InvalidInput, match="amount_negative"):
        settle(alice, bob, to_payee, to_payer)


def rate(base: str, quote: str, value: str, spread_bps: int = 100) -> FxRate:
    """A rate newer than any that is laid."""
    return FxRate.objects.create(
        base=base, quote=quote, rate=value, spread_bps=spread_bps, source="test", as_of=clock.now().date(), fetched_at=clock.now()
    )


@pytest.mark.parametrize(
    ("gross", "payee_currency", "value", "payee_net"),
    [
        (USD(10_000), "KES", "129.25", 1_151_617),  # 90.00 USD · 129.25 · 0.99 = 11,516.175 KES
        (USD(10_001), "JPY", "151.37", 13_488),  # 90.01 USD · 151.37 · 0.99 = 13,488.5656 JPY, no decimals
        (Money(10_000, "JPY"), "USD", "0.0066", 5_880),  # 9,000 JPY · 0.0066 · 0.99 = 58.806 USD
        (USD(10_000), "KWD", "0.3065", 27_309),  # 90.00 USD · 0.3065 · 0.99 = 27.30915 KWD, three decimals
        (Money(10_000, "KWD"), "USD", "3.2626", 2_906),  # 9.000 KWD · 3.2626 · 0.99 = 29.0697… USD
    ],
)
def test_a_release_into_another_currency_goes_through_the_pairs_clearing(
    alice: Any, bob: Any, fund: Any, release: Any, proven: Any, gross: Money, payee_currency: str, value: str, payee_net: int
) -> None:
    row = rate(gross.currency, payee_currency, value)
    fund(alice, 7, gross)

    entry = release(bob, 7, gross, payee_currency)

    base = gross.currency
    net = gross.minor - gross.minor // 10
    assert page(entry) == [
        ("fx_out", f"hold:7:{base}", f"fx_clearing:{base}-{payee_currency}:{base}", net),
        ("fx_in", f"fx_clearing:{base}-{payee_currency}:{payee_currency}", f"pending:{bob.pk}:{payee_currency}", payee_net),
        ("fee", f"hold:7:{base}", f"fees:{base}", gross.minor // 10),
    ]
    assert entry.fx_rate_id == row.pk
    assert entry.quote["spread_bps"] == 100
    assert selectors.held(7) == Money(0, base)
    proven()


def test_a_repeated_release_is_the_same_entry_though_the_rate_has_moved(alice: Any, bob: Any, fund: Any, release: Any) -> None:
    rate("USD", "KES", "129.25")
    fund(alice, 7, USD(10_000))
    first = release(bob, 7, USD(10_000), "KES")
    rate("USD", "EUR", "0.5")
    FxRate.objects.create(base="USD", quote="KES", rate="150", source="newer", as_of=clock.now().date(), fetched_at=clock.now())

    again = release(bob, 7, USD(10_000), "KES")

    assert again.pk == first.pk
    assert Posting.objects.filter(entry__kind="release").count() == 3


def test_an_unknown_pair_is_an_error_and_never_one_to_one(alice: Any, bob: Any, fund: Any, release: Any) -> None:
    fund(alice, 7, USD(10_000))

    with pytest.raises(InvalidInput, match="fx_pair_unknown"):
        release(bob, 7, USD(10_000), "MNT")

    assert selectors.held(7) == USD(10_000)


def test_a_pair_without_a_row_is_derived_once_and_the_row_is_kept() -> None:
    first = fx.rate("KES", "PKR")

    assert first.source.startswith("derived:")
    # 281.5 ÷ 129.25, to twelve places
    assert str(first.rate) == "2.177949709865"
    assert fx.rate("KES", "PKR").pk == first.pk


def test_a_derived_rate_follows_its_newer_parts() -> None:
    first = fx.rate("KES", "PKR")
    rate("USD", "PKR", "300")

    second = fx.rate("KES", "PKR")

    assert second.pk != first.pk
    assert str(second.rate) == "2.321083172147"


def test_the_same_key_with_another_amount_is_a_conflict_without_effect(alice: Any, bob: Any, fund: Any, release: Any) -> None:
    fund(alice, 7, USD(10_000))
    release(bob, 7, USD(4_000))

    with pytest.raises(IdempotencyConflict):
        release(bob, 7, USD(5_000))

    assert selectors.held(7) == USD(6_000)
    assert Entry.objects.filter(kind="release").count() == 1


def test_a_key_reused_beyond_the_balance_is_still_answered_as_a_reused_key(alice: Any, fund: Any) -> None:
    fund(alice, 7, USD(10_000))

    with pytest.raises(IdempotencyConflict):
        services.hold(contract_id=1, milestone_id=7, payer_id=alice.pk, amount=USD(20_000), actor_id=alice.pk, rule="client_funding")


def test_no_user_account_is_overdrawn(alice: Any, bob: Any, fund: Any, release: Any) -> None:
    fund(alice, 7, USD(10_000))

    with pytest.raises(Conflict, match="insufficient_funds"):
        services.hold(contract_id=1, milestone_id=8, payer_id=alice.pk, amount=USD(1), actor_id=alice.pk, rule="client_funding")
    with pytest.raises(Conflict, match="insufficient_funds"):
        release(bob, 7, USD(10_001))

    assert selectors.held(7) == USD(10_000)
    assert list(Entry.objects.values_list("kind", flat=True)) == ["deposit", "hold"]


def test_a_quote_says_what_the_freelancer_will_get_and_until_when(time_machine: Any) -> None:
    time_machine.move_to("2026-11-02T12:00:00Z", tick=False)
    rate("USD", "KES", "129.25")

    quote = services.quote_make(gross=USD(10_000), payee_currency="KES")

    assert (quote.gross, quote.fee, quote.tax, quote.net) == (USD(10_000), USD(1_000), USD(0), USD(9_000))
    assert quote.payee_net == Money(1_151_617, "KES")
    assert (quote.fx_rate, quote.spread_bps, quote.fee_schedule, quote.clears_in_days) == ("129.25", 100, "standard-1", 5)
    assert quote.expires_at.isoformat() == "2026-11-02T12:15:00+00:00"


@pytest.mark.parametrize("minor", [0, -1])
def test_nothing_is_quoted_for_no_money(minor: int) -> None:
    with pytest.raises(InvalidInput, match="amount_not_positive"):
        services.quote_make(gross=USD(minor), payee_currency="USD")


def test_what_was_is_replayed_at_any_entry(alice: Any, pay: Any) -> None:
    pay(alice, USD(100))
    pay(alice, USD(250))
    first, second = Entry.objects.order_by("id")
    wallet = second.postings.get().credit_account_id

    assert selectors.balance_replayed(wallet, up_to_entry_id=first.pk) == 100
    assert selectors.balance_replayed(wallet) == 350


def test_effects_of_an_entry_are_the_changes_of_users_accounts(alice: Any, bob: Any, fund: Any, release: Any) -> None:
    fund(alice, 7, USD(10_000))
    entry = release(bob, 7, USD(10_000))

    effects = selectors.entry_effects([entry.pk])[entry.pk]

    assert [(e.account_kind, e.user_id, e.milestone_id, e.change) for e in effects] == [
        ("hold", alice.pk, 7, USD(-10_000)),
        ("pending", bob.pk, None, USD(9_000)),
    ]
