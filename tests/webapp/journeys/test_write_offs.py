"""A debt that nobody pays is written off by two people, and what its debtor pays in later recovers the loss before anything is spent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from marketplace.core.models import Event, StaffAct
from marketplace.core.money import Money
from marketplace.notifications.policies import notices
from marketplace.payments import selectors, services
from marketplace.payments.debts import owed, written_off
from marketplace.payments.models import Account, DebtWriteOff, Payment
from marketplace.payments.providers import sandbox
from marketplace.payments.reconciliation.overview import overview
from tests.webapp.payments.conftest import fund, pay, proven  # noqa: F401  (fixtures)
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HALF_A_YEAR = timedelta(days=180)
DEBTS = "staff/money/debts"


@pytest.fixture(autouse=True)
def books_balance() -> None:
    """These holds stand without contracts: see `proven`."""


@pytest.fixture
def desk(staff: Any) -> tuple[Person, Person]:
    return Person(staff("finance")), Person(staff("admin"))


@pytest.fixture
def debtor(alice: Any, fund: Any, time_machine: Any) -> Any:  # noqa: F811
    """Alice, whose bank took back 70.00 USD that are held on a milestone, and kept them."""
    time_machine.move_to(NOON, tick=False)
    fund(alice, 70, Money(7_000, "USD"))
    ref = sandbox.dispute(str(Payment.objects.get().provider_ref))
    services.chargeback_refresh(provider="sandbox", ref=ref)
    alice.dispute_ref = ref
    return alice


def lost(debtor: Any) -> None:
    sandbox.change(debtor.dispute_ref, "lost")
    assert services.chargeback_refresh(provider="sandbox", ref=debtor.dispute_ref).state == "lost"


def wallet(user: Any) -> int:
    return sum(b.wallet.minor for b in selectors.balances_of(user.pk) if b.currency == "USD")


def listed(person: Person, query: str = "") -> list[dict[str, Any]]:
    answer = person.get(f"{DEBTS}{query}")
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def debt_of(user: Any) -> int:
    return int(Account.objects.get(kind="receivable", user=user).pk)


def given_up(desk: tuple[Person, Person], debtor: Any) -> None:
    path = f"{DEBTS}/{debt_of(debtor)}/write-off"
    assert desk[0].post(path, {"reason": "The letters came back."}).status_code == 200
    assert desk[1].post(f"{path}/approve", {"reason": "I saw them."}).status_code == 200


def test_from_the_bank_s_decision_to_the_loss_and_back(
    debtor: Any,
    desk: tuple[Person, Person],
    time_machine: Any,
    pay: Any,  # noqa: F811
    proven: Any,  # noqa: F811
) -> None:
    finance, admin = desk
    path, why = f"{DEBTS}/{debt_of(debtor)}/write-off", {"reason": "The letters came back."}
    time_machine.shift(timedelta(days=20))
    assert (listed(finance)[0]["owed_minor"], listed(finance)[0]["disputed"]) == (7_000, True)
    time_machine.shift(timedelta(days=400))
    assert finance.post(path, why).json()["code"] == "write_off_disputed"
    lost(debtor)
    time_machine.shift(HALF_A_YEAR - timedelta(seconds=1))
    assert (listed(finance, "?ripe=true"), listed(finance)[0]["ripe"]) == ([], False)
    assert finance.post(path, why).json()["code"] == "write_off_early"
    time_machine.shift(timedelta(seconds=1))

    (there,) = listed(finance, "?ripe=true")
    assert (there["person"]["id"], there["ripe"], there["disputed"], there["write_off"]) == (debtor.pk, True, False, None)
    assert finance.post(path, {"reason": " "}).status_code == 400
    assert admin.post(f"{path}/approve", why).json()["code"] == "write_off_unasked"
    asked = finance.post(path, why).json()
    assert (asked["state"], asked["amount_minor"], asked["asked_by"]["id"]) == ("asked", 7_000, finance.user.pk)
    assert {n.user_id for n in notices(Event.objects.get(kind="debt_write_off.ask"))} == {admin.user.pk}
    assert listed(finance)[0]["write_off"]["reason"] == why["reason"]
    assert finance.post(path, why).json()["code"] == "write_off_asked"
    assert finance.post(f"{path}/approve", why).json()["code"] == "write_off_second"
    assert owed(debtor.pk, "USD") == 7_000
    assert finance.post(f"{path}/refuse", {"reason": "One more letter."}).json()["state"] == "refused"
    assert finance.post(path, why).status_code == 200
    done = admin.post(f"{path}/approve", {"reason": "I saw them."}).json()

    assert (done["state"], done["decided_by"]["id"], done["decision_reason"]) == ("written_off", admin.user.pk, "I saw them.")
    assert (owed(debtor.pk, "USD"), written_off(debtor.pk, "USD"), listed(finance)) == (0, 7_000, [])
    assert admin.post(path, why).json()["code"] == "write_off_nothing"
    told = notices(Event.objects.get(kind="debt_write_off.write_off"), lambda ids: dict.fromkeys(ids, "de"))
    assert [(n.user_id, "70.00 USD" in n.text, "Erlassen sind sie nicht" in n.text) for n in told] == [(debtor.pk, True, True)]
    acts = StaffAct.objects.filter(object_type__contains="debtwriteoff", field="state").order_by("id")
    assert [(a.actor_id, a.after) for a in acts] == [
        (finance.user.pk, "asked"),
        (finance.user.pk, "refused"),
        (finance.user.pk, "asked"),
        (admin.user.pk, "written_off"),
    ]
    assert all(c.ok for c in overview().conserved)
    proven()

    pay(debtor, Money(5_000, "USD"))
    assert (wallet(debtor), written_off(debtor.pk, "USD")) == (0, 2_000)
    pay(debtor, Money(5_000, "USD"))
    assert (wallet(debtor), written_off(debtor.pk, "USD")) == (3_000, 0)
    assert all(c.ok for c in overview().conserved)
    proven()


def test_what_was_paid_lately_keeps_it_and_what_changed_is_not_agreed_to(
    debtor: Any,
    desk: tuple[Person, Person],
    time_machine: Any,
    pay: Any,  # noqa: F811
) -> None:
    lost(debtor)
    path, why = f"{DEBTS}/{debt_of(debtor)}/write-off", {"reason": "r"}
    time_machine.shift(HALF_A_YEAR)
    assert desk[0].post(path, why).status_code == 200
    pay(debtor, Money(1_000, "USD"))
    assert desk[1].post(f"{path}/approve", why).json()["code"] == "write_off_early"
    time_machine.shift(HALF_A_YEAR)
    assert desk[1].post(f"{path}/approve", why).json()["code"] == "write_off_changed"
    assert (owed(debtor.pk, "USD"), DebtWriteOff.objects.get().state) == (6_000, "asked")


def test_a_later_debt_is_paid_before_the_loss_and_what_a_bank_gives_back_recovers_it(
    debtor: Any,
    desk: tuple[Person, Person],
    time_machine: Any,
    pay: Any,  # noqa: F811
    fund: Any,  # noqa: F811
    proven: Any,  # noqa: F811
) -> None:
    second = pay(debtor, Money(9_000, "USD"))  # pays the debt of 70.00 first
    assert (owed(debtor.pk, "USD"), wallet(debtor)) == (0, 2_000)
    other = sandbox.dispute(str(second.provider_ref))
    services.chargeback_refresh(provider="sandbox", ref=other)
    assert owed(debtor.pk, "USD") == 7_000
    lost(debtor)
    assert desk[0].post(f"{DEBTS}/{debt_of(debtor)}/write-off", {"reason": "r"}).json()["code"] == "write_off_disputed"
    sandbox.change(other, "lost")
    services.chargeback_refresh(provider="sandbox", ref=other)
    time_machine.shift(HALF_A_YEAR)
    given_up(desk, debtor)
    third = pay(debtor, Money(4_000, "USD"))
    assert written_off(debtor.pk, "USD") == 3_000
    ref = sandbox.dispute(str(third.provider_ref))
    services.chargeback_refresh(provider="sandbox", ref=ref)
    assert (owed(debtor.pk, "USD"), written_off(debtor.pk, "USD")) == (4_000, 3_000)
    pay(debtor, Money(2_000, "USD"))
    assert (owed(debtor.pk, "USD"), written_off(debtor.pk, "USD")) == (2_000, 3_000)
    sandbox.change(ref, "won")
    services.chargeback_refresh(provider="sandbox", ref=ref)
    assert (owed(debtor.pk, "USD"), written_off(debtor.pk, "USD"), wallet(debtor)) == (0, 1_000, 0)
    proven()


def test_the_check_notices_a_loss_that_two_people_did_not_agree_on(debtor: Any, desk: tuple[Person, Person], time_machine: Any) -> None:
    lost(debtor)
    time_machine.shift(HALF_A_YEAR)
    given_up(desk, debtor)
    broken = lambda: {v.rule for v in services.ledger_check(invariants=[9]).violations if v.rule.startswith("write_off")}  # noqa: E731
    assert broken() == set()
    row = DebtWriteOff.objects.filter(state="written_off")
    assert row.update(amount_minor=6_999) == 1
    assert broken() == {"write_off_is_its_request"}
    row.update(amount_minor=7_000, asked_by=desk[1].user)
    assert broken() == {"write_off_is_its_request"}
    row.update(asked_by=desk[0].user, state="refused")
    assert broken() == {"write_off_is_its_request", "write_off_is_posted"}


def test_nobody_writes_off_their_own_debt_and_others_may_not(
    desk: tuple[Person, Person],
    staff: Any,
    fund: Any,  # noqa: F811
    time_machine: Any,
) -> None:
    time_machine.move_to(NOON, tick=False)
    boss = desk[0].user
    fund(boss, 72, Money(500, "USD"))
    boss.dispute_ref = sandbox.dispute(str(Payment.objects.get(payer=boss).provider_ref))
    services.chargeback_refresh(provider="sandbox", ref=boss.dispute_ref)
    lost(boss)
    time_machine.shift(HALF_A_YEAR)
    path = f"{DEBTS}/{debt_of(boss)}/write-off"
    assert Person(staff("support")).post(path, {"reason": "r"}).status_code == 403
    refused = desk[0].post(path, {"reason": "r"})
    assert (refused.status_code, refused.json()["code"]) == (403, "write_off_own")
    assert not DebtWriteOff.objects.exists()


def test_many_debts_are_listed_by_as_many_queries_as_one(
    debtor: Any,
    bob: Any,
    desk: tuple[Person, Person],
    fund: Any,  # noqa: F811
    django_assert_max_num_queries: Any,
) -> None:
    finance = desk[0]
    listed(finance)
    with django_assert_max_num_queries(40) as one:
        assert len(listed(finance)) == 1
    fund(bob, 71, Money(500, "USD"))
    ref = sandbox.dispute(str(Payment.objects.get(payer=bob).provider_ref))
    services.chargeback_refresh(provider="sandbox", ref=ref)
    with django_assert_max_num_queries(len(one.captured_queries)):
        assert len(listed(finance)) == 2
