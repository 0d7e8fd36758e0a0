"""The M-Pesa adapter and its way through our services, against a simulated Daraja (which judges what is sent: daraja_world._SHAPES)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from marketplace.core import clock
from marketplace.core.errors import Conflict, InvalidInput, NotFound
from marketplace.core.money import Money
from marketplace.payments import oversight, payouts, selectors, services, tasks
from marketplace.payments.models import Payment, Payout, WebhookEvent, WebhookRefusal
from marketplace.payments.providers.base import Accepted, Rejected, Unknown
from marketplace.payments.providers.mpesa import STK_LIVES, Mpesa, made_of
from tests.webapp.people import Person

from .daraja_world import SAFARICOM, DarajaWorld, not_paid, paid, result

pytestmark = [pytest.mark.django_db]
KES = Money(150_000, "KES")  # 1,500 shillings
PHONE = {"phone": "0712 345678"}


@pytest.fixture(autouse=True)
def _here(settings: Any, mpesa_settings: dict[str, str]) -> None:
    settings.PAYMENT_CREDENTIALS = {"mpesa": mpesa_settings}


def start(user: Any, key: str = "k", amount: Money = KES, method: Any = PHONE) -> Payment:
    values = {"purpose": "wallet", "purpose_id": None, "method": method, "idempotency_key": key, "provider": "mpesa"}
    return services.payment_start(actor_id=user.pk, amount=amount, **values)  # type: ignore[arg-type]


def tell(url: str, body: Any, remote_ip: str = SAFARICOM) -> bool:
    """Daraja notifies the address it was given."""
    token = url.rsplit("/", 1)[1]
    raw = json.dumps(body).encode()
    event = services.webhook_receive(provider="mpesa", path_token=token, raw_body=raw, headers={}, remote_ip=remote_ip)
    return services.webhook_handle(webhook_id=event.pk)


def wallet_of(user: Any) -> int:
    return sum(b.wallet.minor for b in selectors.balances_of(user.pk))


def only(world: DarajaWorld) -> tuple[str, dict[str, Any]]:
    ((ref, push),) = world.pushes.items()
    return ref, push


def test_a_push_is_paid_on_the_phone_and_deposited_once(alice: Any, daraja_world: DarajaWorld) -> None:
    payment = start(alice)
    ref, push = only(daraja_world)
    assert (payment.state, payment.provider_ref, payment.action) == ("pending", ref, {"kind": "phone"})
    assert (push["Amount"], push["PhoneNumber"]) == (1500, "254712345678")
    daraja_world.outcome[ref] = 0

    assert tell(push["CallBackURL"], paid(ref, 1500))
    assert tell(push["CallBackURL"], paid(ref, 1500))

    payment.refresh_from_db()
    assert payment.state == "succeeded"
    assert wallet_of(alice) == 150_000


@pytest.mark.parametrize(
    ("code", "ours"), [(1032, "cancelled_by_payer"), (1, "insufficient_funds"), (1037, "payer_unreachable"), (17, "declined")]
)
def test_a_push_that_is_not_paid_fails_in_our_words(alice: Any, daraja_world: DarajaWorld, code: int, ours: str) -> None:
    payment = start(alice)
    ref, push = only(daraja_world)
    daraja_world.outcome[ref] = code

    tell(push["CallBackURL"], not_paid(ref, code))

    payment.refresh_from_db()
    assert (payment.state, payment.failure_code) == ("failed", ours)


def test_a_callback_that_claims_success_is_asked_about(alice: Any, daraja_world: DarajaWorld) -> None:
    payment = start(alice)
    ref, push = only(daraja_world)

    tell(push["CallBackURL"], paid(ref, 1500))  # but the query says: still at work

    payment.refresh_from_db()
    assert payment.state == "pending"
    assert wallet_of(alice) == 0


def test_a_phone_is_asked_once_at_a_time_and_seldom_in_vain(
    alice: Any, bob: Any, charlie: Any, daraja_world: DarajaWorld, settings: Any
) -> None:
    def in_vain(user: Any, key: str) -> None:
        payment = start(user, key)
        daraja_world.outcome[str(payment.provider_ref)] = 1032
        assert services.payment_refresh(payment_id=payment.pk).state == "failed"

    def refused(user: Any, key: str) -> str:
        before = (len(daraja_world.pushes), Payment.objects.count())
        with pytest.raises(Conflict) as found:
            start(user, key)
        assert (len(daraja_world.pushes), Payment.objects.count()) == before
        return found.value.code

    waiting = start(alice)
    assert start(alice).pk == waiting.pk, "the same request again is no new one"
    assert refused(bob, "b") == refused(alice, "another") == "phone_waits"
    daraja_world.outcome[str(waiting.provider_ref)] = 0
    tell(daraja_world.pushes[str(waiting.provider_ref)]["CallBackURL"], paid(str(waiting.provider_ref), 1500))

    for n, user in enumerate((alice, bob, alice, bob)):
        in_vain(user, f"v{n}")
    assert refused(charlie, "c") == "phone_prompts_many"
    clock.advance(settings.PHONE_PROMPTS["minutes"] * 60)
    in_vain(charlie, "c")


def test_one_person_cannot_have_many_phones_asked(alice: Any, bob: Any, daraja_world: DarajaWorld, settings: Any) -> None:
    settings.PHONE_PROMPTS = {**settings.PHONE_PROMPTS, "payer": 2}
    for n in range(2):
        start(alice, f"k{n}", method={"phone": f"071234567{n}"})
    with pytest.raises(Conflict, match="phone_prompts_many"):
        start(alice, "k2", method={"phone": "0712345672"})
    assert start(bob, "b", method={"phone": "0712345672"}).state == "pending"


@pytest.mark.parametrize("amount", [1499, 1, 1500.5, "1500.50"])
def test_an_amount_that_differs_is_never_deposited_not_even_by_the_poller(alice: Any, daraja_world: DarajaWorld, amount: Any) -> None:
    payment = start(alice)
    ref, push = only(daraja_world)
    daraja_world.outcome[ref] = 0

    tell(push["CallBackURL"], paid(ref, amount))
    clock.advance(60)
    tasks.poll_unsettled()

    payment.refresh_from_db()
    assert (payment.state, payment.failure_code) == ("pending", "amount_differs")
    assert wallet_of(alice) == 0


def test_a_push_whose_answer_was_lost_is_never_sent_again_and_found_by_its_address(alice: Any, daraja_world: DarajaWorld) -> None:
    daraja_world.fail("lost", "stkpush/")
    payment = start(alice)
    assert (payment.state, payment.provider_ref) == ("created", None)
    start(alice)
    clock.advance(60)
    tasks.poll_unsettled()
    ref, push = only(daraja_world)  # one push alone
    daraja_world.outcome[ref] = 0

    tell(push["CallBackURL"], paid(ref, 1500))

    payment.refresh_from_db()
    assert (payment.state, payment.provider_ref) == ("succeeded", ref)
    assert wallet_of(alice) == 150_000


def test_a_payment_given_up_is_taken_when_it_succeeds_after_all(alice: Any, daraja_world: DarajaWorld) -> None:
    daraja_world.fail("lost", "stkpush/")
    payment = start(alice)
    clock.advance(int(STK_LIVES.total_seconds()) + 1)
    tasks.poll_unsettled()
    payment.refresh_from_db()
    assert (payment.state, payment.failure_code) == ("failed", "no_answer")
    ref, push = only(daraja_world)
    daraja_world.outcome[ref] = 0

    tell(push["CallBackURL"], paid(ref, 1500))

    payment.refresh_from_db()
    assert (payment.state, payment.failure_code) == ("succeeded", "")
    assert wallet_of(alice) == 150_000


def test_a_lost_callback_is_made_good_by_the_poller(alice: Any, daraja_world: DarajaWorld) -> None:
    payment = start(alice)
    daraja_world.outcome[only(daraja_world)[0]] = 0
    clock.advance(3 * 24 * 3600)

    tasks.poll_unsettled()

    payment.refresh_from_db()
    assert payment.state == "succeeded"


@pytest.mark.parametrize("amount", [Money(150_050, "KES"), Money(50, "KES"), Money(25_000_100, "KES"), Money(1000, "USD")])
def test_only_whole_shillings_within_mpesas_limits(alice: Any, daraja_world: DarajaWorld, amount: Money) -> None:
    with pytest.raises(InvalidInput):
        start(alice, amount=amount)

    assert not Payment.objects.exists()
    assert daraja_world.requests == []


def test_an_address_is_good_for_one_operation_one_kind_and_safaricom_alone(alice: Any, daraja_world: DarajaWorld) -> None:
    start(alice)
    ref, push = only(daraja_world)
    url = push["CallBackURL"]
    other = url.replace("-payment-", "-payment-9")
    for wrong in (
        other,
        url.replace("/stk-", "/b2c-"),
        url[:-1] + ("0" if url[-1] != "0" else "1"),
        "x/" + url.rsplit("-", 1)[0].rsplit("/", 1)[1],
    ):
        with pytest.raises(NotFound):
            tell(wrong, paid(ref, 1500))
    for sender in ("196.201.214.201", "10.0.0.1", "", "nonsense", "::1"):
        with pytest.raises(NotFound):
            tell(url, paid(ref, 1500), remote_ip=sender)
    assert not WebhookEvent.objects.exists()


def test_a_right_address_from_a_wrong_sender_is_noted_and_a_wrong_address_is_not(alice: Any, daraja_world: DarajaWorld) -> None:
    start(alice)
    ref, push = only(daraja_world)
    url = push["CallBackURL"]
    with pytest.raises(NotFound):
        tell(url[:-1] + ("0" if url[-1] != "0" else "1"), paid(ref, 1500), remote_ip="10.0.0.1")
    assert not WebhookRefusal.objects.exists()
    for _ in range(2):
        with pytest.raises(NotFound) as refused:
            tell(url, paid(ref, 1500), remote_ip="10.0.0.1")
    row = WebhookRefusal.objects.get()
    assert (row.provider, row.code, row.remote_ip, row.times) == ("mpesa", "sender_unknown", "10.0.0.1", 2)
    assert "OPENLANCE_PROXIES" in row.reason and refused.value.code == "not_found"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "status"),
    [(1, SAFARICOM, 200), (1, f"{SAFARICOM}, 198.51.100.9", 404), (2, f"{SAFARICOM}, 198.51.100.9", 200), (0, SAFARICOM, 404)],
    ids=["one", "written_by_the_caller", "two", "none"],
)
def test_the_one_number_of_proxies_says_who_sent_it(
    alice: Any, daraja_world: DarajaWorld, settings: Any, proxies: int, forwarded: str, status: int
) -> None:
    settings.PROXIES = proxies
    start(alice)
    ref, push = only(daraja_world)
    path = f"/api/v1/webhooks/mpesa/{push['CallBackURL'].rsplit('/', 1)[1]}"
    named = {"HTTP_X_FORWARDED_FOR": forwarded, "REMOTE_ADDR": "10.0.0.1"}
    answer = Person().client.post(path, json.dumps(paid(ref, 1500)), content_type="application/json", **named)
    assert (answer.status_code, WebhookRefusal.objects.count()) == (status, int(status == 404))


@pytest.mark.parametrize("body", [[], {}, {"Body": {"stkCallback": {"CheckoutRequestID": "x", "ResultCode": "yes"}}}, {"Body": None}, "x"])
def test_a_body_that_is_no_callback_is_refused(alice: Any, daraja_world: DarajaWorld, body: Any) -> None:
    start(alice)

    with pytest.raises(InvalidInput, match="webhook_unreadable"):
        tell(only(daraja_world)[1]["CallBackURL"], body)


def sent_payout(user: Any) -> Payout:
    """A payout that was decided to be sent; its money is on its way (how it came there is not the gateway's matter)."""
    from marketplace.core.transactions import run_in_transaction
    from marketplace.payments.ledger import accounts
    from marketplace.payments.ledger.post import Line, post

    made = Payout.objects.create(
        provider="mpesa",
        payee=user,
        amount_minor=KES.minor,
        currency="KES",
        method={"phone": "254712345678"},
        idempotency_key=f"payout-{user.pk}",
        created_at=clock.now(),
    )
    wallet, pending = accounts.wallet(user.pk, "KES"), accounts.pending(user.pk, "KES")
    hold = accounts.hold(77, user.pk, "KES")
    available, transit = accounts.available(user.pk, "KES"), accounts.payout_transit(user.pk, "KES")
    steps = [
        ("deposit", "deposit", accounts.clearing("mpesa", "KES"), wallet, ("payment", 1)),
        ("hold", "hold", wallet, hold, ("milestone", 77)),
        ("release", "net", hold, pending, ("milestone", 77)),
        ("clear", "clear", pending, available, ("milestone", 77)),
        ("payout_request", "payout", available, transit, ("payout", made.pk)),
    ]
    for kind, leg, debit, credit, subject in steps:
        more = {"gross": KES, "quote": {"fee": 0, "tax": 0, "net": KES.minor, "gross": KES.minor}} if kind == "release" else {}
        key, lines = f"{kind}:{subject[1]}", [Line(leg, debit, credit, KES)]
        run_in_transaction(lambda: post(kind, key=key, lines=lines, subject=subject, actor_id=None, rule="test", **more))  # noqa: B023
    return made


def test_a_payout_is_sent_once_and_paid_when_daraja_says_so(bob: Any, daraja_world: DarajaWorld) -> None:
    made = sent_payout(bob)
    assert services.payout_send(payout_id=made.pk).state == "sent"
    ((_, body),) = daraja_world.payments.items()

    assert tell(body["ResultURL"], result(body["OriginatorConversationID"], 0, 1500))

    made.refresh_from_db()
    assert (made.state, made.provider_ref) == ("paid", body["OriginatorConversationID"])


@pytest.mark.parametrize("fault", ["lost", "error_after", "error_before", "refused", "garbage"])
def test_a_payout_whose_answer_was_lost_is_only_asked_about(bob: Any, daraja_world: DarajaWorld, fault: Any) -> None:
    made = sent_payout(bob)
    daraja_world.fail(fault, "b2c")
    assert services.payout_send(payout_id=made.pk).state == "sent"

    for _ in range(3):
        clock.advance(3600)
        tasks.poll_unsettled()

    assert len(daraja_world.sent("POST /mpesa/b2c")) == 1
    assert len(daraja_world.queries) == 1  # not at every round
    query = daraja_world.queries[0]
    tell(query["ResultURL"], result("another conversation", 0, None, TransactionStatus="Completed", Amount=1500))
    made.refresh_from_db()
    assert made.state == "paid"


@pytest.mark.parametrize("what", ["token", "certificate"])
def test_a_payout_that_cannot_even_be_asked_for_waits_here(
    settings: Any, mpesa_settings: dict[str, str], bob: Any, daraja_world: DarajaWorld, what: str
) -> None:
    made = sent_payout(bob)
    if what == "token":
        daraja_world.fail("error_before", "oauth")
    else:
        settings.PAYMENT_CREDENTIALS = {"mpesa": {**mpesa_settings, "certificate": "/nowhere.pem"}}
    tasks.poll_unsettled()

    made.refresh_from_db()
    assert (made.state, made.sent_at, daraja_world.payments, daraja_world.queries) == ("requested", None, {}, [])

    settings.PAYMENT_CREDENTIALS = {"mpesa": mpesa_settings}
    tasks.poll_unsettled()

    made.refresh_from_db()
    assert (made.state, len(daraja_world.payments)) == ("sent", 1)


@pytest.mark.parametrize("what", ["token", "certificate", "nobody there"])
def test_the_adapter_says_so_when_it_sent_nothing(mpesa_settings: dict[str, str], daraja_world: DarajaWorld, what: str) -> None:
    own = dict(mpesa_settings)
    if what == "token":
        daraja_world.fail("error_before", "oauth")
    if what == "certificate":
        own["certificate"] = "/nowhere.pem"
    asked = made_of(own)
    assert asked is not None
    if what == "nobody there":
        asked.prepare_payout()
        asked._own = replace(asked._own, api="http://127.0.0.1:9")

    assert asked.pay_out(key="payout:1:x", amount=KES, method={"phone": "254712345678"}) == Rejected("gateway_unavailable")
    assert daraja_world.payments == {}


def test_a_query_that_cannot_say_how_a_payout_stands_is_shown_to_staff(bob: Any, staff: Any, daraja_world: DarajaWorld) -> None:
    made = sent_payout(bob)
    services.payout_send(payout_id=made.pk)
    unknown = oversight.unknown_payouts(Payout.objects.all(), clock.now())
    assert list(unknown) == []
    clock.advance(3600)
    tasks.poll_unsettled()

    tell(daraja_world.queries[0]["ResultURL"], result("another conversation", 2032))

    made.refresh_from_db()
    assert (made.state, made.failure_code) == ("sent", "query_2032")
    assert list(oversight.unknown_payouts(Payout.objects.all(), clock.now())) == [made]
    ((_, body),) = daraja_world.payments.items()
    tell(body["ResultURL"], result(body["OriginatorConversationID"], 0, 1500))
    made.refresh_from_db()
    assert (made.state, made.failure_code) == ("paid", "")


def test_a_payout_that_stays_sent_for_hours_is_one_whose_end_nobody_knows(bob: Any, settings: Any, daraja_world: DarajaWorld) -> None:
    made = sent_payout(bob)
    sent = services.payout_send(payout_id=made.pk)
    assert sent.sent_at is not None and sent.provider_ref is not None
    edge = sent.sent_at + timedelta(hours=settings.PAYOUT_UNKNOWN_HOURS["mpesa"])

    assert list(oversight.unknown_payouts(Payout.objects.all(), edge - timedelta(seconds=1))) == []
    assert list(oversight.unknown_payouts(Payout.objects.all(), edge)) == [made]


def test_a_time_out_in_the_queue_followed_by_success_is_paid(bob: Any, daraja_world: DarajaWorld) -> None:
    made = sent_payout(bob)
    services.payout_send(payout_id=made.pk)
    ((_, body),) = daraja_world.payments.items()

    tell(body["QueueTimeOutURL"], {"requestId": "r", "errorCode": "500", "errorMessage": "timeout"})
    made.refresh_from_db()
    assert made.state == "sent"
    tell(body["ResultURL"], result(body["OriginatorConversationID"], 0, 1500))

    made.refresh_from_db()
    assert made.state == "paid"


def test_a_payout_that_fails_gives_the_money_back(bob: Any, daraja_world: DarajaWorld) -> None:
    made = sent_payout(bob)
    services.payout_send(payout_id=made.pk)
    ((_, body),) = daraja_world.payments.items()

    tell(body["ResultURL"], result(body["OriginatorConversationID"], 2040))

    made.refresh_from_db()
    assert (made.state, made.failure_code) == ("failed", "payee_not_registered")
    assert [b.available.minor for b in selectors.balances_of(bob.pk)] == [KES.minor]


def test_a_payout_of_another_amount_is_looked_at_by_a_person(bob: Any, daraja_world: DarajaWorld) -> None:
    made = sent_payout(bob)
    services.payout_send(payout_id=made.pk)
    ((_, body),) = daraja_world.payments.items()

    tell(body["ResultURL"], result(body["OriginatorConversationID"], 0, 15_000))

    made.refresh_from_db()
    assert (made.state, made.failure_code) == ("sent", "amount_differs")


def test_the_adapter_itself_never_repeats_a_call(mpesa: Mpesa, daraja_world: DarajaWorld) -> None:
    method = {"phone": "254712345678"}

    assert isinstance(mpesa.create_payment(key="payment:1:x", amount=KES, method=method, age=timedelta(0)), Unknown)
    assert mpesa.create_payment(key="payment:1:x", amount=KES, method=method, age=STK_LIVES + timedelta(1)) == Rejected("no_answer")
    assert isinstance(mpesa.pay_out(key="payout:1:x", amount=KES, method=method, age=timedelta(0)), Accepted)
    assert daraja_world.pushes == {}
    assert daraja_world.payments == {}


@pytest.mark.parametrize("missing", ["consumer_key", "passkey", "callback_secret", "callback", "short_code"])
def test_without_a_credential_there_is_no_gateway(mpesa_settings: dict[str, str], missing: str) -> None:
    assert made_of({k: v for k, v in mpesa_settings.items() if k != missing}) is None


@pytest.mark.parametrize("phone", ["0612345678", "+254 20 1234567", "12", "", None, 712345678, "07123456789", "٠٧١٢٣٤٥٦٧٨"])
def test_only_kenyan_mobile_numbers(mpesa: Mpesa, phone: Any) -> None:
    with pytest.raises(InvalidInput, match="method_unknown"):
        mpesa.check_method({"phone": phone}, purpose="payment")


def test_the_payouts_key_is_the_payouts(bob: Any) -> None:
    made = Payout(pk=5, idempotency_key="abc")

    assert payouts.payout_key(made) == "payout:5:abc"
