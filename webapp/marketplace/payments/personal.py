"""The money a person has here, and every movement of it."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Q

from marketplace.core.money import Money
from marketplace.core.personal import Obstacle, Part, Row, computed, rows_of

from .levies import FIELDS
from .models import (
    Account,
    AccountBalance,
    DebtWriteOff,
    Document,
    FxQuote,
    GatewayCustomer,
    Payment,
    PaymentTrace,
    Payout,
    PayoutMethod,
    PayoutSchedule,
    Posting,
    RiskHold,
    SavedMethod,
    TaxProfile,
)
from .selectors import balance_replayed, balances_of
from .states import PAYMENT, PAYOUT

_OPEN_PAYMENTS = frozenset(s for s, a in PAYMENT.transitions if a in ("succeed", "fail"))
_OPEN_PAYOUTS = frozenset(s for s, a in PAYOUT.transitions if a in ("send", "settle", "fail"))
_BALANCES = ("wallet", "held", "pending", "available", "in_transit")


def _postings(user_id: int) -> Iterator[Row]:
    mine = set(Account.objects.filter(user=user_id).values_list("pk", flat=True))
    rows = Posting.objects.filter(Q(debit_account__in=mine) | Q(credit_account__in=mine))
    columns = {
        "entry_id": "entry_id",
        "line": "line_no",
        "kind": "entry__kind",
        "leg": "leg",
        "amount_minor": "amount",
        "currency": "currency",
    }
    more = {"rule": "entry__rule", "subject": "entry__subject_type", "subject_id": "entry__subject_id", "contract_id": "entry__contract_id"}
    sides = {"debit": "debit_account", "credit": "credit_account"}
    parts = rows_of(rows, "occurred_at", **columns, **more, **{f"{s}_kind": f"{a}__kind" for s, a in sides.items()}, **sides)
    for row in parts.rows():
        shown = {name: value for name, value in row.items() if name not in sides}
        # money that stays among the person's own accounts changes nothing in sum
        change = (row["credit"] in mine) - (row["debit"] in mine)
        yield {**shown, "change_minor": change * row["amount_minor"]}


def exported(*, user_id: int) -> dict[str, Part]:
    """The answer to ports.personal_data: balances, the lines that moved the person's accounts, payments and payouts, what was saved
    to pay and to be paid with. Platform and other people's accounts appear by their kind only.
    """
    lines = ("occurred_at", "entry_id", "line", "kind", "leg", "amount_minor", "currency", "rule", "subject", "subject_id", "contract_id")
    tables = [m._meta.db_table for m in (Account, AccountBalance)]
    return {
        "balances": computed(
            ("currency", *_BALANCES),
            lambda: ({"currency": b.currency, **{n: getattr(b, n).minor for n in _BALANCES}} for b in balances_of(user_id)),
            of=tables,
        ),
        "ledger": computed(
            (*lines, "debit_kind", "credit_kind", "change_minor"), lambda: _postings(user_id), of=["payments_posting", "payments_entry"]
        ),
        "debts_written_off": rows_of(
            DebtWriteOff.objects.filter(account__user=user_id),
            *("id", "account_id", "amount_minor", "state", "asked_at", "decided_at"),
            currency="account__currency",
        ),
        "payments": rows_of(
            Payment.objects.filter(payer=user_id),
            *("id", "provider", "state", "amount_minor", "currency", "purpose", "purpose_id", "method", "failure_code"),
            *("created_at", "settled_at"),
        ),
        "tax_details": rows_of(TaxProfile.objects.filter(user=user_id), *FIELDS, "changed_at"),
        "documents": rows_of(
            Document.objects.filter(Q(recipient=user_id) | Q(issuer=user_id)),
            *(
                "id",
                "label",
                "kind",
                "about",
                "entry_id",
                "contract_id",
                "currency",
                "net_minor",
                "tax_minor",
                "total_minor",
                "tax_category",
            ),
            *("tax_rate_bps", "content", "issued_at"),
        ),
        "payment_methods": rows_of(
            SavedMethod.objects.filter(user=user_id),
            *("id", "provider", "state", "token", "brand", "last4", "exp_month", "exp_year", "is_default", "failure_code"),
            *("created_at", "removed_at"),
        ),
        "exchange_quotes": rows_of(
            FxQuote.objects.filter(user=user_id),
            *("id", "sell_minor", "sell_currency", "buy_minor", "buy_currency", "spread_bps", "created_at", "expires_at", "used_at"),
        ),
        "gateway_customers": rows_of(GatewayCustomer.objects.filter(user=user_id), "provider", "ref"),
        "payment_traces": rows_of(PaymentTrace.objects.filter(payment__payer=user_id), "payment_id", "instrument", "device", "at"),
        "payout_methods": rows_of(
            PayoutMethod.objects.filter(user=user_id),
            *("id", "provider", "state", "country", "ref", "details", "label", "due", "is_default"),
            *("added_at", "usable_at", "checked_at", "removed_at"),
        ),
        "payout_schedules": rows_of(
            PayoutSchedule.objects.filter(user=user_id),
            *("id", "currency", "pace", "least_minor", "method_id", "next_at", "last_at", "last_result"),
        ),
        "risk_holds": rows_of(
            RiskHold.objects.filter(user=user_id),
            *("id", "act", "subject_id", "rule", "shadow", "state", "evidence", "opened_at", "ends_at", "decided_at"),
        ),
        "payouts": rows_of(
            Payout.objects.filter(payee=user_id),
            *("id", "provider", "state", "amount_minor", "currency", "method", "failure_code", "hold_reason", "held_until"),
            *("created_at", "settled_at"),
        ),
    }


def obstacles(*, user_id: int) -> list[Obstacle]:
    """The answer to ports.closing_obstacles: money of the person's that is still here or on its way, and debts."""
    found = []
    for balances in balances_of(user_id):
        for name, advice in (
            ("wallet", "in your wallet: spend it or ask support to send it back"),
            ("held", "held on milestones: have it released, given back or settled"),
            ("pending", "still clearing: wait until it is available and pay it out"),
            ("available", "available: pay it out"),
            ("in_transit", "on its way to you: wait until it has arrived"),
        ):
            amount = getattr(balances, name)
            if amount.minor > 0:
                found.append(Obstacle(f"money_{name}", f"{amount} is {advice}."))
    for debt in Account.objects.filter(user=user_id, kind=Account.Kind.RECEIVABLE):
        owed = Money(-balance_replayed(debt.pk), debt.currency)
        if owed.minor > 0:
            found.append(Obstacle("money_owed", f"You owe {owed}: pay it back first."))
    if Payout.objects.filter(payee=user_id, state__in=_OPEN_PAYOUTS).exists():
        found.append(Obstacle("payouts_open", "A payout is not settled yet: wait until it is."))
    if Payment.objects.filter(payer=user_id, state__in=_OPEN_PAYMENTS).exists():
        found.append(Obstacle("payments_open", "A payment is not settled yet: wait until it is."))
    return found
