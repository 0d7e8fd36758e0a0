"""The sandbox's test cards, its bank's page, and its notifications, which come by HTTP as a real gateway's do."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command

from marketplace.core import clock
from marketplace.core.errors import Conflict, NotFound
from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import refunds, selectors, services, tasks
from marketplace.payments.debts import owed
from marketplace.payments.ledger import accounts
from marketplace.payments.ledger.post import Line, post
from marketplace.payments.models import Chargeback, Payment, PaymentRefund, SandboxNews, WebhookEvent
from marketplace.payments.providers import sandbox, sandbox_news

pytestmark = [pytest.mark.django_db]
AMOUNT = Money(10_000, "EUR")


def start(user: Any, token: str, key: str = "k", **more: Any) -> Payment:
    values = {"amount": AMOUNT, "purpose": "wallet", "purpose_id": None, "method": {"token": token}, "idempotency_key": key}
    return services.payment_start(actor_id=user.pk, **(values | more))


def wallet_of(user: Any) -> int:
    return sum(b.wallet.minor for b in selectors.balances_of(user.pk))


def told() -> None:
    """Every notification that is due arrives, as if the round had read the sandbox's own list."""
    services.missed_events(provider="sandbox")
    for event in WebhookEvent.objects.filter(handled_at=None).order_by("pk"):
        services.webhook_handle(webhook_id=event.pk)


def test_a_reserved_amount_is_taken_in_part(alice: Any, proven: Any) -> None:
    payment = start(alice, "tok_visa", capture="manual")
    assert (payment.state, wallet_of(alice)) == ("pending", 0)

    taken = services.payment_capture(payment_id=payment.pk, amount=Money(4_000, "EUR"))
    told()

    assert (taken.state, taken.received, wallet_of(alice)) == ("succeeded", 4_000, 4_000)
    refund = services.payment_refund_request(actor=alice, payment_id=payment.pk, amount=Money(4_000, "EUR"), idempotency_key="r")
    assert services.payment_refund_refresh(refund_id=refund.pk).state == "succeeded"
    proven()


def test_a_reservation_is_given_up(alice: Any) -> None:
    payment = start(alice, "tok_visa", capture="manual")

    assert services.payment_cancel(payment_id=payment.pk).state == "cancelled"

    with pytest.raises(Conflict):
        services.payment_capture(payment_id=payment.pk, amount=AMOUNT)
    assert wallet_of(alice) == 0


@pytest.mark.parametrize(("agrees", "state"), [(True, "succeeded"), (False, "failed")])
def test_the_payer_answers_on_the_banks_page(alice: Any, client: Any, settings: Any, agrees: bool, state: str) -> None:
    payment = start(alice, "tok_3ds")
    assert payment.action["kind"] == "redirect"
    page = payment.action["url"].removeprefix(settings.BASE_URL)
    assert b"EUR" in client.get(page).content and payment.state == "pending"

    for _ in range(2):
        assert client.post(page, {"answer": "yes" if agrees else "no"}).status_code == 200
    assert client.post(page, {"answer": "no" if agrees else "yes"}).status_code == 409
    told()

    payment.refresh_from_db()
    assert (payment.state, payment.action) == (state, {})
    assert wallet_of(alice) == (AMOUNT.minor if agrees else 0)


def test_the_banks_page_knows_nothing_else_and_is_not_there_without_the_sandbox(alice: Any, client: Any, settings: Any) -> None:
    payment = start(alice, "tok_visa")
    assert client.get(f"/sandbox/challenges/{payment.provider_ref}").status_code == 404
    page = start(alice, "tok_3ds", "other").action["url"].removeprefix(settings.BASE_URL)
    settings.PAYMENT_PROVIDERS = ["stripe"]

    assert client.get(page).status_code == client.post(page, {"answer": "yes"}).status_code == 404


def test_a_disputed_card_is_paid_and_taken_back_and_won(alice: Any, proven: Any) -> None:
    payment = start(alice, "tok_dispute")
    assert (payment.state, wallet_of(alice)) == ("succeeded", 10_000)

    told()

    row = Chargeback.objects.get()
    assert (row.state, row.amount_minor, row.fee_minor, wallet_of(alice), owed(alice.pk, "EUR")) == ("open", 10_000, 1_500, 0, 0)
    call_command("sandbox_event", row.provider_ref, "win")
    row.refresh_from_db()
    payment.refresh_from_db()
    assert (row.state, payment.state, wallet_of(alice)) == ("won", "succeeded", 10_000)
    proven()


def test_a_refund_that_the_bank_does_not_take_is_in_the_wallet_again(alice: Any, proven: Any) -> None:
    payment = start(alice, "tok_refund_fails")
    refund = services.payment_refund_request(actor=alice, payment_id=payment.pk, amount=AMOUNT, idempotency_key="r")
    assert (services.payment_refund_refresh(refund_id=refund.pk).state, wallet_of(alice)) == ("pending", 0)

    tasks.poll_unsettled()

    refund.refresh_from_db()
    assert (refund.state, refund.failure_code, wallet_of(alice)) == ("failed", "card_closed", 10_000)
    proven()


def test_a_refund_that_had_arrived_can_come_back(alice: Any, proven: Any) -> None:
    payment = start(alice, "tok_visa")
    refund = services.payment_refund_request(actor=alice, payment_id=payment.pk, amount=AMOUNT, idempotency_key="r")
    services.payment_refund_refresh(refund_id=refund.pk)
    payment.refresh_from_db()
    assert (payment.state, wallet_of(alice)) == ("refunded", 0)

    call_command("sandbox_event", PaymentRefund.objects.get().provider_ref, "fail")

    payment.refresh_from_db()
    assert (payment.state, wallet_of(alice)) == ("succeeded", 10_000)
    proven()


def test_wallet_money_goes_back_to_the_newest_payments_all_of_it_or_nothing(alice: Any, proven: Any) -> None:
    first, second = start(alice, "tok_visa", "one"), start(alice, "tok_visa", "two")
    ask = {"actor": alice, "idempotency_key": "back"}

    parts = services.wallet_refund_request(amount=Money(15_000, "EUR"), **ask)
    again = services.wallet_refund_request(amount=Money(15_000, "EUR"), **ask)

    assert [(p.payment_id, p.amount_minor) for p in parts] == [(second.pk, 10_000), (first.pk, 5_000)]
    assert [p.pk for p in again] == [p.pk for p in parts] and wallet_of(alice) == 5_000
    with pytest.raises(Conflict) as refused:
        services.wallet_refund_request(actor=alice, amount=Money(5_001, "EUR"), idempotency_key="more")
    assert refused.value.code == "refund_impossible" and "50.00" in str(refused.value)
    proven()


PAYPAL = {"paypal": {"client_id": "i", "client_secret": "s", "webhook_id": "w", "path_token": "p"}}


def bought_with_paypal(user: Any, amount: Money) -> Payment:
    """A payment that came through PayPal, as its adapter would have left it."""
    now = clock.now()
    paid = {"amount_minor": amount.minor, "currency": amount.currency, "purpose": "wallet", "state": "succeeded", "settled_at": now}
    payment = Payment.objects.create(payer=user, provider="paypal", provider_ref="C1", idempotency_key="paypal", created_at=now, **paid)
    line = Line("deposit", accounts.clearing("paypal", amount.currency), accounts.wallet(user.pk, amount.currency), amount)
    more = {"key": f"deposit:{payment.pk}", "subject": ("payment", payment.pk), "actor_id": user.pk, "rule": "gateway_succeeded"}
    run_in_transaction(lambda: post("deposit", lines=[line], **more))
    return payment


def test_each_part_that_goes_back_is_an_amount_that_its_gateway_can_move(alice: Any, settings: Any, proven: Any) -> None:
    settings.PAYMENT_CREDENTIALS = PAYPAL  # whole forints only
    start(alice, "tok_visa", amount=Money(10_050, "HUF"))
    bought_with_paypal(alice, Money(10_000, "HUF"))

    parts = services.wallet_refund_request(actor=alice, amount=Money(150, "HUF"), idempotency_key="b")

    assert [(p.provider, p.amount_minor) for p in parts] == [("paypal", 100), ("sandbox", 50)]
    with pytest.raises(Conflict, match="refund_impossible"):
        services.wallet_refund_request(actor=alice, amount=Money(19_999, "HUF"), idempotency_key="c")
    proven()


def test_a_refund_that_no_gateway_call_can_express_fails_and_the_money_is_back(alice: Any, settings: Any, proven: Any) -> None:
    settings.PAYMENT_CREDENTIALS = PAYPAL
    payment = bought_with_paypal(alice, Money(10_000, "HUF"))
    stuck = run_in_transaction(lambda: refunds._request(alice, payment, Money(150, "HUF"), "as of old", ""))
    assert wallet_of(alice) == 9_850

    done = services.payment_refund_refresh(refund_id=stuck.pk)

    assert (done.state, done.failure_code, wallet_of(alice)) == ("failed", "amount_too_fine", 10_000)
    proven()


def test_a_card_is_saved_by_the_bank_page_and_then_pays(alice: Any, client: Any, settings: Any) -> None:
    begun = services.method_save(actor=alice, provider="sandbox", details={"token": "tok_3ds"}, idempotency_key="card")
    page = begun.action["url"].removeprefix(settings.BASE_URL)
    assert b"ending in 3155" in client.get(page).content
    client.post(page, {"answer": "yes"})
    told()
    begun.refresh_from_db()
    assert (begun.state, begun.brand, begun.last4) == ("ready", "visa", "3155")
    refused = services.method_save(actor=alice, provider="sandbox", details={"token": "tok_declined"}, idempotency_key="bad")
    assert (refused.state, refused.failure_code) == ("failed", "declined")

    payment = start(alice, "", method={"saved_method_id": str(begun.pk)})

    assert payment.action["kind"] == "redirect", "the bank asks for each payment with this card"
    services.method_remove(actor=alice, method_id=begun.pk)
    with pytest.raises(NotFound):
        start(alice, "", "later", method={"saved_method_id": str(begun.pk)})


# delivery by HTTP


@pytest.fixture
def house(committed_db: None, live_server: Any, settings: Any) -> Any:
    settings.SANDBOX_NOTIFIES = live_server.url
    return live_server


def test_news_are_delivered_by_http_signed_and_once(house: Any, alice: Any, client: Any, settings: Any) -> None:
    payment = start(alice, "tok_3ds")
    tasks.deliver_sandbox_news()
    client.post(payment.action["url"].removeprefix(settings.BASE_URL), {"answer": "yes"})

    assert tasks.deliver_sandbox_news() == 1
    assert tasks.deliver_sandbox_news() == 0

    stored = WebhookEvent.objects.get(kind="payment.succeeded")
    assert (stored.object_ref, stored.handled_at) == (payment.provider_ref, None), "the task handles it, or the round"
    clock.advance(31)
    tasks.poll_unsettled()
    payment.refresh_from_db()
    assert (payment.state, wallet_of(alice)) == ("succeeded", 10_000)


def test_news_that_nobody_takes_are_tried_again_later_and_given_up_after_days(house: Any, alice: Any, settings: Any) -> None:
    settings.SANDBOX_NOTIFIES = "http://127.0.0.1:9"
    start(alice, "tok_visa")
    assert tasks.deliver_sandbox_news() == 0
    (news,) = SandboxNews.objects.all()
    assert news.attempts == 1 and news.delivered_at is None and sandbox_news.due() == []

    settings.SANDBOX_NOTIFIES = house.url
    clock.advance(4)
    assert tasks.deliver_sandbox_news() == 0
    clock.advance(1)
    assert tasks.deliver_sandbox_news() == 1

    news.refresh_from_db()
    assert news.delivered_at is not None and news.next_try_at is None
    settings.SANDBOX_NOTIFIES = "http://127.0.0.1:9"
    start(alice, "tok_visa", "late")
    clock.advance(3 * 24 * 3600)
    tasks.deliver_sandbox_news()
    assert SandboxNews.objects.latest("pk").next_try_at is None, "after three days"


def test_two_workers_send_one_notification_once(house: Any, alice: Any) -> None:
    start(alice, "tok_visa")
    (news_id,) = sandbox_news.due()
    assert sandbox_news.deliver(news_id) is True

    assert sandbox_news.deliver(news_id) is False

    assert SandboxNews.objects.get().attempts == 1


def test_a_delayed_payment_is_notified_half_a_minute_later(alice: Any) -> None:
    payment = start(alice, "tok_delayed")
    clock.advance(int(sandbox.DELAY.total_seconds()) - 1)
    told()
    payment.refresh_from_db()
    assert payment.state == "pending"
    clock.advance(1)

    told()

    payment.refresh_from_db()
    assert payment.state == "succeeded"
