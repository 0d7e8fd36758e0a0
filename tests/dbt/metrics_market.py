"""A year of a very small market, made so that every metric can be worked out by hand. What it must come to stands in test_metrics.

As of 1 December 2026. Clients 1 and 2; freelancers 11 (Fay), 12 (Gil), 13 (Hal) and 14 without a profile; 9 stands for imported posts.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

AS_OF = datetime(2026, 12, 1)


def at(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour)


def job(number: int, client: int, state: str, opened: datetime, ended: datetime | None = None, **more: Any) -> dict[str, Any]:
    common = {"pricing": "fixed", "currency": "USD", "visibility": "public", "category_id": 1, "created_at": opened}
    return {"id": number, "client_id": client, "state": state, "opened_at": opened, "ended_at": ended, **common, **more}


def bid(number: int, job_id: int, freelancer: int, state: str, sent: datetime, seen: datetime | None = None, **more: Any) -> dict[str, Any]:
    money = {"amount_minor": 1000, "currency": "USD"}
    return {
        "id": number,
        "job_id": job_id,
        "freelancer_id": freelancer,
        "state": state,
        "submitted_at": sent,
        "first_seen_at": seen,
        **money,
        **more,
    }


def contract(
    number: int, job_id: int, proposal: int, freelancer: int, started: datetime, ended: datetime | None, currency: str = "USD"
) -> dict[str, Any]:
    sides = {"client_id": 1, "freelancer_id": freelancer, "currency": currency, "payee_currency": currency, "pricing": "fixed"}
    state = "completed" if ended else "active"
    return {
        "id": number,
        "job_id": job_id,
        "proposal_id": proposal,
        "state": state,
        "offered_at": started,
        "started_at": started,
        "ended_at": ended,
        **sides,
    }


def milestone(number: int, contract_id: int, state: str, currency: str, funded: datetime | None, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "contract_id": contract_id,
        "state": state,
        "currency": currency,
        "amount_minor": 1000,
        "funded_at": funded,
        **more,
    }


def account(number: int, kind: str, currency: str, user: int | None = None, of: int | None = None) -> dict[str, Any]:
    return {"id": number, "key": str(number), "kind": kind, "currency": currency, "user_id": user, "milestone_id": of}


def posting(number: int, debit: int, credit: int, amount: int, currency: str, when: datetime, entry: int = 0) -> dict[str, Any]:
    return {
        "id": number,
        "entry_id": entry or number,
        "debit_account_id": debit,
        "credit_account_id": credit,
        "amount": amount,
        "currency": currency,
        "occurred_at": when,
    }


def shown(
    number: int, batch: str, freelancer: int, job_id: int, position: int, when: datetime, score: float | None = None
) -> dict[str, Any]:
    place = {"position": position, "propensity": 1.0 / position, "surface": "recommended_jobs", "ranking": "r-1"}
    return {
        "id": number,
        "batch": batch,
        "user_id": freelancer,
        "item_type": "job",
        "item_id": job_id,
        "shown_at": when,
        "score": score,
        **place,
    }


#: wallets 1 (USD), 2 (JPY) and 3 (KWD) of client 1; holds are 100 + the milestone
WALLET, YEN_WALLET, KWD_WALLET, FEES, FAY, GIL = 1, 2, 3, 4, 5, 6

MARKET: dict[str, list[dict[str, Any]]] = {
    "accounts_user": [{"id": n, "country": "DE", "time_zone": "Europe/Berlin", "date_joined": at(1, 1)} for n in (1, 2, 9, 11, 12, 13, 14)],
    "accounts_clientprofile": [{"id": n, "user_id": n, "created_at": at(1, 1)} for n in (1, 2)]
    + [{"id": 9, "user_id": 9, "import_source": "posts_2024"}],
    "accounts_freelancerprofile": [
        {"id": 21, "user_id": 11, "availability": "available"},
        {"id": 22, "user_id": 12, "availability": "partly"},
        {"id": 23, "user_id": 13, "availability": "unavailable"},
    ],
    "accounts_freelancerskill": [
        {"id": 1, "freelancer_id": 21, "skill_id": 1},
        {"id": 2, "freelancer_id": 21, "skill_id": 2},
        {"id": 3, "freelancer_id": 22, "skill_id": 1},
        {"id": 4, "freelancer_id": 23, "skill_id": 1},
    ],
    "jobs_category": [
        {"id": 1, "slug": "web", "name": "Web", "_known_at": AS_OF},
        {"id": 2, "slug": "design", "name": "Design"},
    ],
    "jobs_skill": [
        {"id": 1, "slug": "python", "name": "Python", "category_id": 1},
        {"id": 2, "slug": "logo", "name": "Logo", "category_id": 2},
    ],
    "jobs_job": [
        job(1, 1, "filled", at(1, 5, 8), at(1, 10, 8)),
        job(2, 1, "filled", at(1, 12), at(1, 24)),
        job(3, 2, "closed", at(2, 1), at(2, 11), category_id=2, pricing="hourly"),
        job(4, 2, "open", at(11, 20)),
        job(5, 9, "open", at(11, 1), source="posts_2024"),
        job(6, 1, "filled", at(4, 1), at(4, 5), visibility="invited"),
    ],
    "jobs_jobskill": [{"id": 1, "job_id": 4, "skill_id": 1}, {"id": 2, "job_id": 5, "skill_id": 1}, {"id": 3, "job_id": 3, "skill_id": 2}],
    "jobs_proposal": [
        bid(1, 1, 11, "accepted", at(1, 5, 10), at(1, 5, 12), shortlisted_at=at(1, 6), offered_at=at(1, 7), decided_at=at(1, 9)),
        bid(2, 1, 12, "declined", at(1, 5, 11), at(1, 6), decided_at=at(1, 9)),
        bid(3, 2, 12, "accepted", at(1, 12, 6), at(1, 13), offered_at=at(1, 24), decided_at=at(1, 24)),
        bid(4, 2, 11, "declined", at(1, 12, 7), at(1, 14), decided_at=at(2, 1)),
        bid(5, 2, 13, "archived", at(1, 12, 8), decided_at=at(1, 24)),
        bid(6, 4, 11, "submitted", at(11, 21)),
        bid(7, 4, 13, "withdrawn", at(11, 22), decided_at=at(11, 23)),
        bid(8, 2, 14, "withdrawn", at(1, 13), decided_at=at(1, 15)),
        bid(9, 6, 11, "accepted", at(4, 2), at(4, 2, 9), offered_at=at(4, 4), decided_at=at(4, 5)),
    ],
    "contracts_contract": [
        contract(1, 1, 1, 11, at(1, 9, 8), at(2, 10)),
        contract(2, 2, 3, 12, at(1, 24), at(3, 1)),
        contract(3, 6, 9, 11, at(4, 5), None, "JPY"),
        contract(4, 4, 6, 11, at(11, 24), None) | {"state": "offered", "started_at": None},
    ],
    "contracts_milestone": [
        milestone(
            1, 1, "released", "USD", at(1, 9), due_at=at(1, 20), submitted_at=at(1, 19), approved_at=at(1, 20), released_at=at(1, 20)
        ),
        milestone(
            2, 2, "released", "USD", at(1, 24), due_at=at(2, 5), submitted_at=at(2, 6), approved_at=at(2, 20), approved_by_clock=True
        ),
        milestone(3, 2, "refunded", "USD", at(1, 24), due_at=at(2, 20), refunded_at=at(2, 25)),
        milestone(4, 3, "in_progress", "JPY", at(4, 5), due_at=at(5, 1)),
        milestone(5, 3, "funded", "KWD", at(11, 15)),
        milestone(6, 3, "funded", "USD", at(11, 20), due_at=at(12, 24)),
        {"id": 7, "contract_id": 3, "state": "released", "currency": "USD", "amount_minor": 500},
        # submitted in June, sent back, and submitted in July
        milestone(8, 3, "changes_requested", "JPY", at(4, 5), submitted_at=at(7, 2)),
        # past their dates, and never funded: the one of an active contract, the other of one that is offered
        milestone(9, 3, "planned", "USD", None, due_at=at(10, 1)),
        milestone(10, 4, "planned", "USD", None, due_at=at(11, 28)),
    ],
    "contracts_submission": [
        {"id": 1, "milestone_id": 1, "version": 1, "submitted_at": at(1, 19)},
        {"id": 2, "milestone_id": 2, "version": 1, "submitted_at": at(2, 6)},
        {"id": 3, "milestone_id": 8, "version": 1, "submitted_at": at(6, 3), "change_requested_at": at(6, 5)},
        {"id": 4, "milestone_id": 8, "version": 2, "submitted_at": at(7, 2), "change_requested_at": at(7, 4)},
    ],
    "payments_account": [
        account(WALLET, "wallet", "USD", 1),
        account(YEN_WALLET, "wallet", "JPY", 1),
        account(KWD_WALLET, "wallet", "KWD", 1),
        account(FEES, "fees", "USD"),
        account(FAY, "pending", "USD", 11),
        account(GIL, "pending", "USD", 12),
        *(
            account(100 + n, "hold", currency, 1, n)
            for n, currency in enumerate(("USD", "USD", "USD", "JPY", "KWD", "USD", "USD"), start=1)
        ),
    ],
    "payments_entry": [
        {"id": n, "kind": "any", "idempotency_key": str(n), "posting_count": 1, "occurred_at": at(1, 1)} for n in range(1, 14)
    ]
    + [
        # what milestone 7 did not need goes on to milestone 6; a bonus of 10.00 for Fay, with the same fee as ever
        {"id": 14, "kind": "roll", "idempotency_key": "14", "posting_count": 2, "occurred_at": at(11, 22), "contract_id": 3},
        {"id": 16, "kind": "bonus", "idempotency_key": "16", "posting_count": 2, "occurred_at": at(2, 12), "contract_id": 1},
    ],
    "payments_posting": [
        posting(1, WALLET, 101, 60000, "USD", at(1, 9)),
        posting(2, WALLET, 102, 30000, "USD", at(1, 24)),
        posting(3, WALLET, 103, 10000, "USD", at(1, 24)),
        posting(4, 101, FAY, 54000, "USD", at(1, 20)),
        posting(5, 101, FEES, 6000, "USD", at(1, 20)),
        posting(6, 102, GIL, 27000, "USD", at(2, 20)),
        posting(7, 102, FEES, 3000, "USD", at(2, 20)),
        posting(8, 103, WALLET, 10000, "USD", at(2, 25)),
        posting(9, YEN_WALLET, 104, 100000, "JPY", at(4, 5)),
        posting(10, FEES, WALLET, 900, "USD", at(3, 5)),
        posting(11, KWD_WALLET, 105, 5000, "KWD", at(11, 15)),
        posting(12, WALLET, 106, 2000, "USD", at(11, 20)),
        posting(13, WALLET, 107, 500, "USD", at(11, 20)),
        posting(14, 107, WALLET, 500, "USD", at(11, 22)),
        posting(15, WALLET, 106, 500, "USD", at(11, 22), entry=14),
        posting(16, WALLET, FAY, 900, "USD", at(2, 12)),
        posting(17, WALLET, FEES, 100, "USD", at(2, 12), entry=16),
    ],
    "payments_fxrate": [
        {"id": 1, "base": "USD", "quote": "JPY", "rate": 125, "source": "ecb", "as_of": at(1, 1).date(), "fetched_at": at(1, 1)}
    ],
    "activity_impression": [
        shown(1, "one", 11, 2, 1, at(1, 5, 9), 0.0),
        shown(2, "one", 11, 1, 2, at(1, 5, 9), 0.0),
        shown(3, "two", 13, 3, 1, at(11, 20, 10), math.log(3)),
        shown(4, "two", 13, 4, 2, at(11, 20, 10)),
        shown(5, "three", 12, 3, 1, at(2, 2), 0.0),
        shown(6, "four", 13, 1, 1, at(2, 3)),
    ],
    "disputes_dispute": [
        {
            "id": 1,
            "milestone_id": 2,
            "state": "settled",
            "filer_id": 1,
            "settled_by": "agreement",
            "opened_at": at(2, 8),
            "settled_at": at(2, 10),
        },
        {"id": 2, "milestone_id": 4, "state": "opened", "filer_id": 11, "opened_at": at(11, 28)},
    ],
    "payments_payment": [
        {
            "id": 1,
            "state": "charged_back",
            "payer_id": 1,
            "amount_minor": 60000,
            "currency": "USD",
            "created_at": at(1, 9),
            "settled_at": at(1, 9),
        },
        {
            "id": 2,
            "state": "succeeded",
            "payer_id": 1,
            "amount_minor": 40000,
            "currency": "USD",
            "created_at": at(1, 24),
            "settled_at": at(1, 24),
        },
        {"id": 3, "state": "failed", "payer_id": 1, "amount_minor": 100, "currency": "USD", "created_at": at(1, 25)},
        {
            "id": 4,
            "state": "charged_back",
            "payer_id": 2,
            "amount_minor": 500,
            "currency": "USD",
            "created_at": at(2, 3),
            "settled_at": at(2, 3),
        },
    ],
    "payments_chargeback": [
        {"id": 1, "payment_id": 1, "state": "lost", "currency": "USD", "created_at": at(3, 1), "settled_at": at(3, 20)},
        {"id": 2, "payment_id": 2, "state": "inquiry", "currency": "USD", "created_at": at(3, 2)},
        {"id": 3, "payment_id": 4, "state": "lost", "currency": "USD", "created_at": at(3, 3), "settled_at": at(3, 23)},
    ],
    "payments_riskhold": [
        {"id": 1, "act": "payment", "rule": "cards", "state": "refused", "opened_at": at(2, 1), "decided_at": at(2, 1, 2)},
        {"id": 2, "act": "payout", "rule": "first", "state": "released", "opened_at": at(2, 1), "decided_at": at(2, 1, 10)},
        {"id": 3, "act": "payment", "rule": "new", "shadow": True, "state": "refused", "opened_at": at(2, 1), "decided_at": at(2, 1, 1)},
        {"id": 4, "act": "payment", "rule": "cards", "state": "held", "opened_at": at(11, 30)},
        {
            "id": 5,
            "act": "payment",
            "subject_id": 4,
            "rule": "cards",
            "state": "released",
            "opened_at": at(2, 3),
            "decided_at": at(2, 3, 20),
        },
    ],
    "trust_case": [
        {"id": 1, "subject_type": "job", "state": "actioned", "act": "remove", "opened_at": at(2, 2), "decided_at": at(2, 3)},
        {
            "id": 2,
            "subject_type": "job",
            "state": "overturned",
            "opened_at": at(2, 5),
            "decided_at": at(2, 6),
            "appealed_at": at(2, 7),
            "appeal_decided_at": at(2, 10),
        },
        {
            "id": 3,
            "subject_type": "job",
            "state": "upheld",
            "opened_at": at(2, 5),
            "decided_at": at(2, 7),
            "appealed_at": at(2, 8),
            "appeal_decided_at": at(2, 11),
        },
        # what hold 5 opened
        {
            "id": 4,
            "subject_type": "payment",
            "subject_id": 4,
            "state": "allowed",
            "act": "allow",
            "opened_at": at(2, 3),
            "decided_at": at(2, 3, 20),
        },
    ],
    # case 3 was flagged by a machine before somebody reported it
    "trust_report": [
        {"id": 1, "case_id": 1, "subject_type": "job", "at": at(2, 2)},
        {"id": 2, "case_id": 3, "subject_type": "job", "at": at(2, 6)},
    ],
    "activity_search": [
        {"id": 1, "surface": "jobs", "query": "python", "hits": 3, "searched_at": at(1, 5)},
        {"id": 2, "surface": "jobs", "query": "cobol", "hits": 0, "searched_at": at(2, 5)},
    ],
}
