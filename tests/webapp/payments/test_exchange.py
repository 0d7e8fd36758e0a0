"""Paying in another currency: the price is quoted, kept for the payment that was begun with it, and posted with its rate."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from marketplace.core import clock
from marketplace.core.errors import Conflict, InvalidInput, NotFound
from marketplace.core.models import Event
from marketplace.core.money import MAX_MINOR, Money, exponent
from marketplace.core.tasks import drain
from marketplace.notifications.models import InboxItem
from marketplace.payments import debts, fx, selectors, services
from marketplace.payments.models import Entry, FxQuote, FxRate, Payment
from marketplace.payments.providers import sandbox
from marketplace.payments.providers.units import MPESA, PAYPAL, STRIPE
from tests.webapp.contracts_cast import books_balance, contract, offer, planned, proposal  # noqa: F401 (fixtures)
from tests.webapp.people import Person

pytestmark = [pytest.mark.django_db]
THOUSAND = Money(100_000, "USD")


@pytest.fixture(autouse=True)
def rate(db: None) -> FxRate:
    values = {"rate": Decimal("1.0873"), "spread_bps": 100, "fetched_at": clock.now()}
    return FxRate.objects.create(base="EUR", quote="USD", source="test", as_of=clock.now().date(), **values)


def quote(user: Any, buy: Money = THOUSAND) -> FxQuote:
    return services.exchange_quote(actor=user, buy=buy, sell_currency="EUR")


def wallet_of(user: Any) -> dict[str, int]:
    return {b.currency: b.wallet.minor for b in selectors.balances_of(user.pk)}


def pay_in(user: Any, minor: int, key: str = "k") -> None:
    paid = {"amount": Money(minor, "EUR"), "purpose": "wallet", "purpose_id": None, "method": {"token": "tok_visa"}}
    services.payment_start(actor_id=user.pk, idempotency_key=key, **paid)


@bounded(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    minor=st.integers(1, 10**12),  # as much as may be asked for: at the least rate it costs more than fits a BIGINT
    rate=st.decimals("0.000001", "100000", places=12),
    spread=st.integers(0, 2_000),
    pair=st.sampled_from([("EUR", "USD"), ("JPY", "KWD"), ("KWD", "JPY")]),
)
def test_the_price_is_the_least_that_buys_the_amount(minor: int, rate: Decimal, spread: int, pair: tuple[str, str]) -> None:
    row = FxRate(base=pair[0], quote=pair[1], rate=rate, spread_bps=spread, source="test", as_of=date(2026, 1, 1))

    all_of_it = MAX_MINOR * Fraction(rate) * (10_000 - spread) / 10_000 * Fraction(10) ** (exponent(pair[1]) - exponent(pair[0]))
    if minor > all_of_it:
        with pytest.raises(InvalidInput, match="amount_out_of_range"):
            fx.price_of(Money(minor, pair[1]), row)
        return
    price = fx.price_of(Money(minor, pair[1]), row)

    assert fx.convert(price, row).minor >= minor
    assert price.minor == 1 or fx.convert(Money(price.minor - 1, pair[0]), row).minor < minor


def test_an_amount_that_costs_more_than_can_be_moved_is_told_in_words(alice: Any) -> None:
    FxRate.objects.create(
        base="GBP", quote="JPY", rate=Decimal("1e-12"), spread_bps=0, source="test", as_of=clock.now().date(), fetched_at=clock.now()
    )

    answer = Person(alice).post("me/exchange-quotes", {"amount_minor": 10**12, "currency": "JPY", "pay_currency": "GBP"})

    assert answer.status_code == 400
    assert "Choose a smaller amount" in answer.json()["fields"]["amount_minor"][0]
    assert not FxQuote.objects.exists()


@pytest.mark.parametrize(
    ("units", "amount", "payable"),
    [
        (MPESA, Money(1, "KES"), 100),
        (MPESA, Money(200, "KES"), 200),
        (STRIPE, Money(1_234, "KWD"), 1_240),
        (STRIPE, Money(7, "ISK"), 7),
        (STRIPE, Money(7, "JPY"), 7),
        (PAYPAL, Money(101, "HUF"), 200),
        (PAYPAL, Money(101, "EUR"), 101),
    ],
)
def test_a_price_goes_up_to_what_a_gateway_can_move(units: Any, amount: Money, payable: int) -> None:
    assert units.up(amount).minor == payable
    units.out(units.up(amount))


def test_wallet_money_is_exchanged_once_at_the_quoted_price(alice: Any, rate: FxRate) -> None:
    pay_in(alice, 100_000)
    made = quote(alice)
    expected = (Decimal(100_000) / (Decimal("1.0873") * Decimal("0.99"))).to_integral_value(ROUND_CEILING)
    assert made.sell_minor == int(expected)

    first, again = (services.exchange_make(actor=alice, quote_id=made.pk) for _ in range(2))

    assert first.pk == again.pk and wallet_of(alice) == {"EUR": 100_000 - made.sell_minor, "USD": 100_000}
    assert (first.fx_rate_id, first.quote["spread_bps"], first.quote["fx_source"]) == (rate.pk, 100, "test")
    assert services.ledger_check().violations == []


def test_a_quote_holds_to_its_last_second_and_only_for_its_owner(alice: Any, charlie: Any, settings: Any) -> None:
    pay_in(alice, 200_000)
    first, second = quote(alice), quote(alice)
    with pytest.raises(NotFound):
        services.exchange_make(actor=charlie, quote_id=first.pk)
    left = first.expires_at - clock.now()
    clock.advance(int(left.total_seconds()) - 1)
    services.exchange_make(actor=alice, quote_id=first.pk)
    clock.advance(2)

    with pytest.raises(Conflict) as refused:
        services.exchange_make(actor=alice, quote_id=second.pk)

    assert refused.value.code == "quote_expired" and wallet_of(alice)["USD"] == 100_000


def test_an_exchange_beyond_the_wallet_moves_nothing(alice: Any) -> None:
    pay_in(alice, 100)
    made = quote(alice)

    with pytest.raises(Conflict) as refused:
        services.exchange_make(actor=alice, quote_id=made.pk)

    assert refused.value.code == "insufficient_funds"
    assert not Entry.objects.filter(kind="exchange").exists()


@pytest.mark.parametrize("pair", [("USD", "USD"), ("USD", "VED")])
def test_there_is_no_price_in_the_same_currency_nor_without_a_rate(alice: Any, pair: tuple[str, str]) -> None:
    with pytest.raises(InvalidInput):
        services.exchange_quote(actor=alice, buy=Money(100, pair[0]), sell_currency=pair[1])


def test_the_check_finds_an_exchange_that_is_not_its_quote(alice: Any) -> None:
    pay_in(alice, 100_000)
    made = quote(alice)
    services.exchange_make(actor=alice, quote_id=made.pk)
    FxQuote.objects.filter(pk=made.pk).update(buy_minor=made.buy_minor + 1)

    assert {v.rule for v in services.ledger_check(invariants=[8]).violations} == {"exchange_is_its_quote"}
    FxQuote.objects.filter(pk=made.pk).update(buy_minor=made.buy_minor)


# rates that have become old
def stored(source: str, as_of: date, base: str = "GBP", to: str = "JPY") -> FxRate:
    values = {"rate": Decimal("190.5"), "spread_bps": 100, "fetched_at": clock.now()}
    return FxRate.objects.create(base=base, quote=to, source=source, as_of=as_of, **values)


@pytest.mark.parametrize(("source", "days"), [("ecb_cross", 5), ("admin", 30), ("by hand", 30)])
def test_a_rate_prices_to_its_last_day_and_staff_are_told_once_afterwards(
    alice: Any, staff: Any, settings: Any, source: str, days: int
) -> None:
    settings.FX_PACKAGED_RATES = False
    admin = staff("finance")
    today = clock.now().date()
    stored(source, today - timedelta(days=days))
    ask = {"actor": alice, "buy": Money(1_000, "JPY"), "sell_currency": "GBP"}
    assert services.exchange_quote(**ask).rate.source == source
    FxRate.objects.filter(base="GBP", quote="JPY").update(as_of=today - timedelta(days=days + 1))

    for _ in range(2):
        with pytest.raises(Conflict) as refused:
            services.exchange_quote(**ask)
        assert refused.value.code == "fx_rate_old"

    drain()
    assert InboxItem.objects.filter(user=admin, kind="fx_rate.age").count() == 1
    assert Person(alice).post("me/exchange-quotes", {"amount_minor": 1_000, "currency": "JPY", "pay_currency": "GBP"}).status_code == 409
    assert FxQuote.objects.count() == 1


def test_rates_of_the_package_are_good_for_a_trial_only(alice: Any, settings: Any) -> None:
    ask = {"actor": alice, "buy": Money(1_000, "KES"), "sell_currency": "GBP"}
    assert services.exchange_quote(**ask).sell_minor > 0  # of an ECB rate and one set by hand, both of the package
    settings.FX_PACKAGED_RATES = False

    with pytest.raises(Conflict, match="fx_rate_old"):
        services.exchange_quote(**ask)


def test_rates_are_renewed_from_the_file_that_the_bank_publishes(alice: Any, settings: Any, tmp_path: Any) -> None:
    settings.FX_PACKAGED_RATES = False
    published = tmp_path / "eurofxref-hist.csv"
    published.write_text(f"Date,USD,GBP,JPY\n{clock.now().date()},1.25,0.8,160\n")

    call_command("import_fx_rates", "--days", "3", "--file", str(published))

    made = services.exchange_quote(actor=alice, buy=Money(1_600, "JPY"), sell_currency="GBP")
    assert made.rate.rate == Decimal(200)
    assert made.rate.source.startswith("derived:")


def test_an_open_price_is_not_used_once_its_rates_are_too_old(alice: Any, rate: FxRate, settings: Any) -> None:
    settings.FX_PACKAGED_RATES = False
    pay_in(alice, 50_000)
    made = quote(alice, Money(40_000, "USD"))
    FxRate.objects.filter(pk=rate.pk).update(as_of=clock.now().date() - timedelta(days=31))

    for _ in range(2):
        with pytest.raises(Conflict) as refused:
            services.exchange_make(actor=alice, quote_id=made.pk)
        assert refused.value.code == "fx_rate_old"
    with pytest.raises(Conflict, match="fx_rate_old"):
        services.exchange_lock(actor=alice, quote_id=made.pk, buy=Money(40_000, "USD"), payment_key="milestone:1:x", provider="sandbox")
    stored("newer", clock.now().date(), "EUR", "USD")

    entry = services.exchange_make(actor=alice, quote_id=made.pk)

    assert (entry.fx_rate_id, wallet_of(alice)["USD"]) == (made.rate_id, 40_000), "the price that was quoted"


# a milestone in dollars, paid in euros


def fund(person: Person, milestone: Any, token: str, quote_id: int, **more: Any) -> Any:
    body = {"provider": "sandbox", "method": {"token": token}, "quote_id": quote_id} | more
    return person.post(f"milestones/{milestone.pk}/fund", body)


def asked(person: Person, minor: int = 40_000) -> Any:
    answer = person.post("me/exchange-quotes", {"amount_minor": minor, "currency": "USD", "pay_currency": "EUR"})
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_milestone_is_paid_in_the_clients_currency(alice: Any, planned: Any) -> None:  # noqa: F811
    person = Person(alice)
    price = asked(person)
    assert (price["buy"]["minor"], price["spread_bps"], price["source"]) == (40_000, 100, "test")

    answer = fund(person, planned, "tok_visa", price["id"])

    assert answer.status_code == 200, answer.content
    paid = answer.json()["payment"]
    assert (paid["amount_minor"], paid["currency"]) == (price["sell"]["minor"], "EUR")
    assert answer.json()["milestone"]["held"] == {"minor": 40_000, "currency": "USD"}
    assert wallet_of(alice) == {"EUR": 0, "USD": 0}


def test_the_price_stays_with_a_payment_that_takes_days(alice: Any, planned: Any, rate: FxRate) -> None:  # noqa: F811
    price = asked(Person(alice))
    waiting = fund(Person(alice), planned, "tok_3ds", price["id"]).json()["payment"]
    clock.advance(2 * 24 * 3600)
    values = {"base": "EUR", "quote": "USD", "source": "later", "spread_bps": 100, "as_of": clock.now().date(), "fetched_at": clock.now()}
    FxRate.objects.create(rate=Decimal("0.5"), **values)
    sandbox.challenge_answer(services.payment_refresh(payment_id=waiting["id"]).provider_ref, agrees=True)  # type: ignore[arg-type]

    services.payment_refresh(payment_id=waiting["id"])
    drain()

    planned.refresh_from_db()
    assert (planned.state, wallet_of(alice)) == ("funded", {"EUR": 0, "USD": 0})
    assert Entry.objects.get(kind="exchange").fx_rate_id == rate.pk


def test_a_price_is_for_one_payment_of_its_amount(alice: Any, planned: Any, contract: Any) -> None:  # noqa: F811
    person, second = Person(alice), contract.milestones.get(position=2)
    small, price = asked(person, 100), asked(person)
    assert fund(person, planned, "tok_visa", small["id"]).json()["code"] == "quote_of_another_amount"
    assert fund(person, planned, "tok_3ds", price["id"]).json()["payment"]["state"] == "pending"
    assert fund(person, planned, "tok_visa", price["id"]).json()["code"] == "quote_used"
    assert person.post(f"me/exchange-quotes/{price['id']}/use").json()["code"] == "quote_used"
    assert fund(person, second, "tok_visa", 10**15).status_code == 404
    assert fund(person, planned, "tok_visa", asked(person)["id"]).json()["payment"]["state"] == "succeeded"


def test_a_refused_card_leaves_the_price_for_the_next_until_its_own_end(alice: Any, planned: Any) -> None:  # noqa: F811
    person = Person(alice)
    price, late = asked(person), asked(person)
    for refused in ("tok_declined", "tok_insufficient_funds"):
        assert fund(person, planned, refused, price["id"]).json()["payment"]["state"] == "failed"
    assert fund(person, planned, "tok_of_nowhere", price["id"]).status_code == 400  # nor does one that never became a payment
    assert fund(person, planned, "tok_declined", late["id"]).json()["payment"]["state"] == "failed"
    left = FxQuote.objects.get(pk=price["id"]).expires_at - clock.now()
    clock.advance(int(left.total_seconds()) - 5)

    paid = fund(person, planned, "tok_visa", price["id"])

    assert paid.json()["milestone"]["state"] == "funded", paid.content
    assert wallet_of(alice) == {"EUR": 0, "USD": 0}
    clock.advance(10)
    second = planned.contract.milestones.get(position=2)
    assert fund(person, second, "tok_visa", price["id"]).json()["code"] == "quote_of_another_amount"
    assert person.post(f"me/exchange-quotes/{late['id']}/use").json()["code"] == "quote_expired"


def test_a_cancelled_payment_leaves_the_price_to_the_wallet(alice: Any, planned: Any) -> None:  # noqa: F811
    pay_in(alice, 50_000)
    person = Person(alice)
    price = asked(person)
    waiting = fund(person, planned, "tok_3ds", price["id"]).json()["payment"]
    assert person.post(f"payments/{waiting['id']}/cancel").json()["state"] == "cancelled"

    assert person.post(f"me/exchange-quotes/{price['id']}/use").status_code == 200

    assert wallet_of(alice) == {"EUR": 50_000 - price["sell"]["minor"], "USD": 40_000}
    assert FxQuote.objects.get(pk=price["id"]).payment_key is None


def test_money_that_comes_after_its_price_was_given_to_another_stays_in_the_wallet(alice: Any, planned: Any) -> None:  # noqa: F811
    """Also where dollars lie beside it: nobody asked to take those."""
    person = Person(alice)
    price = asked(person)
    lost = fund(person, planned, "tok_3ds", price["id"]).json()["payment"]
    Payment.objects.filter(pk=lost["id"]).update(state="failed")  # as a gateway says whose bank takes the money after all
    pay_in(alice, 50_000)
    assert person.post(f"me/exchange-quotes/{price['id']}/use").status_code == 200
    sandbox.challenge_answer(str(Payment.objects.get(pk=lost["id"]).provider_ref), agrees=True)

    services.payment_refresh(payment_id=lost["id"])
    drain()

    planned.refresh_from_db()
    assert (planned.state, Payment.objects.get(pk=lost["id"]).state) == ("planned", "succeeded")
    assert wallet_of(alice) == {"EUR": 50_000, "USD": 40_000}
    assert Event.objects.filter(kind="milestone.funding_refused", aggregate_id=planned.pk).count() == 1


def test_a_payment_whose_money_is_somewhere_keeps_its_price(alice: Any, planned: Any) -> None:  # noqa: F811
    person = Person(alice)
    price = asked(person)
    failed = fund(person, planned, "tok_declined", price["id"]).json()["payment"]
    Payment.objects.filter(pk=failed["id"]).update(failure_code="amount_differs")

    assert fund(person, planned, "tok_visa", price["id"]).json()["code"] == "quote_used"


def test_a_refused_means_of_payment_does_not_keep_the_price_beyond_its_time(alice: Any, planned: Any) -> None:  # noqa: F811
    person, key = Person(alice), "one-click"
    price = asked(person)
    body = {"provider": "sandbox", "quote_id": price["id"]}

    def again(token: str) -> Any:
        return person.post(f"milestones/{planned.pk}/fund", body | {"method": {"token": token}}, key=key)

    assert again("tok_of_nowhere").status_code == 400
    made = FxQuote.objects.get(pk=price["id"])
    assert made.payment_key is None and not Payment.objects.exists()
    left = made.expires_at - clock.now()
    clock.advance(int(left.total_seconds()) + 1)

    assert again("tok_visa").json()["code"] == "quote_expired"
    assert not Payment.objects.exists() and wallet_of(alice) == {}


def test_a_wallet_in_euros_pays_for_dollars_at_a_quote(alice: Any, planned: Any) -> None:  # noqa: F811
    pay_in(alice, 50_000)
    price = asked(Person(alice))

    answer = fund(Person(alice), planned, "", price["id"], provider="wallet", method={})

    assert answer.json()["milestone"]["state"] == "funded", answer.content
    assert wallet_of(alice) == {"EUR": 50_000 - price["sell"]["minor"], "USD": 0}


def test_what_is_bought_pays_first_what_its_owner_owes_in_that_currency(alice: Any) -> None:
    paid = {"purpose": "wallet", "purpose_id": None, "provider": "sandbox"}
    card = services.payment_start(
        actor_id=alice.pk, amount=Money(30_000, "USD"), method={"token": "tok_visa"}, idempotency_key="card", **paid
    )
    services.payment_refund_refresh(
        refund_id=services.payment_refund_request(actor=alice, payment_id=card.pk, amount=Money(30_000, "USD"), idempotency_key="r").pk
    )
    services.chargeback_refresh(provider="sandbox", ref=sandbox.dispute(str(card.provider_ref)))
    assert debts.owed(alice.pk, "USD") == 30_000
    pay_in(alice, 100_000)

    services.exchange_make(actor=alice, quote_id=quote(alice).pk)

    assert (debts.owed(alice.pk, "USD"), wallet_of(alice)["USD"]) == (0, 70_000)
    assert services.ledger_check().violations == []
