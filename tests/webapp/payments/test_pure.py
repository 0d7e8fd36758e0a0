"""Arithmetic of money without a database: splits, conversions, levies and tables of states against plain fractions and by example.

`make mutants NAME=generated` breaks these modules in every small way that mutmut knows; what is not noticed here is told there.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.core.errors import InvalidInput
from marketplace.core.money import MAX_MINOR, Money, exponent, payable
from marketplace.core.states import Machine
from marketplace.payments import fees, fx, levies, taxes
from marketplace.payments.models import FeeSchedule, FxRate
from marketplace.payments.states import CHARGEBACK, PAYMENT, PAYOUT, REFUND
from marketplace.payments.taxes import Levy, Party, Tax

DAY = date(2026, 11, 2)
AT = datetime(2026, 11, 2, 12, tzinfo=UTC)
RATES = taxes.table("2026-1")


def schedule(fee: int, tax: int = 0) -> FeeSchedule:
    return FeeSchedule(version="any", freelancer_fee_bps=fee, tax_bps=tax)


def rate(base: str, quote: str, value: str, spread: int = 0, day: date = DAY) -> FxRate:
    return FxRate(base=base, quote=quote, rate=Decimal(value), spread_bps=spread, source="test", as_of=day)


# --- money


def test_a_money_says_how_much_it_is() -> None:
    assert str(Money(123_456_789, "USD")) == "1,234,567.89 USD"
    assert str(Money(1_234, "JPY")) == "1,234 JPY"
    assert str(Money(-5, "KWD")) == "-0.005 KWD"
    assert Money(10, "USD").split([1, 2]) == [Money(3, "USD"), Money(7, "USD")]


@pytest.mark.parametrize("wrong", ["usd", "XAU", "ZZZ"])
def test_what_is_no_currency_says_so_and_where(wrong: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        exponent(wrong)
    assert (refused.value.code, refused.value.fields) == ("currency_unknown", {"currency": ["Unknown currency."]})
    assert repr(wrong) in refused.value.message


def test_nobody_is_paid_in_funds_metals_or_tests() -> None:
    assert not payable() & {"XXX", "XTS", "XAU", "XAG", "XPT", "XPD", "XDR", "XSU", "XUA", "XBA", "XBB", "XBC", "XBD", "XFO"}
    assert payable() > {"USD", "EUR", "JPY", "KWD", "KES", "NGN", "XOF"}


# --- fees


@given(gross=st.integers(1, 10**12), fee=st.integers(0, 5_000), tax=st.integers(0, 3_000))
@settings(max_examples=100, deadline=None)
def test_a_split_is_the_fractions_rounded_to_the_whole(gross: int, fee: int, tax: int) -> None:
    split = fees.split(Money(gross, "USD"), schedule(fee, tax))
    exact = (Fraction(gross * fee, 10_000), Fraction(gross * fee * tax, 10_000**2))
    exact = (*exact, gross - sum(exact))
    found = (split.fee.minor, split.tax.minor, split.net.minor)
    assert sum(found) == gross == split.gross.minor
    assert all(part in (int(e), int(e) + 1) for part, e in zip(found, exact, strict=True))
    # nobody who got a unit more lacked less of it than somebody who got none
    more = [e - int(e) for part, e in zip(found, exact, strict=True) if part > e]
    less = [e - int(e) for part, e in zip(found, exact, strict=True) if part <= e]
    assert not more or not less or min(more) >= max(x for x in less)
    assert split.withheld == Money(0, "USD")


@pytest.mark.parametrize(
    ("gross", "rate_bps", "withheld_bps", "parts"),
    [
        (10_000, 1_900, 0, (1_000, 190, 0, 8_810)),
        (10_000, 0, 2_400, (1_000, 0, 2_400, 6_600)),
        (10_005, 1_900, 1_000, (1_001, 190, 1_001, 7_813)),
        (5, 1_900, 10_000, (1, 0, 4, 0)),
        (1, 1_900, 5_000, (0, 0, 1, 0)),
        (10, 10_000, 9_500, (1, 1, 8, 0)),
    ],
)
def test_a_levy_is_on_the_whole_fee_and_of_the_gross(gross: int, rate_bps: int, withheld_bps: int, parts: tuple[int, ...]) -> None:
    levy = Levy(Tax("2026-1", "S", "DE", rate_bps, "domestic"), withheld_bps, "US")
    split = fees.split(Money(gross, "USD"), schedule(1_000, 700), levy)
    assert (split.fee.minor, split.tax.minor, split.withheld.minor, split.net.minor) == parts


def test_a_tax_never_takes_more_than_there_is() -> None:
    levy = Levy(Tax("2026-1", "S", "DE", 2_700, "domestic"), 0, "")
    split = fees.split(Money(10, "USD"), schedule(9_000), levy)
    assert (split.fee.minor, split.tax.minor, split.net.minor) == (9, 1, 0)


@pytest.mark.parametrize("gross", [0, -1])
def test_nothing_is_not_split(gross: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        fees.split(Money(gross, "USD"), schedule(1_000))
    assert (refused.value.code, list(refused.value.fields)) == ("amount_not_positive", ["amount_minor"])


# --- exchange


@given(
    minor=st.integers(0, 10**9),
    value=st.integers(1, 10**15),
    spread=st.integers(0, 9_999),
    pair=st.sampled_from([("USD", "JPY"), ("JPY", "KWD"), ("KWD", "USD"), ("USD", "EUR")]),
)
@settings(max_examples=100, deadline=None)
def test_a_conversion_is_the_fraction_rounded_down(minor: int, value: int, spread: int, pair: tuple[str, str]) -> None:
    row = rate(*pair, str(Decimal(value).scaleb(-12)), spread)
    shift = Fraction(10) ** (exponent(pair[1]) - exponent(pair[0]))
    exact = minor * shift * Fraction(value, 10**12) * Fraction(10_000 - spread, 10_000)
    assert fx.convert(Money(minor, pair[0]), row) == Money(exact.__floor__(), pair[1])


@given(minor=st.integers(1, 10**9), value=st.integers(10**9, 10**15), spread=st.integers(0, 9_000))
@settings(max_examples=100, deadline=None)
def test_a_price_is_the_least_that_is_worth_it(minor: int, value: int, spread: int) -> None:
    row = rate("KWD", "JPY", str(Decimal(value).scaleb(-12)), spread)
    price = fx.price_of(Money(minor, "JPY"), row)
    assert fx.convert(price, row) >= Money(minor, "JPY")
    assert fx.convert(price - Money(1, "KWD"), row) < Money(minor, "JPY")


def test_what_the_books_can_hold_is_converted_and_one_unit_more_is_refused() -> None:
    half, double = rate("KWD", "USD", "0.5"), rate("USD", "KWD", "2")
    most = MAX_MINOR // 20  # a cent is twenty fils
    assert fx.price_of(Money(most, "USD"), half) == fx.convert(Money(most, "USD"), double) == Money(most * 20, "KWD")
    equal = rate("EUR", "USD", "1")
    for whole in (MAX_MINOR, -MAX_MINOR):
        assert fx.price_of(Money(whole, "USD"), equal) == Money(whole, "EUR")

    for more in (lambda: fx.price_of(Money(most + 1, "USD"), half), lambda: fx.convert(Money(-most - 1, "USD"), double)):
        with pytest.raises(InvalidInput) as refused:
            more()
        said = "This amount is worth more KWD than we can move. Choose a smaller amount."
        assert (refused.value.code, refused.value.message, refused.value.fields) == ("amount_out_of_range", said, {"amount_minor": [said]})


def test_a_rate_prices_only_its_own_quote() -> None:
    with pytest.raises(TypeError, match="a USD/JPY rate does not price USD"):
        fx.price_of(Money(1, "USD"), rate("USD", "JPY", "151"))


def test_a_rate_converts_only_its_own_base() -> None:
    with pytest.raises(TypeError, match="a USD/JPY rate does not convert EUR"):
        fx.convert(Money(1, "EUR"), rate("USD", "JPY", "151"))


def test_a_debt_is_not_rounded_towards_us() -> None:
    assert fx.convert(Money(-1, "USD"), rate("USD", "JPY", "0.5")) == Money(0, "JPY")


def newest(*rows: FxRate) -> fx.Newest:
    """As if these rows were stored."""

    def found(base: str, quote: str, day: date) -> FxRate | None:
        there = [r for r in rows if (r.base, r.quote) == (base, quote) and r.as_of <= day]
        return max(there, key=lambda r: r.as_of, default=None)

    return found


def test_a_direct_rate_is_taken_before_any_way_round() -> None:
    direct = rate("EUR", "KES", "150")
    rows = newest(direct, rate("USD", "EUR", "0.9"), rate("USD", "KES", "129"))
    assert fx.rate("EUR", "KES", on=DAY, newest=rows) is direct


def test_no_rate_of_tomorrow_is_taken_today() -> None:
    tomorrow = rate("EUR", "KES", "150", day=date(2026, 11, 3))
    with pytest.raises(InvalidInput) as refused:
        fx.rate("EUR", "KES", on=DAY, newest=newest(tomorrow))
    assert refused.value.code == "fx_pair_unknown"
    assert "EUR to KES" in refused.value.message


@pytest.mark.parametrize(("base", "quote"), [("usd", "KES"), ("KES", "usd")])
def test_a_rate_needs_two_currencies(base: str, quote: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        fx.rate(base, quote, on=DAY, newest=newest())
    assert refused.value.code == "currency_unknown"


def test_half_a_way_round_is_no_way() -> None:
    for rows in ((rate("USD", "KES", "129"),), (rate("USD", "PLN", "4"),)):
        with pytest.raises(InvalidInput):
            fx.rate("PLN", "KES", on=DAY, newest=newest(*rows))


def test_each_step_of_a_way_is_straight_inverted_or_none() -> None:
    rows = newest(rate("USD", "KES", "125", day=date(2026, 10, 30)), rate("EUR", "USD", "1.25"))
    assert fx._either_way("USD", "USD", DAY, rows) == (1, DAY)
    assert fx._either_way("USD", "KES", DAY, rows) == (Decimal(125), date(2026, 10, 30))
    assert fx._either_way("KES", "USD", DAY, rows) == (Decimal("0.008"), date(2026, 10, 30))
    assert fx._either_way("USD", "EUR", DAY, rows) == (Decimal("0.8"), DAY)
    assert fx._either_way("EUR", "KES", DAY, rows) is None


def test_a_row_is_kept_to_twelve_places() -> None:
    row = fx.row_of("USD", "EUR", Decimal(1) / Decimal(3), "ecb_cross", DAY, AT)
    assert (row.rate, row.source, row.as_of, row.fetched_at) == (Decimal("0.333333333333"), "ecb_cross", DAY, AT)
    assert (row.base, row.quote, row.spread_bps) == ("USD", "EUR", 100)


# --- levies and tables


def stored(**changed: Any) -> dict[str, Any]:
    tax = {"table": "2026-1", "category": "S", "country": "DE", "rate_bps": 1_900, "reason": "domestic"}
    return {"tax": tax | changed.pop("tax", {}), "withheld_bps": 0, "withheld_for": ""} | changed


def test_a_levy_is_read_as_it_was_kept() -> None:
    levy = Levy(Tax("2026-1", "S", "DE", 1_900, "domestic"), 2_400, "US")
    assert taxes.levy_stored(levy.stored()) == levy
    assert levy.stored() == {
        "tax": {"table": "2026-1", "category": "S", "country": "DE", "rate_bps": 1_900, "reason": "domestic"},
        "withheld_bps": 2_400,
        "withheld_for": "US",
    }


@pytest.mark.parametrize(
    ("levy", "wrong"),
    [
        (stored(), ""),
        (stored(tax={"category": "AE", "country": "FR", "rate_bps": 0}), ""),
        (stored(tax={"rate_bps": 1_600}), "DE is taxed at 1600, the table says 1900"),
        (stored(tax={"category": "AE"}), "DE is taxed at 1900, the table says 0"),
        (stored(withheld_bps=1), "1 withheld, the table says [0]"),
        (stored(tax={"table": "1066-1"}), "unreadable: "),
        ({}, "unreadable: "),
        (stored(tax={"more": 1}), "unreadable: "),
    ],
)
def test_a_levy_is_proved_by_its_table(levy: dict[str, Any], wrong: str) -> None:
    said = levies.wrong_in(levy, AT)
    assert said.startswith(wrong) if wrong.startswith("unreadable") else said == wrong


@pytest.mark.parametrize("known", [0, 1])
def test_what_is_withheld_is_one_of_the_tables_two(known: int) -> None:
    country, rows = next(iter(RATES.withholding.items()))
    kept = rows[-1][1 + known]
    assert levies.wrong_in(stored(withheld_bps=kept, withheld_for=country), AT) == ""
    assert "withheld, the table says" in levies.wrong_in(stored(withheld_bps=kept + 1, withheld_for=country), AT)
    assert RATES.withheld(country, DAY, tax_number=True) == rows[-1][1]
    assert RATES.withheld(country, DAY, tax_number=False) == rows[-1][2]
    assert RATES.withheld(country, date(1999, 1, 1), tax_number=True) == RATES.withheld("AQ", DAY, tax_number=False) == 0
    assert RATES.withheld(country, rows[0][0], tax_number=True) == rows[0][1]


def test_a_table_that_was_never_published_is_not_looked_for_elsewhere() -> None:
    for name in ("2026-9", "../tax_tables/2026-1", ""):
        with pytest.raises(InvalidInput) as refused:
            taxes.table(name)
        assert refused.value.code == "tax_table_unknown"
    assert RATES.version == "2026-1"
    assert RATES.rate("AQ", DAY) is None


def test_a_country_without_a_rate_says_so() -> None:
    with pytest.raises(InvalidInput) as refused:
        taxes.on_service(supplier=Party("AQ", "12345678"), customer=Party("AQ"), on=DAY, rates=RATES, electronic=True)
    assert refused.value.code == "tax_rate_unknown"
    assert "AQ" in refused.value.message


def test_a_decision_names_its_table() -> None:
    tax = taxes.on_service(supplier=Party("MC", "DE136695976"), customer=Party("FR"), on=DAY, rates=RATES, electronic=True)
    assert tax == Tax("2026-1", "S", "FR", 2_000, "domestic")  # Monaco is taxed as France


@pytest.mark.parametrize(
    ("total", "bps", "tax"), [(119, 1_900, 19), (100, 0, 0), (1, 2_700, 0), (3, 2_700, 1), (2, 10_000, 1), (0, 1_900, 0)]
)
def test_the_tax_in_a_total(total: int, bps: int, tax: int) -> None:
    assert taxes.included(total, bps) == tax


@pytest.mark.parametrize(
    ("text", "country", "kept"),
    [
        ("980780684", "GB", "GB980780684"),
        ("CHE107787577", "CH", "CHE107787577MWST"),
        ("CHE107787577TVA", "CH", "CHE107787577TVA"),
        ("CHE107787577IVA", "CH", "CHE107787577IVA"),
        ("CHE107787577TPV", "CH", "CHE107787577TPV"),
        ("NO 995 525 828 MVA", "NO", "NO995525828MVA"),
        ("995525828", "NO", "NO995525828MVA"),
        ("12-34", "US", "1234"),
        ("X" * 20, "US", "X" * 20),
    ],
)
def test_numbers_of_other_countries_are_kept_in_one_form(text: str, country: str, kept: str) -> None:
    assert taxes.vat_id(text, country).removeprefix("NO") == kept.removeprefix("NO")


@pytest.mark.parametrize(("text", "country"), [("GB980780685", "GB"), ("CHE107787578", "CH"), ("995525829", "NO"), ("123", "US")])
def test_a_wrong_number_says_how_one_is_written(text: str, country: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        taxes.vat_id(text, country)
    assert (refused.value.code, list(refused.value.fields)) == ("vat_id_invalid", ["vat_id"])
    assert "DE136695976" in refused.value.fields["vat_id"][0]


# --- states


def test_a_machine_knows_its_states_and_who_may_do_what() -> None:
    table = {
        ("new", "start"): ("going", {"client"}),
        ("going", "end"): ("gone", {"client", "system"}),
        ("new", "drop"): ("gone", ["client"]),
    }
    machine = Machine("thing", "new", table)
    assert (machine.name, machine.initial, machine.states) == ("thing", "new", ("going", "gone", "new"))
    assert machine.choices == [("going", "going"), ("gone", "gone"), ("new", "new")]
    assert machine.actions_from("new", "client") == ["drop", "start"]
    assert machine.actions_from("new", "system") == machine.actions_from("gone", "client") == []
    assert Machine("two", "a_b", {}).choices == [("a_b", "a b")]


MONEY_MOVES = {
    # what a state means for the money: has it come (payment), is it away (refund, payout), is it taken (chargeback)
    "payment": (PAYMENT, {"succeeded", "partially_refunded", "refunded", "charged_back"}, {"created", "pending", "failed", "cancelled"}),
    "refund": (REFUND, {"succeeded"}, {"created", "pending", "failed"}),
    "payout": (PAYOUT, {"paid"}, {"requested", "held", "sent", "failed"}),
    "chargeback": (CHARGEBACK, {"open", "lost"}, {"inquiry", "won"}),
}
#: the only moves between the two that post money; everything else stays on its side
CROSSINGS = {
    "payment": {(s, "succeed") for s in ("created", "pending", "failed", "cancelled")},
    "refund": {("created", "succeed"), ("pending", "succeed"), ("succeeded", "return")},
    "payout": {("sent", "settle"), ("paid", "return"), ("failed", "settle_late")},
    "chargeback": {("inquiry", "open"), ("open", "win")},
}


@pytest.mark.parametrize("name", sorted(MONEY_MOVES))
def test_money_moves_at_these_transitions_and_no_others(name: str) -> None:
    machine, there, away = MONEY_MOVES[name]
    assert set(machine.states) <= there | away
    crossing = {(s, a) for (s, a), t in machine.transitions.items() if (s in there) != (t.to in there)}
    assert crossing == CROSSINGS[name]
    assert machine.initial in away


@pytest.mark.parametrize(
    ("machine", "role", "allowed"),
    [
        (PAYMENT, "client", {("created", "cancel"), ("pending", "cancel")}),
        (
            PAYOUT,
            "staff",
            {
                *(("requested", "hold"), ("held", "clear"), ("requested", "fail"), ("held", "fail"), ("sent", "fail")),
                ("failed", "settle_late"),
            },
        ),
        (REFUND, "staff", set()),
        (REFUND, "client", set()),
        (CHARGEBACK, "staff", set()),
    ],
)
def test_people_may_take_these_moves_alone(machine: Machine, role: str, allowed: set[tuple[str, str]]) -> None:
    assert {(s, a) for s in machine.states for a in machine.actions_from(s, role)} == allowed


def test_a_payment_that_is_over_moves_only_for_the_bank() -> None:
    assert PAYMENT.actions_from("charged_back", "system") == ["reinstate", "reinstate_part"]
    assert CHARGEBACK.actions_from("lost", "system") == CHARGEBACK.actions_from("won", "system") == []
    assert PAYOUT.actions_from("failed", "system") == REFUND.actions_from("failed", "system") == []
