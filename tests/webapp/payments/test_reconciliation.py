"""A day against the gateway's own books: what agrees, what differs, and what people do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from marketplace.core.errors import Conflict, InvalidInput, NotAllowed
from marketplace.core.models import Event, StaffAct
from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.core.transactions import run_in_transaction
from marketplace.notifications.models import InboxItem
from marketplace.payments import services, tasks
from marketplace.payments.ledger import accounts
from marketplace.payments.ledger.post import Line, post
from marketplace.payments.models import (
    Account,
    Difference,
    Entry,
    Payment,
    Posting,
    ProcessorFile,
    ProviderLine,
    ReconciliationRun,
    SandboxObject,
)
from marketplace.payments.providers import sandbox
from marketplace.payments.providers.base import Movement
from marketplace.payments.reconciliation import reading, runs

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 2)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
USD = Callable[[int], Money]


def usd(minor: int) -> Money:
    return Money(minor, "USD")


@pytest.fixture(autouse=True)
def at_noon(time_machine: Any) -> Any:
    time_machine.move_to(NOON, tick=False)
    return time_machine


def compared(time_machine: Any, day: date = DAY, provider: str = "sandbox") -> ReconciliationRun:
    """The day's run, made on the morning after the next one, when nothing of it is in flight any more."""
    time_machine.move_to(runs.end_of(day) + timedelta(days=1, hours=7), tick=False)
    services.reconcile(provider=provider, day=day)
    return services.reconcile(provider=provider, day=day + timedelta(days=1))


def total(run: ReconciliationRun, currency: str = "USD") -> dict[str, Any]:
    return run.totals.values("provider_minor", "ledger_minor", "differences_minor", "unexplained_minor", "matched", "differences").get(
        currency=currency
    )


def one(**values: Any) -> Difference:
    return Difference.objects.exclude(live_key=None).get(**values)


def clearing_of(currency: str = "USD", provider: str = "sandbox") -> int:
    account = Account.objects.get(key=f"clearing:{provider}:{currency}")
    debit = sum(Posting.objects.filter(debit_account=account).values_list("amount", flat=True))
    return debit - sum(Posting.objects.filter(credit_account=account).values_list("amount", flat=True))


# --- a day


def test_a_day_on_which_both_sides_agree_leaves_nothing(alice: Any, bob: Any, pay: Any, earn: Any, at_noon: Any, proven: Any) -> None:
    pay(alice, usd(5_000))
    earn(alice, bob, 1, usd(10_000))
    pay(alice, usd(700), token="tok_declined")
    run = compared(at_noon)
    assert run.state == "finished"
    assert total(run) == {
        "provider_minor": 15_000,
        "ledger_minor": 15_000,
        "differences_minor": 0,
        "unexplained_minor": 0,
        "matched": 2,
        "differences": 0,
    }
    assert Difference.objects.count() == 0
    proven()


def test_a_day_twice_is_once(alice: Any, pay: Any, at_noon: Any) -> None:
    pay(alice, usd(5_000))
    sandbox.other("sbx_charge_1", usd(-1_200))
    first = compared(at_noon)
    rows = [list(model.objects.order_by("pk").values()) for model in (ProviderLine, Difference, Event)]
    again = services.reconcile(provider="sandbox", day=first.day)
    assert again.pk == first.pk
    assert [list(model.objects.order_by("pk").values()) for model in (ProviderLine, Difference, Event)] == rows


def test_what_only_the_gateway_has_is_missing_with_us(alice: Any, pay: Any, at_noon: Any) -> None:
    pay(alice, usd(5_000))
    sandbox.other("sbx_charge_1", usd(-1_200), fee=50)
    run = compared(at_noon)
    assert total(run)["differences_minor"] == total(run)["provider_minor"] - total(run)["ledger_minor"] == -1_250
    found = one()
    assert (found.kind, found.state, found.effect_minor, found.theirs_minor, found.ours_minor) == (
        "missing_with_us",
        "open",
        -1_250,
        -1_250,
        None,
    )
    assert (found.item, found.since, found.owner_id) == ("line:sbx_charge_1:moved", NOON, None)


def test_what_only_we_have_is_missing_with_them(alice: Any, pay: Any, at_noon: Any) -> None:
    payment = pay(alice, usd(5_000))
    SandboxObject.objects.all().delete()
    run = compared(at_noon)
    found = one()
    assert (found.kind, found.item, found.effect_minor, found.theirs_minor, found.ours_minor) == (
        "missing_with_them",
        f"payment:{payment.pk}",
        -5_000,
        None,
        5_000,
    )
    assert total(run)["unexplained_minor"] == 0


def test_another_amount_and_another_fee_are_two_differences(alice: Any, pay: Any, at_noon: Any) -> None:
    payment = pay(alice, usd(5_000))
    SandboxObject.objects.update(amount_minor=4_990, fee_minor=30)
    run = compared(at_noon)
    found = {d.kind: (d.effect_minor, d.theirs_minor, d.ours_minor) for d in Difference.objects.filter(item=f"payment:{payment.pk}")}
    assert found == {"amount_differs": (-10, 4_990, 5_000), "fee_differs": (-30, 30, 0)}
    assert total(run)["differences_minor"] == -40 == total(run)["provider_minor"] - total(run)["ledger_minor"]


def test_another_currency_is_told_on_both_sides(alice: Any, pay: Any, at_noon: Any) -> None:
    pay(alice, usd(5_000))
    SandboxObject.objects.update(amount_minor=4_600, currency="EUR")
    compared(at_noon)
    found = {d.currency: (d.kind, d.effect_minor, d.other_currency) for d in Difference.objects.all()}
    assert found == {"USD": ("currency_differs", -5_000, "EUR"), "EUR": ("currency_differs", 4_600, "USD")}


def test_days_that_lie_far_apart_are_told_and_move_nothing(alice: Any, pay: Any, at_noon: Any, staff: Any) -> None:
    pay(alice, usd(5_000))
    SandboxObject.objects.update(moved_at=NOON - timedelta(days=2, seconds=1))
    run = compared(at_noon)
    found = one()
    assert (found.kind, found.effect_minor, total(run)["matched"]) == ("date_shifted", 0, 1)
    services.difference_explain(actor=staff("finance"), difference_id=found.pk, reason="Their night run.")
    services.reconcile(provider="sandbox", day=run.day)
    assert Difference.objects.values_list("state", "live_key").get() == ("explained", None)


def test_two_days_apart_are_not_shifted(alice: Any, pay: Any, at_noon: Any) -> None:
    pay(alice, usd(5_000))
    SandboxObject.objects.update(moved_at=NOON - timedelta(days=2))
    compared(at_noon)
    assert Difference.objects.count() == 0


def test_what_is_younger_than_a_day_is_in_flight(alice: Any, pay: Any, at_noon: Any) -> None:
    sandbox.other("sbx_charge_1", usd(-1_200))
    at_noon.move_to(datetime(2026, 11, 3, 7, tzinfo=UTC), tick=False)
    run = services.reconcile(provider="sandbox", day=DAY)
    row = run.totals.get()
    assert (row.in_flight, row.in_flight_minor, row.differences, row.unexplained_minor, Difference.objects.count()) == (1, -1_200, 0, 0, 0)


def test_the_edge_of_being_in_flight(at_noon: Any) -> None:
    """A movement at midnight is a day old at the day's end."""
    at_noon.move_to(datetime(2026, 11, 2, tzinfo=UTC), tick=False)
    sandbox.other("old_enough", usd(-1))
    at_noon.move_to(datetime(2026, 11, 2, 0, 0, 0, 1, tzinfo=UTC), tick=False)
    sandbox.other("too_young", usd(-2))
    at_noon.move_to(datetime(2026, 11, 3, 7, tzinfo=UTC), tick=False)
    services.reconcile(provider="sandbox", day=DAY)
    assert list(Difference.objects.values_list("item", flat=True)) == ["line:old_enough:moved"]


def test_news_that_come_after_all_close_a_difference(alice: Any, pay: Any, at_noon: Any) -> None:
    pay(alice, usd(5_000))
    theirs = list(SandboxObject.objects.all())
    SandboxObject.objects.all().delete()
    run = compared(at_noon)
    found = one()
    SandboxObject.objects.bulk_create(theirs)
    run = services.reconcile(provider="sandbox", day=run.day)
    found.refresh_from_db()
    assert (found.state, found.live_key, total(run)["unexplained_minor"]) == ("matched", None, 0)
    assert Event.objects.filter(kind="difference.match", aggregate_id=found.pk).count() == 1


def test_a_balance_that_the_list_does_not_explain_is_a_difference_of_its_own(alice: Any, pay: Any, at_noon: Any) -> None:
    """What was at the gateway before anything was read."""
    at_noon.move_to(NOON - timedelta(days=100), tick=False)
    sandbox.other("long_ago", usd(900))
    at_noon.move_to(NOON, tick=False)
    pay(alice, usd(5_000))
    run = compared(at_noon)
    found = one()
    assert (found.kind, found.item, found.effect_minor) == ("balance_differs", "balance", 900)
    assert total(run)["unexplained_minor"] == 900
    services.reconcile(provider="sandbox", day=run.day)
    assert Difference.objects.count() == 1


def test_a_chargeback_at_the_sandbox_agrees_when_it_is_posted_and_not_before(alice: Any, pay: Any, at_noon: Any) -> None:
    payment = pay(alice, usd(5_000))
    sandbox.change(payment.provider_ref, "charged_back")
    run = compared(at_noon)
    assert (one().kind, one().effect_minor) == ("amount_differs", -5_000)
    services.payment_refresh(payment_id=payment.pk)
    at_noon.move_to(runs.end_of(DAY) + timedelta(days=3, hours=7), tick=False)
    services.reconcile(provider="sandbox", day=DAY + timedelta(days=3))
    assert Difference.objects.exclude(live_key=None).values_list("kind", flat=True).first() in (None, "date_shifted")
    assert run.pk


def test_a_payout_and_its_return_are_one_item(alice: Any, bob: Any, earn: Any, at_noon: Any) -> None:
    earn(alice, bob, 1, usd(10_000))
    payout = services.payout_request(actor=bob, amount=usd(4_000), method={"token": "bank_ok"}, idempotency_key="p")
    at_noon.shift(timedelta(days=1, minutes=1))
    services.payout_send(payout_id=payout.pk)
    payout.refresh_from_db()
    assert payout.state == "paid"
    run = compared(at_noon, DAY + timedelta(days=1))
    assert (total(run)["provider_minor"], total(run)["ledger_minor"], Difference.objects.count()) == (6_000, 6_000, 0)


def test_a_gateway_that_does_not_answer_is_asked_again(at_noon: Any, monkeypatch: pytest.MonkeyPatch, alice: Any, pay: Any) -> None:
    from marketplace.core.errors import Unavailable

    pay(alice, usd(5_000))
    at_noon.move_to(datetime(2026, 11, 3, 6, tzinfo=UTC), tick=False)
    original = sandbox.Sandbox.balances

    def silent(self: Any) -> Any:
        raise Unavailable("gateway_unavailable", "The sandbox does not answer.")

    monkeypatch.setattr(sandbox.Sandbox, "balances", silent)
    assert tasks.reconcile_due() == 0
    run = ReconciliationRun.objects.get()
    assert (run.state, run.finished_at, run.totals.count()) == ("unread", None, 0)
    assert tasks.reconcile_due() == 0
    assert Event.objects.filter(kind="reconciliation.fail").count() == 1
    monkeypatch.setattr(sandbox.Sandbox, "balances", original)
    assert tasks.reconcile_due() == 1
    run.refresh_from_db()
    assert (run.state, tasks.reconcile_due()) == ("finished", 0)


def test_a_balance_that_moves_while_it_is_read_is_not_believed(at_noon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    moving = iter(range(100))
    monkeypatch.setattr(sandbox.Sandbox, "balances", lambda self: {"USD": usd(next(moving))})
    assert reading.ask("sandbox", since=NOON).balances is None


def test_a_list_that_takes_back_what_it_said_changes_nothing(at_noon: Any) -> None:
    said = Movement("m1", "other", usd(100), usd(0), NOON)
    assert run_in_transaction(lambda: reading.store("sandbox", [said])) == (1, [])
    now = Movement("m1", "other", usd(101), usd(0), NOON)
    assert run_in_transaction(lambda: reading.store("sandbox", [now])) == (0, [now])
    with pytest.raises(Conflict):
        reading.require_agreeing([now])
    assert ProviderLine.objects.get().amount_minor == 100


@pytest.mark.parametrize("paid", [5_000, 4_000], ids=["books_follow_the_list", "books_follow_the_file"])
def test_a_gateways_list_takes_the_place_of_what_a_file_told(
    paid: int, alice: Any, pay: Any, at_noon: Any, staff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    finance = staff("finance")
    payment = pay(alice, usd(paid))
    charge = next(m for m in sandbox.Sandbox().movements(since=NOON - timedelta(days=1)) if m.kind == "payment")
    theirs = replace(charge, amount=usd(5_000))
    file = ProcessorFile.objects.create(provider="sandbox", name="a.csv", sha256="0" * 64, size=1, uploaded_by=finance, uploaded_at=NOON)
    lie = replace(charge, amount=usd(4_000), own_ref="", object_ref="somebody_elses")
    assert run_in_transaction(lambda: reading.store("sandbox", [lie], file=file)) == (1, [])

    monkeypatch.setattr(sandbox.Sandbox, "movements", lambda self, since: iter([theirs]))
    monkeypatch.setattr(sandbox.Sandbox, "balances", lambda self: {"USD": usd(5_000)})
    assert compared(at_noon).state == "finished"
    line = ProviderLine.objects.get(line_ref=charge.ref)
    assert (line.amount_minor, line.file, line.subject_type, line.subject_id) == (5_000, None, "payment", payment.pk)
    event = Event.objects.get(kind="processor_file.overrule")
    assert (event.aggregate_id, event.reason) == (file.pk, charge.ref)
    assert event.after["lines"] == [{"line_ref": charge.ref, "currency": "USD", "file": [4_000, 0], "list": [5_000, 0]}]
    drain()
    (item,) = InboxItem.objects.filter(kind="processor_file.overrule")
    assert item.user == finance and "“a.csv”" in item.text and charge.ref in item.text
    # what the books have otherwise is a difference
    found = list(Difference.objects.exclude(live_key=None).values_list("kind", "effect_minor"))
    assert found == ([] if paid == 5_000 else [("amount_differs", 1_000)])


def test_a_list_that_contradicts_itself_leaves_its_day_unread_and_staff_are_told_once(
    at_noon: Any, alice: Any, pay: Any, staff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    finance = staff("finance")
    pay(alice, usd(5_000))
    at_noon.move_to(datetime(2026, 11, 3, 6, tzinfo=UTC), tick=False)
    (charge,) = sandbox.Sandbox().movements(since=NOON - timedelta(days=1))
    run_in_transaction(lambda: reading.store("sandbox", [charge]))
    monkeypatch.setattr(sandbox.Sandbox, "movements", lambda self, since: iter([replace(charge, amount=usd(4_999))]))
    for _ in range(2):
        assert tasks.reconcile_due() == 0
        run = ReconciliationRun.objects.get()
        why = f"The gateway told these movements with other amounts before: {charge.ref}."
        assert (run.state, run.last_error, run.totals.count(), run.listed_from) == ("unread", why, 0, None)
        assert list(ProviderLine.objects.values_list("line_ref", "amount_minor")) == [(charge.ref, 5_000)]
    drain()
    (item,) = InboxItem.objects.filter(kind="reconciliation.contradict")
    assert item.user == finance and item.text.endswith(why) and "sandbox, 2026-11-02" in item.text
    monkeypatch.undo()
    assert tasks.reconcile_due() == 1
    run.refresh_from_db()
    assert (run.state, run.last_error) == ("finished", "")


def test_days_that_beat_missed_are_made_up_for(at_noon: Any, alice: Any, pay: Any) -> None:
    pay(alice, usd(5_000))
    at_noon.move_to(datetime(2026, 11, 3, 6, tzinfo=UTC), tick=False)
    assert tasks.reconcile_due() == 1
    at_noon.move_to(datetime(2026, 11, 20, 6, tzinfo=UTC), tick=False)
    assert tasks.reconcile_due() == 7
    assert list(ReconciliationRun.objects.order_by("day").values_list("day", flat=True)) == [
        DAY,
        *(date(2026, 11, n) for n in range(13, 20)),
    ]
    # the list was read from the last comparison on, so that the gap is covered
    assert ReconciliationRun.objects.get(day=date(2026, 11, 13)).listed_from == date(2026, 11, 3)


def test_what_beat_missed_for_more_than_a_week_is_compared_all_the_same(at_noon: Any, alice: Any, pay: Any) -> None:
    pay(alice, usd(5_000))
    at_noon.move_to(datetime(2026, 11, 3, 6, tzinfo=UTC), tick=False)
    assert tasks.reconcile_due() == 1
    at_noon.move_to(datetime(2026, 11, 5, 12, tzinfo=UTC), tick=False)
    sandbox.other("while_beat_was_away", usd(-1_200))
    ours = pay(alice, usd(700))
    SandboxObject.objects.filter(ref=ours.provider_ref).delete()
    at_noon.move_to(datetime(2026, 11, 20, 6, tzinfo=UTC), tick=False)
    assert tasks.reconcile_due() == 7
    live = Difference.objects.exclude(live_key=None).values_list("item", "kind", "effect_minor")
    assert set(live) == {
        ("line:while_beat_was_away:moved", "missing_with_us", -1_200),
        (f"payment:{ours.pk}", "missing_with_them", -700),
    }


# --- what waits for a bank's answer


def days_compared(time_machine: Any, first: date, last: date) -> None:
    """Each of these days, as beat does it, six hours after its end."""
    for n in range((last - first).days + 1):
        time_machine.move_to(runs.end_of(first + timedelta(days=n)) + timedelta(hours=6), tick=False)
        assert tasks.reconcile_due() == 1


@pytest.fixture
def unheard(alice: Any, pay: Any, at_noon: Any) -> Any:
    """A payment that the gateway has taken at noon of DAY, whose answer was lost and which nobody has asked about."""
    payment = pay(alice, usd(5_000), token="tok_timeout")
    assert (payment.state, SandboxObject.objects.values_list("state", flat=True).get()) == ("created", "succeeded")
    return payment


def test_what_is_unsettled_is_in_flight_for_ten_days_and_a_difference_from_then_on(unheard: Any, at_noon: Any, staff: Any) -> None:
    """Told at noon of the 2nd: it is ten days old at the end of the 12th, and not yet at that of the 11th."""
    days_compared(at_noon, DAY, date(2026, 11, 11))
    totals = list(ReconciliationRun.objects.order_by("day").values_list("totals__in_flight_minor", "totals__unexplained_minor"))
    assert totals == [(5_000, 0)] * 10
    assert Difference.objects.count() == 0
    days_compared(at_noon, date(2026, 11, 12), date(2026, 11, 12))
    found = one()
    assert (found.item, found.kind, found.effect_minor, found.since) == (f"payment:{unheard.pk}", "missing_with_us", 5_000, NOON)
    days_compared(at_noon, date(2026, 11, 13), date(2026, 11, 20))
    assert one().pk == found.pk
    services.payment_refresh(payment_id=unheard.pk)
    days_compared(at_noon, date(2026, 11, 21), date(2026, 11, 21))
    found.refresh_from_db()
    # the money is there; that it came so much later than the gateway says is told, and moves nothing
    assert (one().kind, one().effect_minor) == ("date_shifted", 0)
    assert (found.state, found.live_key) == ("matched", None)


@pytest.mark.parametrize("after", [2, 6, 9], ids=["in_the_window", "out_of_it", "on_the_last_day"])
def test_what_was_unsettled_and_fails_with_us_is_a_difference_the_day_after(unheard: Any, at_noon: Any, after: int) -> None:
    days_compared(at_noon, DAY, DAY + timedelta(days=after - 1))
    assert Difference.objects.count() == 0
    Payment.objects.update(state="failed", failure_code="given_up")
    days_compared(at_noon, DAY + timedelta(days=after), DAY + timedelta(days=after))
    assert (one().item, one().kind) == (f"payment:{unheard.pk}", "missing_with_us")


def test_what_was_settled_meanwhile_is_no_more_looked_at(unheard: Any, at_noon: Any) -> None:
    days_compared(at_noon, DAY, date(2026, 11, 3))
    services.payment_refresh(payment_id=unheard.pk)
    days_compared(at_noon, date(2026, 11, 4), date(2026, 11, 12))
    assert total(ReconciliationRun.objects.get(day=date(2026, 11, 12)))["matched"] == 0
    assert Difference.objects.count() == 0


# --- what people do


@pytest.fixture
def difference(alice: Any, pay: Any, at_noon: Any) -> Difference:
    pay(alice, usd(100_000))
    sandbox.other("sbx_charge_1", usd(-1_200))
    compared(at_noon)
    return one()


@pytest.fixture
def large(alice: Any, pay: Any, at_noon: Any) -> Difference:
    pay(alice, usd(100_000))
    sandbox.other("sbx_charge_2", usd(50_001))
    compared(at_noon)
    return one()


def test_booking_brings_the_books_to_what_the_gateway_says(difference: Difference, staff: Any, at_noon: Any, proven: Any) -> None:
    finance = staff("finance")
    row = services.difference_book(actor=finance, difference_id=difference.pk, account="suspense", reason="The account's monthly charge.")
    assert (row.state, row.live_key, clearing_of()) == ("booked", None, 98_800)
    entry = Entry.objects.get(subject_type="difference")
    assert (entry.kind, entry.actor_id, row.entry_id) == ("difference_book", finance.pk, entry.pk)
    assert list(entry.postings.values_list("leg", "debit_account__key", "credit_account__key", "amount")) == [
        ("less", "suspense:sandbox:USD", "clearing:sandbox:USD", 1_200)
    ]
    act = StaffAct.objects.get(action="reconcile")
    assert (act.before, act.after, act.reason) == ("open", "booked", "The account's monthly charge.")
    # and no run finds it again, neither of the same day nor of a later one
    services.reconcile(provider="sandbox", day=DAY)
    services.reconcile(provider="sandbox", day=DAY + timedelta(days=1))
    at_noon.shift(timedelta(days=3))
    run = services.reconcile(provider="sandbox", day=DAY + timedelta(days=3))
    assert (Difference.objects.count(), total(run)["unexplained_minor"], total(run)["ledger_minor"]) == (1, 0, 98_800)
    proven()


def test_what_is_told_after_it_was_booked_shows_the_booking_as_one_too_many(
    difference: Difference, staff: Any, at_noon: Any, proven: Any
) -> None:
    services.difference_book(actor=staff("finance"), difference_id=difference.pk, account="write_off", reason="Old.")
    SandboxObject.objects.filter(kind="other").update(amount_minor=-200)
    ProviderLine.objects.filter(line_ref="sbx_charge_1:moved").update(amount_minor=-200)
    at_noon.shift(timedelta(days=3))
    services.reconcile(provider="sandbox", day=DAY + timedelta(days=2))
    assert Difference.objects.exclude(live_key=None).count() == 1
    proven()


def test_a_write_off_is_a_loss_or_a_gain(difference: Difference, staff: Any) -> None:
    services.difference_book(actor=staff("finance"), difference_id=difference.pk, account="write_off", reason="Too small to ask for.")
    entry = Entry.objects.get(subject_type="difference")
    assert (entry.kind, entry.postings.get().debit_account.key) == ("difference_write_off", "write_off:sandbox:USD")
    difference.refresh_from_db()
    assert difference.state == "written_off"


def test_above_the_limit_a_second_person_approves(large: Difference, staff: Any, at_noon: Any, proven: Any) -> None:
    finance, admin = staff("finance"), staff("admin")
    row = services.difference_book(actor=finance, difference_id=large.pk, account="suspense", reason="A wire.")
    assert (row.state, row.asked_by_id, row.asked_as, clearing_of()) == ("waiting", finance.pk, "suspense", 100_000)
    with pytest.raises(NotAllowed) as refused:
        services.difference_approve(actor=finance, difference_id=large.pk, reason="I am sure.")
    assert (refused.value.code, clearing_of()) == ("difference_second", 100_000)
    row = services.difference_approve(actor=admin, difference_id=large.pk, reason="Seen the bank's paper.")
    assert (row.state, clearing_of()) == ("booked", 150_001)
    assert Entry.objects.get(subject_type="difference").actor_id == admin.pk
    proven()


def test_at_the_limit_nobody_else_is_asked(alice: Any, pay: Any, at_noon: Any, staff: Any) -> None:
    pay(alice, usd(100_000))
    sandbox.other("sbx_charge_3", usd(-50_000))
    compared(at_noon)
    row = services.difference_book(actor=staff("finance"), difference_id=one().pk, account="suspense", reason="Exactly.")
    assert row.state == "booked"


def test_what_nobody_can_value_needs_a_second_person(at_noon: Any, staff: Any) -> None:
    sandbox.other("sbx_charge_4", Money(-1, "GMD"))
    compared(at_noon)
    row = services.difference_book(actor=staff("finance"), difference_id=one().pk, account="suspense", reason="A butut.")
    assert row.state == "waiting"


def test_a_refused_booking_leaves_the_difference_open(large: Difference, staff: Any) -> None:
    services.difference_book(actor=staff("finance"), difference_id=large.pk, account="suspense", reason="A wire.")
    row = services.difference_refuse(actor=staff("admin"), difference_id=large.pk, reason="It is not ours.")
    assert (row.state, row.asked_by_id, row.asked_as, clearing_of()) == ("open", None, "", 100_000)


def test_an_amount_that_changes_takes_explanations_and_requests_back(large: Difference, staff: Any, at_noon: Any) -> None:
    services.difference_book(actor=staff("finance"), difference_id=large.pk, account="suspense", reason="A wire.")
    ProviderLine.objects.filter(line_ref="sbx_charge_2:moved").update(amount_minor=60_000)
    SandboxObject.objects.filter(kind="other").update(amount_minor=60_000)
    services.reconcile(provider="sandbox", day=DAY + timedelta(days=1))
    large.refresh_from_db()
    assert (large.state, large.effect_minor, large.asked_by_id) == ("open", 60_000, None)


def test_an_explained_difference_lives_on_and_may_be_opened_again(difference: Difference, staff: Any) -> None:
    finance = staff("finance")
    services.difference_explain(actor=finance, difference_id=difference.pk, reason="They correct it next week.")
    services.reconcile(provider="sandbox", day=DAY + timedelta(days=1))
    difference.refresh_from_db()
    assert (difference.state, difference.explanation, difference.alarm_at) == ("explained", "They correct it next week.", None)
    assert difference.live_key is not None
    row = services.difference_reopen(actor=finance, difference_id=difference.pk, reason="They did not.")
    assert (row.state, row.alarm_at is not None) == ("open", True)


def test_claiming(difference: Difference, staff: Any) -> None:
    finance, admin = staff("finance"), staff("admin")
    assert services.difference_claim(actor=finance, difference_id=difference.pk).owner_id == finance.pk
    assert services.difference_claim(actor=finance, difference_id=difference.pk).owner_id == finance.pk
    with pytest.raises(Conflict):
        services.difference_claim(actor=admin, difference_id=difference.pk)
    services.difference_give_back(actor=admin, difference_id=difference.pk)
    assert services.difference_claim(actor=admin, difference_id=difference.pk).owner_id == admin.pk
    assert StaffAct.objects.filter(field="owner_id").count() == 3


def test_nobody_settles_a_difference_about_their_own_money(pay: Any, at_noon: Any, staff: Any) -> None:
    finance = staff("finance")
    pay(finance, usd(5_000))
    SandboxObject.objects.all().delete()
    compared(at_noon)
    with pytest.raises(NotAllowed) as refused:
        services.difference_book(actor=finance, difference_id=one().pk, account="write_off", reason="Mine.")
    assert (refused.value.code, Entry.objects.filter(subject_type="difference").count()) == ("difference_own", 0)


@pytest.mark.parametrize("group", ["support", "moderator", "analyst"])
def test_who_may_not_reconcile_does_nothing(group: str, difference: Difference, staff: Any) -> None:
    with pytest.raises(NotAllowed):
        services.difference_book(actor=staff(group), difference_id=difference.pk, account="suspense", reason="No.")
    difference.refresh_from_db()
    assert difference.state == "open"


def test_a_closed_difference_stays_closed(difference: Difference, staff: Any) -> None:
    finance = staff("finance")
    services.difference_book(actor=finance, difference_id=difference.pk, account="suspense", reason="Yes.")
    for act, values in (
        (services.difference_book, {"account": "suspense", "reason": "Again."}),
        (services.difference_explain, {"reason": "Why."}),
        (services.difference_reopen, {"reason": "Why."}),
        (services.difference_approve, {"reason": "Why."}),
        (services.difference_claim, {}),
    ):
        with pytest.raises(Conflict):
            act(actor=finance, difference_id=difference.pk, **values)
    assert Entry.objects.filter(subject_type="difference").count() == 1


def test_a_reason_is_required(difference: Difference, staff: Any) -> None:
    with pytest.raises(InvalidInput):
        services.difference_explain(actor=staff("finance"), difference_id=difference.pk, reason="  ")


def test_alarms_come_after_two_seven_and_fourteen_days_and_weekly_from_then_on(difference: Difference, at_noon: Any) -> None:
    opened = difference.opened_at
    told = []
    for hours in range(24 * 30):
        at_noon.move_to(opened + timedelta(hours=hours), tick=False)
        if tasks.alarm_differences():
            told.append(hours / 24)
    assert told == [2, 7, 14, 21, 28]


def test_the_books_take_no_booking_beside_its_difference(alice: Any, pay: Any) -> None:
    pay(alice, usd(5_000))

    def wrong() -> None:
        line = Line("more", accounts.suspense("sandbox", "USD"), accounts.clearing("sandbox", "USD"), usd(1))
        post("difference_book", key="x", lines=[line], subject=("difference", 1), actor_id=None, rule="r")

    with pytest.raises(ValueError, match="no leg"):
        run_in_transaction(wrong)
