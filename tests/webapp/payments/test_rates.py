"""At which rates money moves: young enough ones, of the ECB or set by hand."""

from __future__ import annotations

import io
import zipfile
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from marketplace.contracts.models import Contract
from marketplace.contracts.tasks import auto_approve_due
from marketplace.core import clock
from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.core.transactions import run_in_transaction
from marketplace.notifications.models import InboxItem
from marketplace.payments import fx, selectors, services
from marketplace.payments.models import Entry, FxRate
from marketplace.payments.tasks import look_after_rates
from tests.webapp.contracts_cast import books_balance, contract, fund, funded, offer, planned, proposal, submitted  # noqa: F401 (fixtures)
from tests.webapp.people import Person


def rate_of(currency: str, source: str, as_of: date, per_usd: str = "130") -> FxRate:
    values = {"rate": Decimal(per_usd), "spread_bps": 100, "fetched_at": clock.now()}
    return FxRate.objects.create(base="USD", quote=currency, source=source, as_of=as_of, **values)


def test_work_is_approved_and_paid_once_the_rate_is_young_enough_again(
    committed_db: None,
    alice: Any,
    bob: Any,
    submitted: Any,  # noqa: F811
    settings: Any,
) -> None:
    settings.FX_PACKAGED_RATES = False
    today = clock.now().date()
    Contract.objects.filter(pk=submitted.contract_id).update(payee_currency="KES")
    row = rate_of("KES", "by hand", today - timedelta(days=31))
    client = Person(alice)
    approved = partial(client.post, f"milestones/{submitted.pk}/approve")

    refused = approved()

    assert (refused.status_code, refused.json()["code"]) == (409, "fx_rate_old")
    submitted.refresh_from_db()
    assert (submitted.state, selectors.held(submitted.pk)) == ("submitted", Money(40_000, "USD"))
    assert not Entry.objects.filter(kind="release").exists()
    # silence approves no more than the client does, and loses nothing either
    clock.advance(int((submitted.auto_approve_at - clock.now()).total_seconds()) + 1)
    assert auto_approve_due() == 0
    FxRate.objects.filter(pk=row.pk).update(as_of=clock.now().date() - timedelta(days=30))

    assert auto_approve_due() == 1
    entry = Entry.objects.get(kind="release")
    assert entry.fx_rate_id == row.pk
    # said again, it is the same entry, at any age of its rate
    FxRate.objects.filter(pk=row.pk).update(as_of=clock.now().date() - timedelta(days=300))
    gross = Money(40_000, "USD")
    again = run_in_transaction(
        lambda: services.release(
            contract_id=submitted.contract_id,
            milestone_id=submitted.pk,
            payee_id=bob.pk,
            gross=gross,
            payee_currency="KES",
            fee_schedule=entry.quote["fee_schedule"],
            actor_id=None,
            rule=entry.rule,
        )
    )
    assert again.pk == entry.pk


# the watch over the age of what is used
def paid_in(user: Any, currency: str) -> None:
    paid = {"amount": Money(10_000, currency), "purpose": "wallet", "purpose_id": None, "method": {"token": "tok_visa"}}
    services.payment_start(actor_id=user.pk, idempotency_key=f"in-{currency}", **paid)


def told(user: Any) -> list[str]:
    drain()
    return sorted(InboxItem.objects.filter(user=user, kind__startswith="fx_rate.").values_list("kind", flat=True))


def test_staff_are_told_a_day_before_a_rate_in_use_is_too_old_and_when_it_is(alice: Any, staff: Any, settings: Any) -> None:
    finance, today = staff("finance"), clock.now().date()
    row = rate_of("KES", "admin", today - timedelta(days=28))
    rate_of("NGN", "admin", today - timedelta(days=40))  # nobody uses it
    paid_in(alice, "KES")
    assert (look_after_rates(), told(finance)) == (0, [])

    FxRate.objects.filter(pk=row.pk).update(as_of=today - timedelta(days=29))
    assert [look_after_rates(), look_after_rates()] == [1, 0]
    assert told(finance) == ["fx_rate.near_age"]

    FxRate.objects.filter(pk=row.pk).update(as_of=today - timedelta(days=31))
    assert [look_after_rates(), look_after_rates()] == [1, 0]
    assert told(finance) == ["fx_rate.age", "fx_rate.near_age"]


def test_one_of_the_banks_rates_stands_for_all_of_its_day(alice: Any, settings: Any) -> None:
    settings.FX_PACKAGED_RATES = False
    for currency in ("EUR", "GBP", "JPY"):
        rate_of(currency, "ecb_cross", clock.now().date() - timedelta(days=4), "1.5")
        paid_in(alice, currency)

    assert [look_after_rates(), look_after_rates()] == [1, 0]


def test_the_file_of_the_settings_is_read_and_one_that_cannot_be_is_no_end(settings: Any, tmp_path: Any) -> None:
    published = tmp_path / "eurofxref-hist.csv"
    settings.FX_RATES_FILE = str(published)
    look_after_rates()
    published.write_text(f"Date,USD,GBP,JPY\n{clock.now().date()},1.25,0.8,160\n")
    newest = FxRate.objects.filter(as_of=clock.now().date())
    assert not newest.exists()

    for _ in range(2):
        look_after_rates()

    assert newest.count() == 6
    assert fx.rate("USD", "JPY").rate == Decimal(128)


def test_the_file_is_fetched_from_an_address(settings: Any, tmp_path: Any) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("eurofxref-hist.csv", f"Date,USD,GBP\n{clock.now().date()},1.25,0.8\n")

    class Bank(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/eurofxref-hist.zip" else 404)
            self.end_headers()
            if self.path == "/eurofxref-hist.zip":
                self.wfile.write(archive.getvalue())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Bank) as bank:
        Thread(target=bank.serve_forever, daemon=True).start()
        settings.FX_RATES_FILE = f"http://127.0.0.1:{bank.server_port}/nothing.zip"
        look_after_rates()
        assert not FxRate.objects.filter(as_of=clock.now().date()).exists()
        settings.FX_RATES_FILE = f"http://127.0.0.1:{bank.server_port}/eurofxref-hist.zip"
        look_after_rates()
        bank.shutdown()

    assert fx.rate("USD", "GBP").rate == Decimal("0.64")
