"""What the API document shows of contracts, milestones and hours; requests by operation, answers by operation or else by the shape they have."""

from __future__ import annotations

from typing import Any

from marketplace.core.api.examples import ALICE, BOB, FILE, PAYMENT, page, quote, usd

REQUESTS: dict[str, Any] = {
    "contract_accept": {"revision": 1},
    "contract_cancel": {"reason": "The shop is sold; the new owner has a team of its own.", "ask_refund": True},
    "contract_decline": {"reason": "I have taken on other work until May."},
    "contract_hours_stop": {"reason": "The launch is done; we need no hours after this week."},
    "contract_pause": {"reason": "Both sides are being asked about a report; nothing moves until that is settled."},
    "contract_pause_request": {"reason": "Our office is closed from 24 December to 2 January."},
    "contract_resume": {"reason": "The office is open again."},
    "counter_offer_decline": {"reason": "The date cannot move: the sale begins on the first."},
    "counter_offer_withdraw": {"reason": "I can keep your date after all."},
    "milestone_refund": {"reason": "I cannot finish this part; you have not lost anything."},
    "milestone_request_changes": {
        "text": "The import is fine. The report still lacks the returns.",
        "items": [{"item": 1, "text": "Orders that were sent back are counted as sold."}],
    },
    "milestone_submit": {"note": "All three sources load every hour; the report is in the folder `report`. How to run it is in README.md."},
    "refund_request_refuse": {"answer": "Two of the three sources load already; please look at version 2."},
    "time_entry_change": {"minutes": 180, "what": "The loader's tests, without the call."},
    "week_submit": {"note": "The tests of the loader, and the call on Thursday."},
    "work_request_accept": {"answer": "Of course. Get well soon."},
    "work_request_decline": {"answer": "The sale begins on the first, so the date has to stay."},
}

_JOB = "Data pipeline for a shop"
_FIRST, _SECOND = "Schema and first source", "All sources"
_HOLD_LIMIT = "2026-05-20T09:30:00Z"
_RETURNS = f"What is held for “{_FIRST}” returns to the client's wallet: money is held for at most 75 days."


def _clock(name: str, at: str, then: str) -> dict[str, Any]:
    return {"clock": name, "at": at, "then": then, "milestone_id": 51}


def _told(kind: str, at: str, title: str, text: str, **more: Any) -> dict[str, Any]:
    empty = {"future": False, "milestone_id": None, "amount": None, "entry_id": None, "if_nobody_acts": None}
    return {"at": at, "kind": kind, "title": title, "text": text, **empty, **more}


def _to_fund(minor: int) -> dict[str, Any]:
    """Without a client's fee."""
    return {"amount": usd(minor), "fee": usd(0), "tax": usd(0), "total": usd(minor)}


_PLANNED = {
    "id": 51,
    "contract_id": 31,
    "position": 1,
    "state": "planned",
    "title": _FIRST,
    "acceptance": ["Orders load hourly", "Returns are told apart"],
    "amount_minor": 80000,
    "currency": "USD",
    "held": usd(0),
    "to_fund": _to_fund(80000),
    "due_at": None,
    "funded_at": None,
    "started_at": None,
    "submitted_at": None,
    "auto_approve_at": None,
    "approved_at": None,
    "approved_by_clock": False,
    "released_at": None,
    "clears_at": None,
    "cleared_at": None,
    "refunded_at": None,
    "disputed_at": None,
    "dispute_id": None,
    "decide_by": None,
    "resolved_at": None,
    "refund_request": None,
    "submissions": [],
    "clocks": [],
    "actions": [],
    "week_id": None,
}
_LATER = {
    **_PLANNED,
    "id": 52,
    "position": 2,
    "title": _SECOND,
    "acceptance": ["Totals match the shop's"],
    "amount_minor": 120000,
    "to_fund": _to_fund(120000),
}
_FUNDED = {
    **_PLANNED,
    "state": "funded",
    "held": usd(80000),
    "to_fund": None,
    "due_at": "2026-03-13T09:00:00Z",
    "funded_at": "2026-03-06T09:30:00Z",
    "clocks": [
        _clock("due", "2026-03-13T09:00:00Z", f"“{_FIRST}” counts as late. No money moves by itself."),
        _clock("hold_limit", _HOLD_LIMIT, _RETURNS),
    ],
    "actions": ["dispute", "refund-request"],
}
_STARTED = {**_FUNDED, "state": "in_progress", "started_at": "2026-03-06T11:00:00Z"}
_VERSION = {
    "id": 61,
    "version": 1,
    "note": REQUESTS["milestone_submit"]["note"],
    "files": [FILE],
    "submitted_at": "2026-03-12T16:00:00Z",
    "change_request": "",
    "unmet": [],
    "item_notes": [],
    "change_requested_at": None,
}
_SUBMITTED = {
    **_STARTED,
    "state": "submitted",
    "submitted_at": "2026-03-12T16:00:00Z",
    "auto_approve_at": "2026-03-26T16:00:00Z",
    "submissions": [_VERSION],
    "clocks": [_clock("auto_approval", "2026-03-26T16:00:00Z", f"“{_FIRST}” is approved and 800.00 USD is released to the freelancer.")],
}
_OFFERED = {
    "id": 31,
    "job_id": 18,
    "proposal_id": 41,
    "title": _JOB,
    "state": "offered",
    "role": "client",
    "client": ALICE,
    "freelancer": BOB,
    "pricing": "fixed",
    "currency": "USD",
    "payee_currency": "USD",
    "total_minor": 200000,
    "fee_schedule": "standard-1",
    "paused_at": None,
    "paused_by_staff": False,
    "disputed_at": None,
    "offered_at": "2026-03-05T09:00:00Z",
    "started_at": None,
    "ended_at": None,
    "hours": None,
    "milestones": [_PLANNED, _LATER],
    "clocks": [
        {
            "clock": "offer_expiry",
            "at": "2026-03-12T09:00:00Z",
            "then": "The offer ends without a contract; the proposal expires.",
            "milestone_id": None,
        }
    ],
    "actions": ["cancel"],
    "offer": {
        "revision": 1,
        "made_at": "2026-03-05T09:00:00Z",
        "expires_at": "2026-03-12T09:00:00Z",
        "quote": quote(200000, "2026-03-30", "2026-04-13"),
        "counter_offer": None,
    },
}
_SUMMARY = list(_OFFERED)[: list(_OFFERED).index("hours")]
_ACTIVE: dict[str, Any] = {
    **_OFFERED,
    "state": "active",
    "started_at": "2026-03-06T09:00:00Z",
    "milestones": [{**_PLANNED, "due_at": "2026-03-13T09:00:00Z"}, {**_LATER, "due_at": "2026-03-26T09:00:00Z"}],
    "clocks": [],
    "actions": ["cancel", "pause-request", "bonus"],
}
_FUNDED_CONTRACT = {
    **_ACTIVE,
    "milestones": [_FUNDED, _ACTIVE["milestones"][1]],
    "clocks": _FUNDED["clocks"],
    "actions": ["pause-request", "bonus"],
}
_ENDED = {
    "state": "cancelled",
    "ended_at": "2026-03-06T12:00:00Z",
    "milestones": [{**_PLANNED, "state": "cancelled"}],
    "clocks": [],
    "actions": [],
}
_HOURLY = {
    **_ACTIVE,
    "id": 33,
    "pricing": "hourly",
    "total_minor": 90000,
    "hours": {"rate_minor": 4500, "weekly_cap_minutes": 1200, "stopped_at": "2026-12-11T18:00:00Z"},
    "milestones": [],
    "offer": None,
    "actions": ["pause-request", "bonus"],
}
_ASKED = {
    "id": 9,
    "milestone_id": 51,
    "state": "open",
    "to": "wallet",
    "amount": usd(80000),
    "reason": "We do not need this any more.",
    "ends_contract": False,
    "asked_at": "2026-03-09T10:00:00Z",
    "answer_by": "2026-03-16T10:00:00Z",
    "answer": "",
    "closed_at": None,
}
_COUNTER = {
    "id": 3,
    "contract_id": 31,
    "state": "open",
    "milestones": [
        {"title": _FIRST, "amount_minor": 85000, "due_in_days": 9, "acceptance": ["Orders load hourly"]},
        {"title": _SECOND, "amount_minor": 125000, "due_in_days": 25, "acceptance": []},
    ],
    "total_minor": 210000,
    "currency": "USD",
    "message": "The second source needs a week more than planned.",
    "quote": quote(210000, "2026-04-04", "2026-04-18"),
    "made_at": "2026-03-05T11:00:00Z",
    "decided_at": None,
    "reason": "",
    "actions": [],
}
_REQUEST = {
    "id": 6,
    "contract_id": 31,
    "milestone_id": 51,
    "kind": "extension",
    "state": "open",
    "asker_id": 8,
    "text": "",
    "due_at": None,
    "asked_at": "2026-03-09T10:00:00Z",
    "answer": "",
    "closed_at": None,
}
_EXTENSION = {"text": "The flu.", "due_at": "2026-03-20T12:00:00Z"}
_TASK = {
    "id": 14,
    "milestone_id": 51,
    "title": "Write the loader's tests",
    "column": "todo",
    "position": 0,
    "assignee": "freelancer",
    "created_at": "2026-03-06T11:30:00Z",
    "changed_at": "2026-03-06T11:30:00Z",
}
_CAP = {
    "id": 1,
    "contract_id": 33,
    "state": "proposed",
    "weekly_cap_minutes": 1800,
    "note": "The launch is near.",
    "mine": False,
    "proposed_at": "2026-12-02T18:00:00Z",
    "answered_at": None,
}
_ENTRY = {
    "id": 7,
    "week_id": 21,
    "day": "2026-11-30",
    "minutes": 210,
    "what": "The loader's tests.",
    "logged_at": "2026-11-30T12:00:00Z",
    "amount_minor": 15750,
    "question": "",
    "questioned_at": None,
    "minutes_questioned": None,
    "answer": "",
    "answered_at": None,
}
_QUESTIONED = {"question": "We had cancelled this call.", "questioned_at": "2026-12-09T09:00:00Z", "minutes_questioned": 210}
_WEEK = {
    "id": 21,
    "contract_id": 33,
    "milestone_id": 71,
    "week_start": "2026-11-30",
    "part": 0,
    "state": "in_progress",
    "protected": True,
    "rate_minor": 4500,
    "cap_minutes": 1200,
    "minutes": 210,
    "amount_minor": 15750,
    "funded_minor": 90000,
    "currency": "USD",
    "held": usd(90000),
    "closes_at": "2026-12-07T12:00:00Z",
    "closed_at": None,
    "auto_approve_at": None,
    "answer_by": None,
    "entries": [_ENTRY],
    "actions": ["entries", "submit"],
}
_HANDED_IN = {
    **_WEEK,
    "state": "submitted",
    "held": usd(15750),
    "closed_at": "2026-12-07T12:00:01Z",
    "auto_approve_at": "2026-12-11T23:59:00Z",
    "actions": ["question"],
}
_HOLD = {"kind": "hold", "owner": "client", "milestone_id": 51}

ANSWERS: dict[str, Any] = {
    "ContractMoney": {
        "as_of": "2026-03-06T10:00:00Z",
        "accounts": [
            {"kind": "wallet", "owner": "client", "milestone_id": None, "amount": usd(-80000)},
            {**_HOLD, "amount": usd(80000)},
        ],
    },
    "ClearingAnswer": {
        "results": [
            {
                "contract_id": 31,
                "contract_title": "Shop page in two languages",
                "milestone_id": 51,
                "milestone_title": "The page in English",
                "amount": usd(72000),
                "clears_at": "2026-03-19T09:00:00Z",
            }
        ]
    },
    "StoryPage": page(
        {
            "entry_id": 36,
            "at": "2026-03-14T09:00:00Z",
            "kind": "release",
            "subject_type": "milestone",
            "subject_id": 51,
            "actor": "Alice Meyer",
            "actor_id": 7,
            "rule": "client_approval",
            "rule_text": "the client approved",
            "reason": "",
            "fee_schedule": "standard-1",
            "rate": None,
            "lines": [
                {
                    "posting_id": 71,
                    "leg": "net",
                    "debit": _HOLD,
                    "credit": {"kind": "pending", "owner": "freelancer", "milestone_id": None},
                    "amount": usd(72000),
                },
                {
                    "posting_id": 72,
                    "leg": "fee",
                    "debit": _HOLD,
                    "credit": {"kind": "fees", "owner": "platform", "milestone_id": None},
                    "amount": usd(8000),
                },
            ],
        }
    ),
    "proposal_offer": _OFFERED,
    "contract_accept": {**_ACTIVE, "role": "freelancer", "actions": ["cancel", "pause-request"]},
    "contract_read": _FUNDED_CONTRACT,
    "contract_decline": {**_OFFERED, **_ENDED, "role": "freelancer"},
    "contract_cancel": {**_ACTIVE, **_ENDED},
    "contract_pause": {
        **_FUNDED_CONTRACT,
        "role": "staff",
        "paused_at": "2026-03-09T10:00:00Z",
        "paused_by_staff": True,
        "actions": ["resume"],
    },
    "contract_resume": {**_FUNDED_CONTRACT, "role": "staff", "actions": ["pause"]},
    "contract_hours_stop": _HOURLY,
    "ContractSummary": {name: _ACTIVE[name] for name in _SUMMARY},
    "Funded": {"payment": PAYMENT, "milestone": _FUNDED},
    "milestone_start": {**_STARTED, "actions": ["submit", "refund", "dispute", "extension"]},
    "milestone_submit": {**_SUBMITTED, "actions": ["refund", "dispute"]},
    "milestone_request_changes": {
        **_SUBMITTED,
        "state": "changes_requested",
        "auto_approve_at": None,
        "submissions": [
            {
                **_VERSION,
                "change_request": REQUESTS["milestone_request_changes"]["text"],
                "unmet": [1],
                "item_notes": REQUESTS["milestone_request_changes"]["items"],
                "change_requested_at": "2026-03-13T09:00:00Z",
            }
        ],
        "clocks": _FUNDED["clocks"],
        "actions": ["dispute", "refund-request", "extension"],
    },
    "milestone_approve": {
        **_SUBMITTED,
        "state": "released",
        "held": usd(0),
        "auto_approve_at": None,
        "approved_at": "2026-03-14T09:00:00Z",
        "released_at": "2026-03-14T09:00:00Z",
        "clears_at": "2026-03-19T09:00:00Z",
        "clocks": [_clock("clearing", "2026-03-19T09:00:00Z", f"The money of “{_FIRST}” becomes available to the freelancer.")],
        "actions": [],
    },
    "milestone_approve_part": {
        **_SUBMITTED,
        "held": usd(50000),
        "refund_request": {
            **_ASKED,
            "to": "next",
            "amount": usd(50000),
            "reason": "The second source comes with the next milestone.",
            "asked_at": "2026-03-14T09:00:00Z",
            "answer_by": "2026-03-21T09:00:00Z",
        },
        "clocks": [
            _clock("part_clearing", "2026-03-19T09:00:00Z", f"A part of the money of “{_FIRST}” becomes available to the freelancer."),
            _clock("refund_answer", "2026-03-21T09:00:00Z", f"500.00 USD of “{_FIRST}” moves to the next milestone, “{_SECOND}”."),
        ],
        "actions": ["request-changes", "approve", "approve-part", "dispute"],
    },
    "milestone_refund": {
        **_FUNDED,
        "state": "refunded",
        "held": usd(0),
        "refunded_at": "2026-03-09T10:00:00Z",
        "clocks": [],
        "actions": [],
    },
    "RefundRequest": _ASKED,
    "refund_request_accept": {**_ASKED, "state": "accepted", "closed_at": "2026-03-10T08:00:00Z"},
    "refund_request_refuse": {**_ASKED, "state": "refused", "closed_at": "2026-03-10T08:00:00Z", **REQUESTS["refund_request_refuse"]},
    "refund_request_withdraw": {**_ASKED, "state": "withdrawn", "closed_at": "2026-03-10T08:00:00Z"},
    "Bonus": {
        "id": 2,
        "contract_id": 31,
        "amount": usd(5000),
        "note": "Faster than promised.",
        "given_at": "2026-03-14T09:05:00Z",
        "clears_at": "2026-03-19T09:05:00Z",
        "cleared_at": None,
    },
    "CounterOffer": {**_COUNTER, "actions": ["withdraw"]},
    "counter_offer_accept": {**_COUNTER, "state": "accepted", "decided_at": "2026-03-05T15:00:00Z"},
    "counter_offer_decline": {
        **_COUNTER,
        "state": "declined",
        "decided_at": "2026-03-05T15:00:00Z",
        **REQUESTS["counter_offer_decline"],
    },
    "counter_offer_withdraw": {
        **_COUNTER,
        "state": "withdrawn",
        "decided_at": "2026-03-05T15:00:00Z",
        **REQUESTS["counter_offer_withdraw"],
    },
    "CounterOfferPage": page({**_COUNTER, "actions": ["accept", "decline"]}),
    "Timeline": {
        "now": "2026-03-06T10:00:00Z",
        "items": [
            _told("event", "2026-03-05T09:00:00Z", "Offer made", _JOB, actor="Alice Meyer"),
            _told("event", "2026-03-06T09:00:00Z", "Offer accepted", _JOB, actor="Bob Otieno"),
            _told("event", "2026-03-06T09:30:00Z", "Milestone funded", _FIRST, actor="Alice Meyer", milestone_id=51),
            _told(
                "clock",
                _HOLD_LIMIT,
                "Hold limit",
                _FIRST,
                actor="the clock",
                future=True,
                milestone_id=51,
                if_nobody_acts=_RETURNS,
            ),
        ],
    },
    "CalendarFeed": {
        "url": "https://openlance.example/api/v1/calendar/8-c595d419a0c9442a743ef293785497953c1a6d52584347c1b611796a557c24f6.ics",
        "created_at": "2026-03-06T10:00:00Z",
    },
    "CalendarFeedMade": {"created_at": "2026-03-06T10:00:00Z"},
    "contract_pause_request": {**_REQUEST, "milestone_id": None, "kind": "pause", "text": REQUESTS["contract_pause_request"]["reason"]},
    "milestone_progress_request": {**_REQUEST, "kind": "progress", "asker_id": 7, "text": "How far are you?", "due_at": None},
    "WorkRequest": {**_REQUEST, **_EXTENSION},
    "work_request_accept": {
        **_REQUEST,
        **_EXTENSION,
        "state": "accepted",
        "closed_at": "2026-03-10T08:00:00Z",
        **REQUESTS["work_request_accept"],
    },
    "work_request_decline": {
        **_REQUEST,
        **_EXTENSION,
        "state": "declined",
        "closed_at": "2026-03-10T08:00:00Z",
        **REQUESTS["work_request_decline"],
    },
    "work_request_withdraw": {**_REQUEST, **_EXTENSION, "state": "withdrawn", "closed_at": "2026-03-10T08:00:00Z"},
    "Progress": {
        "id": 2,
        "milestone_id": 51,
        "request_id": 6,
        "text": "The first source loads; its tests come next.",
        "percent": 50,
        "files": [FILE],
        "reported_at": "2026-03-09T16:00:00Z",
    },
    "Board": {"tasks": [_TASK]},
    "WorkTask": _TASK,
    "task_change": {**_TASK, "column": "done", "changed_at": "2026-03-10T08:00:00Z"},
    "HourlyTerms": {
        "rate_minor": 4500,
        "currency": "USD",
        "weekly_cap_minutes": 1200,
        "unspent": "roll",
        "auto_fund": True,
        "next_week_at": "2026-12-07T00:00:00Z",
        "stopped_at": None,
        "cap_changes": [_CAP],
    },
    "CapChange": _CAP,
    "cap_change_accept": {**_CAP, "state": "accepted", "answered_at": "2026-12-02T18:30:00Z"},
    "cap_change_decline": {**_CAP, "state": "declined", "answered_at": "2026-12-02T18:30:00Z"},
    "cap_change_withdraw": {**_CAP, "state": "withdrawn", "mine": True, "answered_at": "2026-12-02T18:30:00Z"},
    "Week": {name: _WEEK[name] for name in _WEEK if name not in ("entries", "actions")},
    "WeekDetail": _WEEK,
    "time_entry_change": {
        **_WEEK,
        "minutes": 180,
        "amount_minor": 13500,
        "entries": [{**_ENTRY, **REQUESTS["time_entry_change"], "amount_minor": 13500}],
    },
    "time_entry_remove": {**_WEEK, "minutes": 0, "amount_minor": 0, "entries": []},
    "week_submit": {**_HANDED_IN, "actions": []},
    "week_question": {
        **_HANDED_IN,
        "state": "changes_requested",
        "auto_approve_at": None,
        "answer_by": "2026-12-16T09:00:00Z",
        "entries": [{**_ENTRY, **_QUESTIONED}],
        "actions": [],
    },
    "week_answer": {
        **_HANDED_IN,
        "entries": [{**_ENTRY, **_QUESTIONED, "answer": "See the recording of the call.", "answered_at": "2026-12-09T12:00:00Z"}],
        "actions": [],
    },
}
