"""The money of a contract: who holds what at each instant, and every cent with who moved it and why."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.db import transaction

from marketplace.contracts import services
from marketplace.core import clock
from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import services as money
from marketplace.payments.ledger import accounts
from marketplace.payments.ledger.post import Line, post
from marketplace.payments.models import Entry, Payment, Posting
from marketplace.payments.providers import sandbox
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


def test_what_a_client_owes_us_is_no_part_of_the_contract(alice: Any, bob: Any, funded: Any) -> None:  # noqa: F811
    of, paid = funded.contract_id, Payment.objects.get(payer=alice)
    money.chargeback_refresh(provider="sandbox", ref=sandbox.dispute(str(paid.provider_ref)))

    def shown(kinds: list[str], cost: int) -> None:
        for reader in (Person(alice), Person(bob)):
            assert [e["kind"] for e in reader.get(f"contracts/{of}/money/entries").json()["results"]] == kinds
            assert positions(reader, of) == {("wallet", "client"): -cost, ("hold", "client"): cost}

    about = {"contract_id": of, "milestone_id": funded.pk, "actor_id": None, "rule": "test", "reason": "r", "part": "p"}
    run_in_transaction(lambda: money.refund(payer_id=alice.pk, amount=Money(10_000, "USD"), **about))
    recovered = Entry.objects.get(kind="debt_recover")
    assert (recovered.contract_id, recovered.postings.get().amount) == (None, 10_000)
    shown(["hold", "refund"], 30_000)
    assert "debt_recover" in [line["kind"] for line in Person(alice).get("me/statement").json()["results"]]

    # as such entries were written once: they cannot be changed
    hold, wallet, amount = accounts.hold(funded.pk, alice.pk, "USD"), accounts.wallet(alice.pk, "USD"), Money(5_000, "USD")
    common = {"contract_id": of, "actor_id": None, "rule": "test"}
    with transaction.atomic():
        post("refund", key="a", lines=[Line("refund", hold, wallet, amount)], subject=("milestone", funded.pk), **common)
        owed = Line("recovered", wallet, accounts.receivable(alice.pk, "USD"), amount)
        post("debt_recover", key="b", lines=[owed], subject=("entry", 0), **common)
    shown(["hold", "refund", "refund"], 25_000)
    type(funded).objects.filter(pk=funded.pk).update(amount_minor=25_000)
