"""Staff's desk: lists and their filters at a constant cost, what nobody knows the end of, notifications, and nothing that names a person."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.core import bulk, clock
from marketplace.core.errors import InvalidInput
from marketplace.core.models import Event, StaffAct
from marketplace.core.money import Money
from marketplace.notifications.policies import notices
from marketplace.payments import oversight, selectors, services, tasks
from marketplace.payments.models import (
    Chargeback,
    Entry,
    Payment,
    PaymentRefund,
    Payout,
    RiskHold,
    SandboxObject,
    WebhookEvent,
    WebhookRefusal,
)
from marketplace.payments.providers import sandbox
from marketplace.payments.redact import HIDDEN, redacted, redacted_bytes
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def still(time_machine: Any) -> None:
    """Time goes on only where a test says so."""
    time_machine.move_to(datetime(2026, 11, 4, 12, tzinfo=UTC), tick=False)


DESK = "staff/money"


def USD(minor: int) -> Money:
    return Money(minor, "USD")


@pytest.fixture
def finance(staff: Any) -> Person:
    return Person(staff("finance"))


@pytest.fixture
def money(alice: Any, bob: Any, pay: Any, earn: Any) -> dict[str, Any]:
    """Some of everything: payments of alice's in two currencies, a refused one, a payout of bob's, a refund, a chargeback, a notification."""
    earn(alice, bob, 7, USD(50_000))
    first = Payment.objects.get()
    euro = pay(alice, Money(7_000, "EUR"))
    refused = pay(alice, USD(300), "tok_declined")
    now = clock.now()
    common = {"payment": first, "provider": "sandbox", "currency": "USD", "created_at": now}
    return {
        "first": first,
        "euro": euro,
        "refused": refused,
        "payout": services.payout_request(actor=bob, amount=USD(20_000), method={"token": "bank_ok"}, idempotency_key="p"),
        "refund": PaymentRefund.objects.create(amount_minor=900, idempotency_key="r", state="failed", **common),
        "chargeback": Chargeback.objects.create(amount_minor=500, provider_ref="d", **common),
    }


def ids(reader: Person, path: str, /, **query: Any) -> list[int]:
    answer = reader.get(f"{DESK}/{path}", **query)
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def test_payments_are_found_by_each_filter(finance: Person, alice: Any, bob: Any, money: dict[str, Any]) -> None:
    first, euro, refused = money["first"].pk, money["euro"].pk, money["refused"].pk
    assert ids(finance, "payments") == [refused, euro, first]
    assert ids(finance, "payments", state="failed") == [refused]
    assert ids(finance, "payments", currency="EUR") == [euro]
    assert ids(finance, "payments", least=300, most=7_000) == [refused, euro]
    assert ids(finance, "payments", least=301, most=6_999) == []
    assert ids(finance, "payments", person=bob.pk) == []
    assert ids(finance, "payments", person=alice.pk, gateway="sandbox", state="succeeded") == [euro, first]
    assert ids(finance, "payments", gateway="stripe") == []
    day = clock.now().date()
    assert ids(finance, "payments", **{"from": day.isoformat(), "to": day.isoformat()}) == [refused, euro, first]
    assert ids(finance, "payments", **{"from": (day + timedelta(days=1)).isoformat()}) == []
    row = finance.get(f"{DESK}/payments", state="failed").json()["results"][0]
    assert (row["person"]["id"], row["failure_code"], row["age_hours"]) == (alice.pk, "declined", 0)


def test_the_other_lists_are_found_by_their_filters(finance: Person, alice: Any, bob: Any, money: dict[str, Any]) -> None:
    assert ids(finance, "payouts", state="held", person=bob.pk, least=20_000) == [money["payout"].pk]
    assert ids(finance, "payouts", person=alice.pk) == []
    assert ids(finance, "refunds", person=alice.pk, state="failed") == [money["refund"].pk]
    assert ids(finance, "refunds", person=bob.pk) == []
    assert ids(finance, "chargebacks", person=alice.pk, state="inquiry", most=500) == [money["chargeback"].pk]
    assert ids(finance, "chargebacks", least=501) == []
    shown = finance.get(f"{DESK}/payouts").json()["results"][0]
    assert (shown["hold_reason"], shown["hold_words"][:10]) == ("first_payout", "It is your")


def test_entries_are_found_by_what_their_lines_say(finance: Person, alice: Any, bob: Any, money: dict[str, Any]) -> None:
    def kinds(**query: Any) -> set[str]:
        return {row["kind"] for row in finance.get(f"{DESK}/entries", **query).json()["results"]}

    assert kinds() == {"deposit", "hold", "release", "clear", "payout_request"}
    assert kinds(person=bob.pk) == {"release", "clear", "payout_request"}
    assert kinds(currency="EUR") == {"deposit"}
    assert kinds(gateway="sandbox") == {"deposit"}
    assert kinds(least=50_000) == {"deposit", "hold"}
    assert kinds(least=20_000, most=20_000) == {"payout_request"}
    assert kinds(kind="clear", contract=1) == {"clear"}
    assert kinds(contract=2) == set()
    (entry,) = finance.get(f"{DESK}/entries", kind="hold").json()["results"]
    assert [(line["debit"], line["amount"]) for line in entry["lines"]] == [(f"wallet:{alice.pk}:USD", 50_000)]


def test_a_wrong_filter_says_what_is_right(finance: Person) -> None:
    for query in (
        {"state": "eaten"},
        {"currency": "XXX"},
        {"person": "x"},
        {"least": "1.5"},
        {"from": "soon"},
        {"gateway": "bank"},
        {"person": "9" * 30},
    ):
        answer = finance.get(f"{DESK}/payments", **query)
        assert answer.status_code == 400, query
    assert finance.get(f"{DESK}/entries", kind="gift").status_code == 400
    assert finance.get(f"{DESK}/payments", unknown="maybe").status_code == 400


def test_lists_go_on_after_the_last_row(finance: Person, alice: Any, pay: Any) -> None:
    made = [pay(alice, USD(1_000)).pk for _ in range(5)]
    page = finance.get(f"{DESK}/payments", limit=2).json()
    found = [row["id"] for row in page["results"]]
    while page["next"]:
        page = finance.get(page["next"]).json()
        found += [row["id"] for row in page["results"]]
    assert found == made[::-1]


@pytest.mark.parametrize("path", ["payments", "refunds", "payouts", "chargebacks", "entries", "webhooks", "webhook-refusals", "risk-holds"])
def test_a_list_costs_the_same_for_one_row_and_for_many(finance: Person, alice: Any, bob: Any, money: dict[str, Any], path: str) -> None:
    now = clock.now()
    webhook = {"provider": "sandbox", "kind": "k", "object_ref": "o", "body": {}, "received_at": now}
    refusal = {"provider": "sandbox", "code": "c", "reason": "r", "size": 1, "first_at": now, "last_at": now}
    hold = {"act": "payout", "rule": "small_payments", "opened_at": now}
    WebhookEvent.objects.create(event_id="e", **webhook)
    WebhookRefusal.objects.create(digest="d", **refusal)
    RiskHold.objects.create(user=bob, subject_id=10**6, **hold)

    def cost() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as seen:
            answer = finance.get(f"{DESK}/{path}", limit=50)
        assert answer.status_code == 200
        return len(answer.json()["results"]), len(seen)

    cost()
    rows, before = cost()
    assert rows
    for n in range(5):
        again = {"provider": "sandbox", "amount_minor": 1, "currency": "USD", "created_at": now}
        payment = Payment.objects.create(payer=alice, purpose="wallet", idempotency_key=f"more{n}", **again)
        PaymentRefund.objects.create(payment=payment, idempotency_key=f"more{n}", **again)
        Chargeback.objects.create(payment=payment, provider_ref=f"more{n}", **again)
        Payout.objects.create(payee=alice, idempotency_key=f"more{n}", **again)
        WebhookEvent.objects.create(event_id=f"more{n}", **webhook)
        WebhookRefusal.objects.create(digest=f"more{n}", **refusal)
        RiskHold.objects.create(user=alice, subject_id=n, **hold)
    if path == "entries":
        for n in range(5):
            services.payout_request(actor=bob, amount=USD(1_000), method={"token": "bank_ok"}, idempotency_key=f"more{n}")
    more, after = cost()
    assert (more >= rows + 5, after) == (True, before)


# --- what nobody knows the end of
def test_what_nobody_knows_the_end_of_is_found_and_asked_about(
    finance: Person, alice: Any, pay: Any, django_capture_on_commit_callbacks: Any
) -> None:
    lost = pay(alice, USD(5_000), "tok_timeout")
    assert (lost.state, lost.last_result) == ("created", "unknown")
    assert ids(finance, "payments", unknown="true") == []  # its request may still be at work
    clock.advance(3600)
    assert ids(finance, "payments", unknown="true") == [lost.pk]
    assert finance.get(f"{DESK}/payments", unknown="true").json()["results"][0]["age_hours"] == 1

    with django_capture_on_commit_callbacks(execute=True):
        answer = finance.post(f"{DESK}/payments/{lost.pk}/query", {"reason": "The payer called."})
        tasks.ask_gateway("payment", lost.pk)

    assert answer.status_code == 202
    lost.refresh_from_db()
    assert (lost.state, SandboxObject.objects.count()) == ("succeeded", 1)
    assert Entry.objects.filter(kind="deposit").count() == 1
    assert ids(finance, "payments", unknown="true") == []
    act = StaffAct.objects.get(action="payment_query")
    assert (act.object_id, act.reason, act.actor_id) == (lost.pk, "The payer called.", finance.user.pk)


def test_a_payout_whose_answer_was_lost_is_found(finance: Person, alice: Any, bob: Any, earn: Any) -> None:
    earn(alice, bob, 7, USD(50_000))
    payout = services.payout_request(actor=bob, amount=USD(5_000), method={"token": "bank_timeout"}, idempotency_key="p")
    clock.advance(24 * 3600)
    services.payout_send(payout_id=payout.pk)
    assert ids(finance, "payouts", unknown="true") == []
    clock.advance(60)
    assert ids(finance, "payouts", unknown="true") == [payout.pk]
    tasks.ask_gateway("payout", payout.pk)
    payout.refresh_from_db()
    assert (payout.state, ids(finance, "payouts", unknown="true")) == ("paid", [])


def test_an_amount_that_differs_is_among_them(finance: Person, alice: Any, pay: Any) -> None:
    payment = pay(alice, USD(5_000), "tok_delayed")
    Payment.objects.filter(pk=payment.pk).update(failure_code="amount_differs")
    assert ids(finance, "payments", unknown="true") == [payment.pk]


def test_asking_needs_a_reason_and_something_to_ask_about(finance: Person, money: dict[str, Any]) -> None:
    assert finance.post(f"{DESK}/payments/{money['first'].pk}/query", {"reason": ""}).status_code == 400
    assert finance.post(f"{DESK}/payments/{10**6}/query", {"reason": "r"}).status_code == 404
    assert finance.post(f"{DESK}/payouts/{money['payout'].pk}/query", {"reason": "r"}).json()["code"] == "nothing_to_ask"
    assert not StaffAct.objects.exists()


def test_many_are_asked_about_at_once(finance: Person, alice: Any, pay: Any) -> None:
    lost = [pay(alice, USD(5_000), "tok_timeout").pk for _ in range(2)]
    act = bulk.start(actor=finance.user, name="payment_query", object_ids=lost, reason="outage")
    bulk.work_off(act.pk)
    act.refresh_from_db()
    assert (act.done, act.refused, act.failed) == (2, 0, 0)
    assert set(StaffAct.objects.values_list("object_id", flat=True)) == set(lost)


def test_staff_let_one_payout_go_and_refuse_another(finance: Person, bob: Any, money: dict[str, Any], proven: Any) -> None:
    other = services.payout_request(actor=bob, amount=USD(1_000), method={"token": "bank_ok"}, idempotency_key="q")
    assert finance.post(f"{DESK}/payouts/{money['payout'].pk}/allow", {"reason": "known"}).json()["state"] == "requested"
    refused = finance.post(f"{DESK}/payouts/{other.pk}/refuse", {"reason": "taken over"}).json()
    assert (refused["state"], refused["failure_code"]) == ("failed", "refused")
    assert finance.post(f"{DESK}/payouts/{other.pk}/allow", {"reason": "r"}).status_code == 409
    proven()


@pytest.fixture
def pending(alice: Any, pay: Any) -> PaymentRefund:
    """A refund that the payer's bank has not answered."""
    payment = pay(alice, USD(5_000), "tok_refund_fails")
    refund = services.payment_refund_request(actor=alice, payment_id=payment.pk, amount=USD(2_000), idempotency_key="r")
    assert services.payment_refund_refresh(refund_id=refund.pk).state == "pending"
    SandboxObject.objects.filter(kind="refund").update(token="tok_visa")
    return refund


def test_a_refund_whose_bank_is_silent_for_ten_days_is_listed(finance: Person, pending: PaymentRefund, settings: Any) -> None:
    clock.advance(settings.RECONCILE_UNSETTLED_DAYS * 24 * 3600 - 1)
    assert ids(finance, "refunds", unknown="true") == []
    clock.advance(1)
    assert ids(finance, "refunds", unknown="true") == [pending.pk]


def test_a_refund_of_another_amount_waits_for_a_person_until_the_gateway_agrees(
    finance: Person, pending: PaymentRefund, proven: Any
) -> None:
    SandboxObject.objects.filter(kind="refund").update(amount_minor=1_900)
    assert services.payment_refund_refresh(refund_id=pending.pk).failure_code == "amount_differs"
    assert ids(finance, "refunds", unknown="true") == [pending.pk]
    SandboxObject.objects.filter(kind="refund").update(amount_minor=2_000)
    sandbox.change(SandboxObject.objects.get(kind="refund").ref, "succeeded")
    done = services.payment_refund_refresh(refund_id=pending.pk)
    assert (done.state, done.failure_code, ids(finance, "refunds", unknown="true")) == ("succeeded", "", [])
    proven()


# --- resolved by hand
def asked_about(bob: Any, amount: int = 5_000) -> Payout:
    """A payout that was sent a day ago, and of which no answer ever came."""
    payout = services.payout_request(actor=bob, amount=USD(amount), method={"token": "bank_timeout"}, idempotency_key="stuck")
    clock.advance(24 * 3600)
    services.payout_send(payout_id=payout.pk)
    clock.advance(24 * 3600)
    payout.refresh_from_db()
    return payout


def test_two_people_resolve_a_payout_that_was_not_paid(
    finance: Person, staff: Any, alice: Any, bob: Any, earn: Any, settings: Any, proven: Any
) -> None:
    available = earn(alice, bob, 7, USD(50_000))
    settings.PAYOUT_RESOLVE_HOURS = 24
    payout = asked_about(bob)
    path, second = f"{DESK}/payouts/{payout.pk}/resolve", Person(staff("admin"))
    assert finance.post(f"{path}/approve", {"reason": "r"}).json()["code"] == "payout_resolve_unasked"

    asked = finance.post(path, {"reason": "The portal knows none."})

    assert asked.status_code == 200
    assert (asked.json()["state"], asked.json()["resolution"]["asked_by"]["id"]) == ("sent", finance.user.pk)
    assert finance.get(f"{DESK}/payouts").json()["results"][0]["resolution"]["reason"] == "The portal knows none."
    assert second.post(path, {"reason": "r"}).json()["code"] == "payout_resolve_asked"
    assert (finance.post(f"{path}/approve", {"reason": "r"}).status_code, payout_state(payout)) == (403, "sent")
    done = second.post(f"{path}/approve", {"reason": "Read the same."}).json()
    assert (done["state"], done["failure_code"], done["resolution"]) == ("failed", "resolved_failed", None)
    assert selectors.balances_of(bob.pk)[0].available.minor == available
    acts = StaffAct.objects.filter(object_id=payout.pk, action="payout_decide").order_by("id")
    assert [(a.actor_id, a.field, a.before, a.after, a.reason) for a in acts] == [
        (finance.user.pk, "resolution", None, "failed", "The portal knows none."),
        (second.user.pk, "resolution", "failed", None, "Read the same."),
        (second.user.pk, "state", "sent", "failed", "Read the same."),
    ]
    assert second.post(f"{path}/approve", {"reason": "r"}).json()["code"] == "payout_resolve_impossible"
    proven()


def payout_state(payout: Payout) -> str:
    return Payout.objects.values_list("state", flat=True).get(pk=payout.pk)


def test_nobody_resolves_what_may_still_be_answered_or_is_their_own(
    finance: Person, alice: Any, bob: Any, earn: Any, settings: Any
) -> None:
    earn(alice, bob, 7, USD(50_000))
    payout = asked_about(bob)
    path = f"{DESK}/payouts/{payout.pk}/resolve"
    sent_at = payout.sent_at
    assert sent_at is not None
    Payout.objects.filter(pk=payout.pk).update(sent_at=clock.now() - timedelta(hours=settings.PAYOUT_RESOLVE_HOURS, seconds=-1))
    assert finance.post(path, {"reason": "r"}).json()["code"] == "payout_resolve_early"
    clock.advance(1)
    assert finance.post(path, {"reason": " "}).status_code == 400
    Payout.objects.filter(pk=payout.pk).update(payee=finance.user.pk)
    assert finance.post(path, {"reason": "r"}).json()["code"] == "payout_own"
    Payout.objects.filter(pk=payout.pk).update(payee=bob.pk)
    assert finance.post(path, {"reason": "r"}).status_code == 200
    assert finance.post(f"{path}/refuse", {"reason": "It is paid after all."}).json()["resolution"] is None
    assert payout_state(payout) == "sent"
    assert finance.post(f"{path}/refuse", {"reason": "r"}).json()["code"] == "payout_resolve_unasked"


def test_staff_who_may_agree_are_told_of_a_payout_to_resolve(finance: Person, staff: Any, alice: Any, bob: Any, earn: Any) -> None:
    earn(alice, bob, 7, USD(50_000))
    second, payout = staff("admin"), asked_about(bob)
    services.payout_resolve(actor=finance.user, payout_id=payout.pk, reason="The portal knows none.")
    event = Event.objects.get(kind="payout.resolve_ask")
    assert {n.user_id for n in notices(event)} == {second.pk}
    services.payout_resolve_approve(actor=second, payout_id=payout.pk, reason="r")
    assert notices(event) == []


# --- notifications
def notify(body: dict[str, Any], *, signature: str | None = None, raw: bytes | None = None) -> Any:
    sent = raw if raw is not None else json.dumps(body).encode()
    path = f"/api/v1/webhooks/sandbox/{sandbox.webhook_path_token()}"
    header = sandbox.sign(sent) if signature is None else signature
    return Person().client.post(path, sent, content_type="application/json", HTTP_SANDBOX_SIGNATURE=header)


def test_a_notification_that_failed_is_shown_without_names_and_replayed(
    finance: Person, alice: Any, pay: Any, proven: Any, django_capture_on_commit_callbacks: Any
) -> None:
    payment = pay(alice, USD(5_000), "tok_delayed")
    body = {"id": "evt_1", "type": "payment.succeeded", "object": "unheard", "customer": {"email": "a@example.org", "name": "Alice"}}
    assert notify(body).status_code == 200
    event = WebhookEvent.objects.get()
    services.webhook_handle(webhook_id=event.pk)
    (row,) = finance.get(f"{DESK}/webhooks", state="failed").json()["results"]
    assert (row["last_error"], row["state"]) == ("object_unknown", "failed")
    assert row["body"] == {"id": "evt_1", "type": "payment.succeeded", "object": "unheard", "customer": {"email": HIDDEN, "name": HIDDEN}}
    assert ids(finance, "webhooks", state="handled") == ids(finance, "webhooks", state="waiting") == []

    WebhookEvent.objects.update(object_ref=payment.provider_ref)  # by now the row is known by that name
    answer = finance.post(f"{DESK}/webhooks/{event.pk}/replay", {"reason": "It is known now."})
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    tasks.handle_webhook(event.pk)

    payment.refresh_from_db()
    assert (payment.state, ids(finance, "webhooks", state="handled")) == ("succeeded", [event.pk])
    act = StaffAct.objects.get(field="last_error")
    assert (act.action, act.before, act.after) == ("payment_query", "object_unknown", "")
    proven()


def test_a_replay_of_what_was_handled_moves_nothing_twice(finance: Person, alice: Any, pay: Any, proven: Any) -> None:
    payment = pay(alice, USD(5_000), "tok_delayed")
    notify({"id": "evt_1", "type": "payment.succeeded", "object": payment.provider_ref})
    event = WebhookEvent.objects.get()
    services.webhook_handle(webhook_id=event.pk)
    for _ in range(2):
        oversight.webhook_replay(actor=finance.user, webhook_id=event.pk, reason="again")
        tasks.handle_webhook(event.pk)
    assert Entry.objects.filter(kind="deposit").count() == 1
    with pytest.raises(InvalidInput):
        oversight.webhook_replay(actor=finance.user, webhook_id=event.pk, reason="")
    proven()


def test_a_fault_of_ours_is_among_what_failed(finance: Person, alice: Any, pay: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway whose answer our adapter cannot read: it waits for somebody, not for ever for its first handling."""

    def unreadable(self: Any, *, ref: str) -> None:
        raise KeyError("status")

    payment = pay(alice, USD(5_000), "tok_delayed")
    notify({"id": "evt_1", "type": "payment.succeeded", "object": payment.provider_ref})
    with monkeypatch.context() as broken:
        broken.setattr(sandbox.Sandbox, "fetch_payment", unreadable)
        with pytest.raises(KeyError):
            tasks.handle_webhook(WebhookEvent.objects.get().pk)
    (row,) = finance.get(f"{DESK}/webhooks", state="failed").json()["results"]
    assert (row["last_error"], ids(finance, "webhooks", state="waiting")) == ("unexpected: KeyError", [])
    tasks.handle_webhook(row["id"])
    assert ids(finance, "webhooks", state="handled") == [row["id"]]


def test_a_replay_whose_wake_up_was_lost_is_done_by_the_next_round_however_old_it_is(finance: Person, alice: Any, pay: Any) -> None:
    payment = pay(alice, USD(5_000), "tok_delayed")
    notify({"id": "evt_1", "type": "payment.succeeded", "object": "unheard"})
    event = WebhookEvent.objects.get()
    tasks.handle_webhook(event.pk)
    clock.advance(30 * 24 * 3600)
    WebhookEvent.objects.update(object_ref=payment.provider_ref)
    tasks.poll_unsettled()
    assert ids(finance, "webhooks", state="failed") == [event.pk], "after a week nobody tries it by themselves"
    oversight.webhook_replay(actor=finance.user, webhook_id=event.pk, reason="It is known now.")
    tasks.poll_unsettled()
    assert ids(finance, "webhooks", state="handled") == [event.pk]


def test_what_cannot_be_verified_is_noted_counted_and_never_handled(finance: Person) -> None:
    body = {"id": "evt_1", "type": "payment.succeeded", "object": "x", "card": "4242424242424242"}
    for _ in range(3):
        assert notify(body, signature="t=1,v1=" + "0" * 64).status_code == 400
    assert notify({}, raw=b"\xff not json").status_code == 400

    unreadable, unsigned = finance.get(f"{DESK}/webhook-refusals").json()["results"]
    assert (unsigned["code"], unsigned["times"], unsigned["body"]["card"]) == ("signature_invalid", 3, HIDDEN)
    assert (unreadable["code"], unreadable["body"]) == ("webhook_unreadable", None)
    assert not WebhookEvent.objects.exists()
    assert notify({}, signature="x").status_code == 400  # whoever does not know the path leaves nothing
    path = "/api/v1/webhooks/sandbox/nothing"
    before = WebhookRefusal.objects.count()
    assert Person().client.post(path, b"{}", content_type="application/json").status_code == 404
    assert WebhookRefusal.objects.count() == before


def test_a_flood_of_them_is_only_counted(settings: Any) -> None:
    settings.WEBHOOK_REFUSALS_A_DAY = 3
    for n in range(10):
        notify({"n": n}, signature="x")
    assert WebhookRefusal.objects.count() == 4
    assert WebhookRefusal.objects.get(digest="").times == 7


# --- what rules found
def test_what_rules_found_is_listed_and_counted(finance: Person, alice: Any, bob: Any) -> None:
    now = clock.now()

    def found(n: int, **more: Any) -> int:
        return RiskHold.objects.create(subject_id=n, opened_at=now, **({"user": bob, "act": "payout", "rule": "small_payments"} | more)).pk

    held, counted, wrong, card = (
        found(1),
        found(2, shadow=True),
        found(3, state="released", decided_at=now),
        found(4, rule="card_testing", act="payment", user=alice),
    )
    assert ids(finance, "risk-holds") == [card, wrong, counted, held]
    assert ids(finance, "risk-holds", shadow="true") == [counted]
    assert ids(finance, "risk-holds", state="released") == [wrong]
    assert ids(finance, "risk-holds", rule="card_testing", person=alice.pk) == [card]
    cards, small = finance.get(f"{DESK}/risk-figures").json()["results"]
    assert (cards["rule"], cards["open"]) == ("card_testing", 1)
    assert [small[k] for k in ("counted", "open", "released", "refused", "lapsed")] == [1, 1, 1, 0, 0]
    assert [h["id"] for h in Person(bob).get("me/risk-holds").json()["results"]] == [wrong, held]  # shadow is nobody's to know


# --- names are taken out
def test_only_what_is_known_to_name_nobody_is_shown() -> None:
    body = {
        "id": "evt_1",
        "amount": 500,
        "livemode": False,
        "status": "bob@example.org",
        "reason": "call +254712345678",
        "Body": {"stkCallback": {"ResultCode": 0, "PhoneNumber": 254712345678, "Item": [{"Name": "x", "Value": 254712345678}]}},
        "number": "4242424242424242",
        "a key with spaces bob@example.org": 1,
        "nothing": None,
        "payer": {"given_name": "Bob", "postcode": "10115"},
    }
    shown = redacted(body)
    assert (shown["id"], shown["amount"], shown["livemode"], shown["nothing"]) == ("evt_1", 500, False, None)
    assert shown["Body"]["stkCallback"]["ResultCode"] == 0
    text = json.dumps(shown)
    for secret in ("example.org", "254712345678", "4242", "Bob", "10115"):
        assert secret not in text


def test_where_somebody_lives_is_not_shown_though_the_state_of_things_is() -> None:
    address = {"country": "US", "state": "Ohio", "id": "a1", "lines": [{"value": "12"}]}
    body = {"state": "completed", "payer": {"shipping_address": address}, "billing_details": {"Address": address}}

    shown = redacted(body)

    hidden = {"country": HIDDEN, "state": HIDDEN, "id": HIDDEN, "lines": [{"value": HIDDEN}]}
    assert shown == {"state": "completed", "payer": {"shipping_address": hidden}, "billing_details": {"Address": hidden}}


def test_a_deep_or_long_body_is_cut() -> None:
    deep: Any = "end"
    for _ in range(40):
        deep = {"object": deep}
    assert "end" not in json.dumps(redacted(deep))
    assert redacted_bytes(b"[" * 100_000) is None
    assert redacted_bytes(b"{" + b" " * 70_000 + b"}") is None
    assert len(redacted(list(range(5_000)))) == 200
