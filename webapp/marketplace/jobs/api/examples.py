"""What the API document shows of posts, bids and what people keep; requests by operation, answers by operation or else by the shape they have."""

from __future__ import annotations

from typing import Any

from marketplace.core.api.examples import ALICE, BOB, page, quote
from marketplace.jobs.search import people, posts

_TERMS = {
    "cover_letter": "I have built three of these.",
    "amount_minor": 200000,
    "currency": "USD",
    "delivery_days": 20,
    "milestones": [
        {"title": "Schema and first source", "amount_minor": 80000, "due_in_days": 7, "acceptance": ["Orders load hourly"]},
        {"title": "All sources", "amount_minor": 120000, "due_in_days": 20, "acceptance": ["Totals match the shop's"]},
    ],
    "answers": ["One of my own, with tests.", "yes", "Ours"],
}

REQUESTS: dict[str, Any] = {
    "proposal_submit": _TERMS,
    "job_update": {"budget_max_minor": 300000, "description": "Load orders from four sources into one warehouse, every hour."},
    "job_close": {"reason": "We found somebody in our own house."},
    "job_publish": {"confirm_duplicate": False},
    "job_renew": {"confirm_duplicate": False},
    "saved_search_update": {"name": "Python, well paid", "pace": "daily"},
    "shortlist_rename": {"name": "Warehouses, spring"},
    "proposal_update": {
        "amount_minor": 190000,
        "delivery_days": 18,
        "milestones": [
            {"title": "Schema and first source", "amount_minor": 80000, "due_in_days": 7, "acceptance": ["Orders load hourly"]},
            {"title": "All sources", "amount_minor": 110000, "due_in_days": 18, "acceptance": ["Totals match the shop's"]},
        ],
    },
    "proposal_decline": {"reason": "We chose somebody who knows the shop's system."},
    "proposal_withdraw": {"reason": "I have taken on other work until May."},
}

_TITLE = "Data pipeline for a shop"
_DOUBT = "The budget does not fit the work: please explain it."
_CATEGORY = {"slug": "data", "name": "Data & Analytics"}
_PYTHON = {"slug": "python", "name": "Python"}
_CLIENT = {**ALICE, "country": "DE"}
_FREELANCER = {**BOB, "country": "KE"}
_QUESTIONS = [
    {"text": "Which loader would you use?", "kind": "text", "required": True, "choices": []},
    {"text": "Have you worked with this shop's API?", "kind": "yes_no", "required": True, "choices": []},
    {"text": "Where do you want the warehouse?", "kind": "choice", "required": False, "choices": ["Yours", "Ours"]},
]
_CARD = {
    "id": 18,
    "state": "open",
    "title": _TITLE,
    "summary": "Load orders from three sources into one warehouse, every hour.",
    "category": _CATEGORY,
    "skills": [_PYTHON, {"slug": "sql", "name": "SQL"}],
    "pricing": "fixed",
    "currency": "USD",
    "budget_min_minor": 150000,
    "budget_max_minor": 250000,
    "duration_days": None,
    "experience_level": "",
    "location_country": "",
    "proposal_count": 0,
    "opened_at": "2026-03-02T09:30:00Z",
    "expires_at": "2026-04-01T09:30:00Z",
    "client": _CLIENT,
}
_OPEN = {
    **_CARD,
    "description": _CARD["summary"],
    "visibility": "public",
    "preferred_start": None,
    "screening_questions": [q["text"] for q in _QUESTIONS],
    "questions": _QUESTIONS,
    "files": [],
    "attributes": {},
    "source": "",
    "created_at": "2026-03-02T09:00:00Z",
    "ended_at": None,
    "my_proposal": None,
    "my_mark": None,
    "moderation_reason": "",
    "duplicate_of": None,
    "actions": ["close"],
}
_DRAFT = {**_OPEN, "state": "draft", "opened_at": None, "expires_at": None, "actions": ["close", "publish"]}
_BATCH = "4be0643f-1d98-573b-97cd-ca98a65347dd"
_FOUND_JOB = {
    **_CARD,
    "id": 512,
    "title": "Port a C# service",
    "summary": "Our invoicing runs on an old version of .NET.",
    "category": {"slug": "web-development", "name": "Web Development"},
    "skills": [{"slug": "c-sharp", "name": "C#"}],
    "currency": "EUR",
    "duration_days": 30,
    "experience_level": "expert",
    "proposal_count": 3,
    "position": 1,
    "score": 31.4,
    "reasons": [{"kind": "words", "text": "In the title: c#"}, {"kind": "recency", "text": "Posted 2 days ago"}],
    "estimate": {"low_minor": 162000, "high_minor": 270000, "currency": "USD"},
}
_FOUND_FREELANCER = {
    **_FREELANCER,
    "title": "Python developer",
    "summary": "I build data pipelines.",
    "category": _CATEGORY,
    "skills": [_PYTHON],
    "hourly_rate_minor": 4500,
    "currency": "USD",
    "experience_level": "expert",
    "years_experience": 8,
    "availability": "available",
    "hours_per_week": 30,
    "rating": {"mean": 4.71, "low": 4.42, "high": 4.93, "count": 12},
    "hires": 14,
    "position": 1,
    "score": 27.9,
    "reasons": [
        {"kind": "words", "text": "In the title: python"},
        {"kind": "skill", "text": "Knows Python"},
        {"kind": "rating", "text": "Rated 4.7, between 4.4 and 4.9, by 12 reviews"},
    ],
    "estimate": None,
}
_INVITATION = {
    "id": 5,
    "state": "sent",
    "job": _CARD,
    "freelancer": _FREELANCER,
    "message": "Your loaders are what we need.",
    "created_at": "2026-03-02T09:40:00Z",
    "sent_at": "2026-03-02T09:40:00Z",
    "answered_at": None,
    "decline_reason": "",
    "actions": ["accept", "decline"],
}
_SEARCH = {
    "id": 3,
    "name": "Python by the hour",
    "parameters": {"query": "python", "pricing": "hourly"},
    "pace": "instant",
    "created_at": "2026-03-02T09:00:00Z",
    "look_at": "2026-03-02T09:05:00Z",
}
_SHORTLIST = {"id": 4, "name": "Warehouses", "size": 0, "created_at": "2026-03-02T09:00:00Z"}
_LISTED = {
    "freelancer": {**_FREELANCER, "title": "Python developer"},
    "note": "Fast and friendly; ask again in May.",
    "added_at": "2026-03-02T09:10:00Z",
}
_RULE = {
    "version": "standard-1",
    "active_from": "2026-01-01T00:00:00Z",
    "monthly": 60,
    "bands": [{"up_to_usd_minor": 50000, "credits": 2}, {"up_to_usd_minor": 500000, "credits": 4}, {"up_to_usd_minor": None, "credits": 6}],
    "hourly": 4,
    "unknown": 4,
    "returns": {
        "unopened": "The job ended before the client opened your proposal.",
        "not_hired": "The client closed the post without hiring anybody.",
        "removed": "The post was taken down.",
        "ghosted": "The client did not answer in time.",
    },
}


def _bid_quote(gross: int, clears_on: str, clears_on_if_silent: str, expires_at: str) -> dict[str, Any]:
    return {**quote(gross, clears_on, clears_on_if_silent), "fx_rate_id": None, "clears_in_days": 5, "expires_at": expires_at}


_RECEIPT = {
    "opened": False,
    "opened_at": None,
    "position_when_opened": None,
    "among_when_opened": None,
    "position": 1,
    "among": 2,
    "ranking": "proposals-1: share of the job's skills claimed, then earlier bid",
    "answer_due_at": "2026-03-17T08:00:00Z",
    "ghosted_at": None,
    "outcome": None,
    "outcome_at": None,
    "outcome_reason": "",
    "credits_spent": 4,
    "credits_returned": 0,
    "credits_returned_at": None,
    "credits_returned_reason": "",
}
_OPENED = {**_RECEIPT, "opened": True, "opened_at": "2026-03-04T08:30:00Z", "position_when_opened": 1, "among_when_opened": 2}
_BID = {
    "id": 41,
    "state": "submitted",
    "job": {"id": 18, "title": _TITLE, "state": "open", "pricing": "fixed", "client": _CLIENT},
    "freelancer": _FREELANCER,
    **_TERMS,
    "quote": _bid_quote(200000, "2026-03-28", "2026-04-11", "2026-03-03T08:15:00Z"),
    "submitted_at": "2026-03-03T08:00:00Z",
    "shortlisted_at": None,
    "offered_at": None,
    "bid_credits": 4,
    "files": [],
    "receipt": _RECEIPT,
    "actions": ["withdraw"],
}
_SEEN = {**_BID, "state": "seen", "receipt": _OPENED}
_CHANGED = {"currency": "USD", **REQUESTS["proposal_update"]}
_CHANGED_QUOTE = _bid_quote(190000, "2026-03-26", "2026-04-09", "2026-03-03T12:15:00Z")

ANSWERS: dict[str, Any] = {
    "categories": [_CATEGORY, {"slug": "web-development", "name": "Web Development"}],
    "skills": [{**_PYTHON, "category": "software-development"}],
    "Skill": {"slug": "javascript", "name": "JavaScript"},
    "skill_rename": {"slug": "airtable", "name": "Airtable Bases"},
    "job_create": _DRAFT,
    "job_update": {**_DRAFT, **REQUESTS["job_update"], "summary": REQUESTS["job_update"]["description"]},
    "job_publish": _OPEN,
    "job_renew": _OPEN,
    "job_close": {**_OPEN, "state": "closed", "ended_at": "2026-03-04T12:00:00Z", "actions": []},
    "job_read": {**_OPEN, "proposal_count": 2, "my_proposal": 41, "actions": []},
    "job_hold": {**_OPEN, "state": "in_review", "moderation_reason": _DOUBT, "actions": ["clear", "remove"]},
    "job_remove": {**_OPEN, "state": "removed", "moderation_reason": _DOUBT, "ended_at": "2026-03-04T12:00:00Z", "actions": ["restore"]},
    "job_clear": {**_OPEN, "actions": ["hold", "remove"]},
    "job_restore": {**_OPEN, "actions": ["hold", "remove"]},
    "JobSearchResult": {
        **page(_FOUND_JOB),
        "total": 1,
        "loosened": False,
        "ranking": posts.RANKING,
        "batch": _BATCH,
        "facets": {"level": [{"value": "expert", "name": "Expert", "count": 1}]},
    },
    "FreelancerSearchResult": {
        **page(_FOUND_FREELANCER),
        "total": 1,
        "loosened": False,
        "ranking": people.RANKING,
        "batch": _BATCH,
        "facets": {},
    },
    "SuggestedFreelancers": {"ranking": people.RANKING, "batch": _BATCH, "results": [_FOUND_FREELANCER]},
    "PriceGuide": {
        "alike_in": ["skills", "category", "pricing"],
        "currency": "EUR",
        "price": {"low": 90000, "median": 140000, "high": 210000, "count": 38},
        "bids": {"low": 3, "median": 7, "high": 12, "count": 61},
        "note": "",
    },
    "MyJobs": {**page({**_CARD, "proposal_count": 2}), "counts": {"open": 1}},
    "MarkedJobPage": page({"job": _CARD, "created_at": "2026-03-03T07:00:00Z"}),
    "Invited": {
        "id": 5,
        "state": "sent",
        "job": 18,
        "freelancer": 8,
        "message": "Your loaders are what we need.",
        "created_at": "2026-03-02T09:40:00Z",
        "sent_at": "2026-03-02T09:40:00Z",
    },
    "InvitationShapePage": page(_INVITATION),
    "invitation_accept": {**_INVITATION, "state": "accepted", "answered_at": "2026-03-03T07:00:00Z", "actions": ["propose"]},
    "invitation_decline": {
        **_INVITATION,
        "state": "declined",
        "answered_at": "2026-03-03T07:00:00Z",
        "decline_reason": "I have no time until May.",
        "actions": [],
    },
    "SavedSearchShape": _SEARCH,
    "saved_search_update": {**_SEARCH, **REQUESTS["saved_search_update"], "look_at": "2026-03-03T09:00:00Z"},
    "SavedSearchShapePage": page(_SEARCH),
    "ShortlistShape": _SHORTLIST,
    "shortlist_rename": {**_SHORTLIST, **REQUESTS["shortlist_rename"]},
    "ShortlistShapePage": page({**_SHORTLIST, "size": 1}),
    "ShortlistItemShape": _LISTED,
    "ShortlistItemShapePage": page(_LISTED),
    "CreditRule": _RULE,
    "BidCredits": {
        "balance": 56,
        "monthly": 60,
        "next_grant_at": "2026-04-01T00:00:00Z",
        "rule": _RULE,
        **page(
            {
                "number": 2,
                "kind": "spend",
                "change": -4,
                "balance": 56,
                "rule": "standard-1",
                "at": "2026-03-03T08:00:00Z",
                "proposal": 41,
                "job_title": _TITLE,
            }
        ),
    },
    "proposal_submit": _BID,
    "proposal_update": {**_BID, **_CHANGED, "quote": _CHANGED_QUOTE},
    "proposal_read": {**_SEEN, "actions": ["decline", "offer", "shortlist"]},
    "proposal_shortlist": {
        **_SEEN,
        "state": "shortlisted",
        "shortlisted_at": "2026-03-04T09:00:00Z",
        "actions": ["decline", "offer"],
    },
    "proposal_decline": {
        **_SEEN,
        "state": "declined",
        "receipt": {
            **_OPENED,
            "position": None,
            "outcome": "declined",
            "outcome_at": "2026-03-05T16:00:00Z",
            "outcome_reason": REQUESTS["proposal_decline"]["reason"],
        },
        "actions": [],
    },
    "proposal_withdraw": {
        **_SEEN,
        "state": "withdrawn",
        "receipt": {
            **_OPENED,
            "position": None,
            "outcome": "withdrawn",
            "outcome_at": "2026-03-05T16:00:00Z",
            "outcome_reason": REQUESTS["proposal_withdraw"]["reason"],
        },
        "actions": [],
    },
    "ProposalSerializerPage": page({**_SEEN, "actions": ["decline", "offer", "shortlist"]}),
    "ProposalVersions": {
        "results": [
            {
                "number": 2,
                "sent_at": "2026-03-03T12:00:00Z",
                "replaced_at": None,
                **_CHANGED,
                "answers": _BID["answers"],
                "quote": _CHANGED_QUOTE,
            },
            {
                "number": 1,
                "sent_at": "2026-03-03T08:00:00Z",
                "replaced_at": "2026-03-03T12:00:00Z",
                **{name: _BID[name] for name in ("amount_minor", "currency", "delivery_days", "milestones", "answers", "quote")},
            },
        ]
    },
}
