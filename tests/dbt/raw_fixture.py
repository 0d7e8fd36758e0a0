"""A small raw schema in a fresh warehouse file, made from the extraction's contracts and filled with a market worked out by hand.

Belongs here: the tables and the rows. What dbt must make of them stands in the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from pipelines.extract.contracts import Contract, load_all
from pipelines.extract.log import OWN

META = {"_op": "VARCHAR", "_run_seq": "BIGINT", "_known_at": "TIMESTAMP"}
FIRST_RUN = datetime(2026, 3, 26)
SECOND_RUN = datetime(2026, 4, 1)
LATER = {"_run_seq": 2, "_known_at": SECOND_RUN}
#: values of columns that a row does not mention, where null is not allowed
BLANK = {"VARCHAR": "", "BOOLEAN": False, "TIMESTAMP": FIRST_RUN, "DATE": FIRST_RUN.date()}


def create_raw(path: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]] | None = None) -> None:
    """Write the warehouse file with every raw table of the contracts, holding `rows` (columns left out are blank, _op 'u', run 1)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as db:
        db.execute("create schema if not exists raw")
        for own, kinds in OWN.items():
            db.execute(f"create or replace table raw.{own} (" + ", ".join(f'"{name}" {kind}' for name, kind in kinds.items()) + ")")
            for told in (rows or {}).get(own, ()):
                db.execute(f"insert into raw.{own} by name select " + ", ".join(f'? as "{name}"' for name in told), list(told.values()))
        for contract in load_all():
            types = {name: column.type.duckdb for name, column in contract.columns.items()} | META
            columns = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
            db.execute(f"create or replace table raw.{contract.table} ({columns})")
            _insert(db, contract, (rows or {}).get(contract.table, ()))


def append_raw(path: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]], *, run: int, known_at: datetime) -> None:
    """Add the rows of a later run to the raw tables of a file that create_raw made."""
    with duckdb.connect(str(path)) as db:
        for contract in load_all():
            _insert(db, contract, [{**row, "_run_seq": run, "_known_at": known_at} for row in rows.get(contract.table, ())])


def _insert(db: duckdb.DuckDBPyConnection, contract: Contract, rows: Sequence[Mapping[str, Any]]) -> None:
    defaults = {n: (None if c.nullable else BLANK.get(c.type.duckdb, 0)) for n, c in contract.columns.items()}
    defaults |= {"_op": "u", "_run_seq": 1, "_known_at": FIRST_RUN}
    found = list(_complete(rows, defaults))
    if found:
        # one statement: of many, each is planned by itself, which takes most of the time
        places = ", ".join([f"({', '.join('?' * len(defaults))})"] * len(found))
        db.execute(f"insert into raw.{contract.table} values {places}", [value for row in found for value in row])


def _complete(rows: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any]) -> Iterator[list[Any]]:
    for row in rows:
        unknown = set(row) - set(defaults)
        if unknown:
            raise ValueError(f"no such raw column: {', '.join(sorted(unknown))}")
        yield list((dict(defaults) | dict(row)).values())


def _at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute)


def _run(number: int, table: str, **more: Any) -> dict[str, Any]:
    counts = {"rows": 0, "deletes": 0, "repaired": 0, "drift": 0, "seconds": 0.5}
    return {"run_seq": number, "table": table, "state": "read", "known_at": (FIRST_RUN, SECOND_RUN)[number - 1], **counts, **more}


def _incident(number: int, kind: str, name: str, node: str = "", **more: Any) -> dict[str, Any]:
    at = {
        "began_at": _at(28, 12),
        "last_at": _at(28, 12),
        "ended_at": None,
        "well_before_at": None,
        "known_at": (FIRST_RUN, SECOND_RUN)[number - 1],
    }
    return {"run_seq": number, "kind": kind, "name": name, "node": node, "row_count": 0, "message": "why", **at, **more}


def _user(number: int, country: str, zone: str) -> dict[str, Any]:
    return {"id": number, "country": country, "time_zone": zone, "date_joined": _at(1), "display_currency": "USD"}


def _job(number: int, client: int, state: str, opened: datetime, ended: datetime | None = None, **more: Any) -> dict[str, Any]:
    fixed = {
        "pricing": "fixed",
        "currency": "USD",
        "visibility": "public",
        "category_id": 1,
        "title": f"Job {number}",
        "created_at": opened,
    }
    return {"id": number, "client_id": client, "state": state, "opened_at": opened, "ended_at": ended, **fixed, **more}


def _proposal(number: int, job: int, freelancer: int, state: str, sent: datetime, **more: Any) -> dict[str, Any]:
    base = {"id": number, "job_id": job, "freelancer_id": freelancer, "state": state, "submitted_at": sent}
    return {**base, "amount_minor": 90000, "currency": "USD", **more}


def _account(number: int, kind: str, currency: str, user: int | None = None, milestone: int | None = None) -> dict[str, Any]:
    named = {"id": number, "key": f"{kind}:{number}:{currency}", "kind": kind, "currency": currency}
    return {**named, "user_id": user, "milestone_id": milestone, "created_at": _at(1)}


def _entry(
    number: int, kind: str, day: int, postings: int, gross: int | None = None, subject: tuple[str, int | None] = ("", None)
) -> dict[str, Any]:
    return {
        "id": number,
        "kind": kind,
        "subject_type": subject[0],
        "subject_id": subject[1],
        "idempotency_key": f"key {number}",
        "posting_count": postings,
        "gross_minor": gross,
        "occurred_at": _at(day),
    }


def _posting(number: int, entry: int, line: int, debit: int, credit: int, amount: int, currency: str, day: int) -> dict[str, Any]:
    sides = {"debit_account_id": debit, "credit_account_id": credit, "amount": amount, "currency": currency}
    return {"id": number, "entry_id": entry, "line_no": line, "occurred_at": _at(day), **sides}


def _payment(number: int, state: str, amount: int, currency: str, day: int, **more: Any) -> dict[str, Any]:
    base = {"id": number, "provider": "sandbox", "state": state, "payer_id": 1, "amount_minor": amount, "currency": currency}
    return {**base, "purpose": "wallet", "capture": "automatic", "created_at": _at(day), "settled_at": _at(day, 0, 1), **more}


def _payout(number: int, state: str, amount: int, day: int, **more: Any) -> dict[str, Any]:
    base = {"id": number, "provider": "sandbox", "state": state, "payee_id": 2, "amount_minor": amount, "currency": "USD"}
    return {**base, "created_at": _at(day), **more}


def _event(
    number: int, subject: str, key: int, version: int, kind: str, moved: tuple[str, str], day: int, actor: int | None
) -> dict[str, Any]:
    states = {"state_before": moved[0], "state_after": moved[1]}
    named = {"id": number, "aggregate_type": subject, "aggregate_id": key, "version": version, "kind": kind}
    return {**named, **states, "actor_id": actor, "occurred_at": _at(day)}


def _said(number: int, talk: int, seq: int, author: int, at: datetime) -> dict[str, Any]:
    return {"id": number, "conversation_id": talk, "seq": seq, "author_id": author, "sent_at": at}


def _shown(number: int, batch: str, user: int, job: int, position: int, at: datetime, **more: Any) -> dict[str, Any]:
    item = {"id": number, "batch": batch, "user_id": user, "item_type": "job", "item_id": job, "surface": "recommended_jobs"}
    return {**item, "position": position, "propensity": 1.0 / position, "shown_at": at, **more}


#: Alice (1) buys; Bob (2, Kenya) and Chiyo (3, Japan) sell; 4 stands for imported posts. Job 10 becomes contract 1000 in USD: of its two
#: milestones one is released, one refunded. Job 13 becomes contract 1001 in JPY, whose milestone is held. Job 11 waits, job 12 is imported.
#: The first run knows everything up to 26 March; the second, on 1 April, brings list b4, a review that was opened on the 25th, and a deletion.
MARKET: dict[str, list[dict[str, Any]]] = {
    # of two runs; in the second a batch of proposals was set aside
    "_runs": [
        _run(1, "jobs_job", rows=4),
        _run(1, "jobs_proposal", rows=4),
        _run(2, "jobs_job", rows=2, deletes=1, repaired=1, seconds=1.5),
        _run(2, "jobs_proposal", state="quarantined", message="jobs_proposal: set aside"),
    ],
    "_findings": [
        {
            "run_seq": 2,
            "table": "jobs_proposal",
            "check": "nulls",
            "column": "job_id",
            "severity": "quarantine",
            "value": 0.5,
            "threshold": 0.05,
            "rows": 20,
            "message": "20 of 40 values are empty",
            "known_at": SECOND_RUN,
        }
    ],
    # a test failed in two builds; the second run knew that it passed again, and that rounds fail at reading since
    "_incidents": [
        _incident(1, "test", "unique_stg_job", "stg_job", times=1, row_count=3),
        _incident(2, "test", "unique_stg_job", "stg_job", times=2, row_count=4, last_at=_at(28, 13), ended_at=_at(28, 14)),
        _incident(2, "round", "build", times=2, last_at=_at(28, 13), ended_at=_at(28, 14), well_before_at=_at(28, 11)),
        _incident(2, "round", "extract", times=5, began_at=_at(30), last_at=_at(31), message="the database cannot be reached"),
    ],
    "accounts_user": [
        _user(1, "DE", "Europe/Berlin"),
        _user(2, "KE", "Africa/Nairobi"),
        _user(3, "JP", "Asia/Tokyo"),
        _user(4, "", "Mars/Olympus"),
    ],
    "accounts_clientprofile": [
        {"id": 1, "user_id": 1, "created_at": _at(1)},
        {"id": 2, "user_id": 4, "import_source": "posts_2024", "created_at": _at(1)},
    ],
    "accounts_freelancerprofile": [
        {
            "id": 21,
            "user_id": 2,
            "title": "Python developer",
            "overview": "APIs",
            "hourly_rate_minor": 4500,
            "currency": "USD",
            "experience_level": "expert",
            "availability": "partly",
            "category_id": 1,
        },
        {
            "id": 31,
            "user_id": 3,
            "title": "Designer",
            "hourly_rate_minor": 3001,
            "currency": "JPY",
            "experience_level": "entry",
            "availability": "available",
        },
    ],
    "accounts_freelancerskill": [
        {"id": 1, "freelancer_id": 21, "skill_id": 2, "level": 5, "years": 9},
        {"id": 2, "freelancer_id": 21, "skill_id": 1, "level": 3, "years": 2},
    ],
    "jobs_category": [{"id": 1, "slug": "web-development", "name": "Web development"}],
    "jobs_skill": [
        {"id": 1, "slug": "python", "name": "Python", "category_id": 1},
        {"id": 2, "slug": "django", "name": "Django", "category_id": 1},
    ],
    "jobs_job": [
        _job(10, 1, "filled", _at(2, 8), _at(5, 8), budget_min_minor=80000, budget_max_minor=100001, experience_level="expert"),
        _job(11, 1, "open", _at(3), pricing="hourly", currency="JPY", budget_min_minor=3000, budget_max_minor=5000, description="Logo"),
        _job(12, 4, "open", _at(4), source="posts_2024", currency="KWD", budget_max_minor=12345),
        _job(13, 1, "filled", _at(6, 8), _at(10)),
    ],
    "jobs_jobskill": [{"id": 1, "job_id": 10, "skill_id": 2}, {"id": 2, "job_id": 10, "skill_id": 1}],
    "jobs_proposal": [
        _proposal(
            100, 10, 2, "accepted", _at(2, 10), first_seen_at=_at(2, 12), shortlisted_at=_at(3), offered_at=_at(4), decided_at=_at(5)
        ),
        _proposal(101, 10, 3, "declined", _at(2, 11), decided_at=_at(5)),
        _proposal(102, 13, 3, "accepted", _at(6, 9), offered_at=_at(8), decided_at=_at(10), amount_minor=100000, currency="JPY"),
        _proposal(103, 11, 3, "submitted", _at(4)),
        _proposal(103, 11, 3, "submitted", _at(4), _op="d", **LATER),
    ],
    "contracts_contract": [
        {
            "id": 1000,
            "job_id": 10,
            "proposal_id": 100,
            "client_id": 1,
            "freelancer_id": 2,
            "state": "completed",
            "pricing": "fixed",
            "currency": "USD",
            "payee_currency": "USD",
            "total_minor": 90000,
            "offered_at": _at(4),
            "started_at": _at(5),
            "ended_at": _at(21),
        },
        {
            "id": 1001,
            "job_id": 13,
            "proposal_id": 102,
            "client_id": 1,
            "freelancer_id": 3,
            "state": "active",
            "pricing": "fixed",
            "currency": "JPY",
            "payee_currency": "JPY",
            "total_minor": 100000,
            "offered_at": _at(8),
            "started_at": _at(10),
        },
    ],
    "contracts_milestone": [
        {"id": 1, "contract_id": 1000, "position": 1, "state": "released", "amount_minor": 60000, "currency": "USD"},
        {"id": 2, "contract_id": 1000, "position": 2, "state": "refunded", "amount_minor": 30000, "currency": "USD"},
        {"id": 3, "contract_id": 1001, "position": 1, "state": "in_progress", "amount_minor": 100000, "currency": "JPY"},
    ],
    "payments_account": [
        _account(1, "clearing", "USD"),
        _account(2, "wallet", "USD", 1),
        _account(3, "hold", "USD", 1, 1),
        _account(4, "hold", "USD", 1, 2),
        _account(5, "pending", "USD", 2),
        _account(6, "fees", "USD"),
        _account(7, "clearing", "JPY"),
        _account(8, "wallet", "JPY", 1),
        _account(9, "hold", "JPY", 1, 3),
        _account(10, "available", "USD", 2),
        _account(11, "payout_transit", "USD", 2),
        _account(12, "payout_transit", "USD", 1),
    ],
    "payments_entry": [
        _entry(1, "deposit", 5, 1, subject=("payment", 1)),
        _entry(2, "hold", 5, 1),
        _entry(3, "hold", 5, 1),
        _entry(4, "release", 20, 2, 60000),
        _entry(5, "refund", 21, 1),
        _entry(6, "deposit", 10, 1, subject=("payment", 2)),
        _entry(7, "hold", 10, 1),
        _entry(8, "clear", 25, 1),
        _entry(9, "payout_request", 25, 1, subject=("payout", 1)),
        _entry(10, "payout_settle", 26, 1, subject=("payout", 1)),
        _entry(11, "payout_request", 26, 1, subject=("payout", 2)),
        _entry(12, "deposit", 15, 1, subject=("payment", 4)),
        _entry(13, "card_refund_request", 16, 1, subject=("payment_refund", 1)),
        _entry(14, "card_refund_settle", 17, 1, subject=("payment_refund", 1)),
    ],
    "payments_posting": [
        _posting(1, 1, 1, 1, 2, 90000, "USD", 5),
        _posting(2, 2, 1, 2, 3, 60000, "USD", 5),
        _posting(3, 3, 1, 2, 4, 30000, "USD", 5),
        _posting(4, 4, 1, 3, 5, 54000, "USD", 20),
        _posting(5, 4, 2, 3, 6, 6000, "USD", 20),
        _posting(6, 5, 1, 4, 2, 30000, "USD", 21),
        _posting(7, 6, 1, 7, 8, 100001, "JPY", 10),
        _posting(8, 7, 1, 8, 9, 100000, "JPY", 10),
        _posting(9, 8, 1, 5, 10, 54000, "USD", 25),
        _posting(10, 9, 1, 10, 11, 20000, "USD", 25),
        _posting(11, 10, 1, 11, 1, 20000, "USD", 26),
        _posting(12, 11, 1, 10, 11, 5000, "USD", 26),
        _posting(13, 12, 1, 1, 2, 1000, "USD", 15),
        _posting(14, 13, 1, 2, 12, 300, "USD", 16),
        _posting(15, 14, 1, 12, 1, 300, "USD", 17),
    ],
    "payments_payment": [
        _payment(1, "succeeded", 90000, "USD", 5, purpose="milestone", purpose_id=1),
        _payment(2, "succeeded", 100001, "JPY", 10),
        _payment(3, "failed", 500, "USD", 11, failure_code="card_declined", settled_at=None),
        _payment(4, "partially_refunded", 1000, "USD", 15),
    ],
    "payments_paymentrefund": [
        {
            "id": 1,
            "payment_id": 4,
            "provider": "sandbox",
            "state": "succeeded",
            "amount_minor": 300,
            "currency": "USD",
            "created_at": _at(16),
            "settled_at": _at(17),
        },
    ],
    "payments_payout": [
        _payout(1, "paid", 20000, 25, sent_at=_at(25), settled_at=_at(26)),
        _payout(2, "held", 5000, 26, hold_reason="first_payout"),
    ],
    "payments_fxrate": [
        {"id": 1, "base": "USD", "quote": "JPY", "rate": 125, "source": "ecb_cross", "as_of": _at(1).date(), "fetched_at": _at(1)},
    ],
    "trust_review": [
        {
            "id": 1,
            "contract_id": 1000,
            "author_id": 1,
            "subject_id": 2,
            "author_side": "client",
            "rating": 5,
            "written_at": _at(22),
            "opened_at": _at(25),
        },
        {
            "id": 2,
            "contract_id": 1001,
            "author_id": 1,
            "subject_id": 2,
            "author_side": "client",
            "rating": 1,
            "written_at": _at(22),
            "opened_at": _at(25, 12),
            **LATER,
        },
    ],
    "activity_impression": [
        _shown(1, "b1", 2, 10, 1, _at(2, 9)),
        _shown(2, "b2", 2, 11, 2, _at(3, 1)),
        _shown(3, "b3", 3, 13, 1, _at(6, 8, 30)),
        _shown(4, "b4", 2, 11, 1, _at(27), **LATER),
        _shown(5, "b3", 3, 12, 2, _at(6, 8, 30)),
    ],
    "activity_view": [
        {"id": 1, "user_id": 2, "item_type": "job", "item_id": 10, "viewed_at": _at(2, 9, 30)},
        {"id": 2, "user_id": 2, "item_type": "job", "item_id": 11, "viewed_at": _at(3, 2)},
    ],
    "activity_search": [
        {"id": 1, "user_id": 2, "surface": "job_search", "query": "django", "hits": 3, "searched_at": _at(3)},
        {"id": 2, "user_id": 2, "surface": "job_search", "query": "cobol", "hits": 0, "searched_at": _at(3)},
    ],
    "core_event": [
        _event(1, "contracts.contract", 1000, 1, "contract.accept", ("offered", "active"), 5, 2),
        _event(2, "contracts.milestone", 1, 1, "milestone.release", ("approved", "released"), 20, None),
        _event(3, "jobs.job", 10, 1, "job.publish", ("draft", "open"), 2, 1),
        _event(4, "payments.payout", 2, 1, "payout.hold", ("requested", "held"), 26, None),
    ],
    "messaging_conversation": [{"id": 1, "job_id": 10, "client_id": 1, "freelancer_id": 2, "created_at": _at(3)}],
    "messaging_message": [
        _said(1, 1, 1, 1, _at(3, 9)),
        _said(2, 1, 2, 2, _at(3, 10)),
        _said(3, 1, 3, 1, _at(3, 12)),
        _said(4, 1, 4, 2, _at(3, 13)),
        _said(4, 1, 4, 2, _at(3, 13)) | {"_op": "d", **LATER},
    ],
    "disputes_dispute": [
        {
            "id": 1,
            "milestone_id": 3,
            "state": "withdrawn",
            "filer_id": 1,
            "currency": "JPY",
            "held_minor": 100000,
            "opened_at": _at(15),
            "decide_by": _at(22),
        },
    ],
    "trust_case": [
        {
            "id": 1,
            "subject_type": "job",
            "subject_id": 12,
            "about_id": 4,
            "state": "actioned",
            "act": "warn",
            "reason_code": "spam",
            "opened_at": _at(5),
            "decided_at": _at(6),
        },
    ],
    "trust_report": [
        {"id": 1, "case_id": 1, "reporter_id": 2, "subject_type": "job", "subject_id": 12, "reason_code": "spam", "at": _at(5)}
    ],
    "matching_servedscore": [
        {
            "id": 1,
            "batch": "b1",
            "user_id": 2,
            "job_id": 10,
            "position": 1,
            "score": 0.5,
            "parts": "[]",
            "model_version": "m1",
            "served_at": _at(2, 9),
        },
    ],
    "notifications_inboxitem": [{"id": 1, "user_id": 1, "event_id": 1, "kind": "contract.accept", "created_at": _at(5), "read_at": _at(6)}],
    "notifications_letter": [
        {"id": 1, "item_id": 1, "user_id": 1, "topic": "contracts", "state": "sent", "due_at": _at(5), "sent_at": _at(5)}
    ],
    "accounts_signin": [{"id": 1, "user_id": 1, "device": "Firefox on Linux", "at": _at(2)}],
}
