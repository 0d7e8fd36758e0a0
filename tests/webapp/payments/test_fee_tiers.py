"""Fees by tiers and with a minimum: of the contract, so that however a price is cut the fees of its parts are the fee of the whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.core import clock
from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import fee_tiers, fees, services
from marketplace.payments.fee_models import FeeSchedule
from marketplace.payments.models import Account, Document, Entry
from marketplace.payments.taxes import Levy, Tax
from tests.webapp.payments.test_check import forge

CURRENCIES = ("USD", "JPY", "KWD")
BPS = st.integers(0, fee_tiers.MOST_BPS)
STEPS = st.lists(st.integers(0, 40_000), max_size=4, unique=True).map(sorted)


@st.composite
def schedules(draw: Any) -> FeeSchedule:
    tiers = {c: [[start, draw(BPS)] for start in steps] for c in CURRENCIES if (steps := draw(STEPS))}
    minimum = {c: least for c in CURRENCIES if (least := draw(st.integers(0, 5_000)))}
    return FeeSchedule(version="any", freelancer_fee_bps=draw(BPS), tax_bps=draw(BPS), tiers=tiers, minimum=minimum)


#: how long data takes to make says only how busy the machine is
calm = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
LEVIES = st.none() | st.builds(lambda rate, kept: Levy(Tax("t", "S", "DE", rate, "domestic"), kept, "KE"), BPS, st.integers(0, 2_000))


@calm
@given(schedules(), st.sampled_from(CURRENCIES), st.lists(st.integers(1, 30_000) | st.just(1), min_size=1, max_size=12), LEVIES)
def test_the_fees_of_the_parts_are_the_fee_of_the_whole(schedule: FeeSchedule, currency: str, cuts: list[int], levy: Levy | None) -> None:
    if not fee_tiers.cumulative(schedule, currency):
        schedule.minimum[currency] = 1
    before, taken = 0, 0
    for gross in cuts:
        part = fees.split(Money(gross, currency), schedule, levy, before=before)
        assert part.fee + part.tax + part.withheld + part.net == part.gross
        assert min(part.fee.minor, part.tax.minor, part.withheld.minor, part.net.minor) >= 0
        rate = schedule.tax_bps if levy is None else levy.tax.rate_bps
        assert part.tax.minor == (part.fee.minor * rate + 5_000) // 10_000, "the tax that the invoice states fits into the payment"
        before, taken = before + gross, taken + part.fee.minor
    assert taken == fee_tiers.fee_on(schedule, currency, before)
    assert taken == fees.split(Money(before, currency), schedule, levy).fee.minor


@calm
@given(schedules(), st.sampled_from(CURRENCIES), st.integers(0, 90_000))
def test_the_fee_is_the_sum_over_each_minor_unit(schedule: FeeSchedule, currency: str, total: int) -> None:
    """Against another way to count: each tier's share as a fraction of its own, from above."""
    left, weighted = total, 0
    for start, bps in reversed([[0, schedule.freelancer_fee_bps], *schedule.tiers.get(currency, [])]):
        weighted += max(0, left - start) * bps
        left = min(left, start)
    marginal = (weighted + 5_000) // 10_000
    least = min(schedule.minimum.get(currency, 0), total // 2)
    assert fee_tiers.fee_on(schedule, currency, total) == max(marginal, least)


@calm
@given(schedules(), st.integers(1, 90_000), st.integers(0, 90_000), LEVIES)
def test_a_currency_that_is_not_named_has_only_the_percent(schedule: FeeSchedule, gross: int, before: int, levy: Levy | None) -> None:
    flat = FeeSchedule(version="any", freelancer_fee_bps=schedule.freelancer_fee_bps, tax_bps=schedule.tax_bps)
    assert fees.split(Money(gross, "EUR"), schedule, levy, before=before) == fees.split(Money(gross, "EUR"), flat, levy)


@pytest.mark.parametrize(
    ("currency", "paid", "fee"),
    [
        ("USD", 1, 0),
        ("USD", 2, 1),
        ("USD", 900, 450),
        ("USD", 1_000, 500),
        ("USD", 2_500, 500),
        ("USD", 50_000, 10_000),
        ("USD", 50_001, 10_000),
        ("USD", 50_005, 10_001),
        ("USD", 1_000_000, 105_000),
        ("USD", 2_000_000, 155_000),
        ("JPY", 1, 0),
        ("JPY", 1_000, 500),
        ("JPY", 100_000, 20_000),
        ("KWD", 1, 0),
        ("KWD", 3, 1),
        ("KWD", 10_000, 2_000),
        ("KWD", 10_010, 2_001),
    ],
)
def test_worked_fees(currency: str, paid: int, fee: int) -> None:
    schedule = FeeSchedule(
        version="any",
        freelancer_fee_bps=2_000,
        tiers={"USD": [[50_000, 1_000], [1_000_000, 500]], "KWD": [[10_000, 1_000]]},
        minimum={"USD": 500, "JPY": 500},
    )
    assert fee_tiers.fee_on(schedule, currency, paid) == fee


@pytest.fixture
def tiered(db: None) -> str:
    FeeSchedule.objects.create(
        version="tiers",
        freelancer_fee_bps=2_000,
        tax_bps=1_900,
        tiers={"USD": [[50_000, 1_000], [100_000, 500]]},
        minimum={"USD": 700},
        active_from=clock.now(),
    )
    return "tiers"


def quotes() -> list[tuple[int, int, int]]:
    rows = Entry.objects.filter(kind__in=("release", "settle", "bonus")).order_by("id")
    return [(e.quote["before"], e.gross_minor or 0, e.quote["fee"]) for e in rows]


def proven() -> list[str]:
    return [v.rule for v in services.ledger_check(invariants=(2, 8)).violations]


def test_parts_settlement_and_bonus_of_a_contract_count_together(
    tiered: str, alice: Any, bob: Any, pay: Any, fund: Any, release: Any
) -> None:
    whole = services.quote_make(gross=Money(120_000, "USD"), payee_currency="USD", fee_schedule=tiered)
    assert whole.stored()["fee_terms"] == {
        "freelancer_fee_bps": 2_000,
        "tiers": [{"from_minor": 50_000, "bps": 1_000}, {"from_minor": 100_000, "bps": 500}],
        "minimum_minor": 700,
    }
    fund(alice, 1, Money(40_000, "USD"))
    fund(alice, 2, Money(60_000, "USD"))
    pay(alice, Money(30_000, "USD"))
    paid = {"payee_id": bob.pk, "payee_currency": "USD", "fee_schedule": tiered, "actor_id": None, "rule": "test"}
    first = release(bob, 1, Money(1_000, "USD"), part=2, fee_schedule=tiered)
    release(bob, 1, Money(39_000, "USD"), fee_schedule=tiered)
    parts = {"to_payee": Money(50_000, "USD"), "to_payer": Money(10_000, "USD")}
    run_in_transaction(lambda: services.settle(contract_id=1, milestone_id=2, payer_id=alice.pk, reason="r", **parts, **paid))
    gift = {"contract_id": 1, "bonus_id": 1, "payer_id": alice.pk, "gross": Money(30_000, "USD")}
    bonus = run_in_transaction(lambda: services.bonus(**gift, **paid))
    # another contract begins anew
    fund(alice, 3, Money(1_000, "USD"))
    release(bob, 3, Money(1_000, "USD"), fee_schedule=tiered, contract_id=2)

    assert quotes() == [(0, 1_000, 500), (1_000, 39_000, 7_500), (40_000, 50_000, 6_000), (90_000, 30_000, 2_000), (0, 1_000, 500)]
    assert sum(fee for _, _, fee in quotes()[:4]) == whole.fee.minor
    # the same calls again are the same requests, although more was paid since
    assert release(bob, 1, Money(1_000, "USD"), part=2, fee_schedule=tiered).pk == first.pk
    assert run_in_transaction(lambda: services.bonus(**gift, **paid)).pk == bonus.pk
    assert proven() == []

    services.documents_issue(entry_id=first.pk)
    invoice = Document.objects.get(entry=first, about="fee")
    assert (invoice.content["fee_bps"], invoice.content["fee_schedule"], invoice.total_minor) == (5_000, "tiers", 595)
    assert invoice.content["fee_terms"]["before_minor"] == 0


@pytest.mark.parametrize(
    ("told", "rules"),
    [
        ({"before": 1_000}, []),
        ({"before": 0}, ["fee_before_is_what_was_paid", "split_by_schedule"]),
        ({"before": -1}, ["fee_before_is_what_was_paid", "fee_before_told"]),
        ({}, ["fee_before_told"]),
        ({"before": 1_000, "fee_schedule": "standard-1"}, ["fee_before_told"]),
    ],
)
def test_the_check_proves_what_was_paid_before(
    tiered: str, alice: Any, bob: Any, fund: Any, release: Any, told: dict[str, Any], rules: list[str]
) -> None:
    """The second release bears what is left of the minimum, 700: half of the first 1,000 it took before."""
    fund(alice, 1, Money(9_000, "USD"))
    release(bob, 1, Money(1_000, "USD"), part=2, fee_schedule=tiered)
    held, pending = (Account.objects.get(key=key) for key in ("hold:1:USD", f"pending:{bob.pk}:USD"))
    fee, tax = (Account.objects.get(key=key) for key in ("fees:USD", "tax:USD"))
    forge(
        "release",
        [("net", held, pending, 1_762), ("fee", held, fee, 200), ("tax", held, tax, 38)],
        key="release:1:3",
        subject=("milestone", 1),
        gross_minor=2_000,
        quote={"fee_schedule": tiered, "currency": "USD", "gross": 2_000, "fee": 200, "tax": 38, "net": 1_762, **told},
    )
    assert sorted(proven()) == rules
