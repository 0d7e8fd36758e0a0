"""The proof of the ledger names what is wrong: each invariant fails on a database that breaks it, and only then."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F

from marketplace.core import triggers
from marketplace.core.money import Money
from marketplace.payments import services
from marketplace.payments.ledger.post import payload_hash
from marketplace.payments.models import Account, AccountBalance, Entry, Payment, Payout, Posting

pytestmark = pytest.mark.parity
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


def USD(minor: int) -> Money:
    return Money(minor, "USD")


def broken(*invariants: int) -> set[tuple[int, str, str]]:
    """(invariant, rule, row) of what the check finds in those invariants."""
    report = services.ledger_check(invariants=invariants or range(1, 9))
    assert report.ok is not bool(report.violations)
    return {(v.invariant, v.rule, v.row) for v in report.violations}


def rules(*invariants: int) -> set[str]:
    return {rule for _, rule, _ in broken(*invariants)}


@pytest.fixture
def ledger(db: None, alice: Any, bob: Any, fund: Any, release: Any) -> dict[str, Entry]:
    """A held milestone 7 and a released and cleared milestone 8, all in order."""
    found = {"hold": fund(alice, 7, USD(10_000)), "hold_8": fund(alice, 8, USD(5_000)), "release": release(bob, 8, USD(5_000))}
    found["clear"] = services.clear(contract_id=1, milestone_id=8, payee_id=bob.pk)
    assert broken() == set()
    return found


@pytest.fixture
def unchecked() -> Iterator[None]:
    """CHECK constraints off, as a restored or foreign database might come."""
    off, on = {
        "mysql": ("SET check_constraint_checks = 0", "SET check_constraint_checks = 1"),
        "sqlite": ("PRAGMA ignore_check_constraints = ON", "PRAGMA ignore_check_constraints = OFF"),
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(off)
        yield
        cursor.execute(on)


def forge(
    kind: str, legs: list[tuple[str, Account, Account, int]], *, key: str = "forged", subject: Any = ("milestone", 7), **more: Any
) -> Entry:
    """An entry written past the ledger's code, well hashed, its balances moved along."""
    rows = [(n, leg, debit.pk, credit.pk, amount, debit.currency) for n, (leg, debit, credit, amount) in enumerate(legs, start=1)]
    values = {"contract_id": 1, "gross_minor": None, "quote": {}, "posting_count": len(rows), "rule": "forged", **more}
    digest = payload_hash(kind, *subject, values["contract_id"], values["gross_minor"], None, values["quote"], rows)
    entry = Entry.objects.create(
        kind=kind,
        idempotency_key=key,
        subject_type=subject[0],
        subject_id=subject[1],
        occurred_at=NOW,
        **{"payload_hash": digest, **values},
    )
    for line_no, leg, debit, credit, amount, currency in rows:
        Posting.objects.create(
            entry=entry,
            line_no=line_no,
            leg=leg,
            debit_account_id=debit,
            credit_account_id=credit,
            amount=amount,
            currency=currency,
            occurred_at=NOW,
        )
        AccountBalance.objects.filter(account_id=credit).update(available=F("available") + amount, postings=F("postings") + 1)
        AccountBalance.objects.filter(account_id=debit).update(available=F("available") - amount, postings=F("postings") + 1)
    return entry


def account(key: str) -> Account:
    return Account.objects.get(key=key)


def new_account(kind: str, key: str, **more: Any) -> Account:
    return Account.objects.create(kind=kind, key=key, currency="USD", created_at=NOW, **more)


def test_an_empty_ledger_proves_nothing_unless_it_may_be_empty(db: None) -> None:
    assert services.ledger_check().ok is False
    assert services.ledger_check(allow_empty=True).ok is True
    with pytest.raises(SystemExit) as exit_:
        call_command("ledger_check", stdout=io.StringIO())
    assert exit_.value.code == 1


def test_1_an_amount_of_nothing_is_named(ledger: Any, unchecked: None, alice: Any) -> None:
    forged = forge("hold", [("hold", account(f"wallet:{alice.pk}:USD"), account("hold:7:USD"), 0)])

    assert (1, "posting_amount_positive", f"payments_posting {forged.postings.get().pk}") in broken(1)


def test_2_an_entry_without_its_postings_is_named(ledger: Any) -> None:
    forged = forge("hold", [], posting_count=2)

    assert broken(2) == {
        (2, "entry_posting_count", f"payments_entry {forged.pk}"),
        (2, "entry_leg_required", f"payments_entry {forged.pk}"),
    }


def test_2_a_leg_that_the_template_does_not_know_is_named(ledger: Any, alice: Any, bob: Any) -> None:
    forged = forge("refund", [("refund", account("hold:7:USD"), account(f"available:{bob.pk}:USD"), 10_000)])

    assert broken(2) == {(2, "entry_leg_of_template", f"payments_posting {forged.postings.get().pk}")}


def test_2_a_leg_twice_is_named(ledger: Any, alice: Any) -> None:
    leg = ("refund", account("hold:7:USD"), account(f"wallet:{alice.pk}:USD"), 10)
    forged = forge("refund", [leg, leg])

    assert broken(2) == {(2, "entry_leg_once", f"payments_entry {forged.pk}")}


def test_2_a_payload_that_is_not_what_was_hashed_is_named(ledger: Any, alice: Any) -> None:
    forged = forge("refund", [("refund", account("hold:7:USD"), account(f"wallet:{alice.pk}:USD"), 10)], payload_hash="0" * 64)

    assert broken(2) == {(2, "entry_payload_hash", f"payments_entry {forged.pk}")}


def test_3_a_balance_that_is_not_its_replay_is_named(ledger: Any) -> None:
    held = account("hold:7:USD")
    AccountBalance.objects.filter(pk=held.pk).update(available=F("available") + 1)

    assert broken(3) == {(3, "balance_is_replay", f"payments_account {held.pk}")}


def test_3_a_balance_that_counts_other_postings_is_named(ledger: Any) -> None:
    held = account("hold:7:USD")
    AccountBalance.objects.filter(pk=held.pk).update(postings=F("postings") + 1)

    assert broken(3) == {(3, "balance_is_replay", f"payments_account {held.pk}")}


def test_3_a_user_account_without_a_balance_is_named(ledger: Any, charlie: Any) -> None:
    wallet = new_account("wallet", f"wallet:{charlie.pk}:USD", user=charlie)

    assert broken(3) == {(3, "balance_is_kept", f"payments_account {wallet.pk}")}


def test_4_an_overdraft_is_named_now_and_in_the_past(ledger: Any, unchecked: None, alice: Any) -> None:
    wallet = account(f"wallet:{alice.pk}:USD")
    hold = forge("hold", [("hold", wallet, account("hold:7:USD"), 300)])
    found = broken(4)
    assert found == {
        (4, "balance_not_negative", f"payments_account {wallet.pk}"),
        (4, "balance_never_was_negative", f"payments_posting {hold.postings.get().pk}"),
    }

    forge("deposit", [("deposit", account("clearing:sandbox:USD"), wallet, 300)], key="forged too", subject=("payment", 1))

    # made good, the cached balance is in order again: the replay still shows that it was not
    assert broken(4) == {(4, "balance_never_was_negative", f"payments_posting {hold.postings.get().pk}")}


def test_5_money_that_leaves_a_hold_by_another_way_is_named(ledger: Any, alice: Any) -> None:
    held = account("hold:7:USD")
    forged = forge("clear", [("clear", held, account(f"wallet:{alice.pk}:USD"), 100)])

    assert {
        (5, "milestone_conserved", f"payments_account {held.pk}"),
        (5, "cleared_is_released", f"payments_entry {forged.pk}"),
    } == broken(5)


def test_5_a_hold_that_pays_for_another_milestone_is_named(ledger: Any, alice: Any) -> None:
    forged = forge("refund", [("refund", account("hold:7:USD"), account(f"wallet:{alice.pk}:USD"), 100)], subject=("milestone", 9))

    assert broken(5) == {(5, "hold_moved_for_its_milestone", f"payments_posting {forged.postings.get().pk}")}


def test_5_a_hold_that_closes_twice_is_named(ledger: Any, alice: Any) -> None:
    held, wallet = account("hold:8:USD"), account(f"wallet:{alice.pk}:USD")
    clearing = account("clearing:sandbox:USD")
    forge("deposit", [("deposit", clearing, wallet, 100)], key="a", subject=("payment", 1))
    forge("hold", [("hold", wallet, held, 100)], key="b", subject=("milestone", 8))
    forge("refund", [("refund", held, wallet, 100)], key="c", subject=("milestone", 8))

    assert broken(5) == {(5, "hold_closes_once", f"payments_account {held.pk}")}


def test_6_a_second_effect_under_another_key_is_named(ledger: Any, alice: Any) -> None:
    deposit = Entry.objects.filter(kind="deposit").first()
    legs = [("deposit", account("clearing:sandbox:USD"), account(f"wallet:{alice.pk}:USD"), 10_000)]
    forged = forge("deposit", legs, key="again", subject=("payment", deposit.subject_id))

    assert broken(6) == {(6, "effect_once", f"payments_entry {forged.pk}")}


def test_7_an_entry_without_a_cause_is_named(ledger: Any, alice: Any) -> None:
    forged = forge("refund", [("refund", account("hold:7:USD"), account(f"wallet:{alice.pk}:USD"), 10)], rule="")

    assert broken(7) == {(7, "entry_has_a_cause", f"payments_entry {forged.pk}")}


def release_by_hand(bob: Any, fee: int, net: int, gross: int, quote_fee: str = "standard-1") -> Entry:
    held, pending = account("hold:7:USD"), account(f"pending:{bob.pk}:USD")
    quote = {"fee_schedule": quote_fee, "currency": "USD"}
    return forge("release", [("net", held, pending, net), ("fee", held, account("fees:USD"), fee)], gross_minor=gross, quote=quote)


def test_8_a_gross_that_is_not_fee_tax_and_net_is_named(ledger: Any, bob: Any) -> None:
    forged = release_by_hand(bob, fee=100, net=900, gross=1_001)

    assert (8, "gross_is_fee_tax_net", f"payments_entry {forged.pk}") in broken(8)


def test_8_a_fee_that_is_not_the_schedules_is_named(ledger: Any, bob: Any) -> None:
    forged = release_by_hand(bob, fee=99, net=901, gross=1_000)

    assert broken(8) == {(8, "split_by_schedule", f"payments_entry {forged.pk}")}


def test_8_a_schedule_that_nobody_published_is_named(ledger: Any, bob: Any) -> None:
    forged = release_by_hand(bob, fee=100, net=900, gross=1_000, quote_fee="secret")

    assert broken(8) == {(8, "fee_schedule_known", f"payments_entry {forged.pk}")}


def test_8_a_conversion_that_is_not_the_stored_rates_is_named(ledger: Any, bob: Any, alice: Any) -> None:
    held = account("hold:7:USD")
    kes = {"currency": "KES", "created_at": NOW}
    out = new_account("fx_clearing", "fx_clearing:USD-KES:USD")
    into = Account.objects.create(kind="fx_clearing", key="fx_clearing:USD-KES:KES", **kes)
    pending = Account.objects.create(kind="pending", key=f"pending:{bob.pk}:KES", user=bob, **kes)
    AccountBalance.objects.create(account=pending)
    legs = [("fx_out", held, out, 900), ("fx_in", into, pending, 1), ("fee", held, account("fees:USD"), 100)]
    forged = forge("release", legs, gross_minor=1_000, quote={"fee_schedule": "standard-1", "currency": "USD"})

    assert broken(8) == {(8, "conversion_by_rate", f"payments_entry {forged.pk}")}


@pytest.mark.parametrize(
    ("state", "rule"),
    [
        ("planned", "milestone_unfunded_has_no_money"),
        ("cancelled", "milestone_unfunded_has_no_money"),
        ("released", "milestone_released_is_paid"),
        ("refunded", "milestone_refunded_is_refunded"),
        ("resolved", "milestone_resolved_is_settled"),
        ("funded", None),
        ("submitted", None),
        ("disputed", None),
    ],
)
def test_9_a_milestone_whose_state_does_not_fit_its_held_money_is_named(
    alice: Any, bob: Any, fund: Any, milestone: Any, state: str, rule: str | None
) -> None:
    row = milestone(alice, bob, USD(10_000), state)
    fund(alice, row.pk, USD(10_000))

    assert broken(9) == ({(9, rule, f"contracts_milestone {row.pk}")} if rule else set())


@pytest.mark.parametrize(
    ("state", "rule"),
    [
        ("funded", "milestone_funded_is_held"),
        ("in_progress", "milestone_funded_is_held"),
        ("disputed", "milestone_funded_is_held"),
        ("released", None),
    ],
)
def test_9_a_milestone_whose_money_is_gone_is_named(
    alice: Any, bob: Any, fund: Any, release: Any, milestone: Any, state: str, rule: str | None
) -> None:
    row = milestone(alice, bob, USD(10_000), state)
    fund(alice, row.pk, USD(10_000))
    release(bob, row.pk, USD(10_000))

    assert broken(9) == ({(9, rule, f"contracts_milestone {row.pk}")} if rule else set())


def test_9_a_milestone_held_with_another_amount_is_named(alice: Any, bob: Any, fund: Any, milestone: Any) -> None:
    row = milestone(alice, bob, USD(10_000), "funded")
    fund(alice, row.pk, USD(9_999))

    assert broken(9) == {(9, "milestone_funded_is_held", f"contracts_milestone {row.pk}")}


def test_9_a_clearing_without_its_entry_is_named(alice: Any, bob: Any, fund: Any, release: Any, milestone: Any) -> None:
    row = milestone(alice, bob, USD(10_000), "released")
    fund(alice, row.pk, USD(10_000))
    release(bob, row.pk, USD(10_000))
    row.cleared_at = NOW
    row.save()

    assert broken(9) == {(9, "milestone_cleared_is_available", f"contracts_milestone {row.pk}")}


def test_9_a_hold_without_its_milestone_is_named(ledger: Any) -> None:
    assert rules(9) == {"hold_has_its_milestone"}


def test_9_a_payment_or_payout_whose_state_has_no_posting_is_named(alice: Any, bob: Any, pay: Any) -> None:
    payment = pay(alice, USD(500), "tok_3ds")
    Payment.objects.filter(pk=payment.pk).update(state="succeeded")
    payout = Payout.objects.create(
        provider="sandbox", payee=bob, amount_minor=5, currency="USD", idempotency_key="x", state="paid", created_at=NOW
    )

    assert broken(9) == {
        (9, "payment_settled_is_deposited", f"payments_payment {payment.pk}"),
        (9, "payout_state_is_posted", f"payments_payout {payout.pk}"),
    }


def test_9_a_deposit_of_another_amount_or_of_no_payment_is_named(alice: Any, pay: Any) -> None:
    payment = pay(alice, USD(500))
    Payment.objects.filter(pk=payment.pk).update(amount_minor=501)
    forged = forge(
        "deposit", [("deposit", account("clearing:sandbox:USD"), account(f"wallet:{alice.pk}:USD"), 10)], subject=("payment", 10**9)
    )

    assert broken(9) == {
        (9, "payment_settled_is_deposited", f"payments_payment {payment.pk}"),
        (9, "deposit_has_its_payment", f"payments_entry {forged.pk}"),
    }


def test_rows_changed_behind_the_triggers_are_named(committed_db: None, alice: Any, bob: Any, fund: Any, release: Any) -> None:
    """One committed database, because taking triggers away commits: each corruption is undone before the next."""
    fund(alice, 7, USD(10_000))
    entry = release(bob, 7, USD(10_000))
    posting = entry.postings.get(leg="net")
    pending, hold = posting.credit_account_id, posting.debit_account_id
    assert broken() == set()
    gone = triggers.existing()
    with connection.cursor() as cursor:
        for name in gone:
            cursor.execute(f"DROP TRIGGER {name}")

        assert {row for rule, row in {(r, w) for _, r, w in broken(7)} if rule == "trigger_is_there"} >= {
            "trigger payments_posting_no_update",
            "trigger payments_posting_no_delete",
            "trigger payments_posting_guard",
            "trigger payments_entry_no_update",
            "trigger core_event_no_delete",
        }

        def tampered(change: str, back: str, *invariants: int) -> set[str]:
            cursor.execute(change)
            try:
                return rules(*invariants)
            finally:
                cursor.execute(back)

        one = f"WHERE id = {posting.pk}"
        found = tampered(f"UPDATE payments_posting SET amount = 1 {one}", f"UPDATE payments_posting SET amount = 9000 {one}", 2, 3, 5, 8)
        assert found == {"entry_payload_hash", "balance_is_replay", "milestone_conserved", "gross_is_fee_tax_net", "split_by_schedule"}
        found = tampered(f"UPDATE payments_posting SET currency = 'EUR' {one}", f"UPDATE payments_posting SET currency = 'USD' {one}", 1)
        assert found == {"posting_currency_of_accounts"}
        found = tampered(f"UPDATE payments_posting SET line_no = 5 {one}", f"UPDATE payments_posting SET line_no = 1 {one}", 2)
        assert found == {"entry_line_numbers", "entry_payload_hash"}
        swap = f"UPDATE payments_posting SET debit_account_id = {{}}, credit_account_id = {{}} {one}"
        found = tampered(swap.format(pending, hold), swap.format(hold, pending), 2, 4)
        assert found == {"entry_leg_of_template", "entry_payload_hash", "balance_never_was_negative"}
        late = f"UPDATE payments_posting SET occurred_at = '2020-01-01 00:00:00' {one}"
        when = connection.ops.adapt_datetimefield_value(entry.occurred_at)
        found = tampered(late, f"UPDATE payments_posting SET occurred_at = '{when}' {one}", 7)
        assert "posting_of_its_instant" in found
        cursor.execute("UPDATE core_event SET version = version + 5 WHERE kind = 'payment.succeed'")
        assert "event_versions_without_gap" in rules(7)
    triggers.lay()
    assert triggers.existing() == gone


@pytest.mark.mariadb
def test_6_a_key_used_twice_is_named_where_the_unique_index_is_gone(committed_db: None, alice: Any, pay: Any) -> None:
    pay(alice, USD(100))
    pay(alice, USD(100))
    first, second = Entry.objects.order_by("id")
    with connection.cursor() as cursor:
        for name in triggers.existing():
            cursor.execute(f"DROP TRIGGER {name}")
        cursor.execute("ALTER TABLE payments_entry DROP INDEX idempotency_key")
        try:
            Entry.objects.filter(pk=second.pk).update(idempotency_key=first.idempotency_key)
            assert broken(6) == {(6, "key_once", f"payments_entry {second.pk}"), (6, "key_is_unique", "payments_entry")}
        finally:
            Entry.objects.filter(pk=second.pk).update(idempotency_key=second.idempotency_key)
            cursor.execute("ALTER TABLE payments_entry ADD UNIQUE INDEX idempotency_key (idempotency_key)")
    triggers.lay()


def test_the_command_prints_each_invariant_and_says_what_is_wrong(alice: Any, bob: Any, fund: Any, milestone: Any) -> None:
    row = milestone(alice, bob, USD(10_000), "funded")
    fund(alice, row.pk, USD(10_000))
    out = io.StringIO()
    call_command("ledger_check", stdout=out)
    assert [line[:2] for line in out.getvalue().splitlines()[:12]] == [f"{n}."[:2] for n in range(1, 13)]
    assert out.getvalue().splitlines()[-1] == "2 entries, 2 postings, 0 violations"
    held = account(f"hold:{row.pk}:USD")
    AccountBalance.objects.filter(pk=held.pk).update(available=1)

    out = io.StringIO()
    with pytest.raises(SystemExit) as exit_:
        call_command("ledger_check", stdout=out)

    assert exit_.value.code == 1
    assert f"balance_is_replay: payments_account {held.pk} (1)" in out.getvalue()


@pytest.mark.parametrize(("amount", "named"), [(7_500, False), (10_000, True), (2_500, True)])
def test_9_what_is_given_back_in_part_lowers_the_amount_with_it(
    alice: Any, bob: Any, fund: Any, milestone: Any, amount: int, named: bool
) -> None:
    row = milestone(alice, bob, USD(amount), "submitted")
    fund(alice, row.pk, USD(10_000))
    for _ in range(2):
        services.refund(
            contract_id=1, milestone_id=row.pk, payer_id=alice.pk, amount=USD(2_500), actor_id=None, rule="test", reason="", part="unspent"
        )

    assert broken(9) == ({(9, "milestone_funded_is_held", f"contracts_milestone {row.pk}")} if named else set())
    assert not broken(5) and not broken(6)
