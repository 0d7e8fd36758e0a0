"""A raw log that grows run by run as the extraction might write it: new rows, late rows, changes, deletions and returns, from one seed.

The market is of LANES that share nothing: rows speak only of rows, people and jobs of their own lane. So a run that changes each table in a
lane of its own leaves, in that lane, all that stands beside the table to be reached by nothing else.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

#: instants that rows speak of; a run writes rows of any of these days, so most of them are late
FIRST_DAY, DAYS = datetime(2026, 3, 1), 40
CURRENCIES = ("USD", "EUR", "JPY", "KWD", "BRL")
PAIRS = (("EUR", "USD"), ("EUR", "JPY"), ("EUR", "KWD"), ("USD", "JPY"), ("BRL", "USD"))
LANES = 10
#: people of a lane by their numbers. Some bid only and some seldom; others never bid: only a profile makes them freelancers
CLIENTS, BIDDERS, SELDOM_BIDDERS, BY_PROFILE = range(4), (4, 5, 6), (7, 8, 14, 15, 16, 17), (9, 10, 11, 12, 13)
JOBS, TALKS, CONTRACTS = range(18), range(12), range(30)
#: whose contracts end; of those with a profile one is left out, whose pairs are reached by jobs and clients alone. All but the last are
#: reviewed: what is known of that one comes of contracts alone
WORKERS = BIDDERS + BY_PROFILE[1:]
Row = dict[str, Any]


def _id(lane: int, number: int) -> int:
    return 1 + lane + LANES * number


def _place(key: int) -> tuple[int, int]:
    """The lane of a key and its number there."""
    number, lane = divmod(key - 1, LANES)
    return lane, number


def _one(r: random.Random, lane: int, numbers: Any) -> int:
    return _id(lane, r.choice(numbers))


def _beside(key: int, numbers: tuple[int, ...]) -> int:
    """The one after `key` among `numbers` of its lane; itself when it is none of them."""
    lane, number = _place(key)
    return _id(lane, numbers[(numbers.index(number) + 1) % len(numbers)]) if number in numbers else key


def _moment(r: random.Random) -> datetime:
    return FIRST_DAY + timedelta(seconds=r.randrange(DAYS * 86_400))


def _posting(r: random.Random, lane: int) -> Row:
    debit, credit = r.sample(range(10), 2)
    return {
        "entry_id": _one(r, lane, range(12)),
        "line_no": r.randrange(1, 4),
        "leg": "net",
        "debit_account_id": _id(lane, debit),
        "credit_account_id": _id(lane, credit),
        "amount": r.randrange(1, 10_000_000),
        "currency": r.choice(CURRENCIES),
        "occurred_at": _moment(r),
    }


def _rate(r: random.Random, lane: int) -> Row:
    day = (FIRST_DAY + timedelta(days=r.randrange(3) + r.choice([0, 0, DAYS]))).date()
    return {"rate": r.randrange(1, 10**6) / 1000, "source": "ecb", "as_of": day, "fetched_at": _moment(r)}


def _event(r: random.Random, lane: int) -> Row:
    before, after = r.sample(["funded", "submitted", "released", "disputed"], 2)
    return {
        "aggregate_type": r.choice(["contracts.contract", "contracts.milestone", "jobs.job"]),
        "aggregate_id": r.randrange(1, 20),
        "version": r.randrange(1, 9),
        "kind": "milestone.submit",
        "actor_id": r.choice([None, 1, 2]),
        "state_before": before if r.random() < 0.7 else None,
        "state_after": after,
        "occurred_at": _moment(r),
    }


def _shown(r: random.Random, lane: int) -> Row:
    return {
        "batch": f"b{lane}-{r.randrange(5)}",
        "user_id": r.choice([None, *[_one(r, lane, r.choice([BIDDERS, BIDDERS, SELDOM_BIDDERS, BY_PROFILE, BY_PROFILE]))] * 9]),
        "item_type": r.choice(["job"] * 9 + ["freelancer"]),
        "item_id": _one(r, lane, JOBS),
        "position": r.randrange(1, 15),
        "propensity": r.randrange(1, 17) / 16,
        "score": r.choice([None, r.randrange(-12, 12) / 4]),
        # some after all runs: what these bring was known then
        "shown_at": _moment(r) + timedelta(days=r.choice([0, DAYS + 10])),
    }


def _contract(r: random.Random, lane: int) -> Row:
    return {
        "proposal_id": r.choice([None, 0, 0, 1, 1]),
        "job_id": _one(r, lane, JOBS),
        "client_id": _one(r, lane, CLIENTS),
        "freelancer_id": _one(r, lane, WORKERS),
        "state": r.choice(["active", "completed", "completed"]),
        "currency": r.choice(CURRENCIES),
        "total_minor": round(10 ** r.uniform(2, 7)),
        "offered_at": _moment(r),
        "started_at": r.choice([None, *[_moment(r)] * 3]),
        "ended_at": r.choice([None, *[_moment(r)] * 3]),
    }


def _review(r: random.Random, lane: int) -> Row:
    return {
        "contract_id": _one(r, lane, CONTRACTS),
        "subject_id": _one(r, lane, WORKERS[:-1]),
        "author_side": r.choice(["client"] * 5 + ["freelancer"]),
        "rating": r.randrange(1, 6),
        "opened_at": r.choice([None, *[_moment(r)] * 5]),
    }


def _job(r: random.Random, lane: int) -> Row:
    return {
        "client_id": _one(r, lane, CLIENTS),
        "state": r.choice(["open", "filled", "closed"]),
        "visibility": r.choice(["public"] * 9 + ["private"]),
        "title": "Logo",
        "opened_at": r.choice([None, *[_moment(r)] * 9]),
        "ended_at": r.choice([None, *[_moment(r)] * 3]),
    }


def _proposal(r: random.Random, lane: int) -> Row:
    sent = _moment(r) + timedelta(days=r.choice([0, 20, DAYS + 20]))
    row = {
        "job_id": _one(r, lane, JOBS),
        "freelancer_id": _one(r, lane, BIDDERS * 8 + SELDOM_BIDDERS),
        "state": "submitted",
        "submitted_at": sent,
        "amount_minor": r.randrange(1, 10_000_000),
        "currency": r.choice(CURRENCIES),
    }
    return row | {"shortlisted_at": r.choice([None, _moment(r)])}


def _view(r: random.Random, lane: int) -> Row:
    who = _one(r, lane, BIDDERS + BY_PROFILE)
    return {
        "user_id": who,
        "item_type": "job",
        "item_id": _one(r, lane, JOBS),
        "viewed_at": _moment(r) + timedelta(days=r.choice([0, DAYS])),
    }


def _message(r: random.Random, lane: int) -> Row:
    return {
        "conversation_id": _one(r, lane, TALKS),
        "seq": r.randrange(1, 10_000),
        "author_id": _one(r, lane, (0, 1, 4, 5)),
        "sent_at": _moment(r),
    }


#: table → how a row of it in a lane is made
MAKERS: dict[str, Callable[[random.Random, int], Row]] = {
    "payments_fxrate": _rate,
    "payments_account": lambda r, lane: {
        "kind": r.choice(["wallet", "hold", "fees", "pending"]),
        "currency": r.choice(CURRENCIES),
        "user_id": r.choice([None, 1, 2]),
        "milestone_id": r.choice([None, 1, 2, 3]),
    },
    "payments_entry": lambda r, lane: {
        "kind": r.choice(["hold", "release", "bonus", "refund"]),
        "contract_id": r.randrange(5),
        "occurred_at": _moment(r),
    },
    "payments_posting": _posting,
    "core_event": _event,
    "activity_impression": _shown,
    "activity_view": _view,
    "activity_search": lambda r, lane: {"user_id": 2, "query": "x", "hits": r.randrange(3), "searched_at": _moment(r)},
    "matching_servedscore": lambda r, lane: {
        "user_id": 2,
        "job_id": r.randrange(9),
        "position": 1,
        "score": r.random(),
        "served_at": _moment(r),
    },
    "messaging_conversation": lambda r, lane: {
        "job_id": _one(r, lane, JOBS),
        "client_id": _one(r, lane, (0, 1)),
        "freelancer_id": _one(r, lane, (4, 5)),
    },
    "messaging_message": _message,
    "notifications_inboxitem": lambda r, lane: {"user_id": 2, "event_id": r.randrange(99), "read_at": r.choice([None, _moment(r)])},
    "accounts_signin": lambda r, lane: {"user_id": r.randrange(1, 5), "device": "Firefox on Linux", "at": _moment(r)},
    "jobs_proposal": _proposal,
    "jobs_job": _job,
    "contracts_contract": _contract,
    "trust_review": _review,
    "accounts_freelancerprofile": lambda r, lane: {"user_id": _one(r, lane, (5, 6, *BY_PROFILE))},
}
#: how many keys a table has in a lane; few, so that keys change, go and come back
KEYS = {
    "activity_impression": 450,
    "activity_view": 40,
    "payments_account": 10,
    "payments_entry": 12,
    "payments_posting": 50,
    "payments_fxrate": 6,
    "messaging_conversation": len(TALKS),
    "messaging_message": 40,
    "jobs_job": len(JOBS),
    "jobs_proposal": 2 * len(CONTRACTS),
    "contracts_contract": len(CONTRACTS),
    "trust_review": 40,
    "accounts_freelancerprofile": 6,
}
#: of which more is touched: few contracts stand behind a hire that is credited to what was shown
MOST = {"contracts_contract": 0.9}
#: rates from this day on move
MOVED_RATES = date(2026, 3, 12)
#: table → what is used of it elsewhere, each changed by itself: with jobs and profiles by the lists of jobs, with rates by whatever is
#: converted. Some jobs change in nothing that the lists use; some profiles stay
ALONE: dict[str, dict[str, Callable[[Any], Any]]] = {
    "jobs_job": {
        "visibility": lambda seen_by: "private" if seen_by == "public" else "public",
        "opened_at": lambda opened: None if opened else datetime(2026, 3, 9),
        "client_id": lambda client: _beside(client, (0, 1)),
        "state": lambda state: "closed" if state == "open" else "filled",
        "ended_at": lambda ended: None if ended else datetime(2026, 3, 9),
        "title": lambda title: "Other",
    },
    "accounts_freelancerprofile": {"user_id": lambda user: _beside(user, (9, 10))},
    "payments_fxrate": {"as_of": lambda day: day + timedelta(days=2 * DAYS)},
}


class RandomLog:
    """The log of one market: `write` makes a run of changes. What a key holds is remembered, for tombstones keep the last values."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.run = 0
        self._held: dict[str, dict[int, tuple[Row, bool]]] = {table: {} for table in MAKERS}

    def write(self, *changes: dict[str, list[Row]]) -> dict[str, list[Row]]:
        """The rows of the next run: these changes, of which no two are of one table."""
        self.run += 1
        return {table: rows for change in changes for table, rows in change.items()}

    def grow(self, *tables: str) -> dict[str, list[Row]]:
        """Some of all keys of `tables` are touched; where there was none yet, most keys are made."""
        return {table: list(self._touch(table, 0.3, range(LANES))) for table in tables}

    def grow_apart(self, **lanes: tuple[int, ...]) -> dict[str, list[Row]]:
        """A third of the keys of these lanes is touched in each table, of many about thirty a lane, and what MOST says."""
        return {table: list(self._touch(table, MOST.get(table, min(0.3, 30 / KEYS.get(table, 15))), own)) for table, own in lanes.items()}

    def turn(self, *tables: str) -> dict[str, list[Row]]:
        """One column alone changes of each living row of `tables`: those of ALONE take turns."""
        return {table: list(self._turned(table)) for table in tables}

    def take(self, table: str) -> dict[str, list[Row]]:
        """All rows of `table` go."""
        living = {key: row for key, (row, lives) in self._held[table].items() if lives}
        self._held[table].update({key: (row, False) for key, row in living.items()})
        return {table: [{**row, "id": key, "_op": "d"} for key, row in living.items()]}

    def give_back(self, taken: dict[str, list[Row]]) -> dict[str, list[Row]]:
        """What `take` took comes back as it was, all but the last."""
        [(table, rows)] = taken.items()
        rows = rows[:-1]
        self._held[table].update({row["id"]: ({name: row[name] for name in row if name not in ("id", "_op")}, True) for row in rows})
        return {table: [{**row, "_op": "u"} for row in rows]}

    def _turned(self, table: str) -> Iterator[Row]:
        living = [(key, row) for key, (row, lives) in self._held[table].items() if lives and row.get("as_of", MOVED_RATES) >= MOVED_RATES]
        for number, (key, row) in enumerate(living):
            column, change = list(ALONE[table].items())[number % len(ALONE[table])]
            turned = {**row, column: change(row[column])}
            self._held[table][key] = (turned, True)
            yield {**turned, "id": key, "_op": "u"}

    def _touch(self, table: str, share: float, lanes: Iterable[int]) -> Iterator[Row]:
        r, held = self._random, self._held[table]
        begins = not held
        for key in range(1, LANES * KEYS.get(table, 15) + 1):
            lane, number = _place(key)
            if lane not in lanes or r.random() > (0.8 if begins else share):  # what is left out of the first run comes later
                continue
            row, lives = held.get(key, ({}, False))
            if lives and r.random() < 0.3:
                held[key] = (row, False)
                yield {**row, "id": key, "_op": "d"}
                continue
            made = MAKERS[table](r, lane)
            if made.get("proposal_id") is not None:  # a proposal has one contract at most
                made["proposal_id"] = _id(lane, 2 * number + made["proposal_id"])
            if table == "payments_fxrate":  # two currencies have one rate a day
                slot, pair = divmod(key - 1, len(PAIRS))
                made |= {"base": PAIRS[pair][0], "quote": PAIRS[pair][1], "as_of": made["as_of"] + timedelta(days=3 * slot)}
            if lives:  # some columns change, the others stay
                made = {name: value if r.random() < 0.5 else row[name] for name, value in made.items()}
            if lives and row.get("proposal_id") is not None:  # a contract leaves its proposal for the other one that it may have
                made["proposal_id"] = _id(lane, _place(row["proposal_id"])[1] ^ 1)
            held[key] = (made, True)
            yield {**made, "id": key, "_op": "u"}
