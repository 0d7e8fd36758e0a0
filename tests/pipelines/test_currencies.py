"""The rates of a publication: what staff and tenants find, and an amount in another currency than its own, by way of USD."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import duckdb
import pytest

from pipelines import marts_reader
from pipelines.marts_reader import BadQuestion, MetricError
from pipelines.marts_reader.currencies import RELATIONS, Currency, Rates, between, convert, read_currencies, read_good_until, read_rates

NEW_YEAR, MARCH, NEVER = date(2026, 1, 1), date(2026, 3, 1), date(9999, 12, 31)
EUR = Rates("EUR", ((NEW_YEAR, MARCH, Decimal("0.5")), (MARCH, NEVER, Decimal("0.8"))))
#: 0.25 dinars a dollar: 2.5 fils a cent
KWD = Rates("KWD", ((MARCH, NEVER, Decimal("2.5")),))
TENANTS = RELATIONS[1:]


@pytest.fixture
def published() -> duckdb.DuckDBPyConnection:
    """A publication of tenants with three currencies, and one relation from before currencies had names."""
    db = duckdb.connect()
    db.execute("create schema client; create schema freelancer")
    db.execute(
        "create table client.usd_rates"
        " (currency varchar, currency_name varchar, exponent integer, valid_from date, valid_to date, minor_per_usd_cent decimal(30, 18),"
        " good_until date)"
    )
    for code, name, exponent, rates in (("KWD", "Kuwaiti Dinar", 3, KWD), ("EUR", "Euro", 2, EUR)):
        for first, past, rate in reversed(rates.spans):
            db.execute(
                "insert into client.usd_rates values (?, ?, ?, ?, ?, ?, ?::date + 5)", [code, name, exponent, first, past, rate, first]
            )
    db.execute("insert into client.usd_rates values ('USD', 'US Dollar', 2, '0001-01-01', '9999-12-31', 1, null)")
    db.execute("create table freelancer.usd_rates as select currency, valid_from, valid_to, minor_per_usd_cent from client.usd_rates")
    return db


def test_the_choice_begins_with_dollars_and_knows_the_decimal_places(published: duckdb.DuckDBPyConnection) -> None:
    assert read_currencies(published, "client.usd_rates") == (
        Currency("USD", "US Dollar", 2),
        Currency("EUR", "Euro", 2),
        Currency("KWD", "Kuwaiti Dinar", 3),
    )
    assert read_rates(published, "EUR", "client.usd_rates") == EUR


def test_the_newest_rate_has_a_last_day(published: duckdb.DuckDBPyConnection) -> None:
    last = {code: read_good_until(published, code, "client.usd_rates") for code in ("EUR", "USD", "EUX")}
    assert last == {"EUR": date(2026, 3, 6), "USD": None, "EUX": None}
    with pytest.raises(MetricError, match="made before there were such rates"):
        read_good_until(published, "EUR", "freelancer.usd_rates")


def test_what_has_no_rates_says_so(published: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(BadQuestion, match=r"no rate is known for 'EUX'\. Did you mean EUR\? Known are: EUR, KWD, USD"):
        read_rates(published, "EUX", "client.usd_rates")
    with pytest.raises(BadQuestion, match=r"holds no rates; these do: metrics\.usd_rates, client\.usd_rates"):
        read_rates(published, "EUR", "client.spend_monthly")
    for older in (lambda: read_rates(published, "EUR"), lambda: read_currencies(published, "freelancer.usd_rates")):
        with pytest.raises(MetricError, match="made before there were such rates in it: run `make pipeline`"):
            older()


@pytest.mark.parametrize(
    ("minor", "own", "viewer", "day", "found"),
    [
        # 8.00 euro are 10 dollars, 2.5 dinars; in January the euro had another rate, and the dinar none
        (800, EUR, KWD, None, 2_500),
        (2_500, KWD, EUR, None, 800),
        (800, EUR, KWD, MARCH, 2_500),
        (800, EUR, KWD, NEW_YEAR, None),
        (2_500, KWD, EUR, NEW_YEAR, None),
        # one's own currency needs no rate
        (2_500, KWD, KWD, NEW_YEAR, 2_500),
        (None, EUR, KWD, None, None),
    ],
)
def test_an_amount_goes_from_currency_to_currency_by_the_rates_of_one_day(
    minor: int | None, own: Rates, viewer: Rates, day: date | None, found: int | None
) -> None:
    assert convert(minor, between(own, viewer, day)) == found


def test_between_two_currencies_is_rounded_once() -> None:
    third = Rates("AAA", ((NEW_YEAR, NEVER, Decimal(3)),))
    assert convert(10**17 + 2, between(third, Rates("BBB", ((NEW_YEAR, NEVER, Decimal(6)),)))) == 2 * 10**17 + 4
    # a third of a cent is none: by way of whole cents it would come to nothing
    assert convert(1, between(third, Rates("BBB", ((NEW_YEAR, NEVER, Decimal(9)),)))) == 3


@pytest.fixture(scope="module")
def tenants(sample_house: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with marts_reader.connect(sample_house / "published", "tenants") as db:
        yield db


@pytest.mark.parametrize("relation", TENANTS)
def test_tenants_have_the_rates_of_the_staff(relation: str, tenants: duckdb.DuckDBPyConnection, sample_house: Path) -> None:
    with marts_reader.connect(sample_house / "published") as staff:
        wanted = staff.execute("select * from metrics.usd_rates order by currency, valid_from").fetchall()
        known = read_currencies(staff)
    assert len({row[0] for row in wanted}) >= 20
    assert tenants.execute(f"select * from {relation} order by currency, valid_from").fetchall() == wanted
    assert read_currencies(tenants, relation) == known
    assert known[0] == Currency("USD", "US Dollar", 2)
    assert {c.code: c.exponent for c in known if c.code in ("EUR", "JPY", "KWD")} == {"EUR": 2, "JPY": 0, "KWD": 3}


@pytest.mark.parametrize(
    ("figures", "rates"),
    [("select currency, released_minor from client.spend_monthly", TENANTS[0]), ("select currency, net_minor from freelancer.earnings_monthly", TENANTS[1])],
)  # fmt: skip
def test_a_tenants_own_figures_are_read_in_yen_by_the_rates_of_their_publication(
    figures: str, rates: str, tenants: duckdb.DuckDBPyConnection, sample_house: Path
) -> None:
    with closing(sqlite3.connect(f"file:{sample_house / 'db.sqlite3'}?mode=ro", uri=True)) as source:
        newest = "select rate from payments_fxrate where base = ? and quote = ? and source not like 'derived%' order by as_of desc"
        dollars_a_euro, yen_a_dollar = (
            Decimal(str(source.execute(newest, pair).fetchone()[0])) for pair in (("EUR", "USD"), ("USD", "JPY"))
        )
    # from one minor unit, with two decimals in both, to yen, which have none
    worked = {"USD": yen_a_dollar / 100, "EUR": dollars_a_euro * yen_a_dollar / 100, "JPY": Decimal(1)}
    yen, seen = read_rates(tenants, "JPY", rates), set()
    for currency, minor in tenants.execute(figures).fetchall():
        if currency in worked:
            expected = int((minor * worked[currency]).quantize(Decimal(1), ROUND_HALF_EVEN))
            assert convert(minor, between(read_rates(tenants, currency, rates), yen)) == expected, (currency, minor)
            seen.add(currency)
    assert seen == {"USD", "EUR", "JPY"}
