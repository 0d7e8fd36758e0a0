"""The money of a contract: who holds what at each instant, and every cent with who moved it and why."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from marketplace.contracts import services
from marketplace.core import clock
from marketplace.payments.models import Posting
from tests.webapp.contracts_cast import books_balance, contract, days, fund, funded, offer, planned, proposal, submitted  # noqa: F401 (fixtures)
from tests.webapp.people import Person

pytestmark = pytest.mark.django_db


def positions(person: Person, contract_id: int, at: Any = None) -> dict[tuple[str, str], int]:
    query = {} if at is None else {"as_of": at.isoformat().replace("+00:00", "Z")}
    found = person.get(f"contracts/{contract_id}/money", **query).json()["accounts"]
    sums: Counter[tuple[str, str]] = Counter()
    for a in found:
        sums[(a["kind"], a["owner"])] += a["amount"]["minor"]
    return dict(sums)


def test_who_held_what_then(alice: Any, bob: Any, submitted: Any, days: Any) -> None:  # noqa: F811
    of, alices = submitted.contract_id, Person(alice)
    before = clock.now()
    clock.advance(60)
    services.milestone_approve(actor=alice, milestone_id=submitted.pk)

    assert positions(alices, of, before) == {("wallet", "client"): -40_000, ("hold", "client"): 40_000}
    assert (
        positions(alices, of)
        == positions(Person(bob), of)
        == {
            ("wallet", "client"): -40_000,
            ("hold", "client"): 0,
            ("pending", "freelancer"): 36_000,
            ("fees", "platform"): 4_000,
        }
    )


def test_the_story_names_actor_rule_and_postings_of_every_cent(
    alice: Any,
    bob: Any,
    charlie: Any,
    submitted: Any,  # noqa: F811
    django_assert_max_num_queries: Any,
) -> None:
    services.milestone_approve(actor=alice, milestone_id=submitted.pk)
    of = submitted.contract_id

    with django_assert_max_num_queries(8):
        told = Person(bob).get(f"contracts/{of}/money/entries").json()["results"]

    assert [(e["kind"], e["actor"], e["rule"]) for e in told] == [
        ("hold", "Alice", "client_funding"),
        ("release", "Alice", "client_approval"),
    ]
    assert told[1]["fee_schedule"] == "standard-1"
    assert [(line["leg"], line["debit"]["kind"], line["credit"]["kind"], line["credit"]["owner"]) for line in told[1]["lines"]] == [
        ("net", "hold", "pending", "freelancer"),
        ("fee", "hold", "fees", "platform"),
    ]
    ids = {line["posting_id"] for e in told for line in e["lines"]}
    assert ids == set(Posting.objects.filter(entry__contract_id=of).values_list("pk", flat=True))
    first = Person(alice).get(f"contracts/{of}/money/entries", limit=1).json()
    assert Person(alice).get(first["next"]).json()["results"][0]["entry_id"] == told[1]["entry_id"]
    assert Person(charlie).get(f"contracts/{of}/money/entries").status_code == 404
