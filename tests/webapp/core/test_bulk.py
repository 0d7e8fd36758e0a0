"""Acts of staff on many objects, by the payouts they were made for: progress, refusals, and workers that die or meet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from marketplace.core import bulk, clock
from marketplace.core.models import BulkAct, StaffAct
from marketplace.core.money import Money
from marketplace.core.tasks import work_bulk_acts
from marketplace.payments import services
from marketplace.payments.models import Payout
from tests.webapp.payments.conftest import *  # noqa: F403  (fixtures)
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def payouts(alice: Any, bob: Any, earn: Any) -> list[int]:
    """Four of bob's; the first is held, the others wait for their turn."""
    earn(alice, bob, 7, Money(10_000, "USD"))
    ask = {"amount": Money(1_000, "USD"), "method": {"token": "bank_ok"}}
    return [services.payout_request(actor=bob, idempotency_key=f"p{i}", **ask).pk for i in range(4)]


def states(payouts: list[int]) -> list[str]:
    return [Payout.objects.get(pk=pk).state for pk in payouts]


def start(person: Person, ids: list[int], name: str = "payout_allow", reason: str = "checked by phone") -> Any:
    return person.post("bulk-acts", {"name": name, "object_ids": ids, "reason": reason})


def test_each_object_is_done_once_by_the_service_and_what_it_refuses_is_told(staff: Any, payouts: list[int]) -> None:
    finance = Person(staff("finance"))
    held = [pk for pk in payouts if Payout.objects.get(pk=pk).state == "held"]
    told = start(finance, [*held, 10**12, *held])
    assert told.status_code == 201 and told.json()["total"] == len(held) + 1 and told.json()["finished_at"] is None
    assert work_bulk_acts() == len(held) + 1
    told = finance.get(f"bulk-acts/{told.json()['id']}").json()
    assert (told["done"], told["refused"]) == (len(held), 1) and told["finished_at"] is not None
    assert told["refusals"] == [{"object_id": 10**12, "code": "not_found", "message": told["refusals"][0]["message"]}]
    assert all(Payout.objects.get(pk=pk).state == "requested" for pk in held)
    assert {(a.action, a.reason) for a in StaffAct.objects.all()} == {("payout_decide", "checked by phone")}
    assert work_bulk_acts() == 0


def test_a_worker_that_died_leaves_its_place_and_another_goes_on_when_the_claim_has_run_out(staff: Any, payouts: list[int]) -> None:
    act = bulk.start(actor=staff("finance"), name="payout_refuse", object_ids=payouts, reason="wrong bank")
    assert bulk.work_off(act.pk, budget=2) == 2
    BulkAct.objects.filter(pk=act.pk).update(claimed_until=clock.now() + bulk.LEASE)  # as a dead worker leaves it
    assert work_bulk_acts() == 0 and states(payouts).count("failed") == 2
    clock.advance(int(bulk.LEASE / timedelta(seconds=1)))
    assert work_bulk_acts() == 2 and states(payouts) == ["failed"] * 4
    act.refresh_from_db()
    assert (act.done, act.refused, act.place) == (4, 0, 4) and act.finished_at is not None


def test_only_those_who_may_do_it_to_one_do_it_to_many_or_see_it(staff: Any, bob: Any, payouts: list[int]) -> None:
    act = bulk.start(actor=staff("finance"), name="payout_refuse", object_ids=payouts, reason="r")
    for group in ("support", "moderator", "analyst"):
        person = Person(staff(group))
        assert start(person, payouts).status_code == 403
        assert person.get("bulk-acts").json()["results"] == [] and person.get(f"bulk-acts/{act.pk}").status_code == 404
    assert start(Person(bob), payouts).status_code == 403
    assert BulkAct.objects.count() == 1


def test_bad_lists_are_refused_whole(staff: Any, payouts: list[int]) -> None:
    finance = Person(staff("finance"))
    for ids in ([], [0], [-1], ["1"], [1.5], [2**63], list(range(1, bulk.MOST_OBJECTS + 2))):
        assert start(finance, ids).status_code == 400, ids[:3]
    assert start(finance, payouts, reason=" ").status_code == 400
    assert start(finance, payouts, name="everything").status_code == 404
    assert not BulkAct.objects.exists()


def test_a_fault_in_one_act_stops_no_other(staff: Any, payouts: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(**_: Any) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setitem(bulk.ACTS, "breaks", bulk.Act("Break", "payout_decide", "payments.payout", breaks))
    finance = staff("finance")
    broken = bulk.start(actor=finance, name="breaks", object_ids=payouts, reason="r")
    bulk.start(actor=finance, name="payout_refuse", object_ids=payouts, reason="r")
    assert work_bulk_acts() == 4 and states(payouts) == ["failed"] * 4
    broken.refresh_from_db()
    assert (broken.place, broken.finished_at) == (0, None)


def test_an_object_that_fails_by_our_fault_is_given_up_after_three_tries_and_the_rest_is_done(
    staff: Any, payouts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, tried = payouts[1], []

    def breaks(*, actor: Any, pk: int, reason: str) -> None:
        tried.append(pk)
        services.payout_refuse(actor=actor, payout_id=pk, reason=reason)
        if pk == bad:
            raise RuntimeError("a fault of ours")

    monkeypatch.setitem(bulk.ACTS, "breaks", bulk.Act("Break", "payout_decide", "payments.payout", breaks))
    finance = staff("finance")
    act = bulk.start(actor=finance, name="breaks", object_ids=payouts, reason="r")
    assert [work_bulk_acts() for _ in range(2)] == [1, 0], "the next try waits for its time"
    clock.advance(int(bulk.LEASE / timedelta(seconds=1)))
    assert (work_bulk_acts(), tried.count(bad)) == (0, 2)
    clock.advance(int(bulk.LEASE / timedelta(seconds=1)))
    assert (work_bulk_acts(), tried.count(bad)) == (3, 3)
    shown = Person(finance).get(f"bulk-acts/{act.pk}").json()
    assert (shown["done"], shown["refused"], shown["failed"]) == (3, 0, 1) and shown["finished_at"] is not None
    message = "Something on our side broke (RuntimeError). It was tried 3 times; nothing was changed."
    assert shown["refusals"] == [{"object_id": bad, "code": "fault", "message": message}]
    assert [Payout.objects.get(pk=pk).state == "failed" for pk in payouts] == [True, False, True, True]
    clock.advance(10 * int(bulk.LEASE / timedelta(seconds=1)))
    assert (work_bulk_acts(), len(tried)) == (0, 6)
