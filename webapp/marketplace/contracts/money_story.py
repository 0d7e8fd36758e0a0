"""A contract's money in words: which side an account belongs to, who moved what, by which rule. Amounts come from the ledger as they are."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from marketplace.core.money import Money
from marketplace.payments import selectors as money

from .models import Contract
from .timeline import rule_text

if TYPE_CHECKING:
    from marketplace.payments.models import Account, Entry


def _account(contract: Contract, account: Account) -> dict[str, Any]:
    owners = {contract.client_id: "client", contract.freelancer_id: "freelancer"}
    owner = owners.get(account.user_id, "platform") if account.user_id is not None else "platform"
    return {"kind": account.kind, "owner": owner, "milestone_id": account.milestone_id}


def positions(contract: Contract, at: datetime | None) -> list[dict[str, Any]]:
    """What the contract's entries up to the instant (None: all) have brought each account or taken from it; two queries."""
    return [{**_account(contract, p.account), "amount": p.amount} for p in money.contract_positions(contract.pk, at)]


def told(contract: Contract, entry: Entry) -> dict[str, Any]:
    """One entry with its actor, rule, rate and postings; its postings and accounts are at hand (selectors.story_of)."""
    names = {contract.client_id: contract.client.display_name, contract.freelancer_id: contract.freelancer.display_name}
    rate = entry.fx_rate
    return {
        "entry_id": entry.pk,
        "at": entry.occurred_at,
        "kind": entry.kind,
        "subject_type": entry.subject_type,
        "subject_id": entry.subject_id,
        "actor": "the clock" if entry.actor_id is None else names.get(entry.actor_id, "Openlance staff"),
        # who of staff it was is for staff's own audit
        "actor_id": entry.actor_id if entry.actor_id in names else None,
        "rule": entry.rule,
        "rule_text": rule_text(entry.rule),
        "reason": entry.reason,
        "fee_schedule": entry.quote.get("fee_schedule"),
        "rate": rate
        and {
            "base": rate.base,
            "quote": rate.quote,
            "rate": f"{rate.rate.normalize():f}",
            "source": rate.source,
            "spread_bps": rate.spread_bps,
            "as_of": rate.as_of,
        },
        "lines": [
            {
                "posting_id": p.pk,
                "leg": p.leg,
                "debit": _account(contract, p.debit_account),
                "credit": _account(contract, p.credit_account),
                "amount": Money(p.amount, p.currency),
            }
            for p in sorted(entry.postings.all(), key=lambda p: p.line_no)
        ],
    }
