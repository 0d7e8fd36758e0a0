"""Statements: running balances, filters, pages, files, and the state at any past instant, each held against a replay."""

from __future__ import annotations

import csv
import io
import itertools
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from config.settings import base
from marketplace.core import clock
from marketplace.core.errors import DomainError
from marketplace.core.money import Money
from marketplace.core.transactions import run_in_transaction
from marketplace.payments import selectors, services, statements
from marketplace.payments.models import Account, Entry, Posting
from tests.webapp.people import Person

pytestmark = [pytest.mark.django_db, pytest.mark.parity]


def USD(minor: int) -> Money:
    return Money(minor, "USD")


def lines(person: Person, path: str = "me/statement", **query: Any) -> list[dict[str, Any]]:
    answer = person.get(path, **query)
    assert answer.status_code == 200, answer.json()
    return answer.json()["results"]


def shown(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(x["kind"], x["account"], x["change"]["minor"], x["balance"]["minor"], x["total"]["minor"]) for x in found]


def test_each_line_has_the_balance_of_its_account_and_of_all(alice: Any, bob: Any, fund: Any, release: Any, pay: Any) -> None:
    pay(alice, USD(500))
    fund(alice, 7, USD(10_000))
    release(bob, 7, USD(4_000), part=2)

    assert shown(lines(Person(alice))) == [
        ("release", "hold", -400, 6_000, 6_500),
        ("release", "hold", -3_600, 6_400, 6_900),
        ("hold", "hold", 10_000, 10_000, 10_500),
        ("hold", "wallet", -10_000, 500, 500),
        ("deposit", "wallet", 10_000, 10_500, 10_500),
        ("deposit", "wallet", 500, 500, 500),
    ]
    assert shown(lines(Person(bob))) == [("release", "pending", 3_600, 3_600, 3_600)]
    assert [x["posting_id"] for x in lines(Person(bob))] == [Posting.objects.get(leg="net").pk]


def test_filters_leave_lines_out_and_balances_as_they_are(alice: Any, bob: Any, fund: Any, pay: Any) -> None:
    pay(alice, Money(900, "EUR"))
    fund(alice, 7, USD(10_000))
    middle = clock.advance(3600)
    pay(alice, USD(70))
    alices = Person(alice)

    assert shown(lines(alices, currency="EUR")) == [("deposit", "wallet", 900, 900, 900)]
    assert shown(lines(alices, kind="hold", account="wallet")) == [("hold", "wallet", -10_000, 0, 0)]
    assert shown(lines(alices, contract=1, account="hold")) == [("hold", "hold", 10_000, 10_000, 10_000)]
    assert shown(lines(alices, **{"from": middle.isoformat().replace("+00:00", "Z")})) == [("deposit", "wallet", 70, 70, 10_070)]
    assert len(lines(alices, to=middle.isoformat().replace("+00:00", "Z"))) == 4
    assert len(lines(alices, to=clock.now().date().isoformat())) == 5
    assert lines(alices, **{"from": (clock.now() + timedelta(days=2)).date().isoformat()}) == []
    assert lines(alices, account="pending") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-02-30"}, "to"),
        ({"from": "2026-11-02T12:00:00"}, "from"),
        ({"to": "9999-12-31"}, "to"),
        ({"kind": "theft"}, "kind"),
        ({"account": "fees"}, "account"),
        ({"contract": "9" * 30}, "contract"),
        ({"contract": "-1"}, "contract"),
        ({"currency": "ZZZ"}, "currency"),
        ({"cursor": "WzFd="}, "cursor"),
        ({"cursor": "WyJhIl0"}, "cursor"),
        ({"limit": "0"}, "limit"),
    ],
)
def test_a_bad_question_says_what_is_wrong(alice: Any, query: dict[str, str], field: str) -> None:
    if query.get("cursor") == "WzFd=":
        query = {"cursor": "!!!"}
    answer = Person(alice).get("me/statement", **query)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])


def test_pages_follow_each_other_whatever_is_posted_meanwhile_in_constant_queries(
    alice: Any, pay: Any, django_assert_max_num_queries: Any
) -> None:
    for n in range(1, 8):
        pay(alice, USD(n))
    alices, seen = Person(alice), []
    address: str | None = "/api/v1/me/statement?limit=3&currency=USD"
    while address:
        with django_assert_max_num_queries(3):
            page = alices.get(address).json()
        seen += page["results"]
        pay(alice, USD(1_000))
        address = page["next"]

    assert [x["change"]["minor"] for x in seen] == [7, 6, 5, 4, 3, 2, 1]
    assert [x["balance"]["minor"] for x in seen] == [28, 21, 15, 10, 6, 3, 1]


def test_one_account_is_read_by_its_owner_and_finance(alice: Any, bob: Any, staff: Any, fund: Any, release: Any) -> None:
    fund(alice, 7, USD(10_000))
    release(bob, 7, USD(10_000))
    pending = Account.objects.get(kind="pending", user=bob)
    fees = Account.objects.get(kind="fees")
    finance = Person(staff("finance"))

    assert shown(lines(Person(bob), f"ledger-accounts/{pending.pk}/statement")) == [("release", "pending", 9_000, 9_000, 9_000)]
    assert shown(lines(finance, f"ledger-accounts/{fees.pk}/statement")) == [("release", "fees", 1_000, 1_000, 1_000)]
    assert len(lines(finance, f"staff/users/{alice.pk}/statement")) == 5
    for path in (f"ledger-accounts/{pending.pk}/statement", f"ledger-accounts/{fees.pk}/statement", "ledger-accounts/999999/statement.csv"):
        assert Person(alice).get(path).status_code == 404


def test_the_file_holds_every_line_and_no_formula(alice: Any, pay: Any) -> None:
    pay(alice, USD(10_000))
    common = {"milestone_id": 7, "contract_id": 1, "payer_id": alice.pk, "amount": USD(10_000), "actor_id": alice.pk}
    run_in_transaction(lambda: services.hold(**common, rule="client_funding", reason='=HYPERLINK("http://x.example","y")'))

    answer = Person(alice).client.get("/api/v1/me/statement.csv", HTTP_ACCEPT="text/csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert [(r["kind"], r["account"], r["change"], r["balance"], r["total"]) for r in rows] == [
        ("deposit", "wallet", "100.00", "100.00", "100.00"),
        ("hold", "wallet", "-100.00", "0.00", "0.00"),
        ("hold", "hold", "100.00", "100.00", "100.00"),
    ]
    assert rows[1]["reason"].startswith("'=HYPERLINK")


def test_a_file_and_a_page_tell_each_currency_in_its_own_units(alice: Any, pay: Any) -> None:
    pay(alice, Money(5_000, "JPY"))
    pay(alice, Money(1, "KWD"))
    pay(alice, Money(1_234_567, "EUR"))
    day = clock.advance(86_400).date().isoformat()
    pay(alice, Money(700, "JPY"))
    alices = Person(alice)

    answer = alices.client.get("/api/v1/me/statement.csv", HTTP_ACCEPT="text/csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [(r["currency"], r["change"], r["total"]) for r in rows] == [
        *(("JPY", "5000", "5000"), ("KWD", "0.001", "0.001"), ("EUR", "12345.67", "12345.67"), ("JPY", "700", "5700")),
    ]

    def page(language: str) -> str:
        reader = PdfReader(io.BytesIO(alices.get("me/statement.pdf", language=language, **{"from": day}).content))
        return " ".join("".join(p.extract_text() for p in reader.pages).split())

    german, english = page("de"), page("en")
    # opening, in, out and closing of each currency that stands at something, though nothing of it moved
    for figures in ("5.000 ¥ ZUGÄNGE 700 ¥ ABGÄNGE 0 ¥ ENDSALDO 5.700 ¥", "0,001 KWD", "12.345,67 €"):
        assert figures in german, german
    assert "JP¥5,000 MONEY IN JP¥700 MONEY OUT JP¥0 CLOSING BALANCE JP¥5,700" in english, english
    assert "KWD 0.001" in english and "€12,345.67" in english


def test_balances_as_they_stood(alice: Any, bob: Any, fund: Any, release: Any) -> None:
    before = clock.now()
    clock.advance(60)
    fund(alice, 7, USD(10_000))
    held = clock.advance(60)
    released = release(bob, 7, USD(10_000)).occurred_at
    alices = Person(alice)

    def at(instant: Any) -> list[dict[str, Any]]:
        return alices.get("me/balances", as_of=instant.isoformat().replace("+00:00", "Z")).json()["results"]

    assert at(before) == []
    assert [(b["wallet"]["minor"], b["held"]["minor"]) for b in at(held)] == [(0, 10_000)]
    assert [b["held"]["minor"] for b in at(released)] == [0]  # what was posted in the instant is part of it
    assert [b["held"]["minor"] for b in at(released - timedelta(microseconds=1))] == [10_000]
    assert at(clock.now()) == alices.get("me/balances").json()["results"]
    accounts = alices.get("me/ledger-accounts", as_of=held.isoformat().replace("+00:00", "Z")).json()["results"]
    assert {(a["kind"], a["milestone_id"], a["balance"]["minor"]) for a in accounts} == {("wallet", None, 0), ("hold", 7, 10_000)}
    assert alices.get("me/balances", as_of="soon").status_code == 400


def test_whole_files_are_given_out_at_a_pace_of_their_own(alice: Any, bob: Any, pay: Any, settings: Any) -> None:
    usual = base.API_PACE
    assert usual["statement_page"][0] / usual["statement_page"][1] < usual["download"][0] / usual["download"][1] < 1
    pay(alice, USD(500))
    settings.API_PACE = {"download": (2, 600), "statement_page": (1, 600)}
    alices, account = Person(alice), statements.accounts_of(alice.pk)[0].pk

    assert [alices.get(f"{where}.csv").status_code for where in ("me/statement", f"ledger-accounts/{account}/statement")] == [200, 200]
    assert alices.get("me/statement.csv").status_code == 429
    assert [alices.get("me/statement.pdf").status_code for _ in range(2)] == [200, 429]
    assert alices.get("me/statement").status_code == 200
    assert Person(bob).get("me/statement.csv").status_code == 200


EXAMPLES = itertools.count(1)
STEP = st.tuples(st.sampled_from(["pay", "hold", "release", "refund", "clear"]), st.integers(0, 2), st.integers(1, 900))


def take(what: str, example: int, milestone: int, minor: int, alice: Any, bob: Any) -> None:
    common = {"contract_id": example, "milestone_id": milestone, "actor_id": None, "rule": "test"}
    if what == "hold":
        services.hold(payer_id=alice.pk, amount=USD(minor), **common)
    elif what == "release":
        into = "EUR" if minor % 2 else "USD"
        services.release(payee_id=bob.pk, gross=USD(minor), payee_currency=into, fee_schedule="standard-1", part=minor, **common)
    elif what == "refund":
        services.refund(payer_id=alice.pk, amount=USD(minor), reason="r", part=str(minor), **common)
    else:
        services.clear(payee_id=bob.pk, **common)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=1, max_size=12))
def test_the_past_is_what_it_was(alice: Any, bob: Any, pay: Any, steps: list[tuple[str, int, int]]) -> None:
    """Whatever was moved: what is told of an instant later is what was cached then, and lines add up from the first to the last."""
    example, seen = next(EXAMPLES), []
    for what, m, minor in steps:
        try:
            if what == "pay":
                pay(alice, USD(minor))
            else:
                with transaction.atomic():  # a refused movement leaves nothing, no empty account either
                    take(what, example, 3 * example + m, minor, alice, bob)
        except DomainError:
            pass
        seen.append((clock.now(), [selectors.balances_of(u.pk) for u in (alice, bob)]))
        clock.advance(1)

    for instant, balances in seen:
        assert [statements.balances_at(u.pk, instant) for u in (alice, bob)] == balances
        there = statements.contract_positions(example, instant)
        sums: dict[str, int] = {}
        for p in there:
            sums[p.amount.currency] = sums.get(p.amount.currency, 0) + p.amount.minor
            if p.account.kind == "hold":
                last = Entry.objects.filter(occurred_at__lte=instant).latest("id")
                assert p.amount.minor == selectors.balance_replayed(p.account.pk, up_to_entry_id=last.pk)
        assert set(sums.values()) <= {0}
    for user in (alice, bob):
        mine = statements.accounts_of(user.pk)
        told = list(statements.lines_all(mine, statements.Wanted()))
        assert told == list(reversed(statements.lines_before(mine, statements.Wanted(), before=None, limit=10_000)))
        ends = {line.account.pk: line.balance.minor for line in told}
        assert ends == {a.pk: selectors.balance_replayed(a.pk) for a in mine}
