"""What is on its way to a freelancer's available balance: each sum as it came to them, with the instant at which it can be paid out."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

from marketplace.contracts import services
from marketplace.core import clock
from tests.webapp.contracts_cast import books_balance, contract, days, fund, funded, offer, planned, proposal, submitted  # noqa: F401 (fixtures)
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db

DAY = 86_400


def told(person: Person) -> list[tuple[int | None, int]]:
    return [(row["milestone_id"], row["amount"]["minor"]) for row in person.get("me/clearing").json()["results"]]


def test_money_is_told_with_its_date_from_the_release_until_it_clears(
    alice: Any,
    bob: Any,
    charlie: Any,
    submitted: Any,  # noqa: F811
    days: Any,  # noqa: F811
) -> None:
    bobs = Person(bob)
    assert told(bobs) == []

    services.milestone_approve(actor=alice, milestone_id=submitted.pk)

    submitted.refresh_from_db()
    (row,) = bobs.get("me/clearing").json()["results"]
    assert row == {
        "contract_id": submitted.contract_id,
        "contract_title": submitted.contract.title,
        "milestone_id": submitted.pk,
        "milestone_title": submitted.title,
        "amount": {"minor": 36_000, "currency": "USD"},  # 400.00 less the fee
        "clears_at": submitted.clears_at.isoformat().replace("+00:00", "Z"),
    }
    assert told(Person(alice)) == told(Person(charlie)) == []

    clock.advance(settings.CLEARING_DAYS * DAY)
    assert services.milestone_clear(milestone_id=submitted.pk)
    assert told(bobs) == []


def test_a_part_a_bonus_and_the_rest_stand_for_themselves_and_the_soonest_first(
    alice: Any,
    bob: Any,
    submitted: Any,  # noqa: F811
    fund: Any,  # noqa: F811
    django_assert_max_num_queries: Any,
) -> None:
    other = fund(submitted.contract.milestones.get(position=2), key="fund-second")
    services.milestone_refund(actor=bob, milestone_id=other.pk, reason="Other plans.")  # so that there is something in the wallet
    bobs = Person(bob)
    services.milestone_approve_part(actor=alice, milestone_id=submitted.pk, amount_minor=10_000, rest="wallet", reason="A part of it.")
    clock.advance(DAY)
    services.bonus_give(actor=alice, contract_id=submitted.contract_id, amount_minor=5_000)
    clock.advance(DAY)
    services.refund_request_refuse(actor=bob, request_id=submitted.refund_requests.get().pk, answer="It is all there.")
    services.milestone_approve(actor=alice, milestone_id=submitted.pk)

    with django_assert_max_num_queries(6):
        found = told(bobs)

    assert found == [(submitted.pk, 9_000), (None, 4_500), (submitted.pk, 27_000)]
    assert sum(amount for _, amount in found) == bobs.get("me/balances").json()["results"][0]["pending"]["minor"]
