"""Places to be paid, the smallest payout, and payouts that come by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from marketplace.core import clock, features
from marketplace.core.errors import Conflict, InvalidInput, NotFound
from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.notifications.models import InboxItem
from marketplace.payments import payout_methods, payout_rounds, selectors, services, tasks
from marketplace.payments.iban import iban_of
from marketplace.payments.models import Payout, PayoutMethod, PayoutSchedule, RiskHold
from tests.webapp.payments.places import connected
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def still(time_machine: Any) -> None:
    """Time goes on only where a test says so."""
    time_machine.move_to(datetime(2026, 11, 4, 12, tzinfo=UTC), tick=False)


DAY = 24 * 3600
IBAN = "DE89 3704 0044 0532 0130 00"


def USD(minor: int) -> Money:
    return Money(minor, "USD")


def ask(user: Any, minor: int, key: str = "p", **more: Any) -> Payout:
    return services.payout_request(actor=user, amount=USD(minor), idempotency_key=key, **({"method": {"token": "bank_ok"}} | more))


@pytest.fixture
def rich_bob(alice: Any, bob: Any, earn: Any) -> Any:
    earn(alice, bob, 7, USD(100_000))
    return bob


# --- what is a place
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (IBAN, "DE89370400440532013000"),
        ("gb82 west 1234 5698 7654 32", "GB82WEST12345698765432"),
        ("NO9386011117947", "NO9386011117947"),
        ("DE89 3704 0044 0532 0130 01", None),  # one digit is wrong
        ("DE89 3704 0044 0532 1030 00", None),  # two changed places
        ("DE89 3704 0044 0532 0130 0", None),  # too short for its country
        ("XX89370400440532013000", None),
        ("", None),
        ("D" * 65, None),
        ("د٨٩٣٧٠٤٠٠٤٤٠٥٣٢٠١٣٠٠٠", None),
        (12, None),
    ],
    ids=["spaces", "lower", "short-country", "wrong-digit", "swapped", "too-short", "no-country", "empty", "long", "digits", "number"],
)
def test_an_iban_is_kept_whole_or_refused(given: object, kept: str | None) -> None:
    assert iban_of(given) == kept


def test_a_place_that_is_none_is_refused_with_what_is_wrong(bob: Any) -> None:
    for method, field in (({"iban": "DE00"}, "method.iban"), ({"token": "nothing"}, "method.token"), ({}, "method.token")):
        with pytest.raises(InvalidInput) as refusal:
            services.payout_method_add(actor=bob, provider="sandbox", method=method)
        assert field in refusal.value.fields
    with pytest.raises(InvalidInput, match="provider_unknown"):
        services.payout_method_add(actor=bob, provider="bank of nowhere", method={"iban": IBAN})
    assert not PayoutMethod.objects.exists()


@pytest.mark.parametrize(
    ("provider", "details", "label"),
    [
        ("sandbox", {"iban": "DE89370400440532013000"}, "IBAN DE… 3000"),
        ("mpesa", {"phone": "254712345678"}, "+254 … 678"),
        ("paypal", {"email": "bob@example.org"}, "b…@example.org"),
        ("stripe", {"account": "acct_1ABCDEF"}, "stripe … CDEF"),
    ],
)
def test_a_label_shows_too_little_to_be_used(provider: str, details: dict[str, str], label: str) -> None:
    assert payout_methods.label_of(provider, details) == label


# --- the wait after a change
def test_the_first_place_is_usable_at_once_and_another_waits_and_its_owner_is_told(bob: Any) -> None:
    bob.language = "de"
    bob.save()
    first = services.payout_method_add(actor=bob, provider="sandbox", method={"token": "bank_ok"})
    second = services.payout_method_add(actor=bob, provider="sandbox", method={"iban": IBAN})

    assert first.usable_at == first.added_at
    assert second.usable_at == second.added_at + timedelta(hours=72)
    drain()
    told = InboxItem.objects.get(user=bob)
    assert told.text.startswith("Ein neues Auszahlungsziel wurde hinzugefügt: IBAN DE… 3000.")


def test_the_same_place_is_one_row_and_added_again_after_a_removal_it_waits_again(bob: Any) -> None:
    services.payout_method_add(actor=bob, provider="sandbox", method={"token": "bank_ok"})
    row = services.payout_method_add(actor=bob, provider="sandbox", method={"iban": IBAN})
    assert services.payout_method_add(actor=bob, provider="sandbox", method={"iban": IBAN.replace(" ", "")}).pk == row.pk
    clock.advance(10 * DAY)
    services.payout_method_remove(actor=bob, method_id=row.pk)
    with pytest.raises(NotFound):
        services.payout_method_remove(actor=bob, method_id=row.pk)

    again = services.payout_method_add(actor=bob, provider="sandbox", method={"iban": IBAN})

    assert (again.pk, again.usable_at) == (row.pk, clock.now() + timedelta(hours=72))


def test_a_place_that_was_not_saved_counts_as_added_now(rich_bob: Any) -> None:
    """Otherwise whoever took over an account would just not save it."""
    services.payout_method_add(actor=rich_bob, provider="sandbox", method={"token": "bank_ok"})
    clock.advance(10 * DAY)
    assert ask(rich_bob, 2_000).hold_reason == "first_payout"
    assert ask(rich_bob, 2_000, "q", method={"iban": IBAN}).hold_reason == "method_new"


def test_places_of_earlier_payouts_are_known(rich_bob: Any) -> None:
    ask(rich_bob, 2_000)
    clock.advance(DAY)
    tasks.poll_unsettled()
    PayoutMethod.objects.all().delete()  # as for money that was paid before places were kept

    assert ask(rich_bob, 2_000, "q").state == "requested"
    assert ask(rich_bob, 2_000, "r", method={"iban": IBAN}).hold_reason == "method_new"


def test_the_later_of_two_waits_counts(rich_bob: Any) -> None:
    services.payout_method_add(actor=rich_bob, provider="sandbox", method={"token": "bank_ok"})
    payout = ask(rich_bob, 2_000, method={"iban": IBAN})
    assert (payout.hold_reason, payout.held_until) == ("method_new", payout.created_at + timedelta(hours=72))


def test_without_a_wait_only_the_first_payout_waits(rich_bob: Any, staff: Any) -> None:
    features.put(actor=staff("admin"), name="PAYOUT_METHOD_WAIT_HOURS", value=0, reason="trying")
    services.payout_method_add(actor=rich_bob, provider="sandbox", method={"token": "bank_ok"})
    assert ask(rich_bob, 2_000, method={"iban": IBAN}).hold_reason == "first_payout"


def test_twenty_places_are_enough(bob: Any, settings: Any) -> None:
    PayoutMethod.objects.bulk_create(
        PayoutMethod(user=bob, provider="sandbox", state="ready", digest=str(n), added_at=clock.now(), usable_at=clock.now())
        for n in range(20)
    )
    with pytest.raises(Conflict, match="payout_methods_many"):
        services.payout_method_add(actor=bob, provider="sandbox", method={"iban": IBAN})


def test_nobody_uses_another_ones_place(alice: Any, rich_bob: Any) -> None:
    hers = services.payout_method_add(actor=alice, provider="sandbox", method={"iban": IBAN})
    answer = Person(rich_bob).post("me/payouts", {"amount_minor": 2_000, "currency": "USD", "method_id": hers.pk})
    assert answer.status_code == 404
    with pytest.raises(NotFound):
        services.payout_schedule_put(actor=rich_bob, currency="USD", pace="weekly", method_id=hers.pk)
    assert Person(rich_bob).delete(f"me/payout-methods/{hers.pk}").status_code == 404


def test_a_place_that_was_never_paid_to_is_another_one_too(rich_bob: Any) -> None:
    services.payout_method_add(actor=rich_bob, provider="sandbox", method={"token": "bank_delayed"})
    clock.advance(10 * DAY)
    payout = ask(rich_bob, 2_000, method={"iban": IBAN})
    assert (payout.hold_reason, payout.held_until) == ("method_new", payout.created_at + timedelta(hours=72))


def test_of_several_places_one_is_the_default_and_a_new_one_never_takes_its_place(rich_bob: Any) -> None:
    tokens = ("bank_ok", "bank_delayed", "bank_closed")
    first, second, third = (services.payout_method_add(actor=rich_bob, provider="sandbox", method={"token": t}) for t in tokens)
    person = Person(rich_bob)
    listed = lambda: [(p["id"], p["is_default"]) for p in person.get("me/payout-methods").json()["results"]]  # noqa: E731
    assert listed() == [(first.pk, True), (second.pk, False), (third.pk, False)]

    assert person.post(f"me/payout-methods/{third.pk}/default").status_code == 200
    assert listed() == [(third.pk, True), (first.pk, False), (second.pk, False)]
    assert person.delete(f"me/payout-methods/{third.pk}").status_code == 204
    # the oldest that is left
    assert listed() == [(first.pk, True), (second.pk, False)]


def test_nobody_names_an_account_into_the_list_of_a_gateway_that_asks_itself(rich_bob: Any, settings: Any) -> None:
    settings.PAYMENT_CREDENTIALS = STRIPE
    body = {"provider": "stripe", "method": {"account": "acct_1ABCDEFGHIJKLMNO"}, "country": "DE"}
    begun = services.payout_method_add(actor=rich_bob, **body)
    assert (begun.state, begun.details, begun.ref, begun.is_default) == ("onboarding", {}, None, False)
    with pytest.raises(Conflict, match="payout_method_not_ready"):
        payout_methods.place_of(rich_bob, begun.pk)
    with pytest.raises(Conflict, match="payout_method_not_ready"):
        services.payout_method_default(actor=rich_bob, method_id=begun.pk)
    # what was begun and left is none beside which another one waits
    assert services.payout_method_add(actor=rich_bob, provider="sandbox", method={"iban": IBAN}).usable_at == clock.now()
    services.payout_method_remove(actor=rich_bob, method_id=begun.pk)
    again = services.payout_method_add(actor=rich_bob, **body)
    assert (again.pk, again.state, again.removed_at) == (begun.pk, "onboarding", None)


# --- a place that is no more
def test_the_owner_stops_what_whoever_took_the_account_over_asked_for(alice: Any, rich_bob: Any, earn: Any, proven: Any) -> None:
    """The message says: if it was not you, remove it. Then nothing goes there any more."""
    mine = services.payout_method_add(actor=rich_bob, provider="sandbox", method={"token": "bank_ok"})
    clock.advance(10 * DAY)
    earn(alice, rich_bob, 8, USD(100_000))
    stolen = ask(rich_bob, 150_000, method={"iban": IBAN})
    due = ask(rich_bob, 2_000, "q")
    assert stolen.state == "held" and RiskHold.objects.filter(subject_id=stolen.pk, act="payout", state="open").exists()
    theirs = payout_methods.methods_of(rich_bob.pk).exclude(pk=mine.pk).get()

    assert Person(rich_bob).delete(f"me/payout-methods/{theirs.pk}").status_code == 204

    for payout in (stolen, due):
        payout.refresh_from_db()
    assert (stolen.state, stolen.failure_code, due.state) == ("failed", "method_removed", "held")
    assert not RiskHold.objects.filter(subject_id=stolen.pk, act="payout", state="open").exists()
    clock.advance(100 * DAY)
    tasks.poll_unsettled()
    stolen.refresh_from_db()
    due.refresh_from_db()
    assert (stolen.state, due.state) == ("failed", "paid")
    assert [b.available.minor for b in selectors.balances_of(rich_bob.pk)] == [178_000]
    proven()


def test_what_was_sent_goes_on_when_its_place_is_removed(rich_bob: Any) -> None:
    payout = ask(rich_bob, 2_000, method={"token": "bank_delayed"})
    clock.advance(DAY)
    assert services.payout_send(payout_id=payout.pk).state == "sent"
    services.payout_method_remove(actor=rich_bob, method_id=payout_methods.methods_of(rich_bob.pk).get().pk)
    payout.refresh_from_db()
    assert payout.state == "sent"


STRIPE = {"stripe": {"secret_key": "sk_test_x", "webhook_secrets": "whsec_x", "path_token": "p"}}


@pytest.mark.parametrize("wrong", ["nobody's", "restricted", "removed", "another's"])
def test_stripe_pays_only_to_an_own_account_that_is_ready(alice: Any, rich_bob: Any, settings: Any, wrong: str) -> None:
    settings.PAYMENT_CREDENTIALS = STRIPE
    method = {"account": "acct_1ABCDEFGHIJKLMNO"}
    if wrong != "nobody's":
        owner, state = alice if wrong == "another's" else rich_bob, wrong if wrong in ("restricted", "removed") else "ready"
        row = connected(owner, method["account"], state=state, removed_at=clock.now() if wrong == "removed" else None)

    with pytest.raises(Conflict, match="payout_method_not_ready"):
        ask(rich_bob, 2_000, provider="stripe", method=method)

    if wrong == "nobody's":
        row = connected(rich_bob, method["account"])
    row.user, row.state, row.removed_at = rich_bob, "ready", None
    row.save()
    assert ask(rich_bob, 2_000, provider="stripe", method=method).state == "held"


def test_a_place_that_is_removed_takes_its_schedule_and_what_waits_with_it(rich_bob: Any) -> None:
    row = schedule(rich_bob, place={"token": "bank_delayed"})
    waiting = ask(rich_bob, 2_000, method={"token": "bank_delayed"})

    services.payout_method_remove(actor=rich_bob, method_id=row.method_id)

    waiting.refresh_from_db()
    assert (waiting.state, waiting.failure_code, payout_methods.methods_of(rich_bob.pk).count()) == ("failed", "method_removed", 0)
    to_its_time(row)
    tasks.run_schedules()
    row.refresh_from_db()
    assert row.last_result == "payout_method_missing"


@pytest.mark.parametrize("named", [{"email": "bob@example.org"}, {"phone": "+254712345678"}, {"account": "acct_1ABCDEFGHIJKLMNO"}])
def test_a_place_of_another_gateway_is_saved_before_a_payout_names_it(rich_bob: Any, named: dict[str, str]) -> None:
    refused = Person(rich_bob).post("me/payouts", {"amount_minor": 2_000, "currency": "USD", "method": named})
    assert (refused.status_code, refused.json()["code"], list(refused.json()["fields"])) == (400, "payout_place_unsaved", ["method_id"])
    assert not Payout.objects.exists()


def test_without_the_sandbox_every_place_is_saved_first(rich_bob: Any, settings: Any) -> None:
    person, body = Person(rich_bob), {"amount_minor": 2_000, "currency": "USD", "method": {"token": "bank_ok"}}
    settings.PAYMENT_CREDENTIALS, settings.PAYMENT_PROVIDERS = STRIPE, ["stripe"]
    assert person.post("me/payouts", body).json()["code"] == "payout_place_unsaved"
    settings.PAYMENT_PROVIDERS = ["sandbox", "stripe"]
    assert person.post("me/payouts", body).status_code == 201


def test_a_payout_that_names_no_place_goes_to_the_default_one(rich_bob: Any, settings: Any) -> None:
    person, body = Person(rich_bob), {"amount_minor": 2_000, "currency": "USD"}
    settings.PAYMENT_CREDENTIALS = STRIPE
    refused = person.post("me/payouts", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "payout_place_missing")
    assert not Payout.objects.exists()
    services.payout_method_add(actor=rich_bob, provider="sandbox", method={"token": "bank_delayed"})

    assert person.post("me/payouts", body).status_code == 201

    assert Payout.objects.get().method == {"token": "bank_delayed"}


# --- the smallest payout
def test_less_than_the_smallest_payout_is_possible_once_a_month(rich_bob: Any) -> None:
    assert ask(rich_bob, 999).state == "held"  # the only one in thirty days
    with pytest.raises(InvalidInput, match="payout_below_minimum") as refusal:
        ask(rich_bob, 999, "q")
    assert "10.00" in refusal.value.message
    assert ask(rich_bob, 1_000, "r").state == "held"
    clock.advance(30 * DAY)
    assert ask(rich_bob, 999, "s").amount_minor == 999


def test_a_currency_without_rates_has_no_smallest_payout() -> None:
    assert payout_methods.least("XTS") is None


# --- failures
@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "en",
            "Your payout of 50.00 USD failed; the money is on your available balance again. The account that it was to go to is closed.",
        ),
        ("de", "Ihre Auszahlung von 50.00 USD ist fehlgeschlagen; das Geld ist wieder in Ihrem verfügbaren Guthaben. Das Konto, an das"),
    ],
)
def test_a_failed_payout_tells_the_payee_why(rich_bob: Any, language: str, text: str) -> None:
    rich_bob.language = language
    rich_bob.save()
    ask(rich_bob, 5_000, method={"token": "bank_closed"})
    clock.advance(DAY)
    tasks.poll_unsettled()
    drain()
    assert InboxItem.objects.filter(user=rich_bob, kind="payout.fail").get().text.startswith(text)
    shown = Person(rich_bob).get("me/payouts").json()["results"][0]
    assert (shown["state"], shown["failure_code"], shown["failure_words"][:11]) == ("failed", "account_closed", "The account")


# --- by itself
def schedule(user: Any, pace: str = "weekly", place: Any = None, **more: Any) -> PayoutSchedule:
    place = services.payout_method_add(actor=user, provider="sandbox", method=place or {"token": "bank_ok"})
    return services.payout_schedule_put(actor=user, currency="USD", pace=pace, method_id=place.pk, **more)


@pytest.mark.parametrize(
    ("pace", "after", "next_at"),
    [
        ("weekly", datetime(2026, 11, 2, 5, 59, 59, tzinfo=UTC), datetime(2026, 11, 2, 6, tzinfo=UTC)),
        ("weekly", datetime(2026, 11, 2, 6, tzinfo=UTC), datetime(2026, 11, 9, 6, tzinfo=UTC)),
        ("weekly", datetime(2026, 11, 8, 23, 59, tzinfo=UTC), datetime(2026, 11, 9, 6, tzinfo=UTC)),
        ("monthly", datetime(2026, 12, 1, 5, 59, tzinfo=UTC), datetime(2026, 12, 1, 6, tzinfo=UTC)),
        ("monthly", datetime(2026, 12, 1, 6, tzinfo=UTC), datetime(2027, 1, 1, 6, tzinfo=UTC)),
        ("monthly", datetime(2027, 1, 31, 12, tzinfo=UTC), datetime(2027, 2, 1, 6, tzinfo=UTC)),
        ("manual", datetime(2027, 1, 31, 12, tzinfo=UTC), None),
    ],
    ids=["monday-before", "monday-at", "sunday", "first-before", "first-at", "long-month", "manual"],
)
def test_rounds_are_on_mondays_and_on_the_first(pace: str, after: datetime, next_at: datetime | None) -> None:
    assert payout_rounds.next_round(pace, after) == next_at


def test_the_whole_balance_is_asked_for_at_its_time_and_once(rich_bob: Any, proven: Any) -> None:
    row = schedule(rich_bob)
    clock.advance(int((row.next_at - clock.now()).total_seconds()) - 1)
    assert tasks.run_schedules() == 0
    clock.advance(2)
    assert (tasks.run_schedules(), tasks.run_schedules()) == (1, 0)
    payout = Payout.objects.get()
    assert (payout.amount_minor, payout.state, payout.hold_reason) == (90_000, "held", "first_payout")
    row.refresh_from_db()
    assert (row.last_result, row.next_at - row.last_at > timedelta(days=6)) == ("requested", True)
    proven()


def to_its_time(row: PayoutSchedule) -> None:
    clock.advance(int((row.next_at - clock.now()).total_seconds()) + 1)


def test_too_little_waits_for_the_next_time_and_the_payee_is_told(rich_bob: Any) -> None:
    row = schedule(rich_bob, least_minor=90_001)
    to_its_time(row)
    assert tasks.run_schedules() == 1
    assert not Payout.objects.exists()
    drain()
    told = InboxItem.objects.get(user=rich_bob, kind="payout_schedule.skip").text
    assert told == ("Your planned payout in USD was not made this time. There was less on your balance than the least that you chose.")
    (shown,) = Person(rich_bob).get("me/payout-schedules").json()["results"]
    assert (shown["last_result"], shown["last_words"][:14]) == ("too_little", "There was less")


def test_a_removed_place_keeps_the_money_here(rich_bob: Any) -> None:
    row = schedule(rich_bob)
    services.payout_method_remove(actor=rich_bob, method_id=row.method_id)
    to_its_time(row)
    tasks.run_schedules()
    row.refresh_from_db()
    assert (row.last_result, Payout.objects.count()) == ("payout_method_missing", 0)


def test_a_round_waits_while_payouts_are_closed_and_is_made_up_for_once(rich_bob: Any, staff: Any) -> None:
    row = schedule(rich_bob)
    admin = staff("admin")
    features.put(actor=admin, name="PAYOUTS_OPEN", value=False, reason="the bank is away")
    to_its_time(row)
    assert tasks.run_schedules() == 0
    clock.advance(20 * DAY)
    features.put(actor=admin, name="PAYOUTS_OPEN", value=True, reason="it is back")
    assert (tasks.run_schedules(), tasks.run_schedules(), Payout.objects.count()) == (1, 0, 1)


@pytest.mark.parametrize(
    ("gross", "asked", "result"),
    [(100_050, [90_000], "requested"), (30_000_000, [25_000_000], "requested"), (1_100, [], "payout_below_minimum")],
    ids=["cents", "more-than-at-once", "too-little"],
)
def test_a_round_asks_for_what_the_gateway_can_move(
    alice: Any, bob: Any, earn: Any, settings: Any, gross: int, asked: list[int], result: str
) -> None:
    given = ("consumer_key", "consumer_secret", "short_code", "passkey", "callback_secret", "callback")
    settings.PAYMENT_CREDENTIALS = {"mpesa": dict.fromkeys((*given, "initiator", "initiator_password", "certificate"), "x")}
    settings.PAYOUT_LEAST_USD_MINOR = 1
    assert earn(alice, bob, 7, Money(gross, "KES")) == gross * 9 // 10
    place = services.payout_method_add(actor=bob, provider="mpesa", method={"phone": "0712345678"}, country="KE")
    row = services.payout_schedule_put(actor=bob, currency="KES", pace="weekly", method_id=place.pk)
    to_its_time(row)

    tasks.run_schedules()

    row.refresh_from_db()
    assert row.last_result == result
    assert list(Payout.objects.values_list("amount_minor", flat=True)) == asked


def test_an_empty_balance_is_no_news(bob: Any) -> None:
    row = schedule(bob)
    to_its_time(row)
    assert tasks.run_schedules() == 1
    drain()
    assert not InboxItem.objects.filter(user=bob).exists()


def test_a_suspended_persons_round_waits(rich_bob: Any, staff: Any) -> None:
    from marketplace.accounts.services import user_suspend

    row = schedule(rich_bob)
    user_suspend(actor=staff("admin"), user_id=rich_bob.pk, reason="r")
    to_its_time(row)
    assert tasks.run_schedules() == 0
    assert not Payout.objects.exists()


def test_by_hand_there_is_no_round(rich_bob: Any) -> None:
    schedule(rich_bob)
    services.payout_schedule_put(actor=rich_bob, currency="USD", pace="manual")
    clock.advance(100 * DAY)
    assert tasks.run_schedules() == 0


def test_a_pace_needs_a_place_that_takes_the_currency(bob: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        services.payout_schedule_put(actor=bob, currency="USD", pace="weekly")
    assert "method_id" in refusal.value.fields
    with pytest.raises(InvalidInput):
        services.payout_schedule_put(actor=bob, currency="XXX", pace="manual")
    assert mail.outbox == []
