"""The whole way of the money, over HTTP: a client with euros funds a dollar job by every gateway, releases in parts, disputes one milestone, and
the freelancer is paid in shillings. What the statements, the documents, the contract's story, the gateways and the ledger say is one and the
same to the minor unit; what it must be is worked out here by itself.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from typing import Any

import pytest
from django.conf import settings as house

from marketplace.contracts import tasks as work_tasks
from marketplace.core import clock
from marketplace.core.tasks import drain
from marketplace.jobs import services as jobs
from marketplace.jobs.models import Category
from marketplace.payments import services, tasks
from marketplace.payments.models import FxRate, WebhookEvent
from tests.webapp.gateways import daraja_world as daraja
from tests.webapp.gateways.conftest import (  # noqa: F401 (fixtures)
    PATH_TOKEN,
    authority,
    daraja_world,
    mpesa_settings,
    paypal_credentials,
    paypal_world,
    signing,
    stripe_credentials,
    stripe_world,
)
from tests.webapp.gateways.stripe_world import SECRET_KEY, WEBHOOK_SECRET, signed
from tests.webapp.people import Person

SPREAD, FEE = Decimal("0.99"), Decimal("0.10")
EUR_USD, USD_KES = Decimal("1.0873"), Decimal("129.25")
PARTS = [25_000, 25_000, 30_000, 20_000]


@pytest.fixture(autouse=True)
def gateways_are_set_up(
    settings: Any,
    stripe_credentials: Any,  # noqa: F811
    paypal_credentials: Any,  # noqa: F811
    mpesa_settings: dict[str, str],  # noqa: F811
) -> None:
    stripe = {"secret_key": SECRET_KEY, "webhook_secrets": WEBHOOK_SECRET, "path_token": PATH_TOKEN, "api": stripe_credentials.api}
    paypal = {
        name: getattr(paypal_credentials, name) for name in ("client_id", "client_secret", "webhook_id", "path_token", "api", "roots")
    }
    settings.PAYMENT_CREDENTIALS = {"stripe": {**stripe, "publishable_key": "pk_test_x"}, "paypal": paypal, "mpesa": mpesa_settings}


@pytest.fixture(autouse=True)
def rates(db: None) -> None:
    values = {"spread_bps": 100, "source": "test", "as_of": clock.now().date(), "fetched_at": clock.now()}
    for base, quote, rate in (("EUR", "USD", EUR_USD), ("USD", "KES", USD_KES), ("KES", "USD", Decimal("0.0077"))):
        FxRate.objects.create(base=base, quote=quote, rate=rate, **values)


def ok(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.content
    return answer.json()


def cost(dollars: int, rate: Decimal) -> int:
    """What dollars cost in another currency: the spread is ours, fractions are rounded against the payer."""
    return int((Decimal(dollars) / (rate * SPREAD)).to_integral_value(ROUND_CEILING))


def shillings(net_dollars: int) -> int:
    """What net dollars bring in Kenyan cents, rounded against the payee."""
    return int((Decimal(net_dollars) * USD_KES * SPREAD).to_integral_value(ROUND_DOWN))


def net(gross: int) -> int:
    return gross - int(gross * FEE)


class Money:
    """The hands of the two people: each step is a request of theirs, or of a gateway."""

    def __init__(self, client: Person, freelancer: Person) -> None:
        self.client, self.freelancer = client, freelancer

    def price(self, minor: int, currency: str) -> Any:
        return ok(self.client.post("me/exchange-quotes", {"amount_minor": minor, "currency": "USD", "pay_currency": currency}), 201)

    def fund(self, milestone: int, provider: str, method: dict[str, str], quote: Any) -> Any:
        body = {"provider": provider, "method": method, "quote_id": quote["id"]}
        return ok(self.client.post(f"milestones/{milestone}/fund", body))["payment"]

    def back(self, payment: Any) -> Any:
        """The payer comes back from the gateway's page."""
        return ok(self.client.post(f"payments/{payment['id']}/refresh"))

    def notified(self, path: str, body: Any, headers: dict[str, str] | None = None, **more: Any) -> None:
        """A gateway posts to our webhook; the task that handles it runs."""
        named = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in (headers or {}).items()}
        answer = Person().client.post(f"/api/v1/webhooks/{path}", json.dumps(body), content_type="application/json", **named, **more)
        assert answer.status_code == 200, answer.content
        for event in WebhookEvent.objects.filter(handled_at=None):
            tasks.handle_webhook(event.pk)
        drain()

    def state(self, contract: int) -> list[str]:
        return [m["state"] for m in ok(self.client.get(f"contracts/{contract}"))["milestones"]]

    def handed_in(self, milestone: int) -> None:
        ok(self.freelancer.post(f"milestones/{milestone}/start"))
        ok(self.freelancer.post(f"milestones/{milestone}/submit", {"note": "Here it is."}))


def lines_of(person: Person) -> list[Any]:
    """Every line of the person's statement."""

    def pages() -> Iterator[Any]:
        following = "/api/v1/me/statement?limit=100"
        while following:
            page = ok(person.client.get(following))
            yield from page["results"]
            following = page["next"]

    return list(pages())


def balances(person: Person) -> Counter[tuple[str, str]]:
    """(account, currency) → minor units, of those that are not empty."""
    kinds = {"wallet": "wallet", "held": "hold", "pending": "pending", "available": "available", "in_transit": "payout_transit"}
    found = ok(person.get("me/balances"))["results"]
    return Counter({(kinds[k], b["currency"]): b[k]["minor"] for b in found for k in kinds if b[k]["minor"]})


@pytest.fixture
def deal(alice: Any, bob: Any) -> tuple[int, list[int]]:
    """A dollar job in four milestones, between a client with euros and a freelancer with shillings: contract and milestones."""
    alice.display_currency, bob.freelancer_profile.currency = "EUR", "KES"
    alice.save(update_fields=["display_currency"])
    bob.freelancer_profile.save(update_fields=["currency"])
    ok(Person(alice).put("me/tax-details", {"country": "DE", "legal_name": "Alice GmbH", "city": "Bonn"}))
    Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development"})
    made = jobs.job_create(
        actor=alice, title="A web shop", description="A shop with a cart and a checkout.", category="web-development", pricing="fixed"
    )
    jobs.job_publish(actor=alice, job_id=made.pk)
    steps = [{"title": f"Part {i}", "amount_minor": minor, "due_in_days": 10 * i, "acceptance": []} for i, minor in enumerate(PARTS, 1)]
    bid = {"cover_letter": "I have done this before.", "amount_minor": sum(PARTS), "currency": "USD", "delivery_days": 40}
    proposal = ok(Person(bob).post(f"jobs/{made.pk}/proposals", {**bid, "milestones": steps, "answers": []}), 201)
    contract = ok(Person(alice).post(f"proposals/{proposal['id']}/offer"), 201)
    ok(Person(bob).post(f"contracts/{contract['id']}/accept"))
    page = ok(Person(alice).get(f"contracts/{contract['id']}"))
    return contract["id"], [m["id"] for m in page["milestones"]]


def test_euros_become_dollars_become_shillings(
    alice: Any,
    bob: Any,
    deal: tuple[int, list[int]],
    days: Callable[[float], Any],
    client: Any,
    stripe_world: Any,  # noqa: F811
    paypal_world: Any,  # noqa: F811
    daraja_world: Any,  # noqa: F811
) -> None:
    contract, (one, two, three, four) = deal
    buyer, seller = Person(alice), Person(bob)
    money = Money(buyer, seller)
    offered = {g["provider"] for g in ok(buyer.get("payment-gateways"))["results"]}
    assert offered == {"sandbox", "stripe", "paypal"}, "M-Pesa takes shillings in Kenya alone"

    # 1. a test card whose bank asks its owner
    price = money.price(PARTS[0], "EUR")
    paid_one = money.fund(one, "sandbox", {"token": "tok_3ds"}, price)
    assert (paid_one["state"], paid_one["amount_minor"], paid_one["currency"]) == ("pending", cost(PARTS[0], EUR_USD), "EUR")
    client.post(paid_one["next_action"]["url"].removeprefix(house.BASE_URL), {"answer": "yes"})
    assert money.back(paid_one)["state"] == "succeeded"

    # 2. Stripe's form in the page
    paid_two = money.fund(two, "stripe", {}, money.price(PARTS[1], "EUR"))
    assert paid_two["next_action"]["publishable_key"] == "pk_test_x"
    intent = paid_two["next_action"]["client_secret"].partition("_secret")[0]
    stripe_world.pay(intent)
    event = stripe_world.events[-1]
    money.notified(f"stripe/{PATH_TOKEN}", event, signed(json.dumps(event).encode()))

    # 3. PayPal's page
    paid_three = money.fund(three, "paypal", {}, money.price(PARTS[2], "EUR"))
    order = paid_three["next_action"]["url"].rpartition("=")[2]
    assert money.back(paid_three)["state"] == "pending"
    paypal_world.approve(order)
    clock.advance(31)
    tasks.poll_unsettled()

    # 4. a phone in Kenya, in whole shillings
    assert "mpesa" in {g["provider"] for g in ok(buyer.get("payment-gateways", country="KE", currency="KES"))["results"]}
    price = money.price(PARTS[3], "KES")
    paid_four = money.fund(four, "mpesa", {"phone": "0712 345678"}, price)
    in_cents = cost(PARTS[3], Decimal("0.0077"))
    assert (price["sell"]["minor"], paid_four["amount_minor"]) == (in_cents, -(-in_cents // 100) * 100)
    assert paid_four["next_action"] == {"kind": "phone"}
    ((push_ref, push),) = daraja_world.pushes.items()
    daraja_world.outcome[push_ref] = 0
    told = daraja.paid(push_ref, paid_four["amount_minor"] // 100)
    money.notified(f"mpesa/{push['CallBackURL'].rpartition('/')[2]}", told, REMOTE_ADDR=daraja.SAFARICOM)
    drain()
    assert money.state(contract) == ["funded"] * 4

    # released in parts: of the first milestone 150.00, and the rest moves on to the second
    money.handed_in(one)
    part = {"amount_minor": 15_000, "rest": "next", "reason": "The rest comes with the next part."}
    asked = ok(buyer.post(f"milestones/{one}/approve-part", part))["refund_request"]
    ok(seller.post(f"refund-requests/{asked['id']}/accept"))
    money.handed_in(two)
    ok(buyer.post(f"milestones/{two}/approve"))
    money.handed_in(four)
    ok(buyer.post(f"milestones/{four}/approve"))

    # the third is disputed; they agree on two thirds
    money.handed_in(three)
    dispute = ok(buyer.post(f"milestones/{three}/dispute", {"claim": "A third is missing.", "claimed_minor": 20_000}), 201)["id"]
    ok(seller.post(f"disputes/{dispute}/respond", {"text": "It is all there."}))
    ok(buyer.post(f"disputes/{dispute}/offer", {"to_freelancer_minor": 20_000}))
    assert ok(seller.post(f"disputes/{dispute}/offer", {"to_freelancer_minor": 20_000}))["state"] == "settled"
    drain()

    # what it must come to
    gross = {one: 15_000, two: 35_000, three: 20_000, four: 20_000}
    earned = sum(shillings(net(g)) for g in gross.values())
    days(5.01)
    work_tasks.clear_due()
    drain()
    assert balances(seller) == Counter({("available", "KES"): earned})
    left_over = paid_four["amount_minor"] - in_cents
    assert balances(buyer) == Counter({("wallet", "USD"): 10_000, **({("wallet", "KES"): left_over} if left_over else {})})

    # paid out to the phone, in whole shillings; the first payout waits a day
    place = ok(seller.post("me/payout-methods", {"provider": "mpesa", "method": {"phone": "+254 712 345 678"}}), 201)
    out = earned // 100 * 100
    payout = ok(seller.post("me/payouts", {"amount_minor": out, "currency": "KES", "method_id": place["id"]}), 201)
    assert (payout["state"], payout["provider"]) == ("held", "mpesa")
    days(10)
    tasks.poll_unsettled()
    ((sent_as, sent),) = daraja_world.payments.items()
    assert (sent["Amount"], sent["PartyB"]) == (out // 100, "254712345678")
    told = daraja.result(sent_as.partition("#")[0], amount=out // 100)
    money.notified(f"mpesa/{sent['ResultURL'].rpartition('/')[2]}", told, REMOTE_ADDR=daraja.SAFARICOM)
    assert ok(seller.get("me/payouts"))["results"][0]["state"] == "paid"
    assert balances(seller) == Counter({("available", "KES"): earned - out} if earned > out else {})

    # statements: their lines sum to the balances, and say what was paid in and out
    for person in (buyer, seller):
        sums: Counter[tuple[str, str]] = Counter()
        for line in lines_of(person):
            sums[line["account"], line["change"]["currency"]] += line["change"]["minor"]
        assert +sums == balances(person) and not -sums
    in_euros = [paid_one, paid_two, paid_three]
    deposits = [line["change"]["minor"] for line in lines_of(buyer) if line["kind"] == "deposit" and line["change"]["currency"] == "EUR"]
    assert sorted(deposits) == sorted(p["amount_minor"] for p in in_euros)

    # documents: receipts of what was paid in, one invoice of the work and one of our fee for each payment
    tasks.issue_documents()
    hers, his = (ok(p.get("me/documents", limit=100))["results"] for p in (buyer, seller))
    receipts = Counter((d["total"]["currency"], d["total"]["minor"]) for d in hers if d["about"] == "deposit")
    assert receipts == Counter((p["currency"], p["amount_minor"]) for p in [*in_euros, paid_four])
    assert sorted(d["total"]["minor"] for d in hers if d["about"] == "work") == sorted(gross.values())
    assert sorted(d["net"]["minor"] for d in his if d["about"] == "fee") == sorted(g - net(g) for g in gross.values())
    assert {d["total"]["currency"] for d in his if d["about"] in ("fee", "work")} == {"USD"}

    # the contract's story, and the platform's books
    story = ok(buyer.get(f"contracts/{contract}/money/entries", limit=100))["results"]
    fees = sum(line["amount"]["minor"] for e in story for line in e["lines"] if line["leg"] == "fee")
    assert fees == sum(g - net(g) for g in gross.values())
    assert sum(e["lines"][0]["amount"]["minor"] for e in story if e["kind"] == "hold") == sum(PARTS)
    report = services.ledger_check()
    assert report.ok, report.violations
    assert held_by_gateways() == expected_at_gateways(in_euros, paid_four["amount_minor"] - out, stripe_world)


def held_by_gateways() -> dict[tuple[str, str], int]:
    """(gateway, currency) → what our books say that it holds for us."""
    from marketplace.payments.models import Account, Posting

    found: dict[tuple[str, str], int] = {}
    for account in Account.objects.filter(kind="clearing"):
        came = sum(Posting.objects.filter(debit_account=account).values_list("amount", flat=True))
        gone = sum(Posting.objects.filter(credit_account=account).values_list("amount", flat=True))
        found[account.processor, account.currency] = came - gone
    return found


def expected_at_gateways(in_euros: list[Any], mpesa: int, stripe_world: Any) -> dict[tuple[str, str], int]:  # noqa: F811
    """The same as the gateways have it: what came less what each kept for itself and what was paid out."""
    sandbox, stripe, paypal = (p["amount_minor"] for p in in_euros)
    (kept,) = (t["fee"] for t in stripe_world.of("balance_transaction"))
    return {("sandbox", "EUR"): sandbox, ("stripe", "EUR"): stripe - kept, ("paypal", "EUR"): paypal - 79, ("mpesa", "KES"): mpesa}
