"""A raw log that grows run by run as the extraction might write it: new rows, late rows, changes, deletions and returns, from one seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

#: instants that rows speak of; a run writes rows of any of these days, so most of them are late
FIRST_DAY, DAYS = datetime(2026, 3, 1), 40
CURRENCIES = ("USD", "EUR", "JPY", "KWD", "BRL")
Row = dict[str, Any]


def _moment(r: random.Random) -> datetime:
    return FIRST_DAY + timedelta(seconds=r.randrange(DAYS * 86_400))


def _posting(r: random.Random) -> Row:
    debit, credit = r.sample(range(1, 31), 2)
    return {
        "entry_id": r.randrange(1, 61),
        "line_no": r.randrange(1, 4),
        "leg": "net",
        "debit_account_id": debit,
        "credit_account_id": credit,
        "amount": r.randrange(1, 10_000_000),
        "currency": r.choice(CURRENCIES),
        "occurred_at": _moment(r),
    }


def _rate(r: random.Random) -> Row:
    base, quote = r.choice([("EUR", "USD"), ("EUR", "JPY"), ("EUR", "KWD"), ("USD", "JPY"), ("BRL", "USD")])
    day = (FIRST_DAY + timedelta(days=r.randrange(DAYS))).date()
    return {"base": base, "quote": quote, "rate": r.randrange(1, 10**6) / 1000, "source": "ecb", "as_of": day, "fetched_at": _moment(r)}


def _event(r: random.Random) -> Row:
    before, after = r.sample(["funded", "submitted", "released", "disputed"], 2)
    return {
        "aggregate_type": r.choice(["contracts.contract", "contracts.milestone", "jobs.job"]),
        "aggregate_id": r.randrange(1, 20),
        "version": r.randrange(1, 9),
        "kind": "milestone.submit",
        "actor_id": r.choice([None, 1, 2]),
        "before": json.dumps({"state": before} if r.random() < 0.7 else {}),
        "after": json.dumps({"state": after, "note": '\u00e9 "quoted"'}),
        "occurred_at": _moment(r),
    }


def _shown(r: random.Random) -> Row:
    return {
        "batch": f"b{r.randrange(30)}",
        # 9 to 12 never bid: only a profile makes them freelancers
        "user_id": r.choice([None, 12, 3, 2, 3, 9, 10, 11]),
        "item_type": r.choice(["job", "job", "job", "freelancer"]),
        "item_id": r.randrange(9),
        "position": r.randrange(1, 15),
        "propensity": r.randrange(1, 17) / 16,
        "score": r.choice([None, r.randrange(-12, 12) / 4]),
        # some after all runs: what these bring was known then
        "shown_at": _moment(r) + timedelta(days=r.choice([0, 0, DAYS + 10])),
    }


def _contract(r: random.Random) -> Row:
    return {
        "proposal_id": r.choice([None, 0, 1, 2]),
        "job_id": r.randrange(1, 9),
        "client_id": r.choice([1, 4]),
        "freelancer_id": r.randrange(2, 9),
        "state": r.choice(["active", "completed"]),
        "currency": r.choice(CURRENCIES),
        "total_minor": r.randrange(1, 3_000_000),
        "offered_at": _moment(r),
        "started_at": r.choice([None, _moment(r)]),
        "ended_at": r.choice([None, _moment(r)]),
    }


def _review(r: random.Random) -> Row:
    return {
        "contract_id": r.randrange(1, 40),
        "subject_id": r.choice([2, 3]),
        "author_side": r.choice(["client", "client", "freelancer"]),
        "rating": r.randrange(1, 6),
        "opened_at": r.choice([None, _moment(r)]),
    }


def _job(r: random.Random) -> Row:
    return {
        "client_id": r.choice([1, 4]),
        "state": r.choice(["open", "filled", "closed"]),
        "visibility": r.choice(["public"] * 5 + ["private"]),
        "opened_at": r.choice([None, *[_moment(r)] * 5]),
        "ended_at": r.choice([None, _moment(r)]),
    }


def _proposal(r: random.Random) -> Row:
    sent = _moment(r) + timedelta(days=r.choice([0, 20, DAYS + 20]))
    row = {
        "job_id": r.randrange(1, 9),
        "freelancer_id": r.choice([2, 3, r.randrange(2, 9)]),
        "state": "submitted",
        "submitted_at": sent,
        "amount_minor": 5,
    }
    return row | {"shortlisted_at": r.choice([None, _moment(r)])}


#: table → how a row of it is made
MAKERS: dict[str, Callable[[random.Random], Row]] = {
    "payments_fxrate": _rate,
    "payments_account": lambda r: {
        "kind": r.choice(["wallet", "hold", "fees", "pending"]),
        "currency": r.choice(CURRENCIES),
        "user_id": r.choice([None, 1, 2]),
        "milestone_id": r.choice([None, 1, 2, 3]),
    },
    "payments_entry": lambda r: {
        "kind": r.choice(["hold", "release", "bonus", "refund"]),
        "contract_id": r.randrange(5),
        "occurred_at": _moment(r),
    },
    "payments_posting": _posting,
    "core_event": _event,
    "activity_impression": _shown,
    "activity_view": lambda r: {"user_id": 2, "item_type": "job", "item_id": r.randrange(9), "viewed_at": _moment(r)},
    "activity_search": lambda r: {"user_id": 2, "query": "x", "hits": r.randrange(3), "searched_at": _moment(r)},
    "matching_servedscore": lambda r: {"user_id": 2, "job_id": r.randrange(9), "position": 1, "score": r.random(), "served_at": _moment(r)},
    "messaging_conversation": lambda r: {"job_id": r.randrange(9), "client_id": r.choice([1, 4]), "freelancer_id": r.choice([2, 3])},
    "messaging_message": lambda r: {
        "conversation_id": r.randrange(1, 13),
        "seq": r.randrange(1, 10_000),
        "author_id": r.randrange(1, 5),
        "sent_at": _moment(r),
    },
    "notifications_inboxitem": lambda r: {"user_id": 2, "event_id": r.randrange(99), "read_at": r.choice([None, _moment(r)])},
    "accounts_signin": lambda r: {"user_id": r.randrange(1, 5), "device": "Firefox on Linux", "at": _moment(r)},
    "jobs_proposal": _proposal,
    "jobs_job": _job,
    "contracts_contract": _contract,
    "trust_review": _review,
    "accounts_freelancerprofile": lambda r: {"user_id": r.choice([12, 9, 10, 10])},
}
#: how many keys a table may have; small ones, so that keys change, go and come back
KEYS = {
    "activity_impression": 300,
    "payments_account": 30,
    "payments_entry": 60,
    "payments_fxrate": 25,
    "messaging_conversation": 12,
    "jobs_job": 8,
    "contracts_contract": 40,
    "trust_review": 40,
    "accounts_freelancerprofile": 6,
}


class RandomLog:
    """The log of one market. `grow` writes the rows of the next run; what a key holds is remembered, for tombstones keep the last values."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.run = 0
        self._held: dict[str, dict[int, tuple[Row, bool]]] = {table: {} for table in MAKERS}

    def grow(self, tables: set[str] | None = None, share: float = 0.3) -> dict[str, list[Row]]:
        """The rows of the next run, of `tables` (all when None): about `share` of all keys are touched, in the first run every key is made."""
        self.run += 1
        return {table: list(self._touch(table, share)) for table in MAKERS if tables is None or table in tables}

    def turn(self, table: str, columns: dict[str, Callable[[Any], Any]]) -> dict[str, list[Row]]:
        """The next run changes one column alone of each living row of `table`: `columns` take turns, each told how it changes."""
        self.run += 1
        told = []
        for number, (key, row) in enumerate([(key, row) for key, (row, lives) in self._held[table].items() if lives]):
            column, change = list(columns.items())[number % len(columns)]
            turned = {**row, column: change(row[column])}
            self._held[table][key] = (turned, True)
            told.append({**turned, "id": key, "_op": "u"})
        return {table: told}

    def take(self, table: str) -> dict[str, list[Row]]:
        """The next run takes all rows of `table` away, and does nothing else."""
        self.run += 1
        living = {key: row for key, (row, lives) in self._held[table].items() if lives}
        self._held[table].update({key: (row, False) for key, row in living.items()})
        return {table: [{**row, "id": key, "_op": "d"} for key, row in living.items()]}

    def give_back(self, taken: dict[str, list[Row]]) -> dict[str, list[Row]]:
        """The next run brings back what `take` took, all but the last, as it was, and does nothing else."""
        self.run += 1
        [(table, rows)] = taken.items()
        rows = rows[:-1]
        self._held[table].update({row["id"]: ({name: row[name] for name in row if name not in ("id", "_op")}, True) for row in rows})
        return {table: [{**row, "_op": "u"} for row in rows]}

    def _touch(self, table: str, share: float) -> Iterator[Row]:
        r, held = self._random, self._held[table]
        for key in range(1, KEYS.get(table, 120) + 1):
            if self.run == 1 and r.random() < 0.2:
                continue  # comes later
            if self.run > 1 and r.random() > share:
                continue
            row, lives = held.get(key, ({}, False))
            if lives and r.random() < 0.4:
                held[key] = (row, False)
                yield {**row, "id": key, "_op": "d"}
                continue
            made = MAKERS[table](r)
            if made.get("proposal_id") is not None:  # a proposal has one contract at most
                made["proposal_id"] += 3 * key - 2
            if lives:  # some columns change, the others stay
                made = {name: value if r.random() < 0.5 else row[name] for name, value in made.items()}
            held[key] = (made, True)
            yield {**made, "id": key, "_op": "u"}
