"""Taxes: where a service is supplied, who owes the tax, what a unit rounds to, and what a payment then bears in the ledger."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from marketplace.core.errors import InvalidInput
from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import fees, levies, services, taxes
from marketplace.payments.models import Entry, FeeSchedule
from marketplace.payments.taxes import Levy, Party, Tax

RATES = taxes.table("2026-1")
DAY = date(2026, 11, 2)
BERLIN = Party("DE", "DE136695976")
GERMAN_WITH_OSS_AND_GB = Party("DE", "DE136695976", {"GB": "GB980780684"})
AMERICAN_WITH_OSS = Party("US", "", {"EU": "EU372000041"})


def on(supplier: Party, customer: Party, *, electronic: bool = True, day: date = DAY) -> tuple[str, str, int, str]:
    tax = taxes.on_service(supplier=supplier, customer=customer, on=day, rates=RATES, electronic=electronic)
    return tax.category, tax.country, tax.rate_bps, tax.reason


@pytest.mark.parametrize(
    ("supplier", "customer", "electronic", "expected"),
    [
        (BERLIN, Party("DE"), True, ("S", "DE", 1900, "domestic")),
        (BERLIN, Party("DE", "DE811907980"), True, ("S", "DE", 1900, "domestic")),
        (BERLIN, Party("FR", "FR40303265045"), True, ("AE", "FR", 0, "reverse_charge")),
        (BERLIN, Party("FR"), True, ("S", "FR", 2000, "oss")),
        (BERLIN, Party("MC"), True, ("S", "FR", 2000, "oss")),
        (BERLIN, Party("FR"), False, ("S", "DE", 1900, "domestic")),
        (BERLIN, Party("US"), False, ("S", "DE", 1900, "domestic")),
        (BERLIN, Party("US"), True, ("O", "US", 0, "outside_scope")),
        (BERLIN, Party("US", "121234567"), False, ("O", "US", 0, "outside_scope")),
        (BERLIN, Party(""), True, ("S", "DE", 1900, "domestic")),
        (GERMAN_WITH_OSS_AND_GB, Party("GB"), True, ("S", "GB", 2000, "registered_abroad")),
        (GERMAN_WITH_OSS_AND_GB, Party("GB", "GB980780684"), True, ("AE", "GB", 0, "reverse_charge")),
        (AMERICAN_WITH_OSS, Party("IT"), True, ("S", "IT", 2200, "oss")),
        (AMERICAN_WITH_OSS, Party("IT", "IT00743110157"), True, ("AE", "IT", 0, "reverse_charge")),
        (AMERICAN_WITH_OSS, Party("US"), True, ("O", "US", 0, "outside_scope")),
        (Party("DE"), Party("DE"), True, ("O", "DE", 0, "not_registered")),
        (Party("DE"), Party("FR", "FR40303265045"), True, ("O", "DE", 0, "not_registered")),
    ],
)  # fmt: skip
def test_the_place_of_supply(supplier: Party, customer: Party, electronic: bool, expected: tuple[str, str, int, str]) -> None:
    assert on(supplier, customer, electronic=electronic) == expected


@pytest.mark.parametrize(
    ("country", "day", "rate"),
    [
        ("DE", date(2020, 6, 30), 1900),
        ("DE", date(2020, 7, 1), 1600),
        ("DE", date(2020, 12, 31), 1600),
        ("DE", date(2021, 1, 1), 1900),
        ("FI", date(2024, 8, 31), 2400),
        ("FI", date(2024, 9, 1), 2550),
        ("EE", date(2025, 7, 1), 2400),
        ("RO", date(2025, 7, 31), 1900),
        ("RO", date(2025, 8, 1), 2100),
        ("SK", date(2025, 1, 1), 2300),
    ],
)
def test_a_rate_holds_from_its_first_day(country: str, day: date, rate: int) -> None:
    assert on(BERLIN, Party(country), day=day)[2] == rate


def test_every_country_of_the_union_has_a_rate_within_its_bounds() -> None:
    assert len(RATES.eu) == 27
    for country in RATES.eu:
        assert 1500 <= (RATES.rate(country, DAY) or 0) <= 2700, country
    with pytest.raises(InvalidInput):
        on(BERLIN, Party("DE"), day=date(1999, 1, 1))


def test_a_published_table_is_never_changed() -> None:
    """A new rate is a new file: what was taxed by an old table must stay provable."""
    digest = hashlib.sha256((Path(taxes.TABLES) / "2026-1.toml").read_bytes()).hexdigest()
    assert digest == "33fec2be1b7e8a102147f43d9caee39d75b00cadeb1b0e1a5b4eaf40a0a24cb4"


@pytest.mark.parametrize(
    ("base", "bps", "tax"),
    [(0, 1900, 0), (1, 1900, 0), (2, 1900, 0), (3, 1900, 1), (1, 5000, 1), (50, 1900, 10), (100, 2550, 26), (1, 2700, 0), (-3, 1900, -1)],
)
def test_tax_rounds_half_a_unit_up(base: int, bps: int, tax: int) -> None:
    assert taxes.share(base, bps) == tax


@pytest.mark.parametrize(
    ("whole", "taken", "of", "part"), [(19, 0, 101, 0), (19, 101, 101, 19), (19, 33, 101, 6), (1, 1, 2, 1), (1, 1, 3, 0), (7, 3, 1, 21)]
)
def test_a_part_rounds_half_a_unit_up(whole: int, taken: int, of: int, part: int) -> None:
    assert taxes.part_of(whole, taken, of) == part


@given(total=st.integers(0, 10**12), bps=st.integers(0, 2_700))
@hypothesis_settings(max_examples=300, deadline=None)
def test_an_included_tax_is_that_of_its_net_within_a_unit(total: int, bps: int) -> None:
    tax = taxes.included(total, bps)
    assert 0 <= tax <= total
    assert abs(tax - taxes.share(total - tax, bps)) <= 1


@given(gross=st.integers(1, 10**12), fee=st.integers(0, 5_000), rate=st.integers(0, 2_700), withheld=st.integers(0, 3_000))
@hypothesis_settings(max_examples=300, deadline=None)
def test_gross_is_fee_tax_withheld_and_net(gross: int, fee: int, rate: int, withheld: int) -> None:
    levy = Levy(Tax("2026-1", "S", "DE", rate, "domestic"), withheld, "US")
    split = fees.split(Money(gross, "USD"), FeeSchedule(version="any", freelancer_fee_bps=fee), levy)

    assert split.fee + split.tax + split.withheld + split.net == Money(gross, "USD")
    assert min(part.minor for part in (split.fee, split.tax, split.withheld, split.net)) >= 0
    assert split.tax.minor == taxes.share(split.fee.minor, rate)


@pytest.mark.parametrize(
    ("text", "country", "kept"),
    [
        ("", "DE", ""),
        ("de 136 695 976", "DE", "DE136695976"),
        ("EL 094259216", "GR", "EL094259216"),
        ("GB 980 7806 84", "GB", "GB980780684"),
        ("CHE-107.787.577 MWST", "CH", "CHE107787577MWST"),
        ("29AABCU9603R1ZM", "IN", "29AABCU9603R1ZM"),
    ],
)
def test_a_vat_id_is_kept_plain(text: str, country: str, kept: str) -> None:
    assert taxes.vat_id(text, country) == kept


@pytest.mark.parametrize(
    ("text", "country"), [("DE136695977", "DE"), ("DE136695976", "FR"), ("ab", "US"), ("X" * 21, "US"), ("数" * 8, "US")]
)
def test_a_wrong_vat_id_is_refused(text: str, country: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        taxes.vat_id(text, country)
    assert list(refused.value.fields) == ["vat_id"]


REGISTERED = {"country": "DE", "vat_id": "DE136695976", "registrations": {}, "withholds": ["US"]}


@pytest.fixture
def taxed(settings: Any) -> None:
    """The installation is registered in Germany and withholds for the United States."""
    settings.SELLER = {**settings.SELLER, **REGISTERED}


def legs(entry: Entry) -> dict[str, int]:
    return dict(entry.postings.values_list("leg", "amount"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("country", "vat_id", "tax_number", "expected"),
    [
        ("DE", "", "", {"fee": 1_000, "tax": 190, "net": 8_810}),
        ("FR", "", "", {"fee": 1_000, "tax": 200, "net": 8_800}),
        ("FR", "FR40303265045", "", {"fee": 1_000, "net": 9_000}),
        ("KE", "", "", {"fee": 1_000, "net": 9_000}),
        ("US", "", "12-1234567", {"fee": 1_000, "net": 9_000}),
        ("US", "", "", {"fee": 1_000, "withheld": 2_400, "net": 6_600}),
    ],
)
def test_a_release_bears_the_tax_of_its_payee(
    taxed: None,
    alice: Any,
    bob: Any,
    fund: Any,
    release: Any,
    proven: Any,
    country: str,
    vat_id: str,
    tax_number: str,
    expected: dict[str, int],
) -> None:
    levies.tax_profile_put(actor=bob, country=country, vat_id=vat_id, tax_number=tax_number)
    fund(alice, 7, Money(10_000, "USD"))

    entry = release(bob, 7, Money(10_000, "USD"))

    assert legs(entry) == expected
    assert entry.quote["levy"]["tax"]["table"] == "2026-1"
    quote = services.quote_make(gross=Money(10_000, "USD"), payee_currency="USD", payee_id=bob.pk)
    assert quote.net == Money(expected["net"], "USD")
    proven()


@pytest.mark.django_db
def test_a_repeated_release_is_the_same_though_the_payee_became_a_business(
    taxed: None, alice: Any, bob: Any, fund: Any, release: Any, proven: Any, settings: Any
) -> None:
    levies.tax_profile_put(actor=bob, country="FR")
    fund(alice, 7, Money(10_000, "USD"))
    first = release(bob, 7, Money(10_000, "USD"))
    levies.tax_profile_put(actor=bob, country="FR", vat_id="FR40303265045")
    assert release(bob, 7, Money(10_000, "USD")).pk == first.pk
    settings.SELLER = {**settings.SELLER, "vat_id": "", "withholds": []}
    assert release(bob, 7, Money(10_000, "USD")).pk == first.pk
    proven()


@pytest.mark.django_db
def test_the_check_finds_a_levy_that_no_table_gives(taxed: None, alice: Any, bob: Any, fund: Any, monkeypatch: Any) -> None:
    wrong = Levy(Tax("2026-1", "S", "DE", 1800, "domestic"))
    monkeypatch.setattr(levies, "levy_for", lambda *_: wrong)
    fund(alice, 7, Money(10_000, "USD"))
    paid = {"payee_id": bob.pk, "gross": Money(10_000, "USD"), "payee_currency": "USD", "fee_schedule": "standard-1"}
    run_in_transaction(lambda: services.release(contract_id=1, milestone_id=7, actor_id=None, rule="test", **paid))

    assert [v.rule for v in services.ledger_check(invariants=[8]).violations] == ["levy_by_table"]
