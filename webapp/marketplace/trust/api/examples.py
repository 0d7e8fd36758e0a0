"""What the API document shows of moderation; requests by operation, answers by operation or else by the shape they have."""

from __future__ import annotations

from typing import Any

from marketplace.core.api.examples import page

REQUESTS: dict[str, Any] = {
    "staff_case_rate": {"act": "warn", "reason_code": "contact_details"},
    "staff_case_send_back": {"reason": "The number is an order number. Please look once more."},
}

_REVIEW = {
    "id": 71,
    "contract_id": 31,
    "author_id": 7,
    "subject_id": 8,
    "author_side": "client",
    "rating": 5,
    "text": "On time and careful.",
    "written_at": "2026-04-01T10:00:00Z",
    "opened_at": None,
    "edited_at": None,
    "reply": None,
    "replied_at": None,
    "hidden_at": None,
}
_OPEN_REVIEW = {**_REVIEW, "opened_at": "2026-04-03T10:00:00Z"}
_REPORT = {
    "id": 11,
    "subject_type": "job",
    "subject_id": 7,
    "reason_code": "paid_to_apply",
    "text": "They ask for a deposit.",
    "at": "2026-03-04T09:00:00Z",
    "answered_at": None,
    "outcome": "waiting",
}
_REASON = "The post asks freelancers for a deposit. Nobody pays to work here."
_QUOTED = "“Send a deposit of 20 USD before we start.”"
_DECISION = {
    "id": 6,
    "subject_type": "job",
    "subject_id": 7,
    "state": "actioned",
    "act": "remove",
    "reason_code": "paid_to_apply",
    "reason": _REASON,
    "evidence": [_QUOTED],
    "decided_at": "2026-03-04T15:00:00Z",
    "decide_by": None,
    "appeal_until": "2026-03-18T15:00:00Z",
    "appeal_reason": None,
    "appealed_at": None,
    "appeal_decided_at": None,
    "appeal_answer": "",
    "can_appeal": True,
    "if_nobody_acts": "The decision stands.",
}
_APPEALED = {
    **_DECISION,
    "state": "appealed",
    "decide_by": "2026-03-12T08:00:00Z",
    "appeal_reason": "0900 - 1200 eastern is when we meet. It is no phone number.",
    "appealed_at": "2026-03-05T08:00:00Z",
    "can_appeal": False,
    "if_nobody_acts": "A decision by another moderator is due. If it is late, it stays due and is reported.",
}
_SUBJECT = {
    "title": "Test our shop",
    "text": "Test our shop\nSend a deposit of 20 USD before we start.",
    "link": "/jobs/7",
    "state": "open",
    "acts": ["allow", "warn", "hold", "remove", "suspend"],
}
_CASE = {
    "id": 6,
    "subject_type": "job",
    "subject_id": 7,
    "about_id": 21,
    "state": "flagged",
    "opened_at": "2026-03-04T09:00:00Z",
    "decide_by": "2026-03-07T09:00:00Z",
    "late_at": None,
    "claimed_by_id": None,
    "claim_until": None,
    "act": "",
    "reason_code": "",
    "reason": "",
    "evidence": [],
    "decided_by_id": None,
    "decided_at": None,
    "needs_second": False,
    "second_by_id": None,
    "second_at": None,
    "content_held": False,
    "appeal_until": None,
    "appeal_reason": None,
    "appealed_at": None,
    "appeal_decided_at": None,
    "appeal_answer": "",
    "report_count": 1,
    "actions": ["claim"],
    "if_nobody_acts": ("A moderator's decision is due. If it is late, it stays due and is reported; nothing is done to anybody before it."),
    "subject": _SUBJECT,
    "reports": [],
    "flags": [
        {
            "subject_type": "job",
            "subject_id": 7,
            "version": "text-1",
            "at": "2026-03-04T08:00:00Z",
            "findings": [
                {
                    "code": "paid_to_apply",
                    "level": "warn",
                    "start": 14,
                    "end": 38,
                    "excerpt": "Send a deposit of 20 USD",
                    "reason": "This seems to ask freelancers to pay: nobody pays to work here.",
                }
            ],
        }
    ],
}
_CLAIMED = {**_CASE, "claimed_by_id": 5, "claim_until": "2026-03-04T15:30:00Z", "actions": ["decide", "release"]}
_DECIDED = {
    **_CASE,
    "state": "actioned",
    "decide_by": None,
    "act": "remove",
    "reason_code": "paid_to_apply",
    "reason": _REASON,
    "evidence": [_QUOTED],
    "decided_by_id": 5,
    "decided_at": "2026-03-04T15:00:00Z",
    "appeal_until": "2026-03-18T15:00:00Z",
    "actions": [],
    "if_nobody_acts": "",
}
_REPUTATION = {
    "user_id": 8,
    "as_of": "2026-12-04T07:55:39.624467Z",
    "formula": "w = value · 0.5^(age_days/365); mean = (k·m0 + Σ w·rating) / (k + Σ w); variance = (k·(s0² + (m0−mean)²) + Σ "
    "w·(rating−mean)²) / (k + Σ w); n = (k + Σ w)² / (k + Σ w²); interval = mean ± 1.96·√(variance/n), cut to 1…5",
    "formula_version": "reputation-2",
    "prior": {"weight": 4.0, "mean": 4.0, "deviation": 1.0},
    "half_life_days": 365.0,
    "z": 1.96,
    "inputs": [
        {
            "rating": 5,
            "value": 3,
            "opened_at": "2026-12-04T07:55:39.583648Z",
            "age_days": 4.7244212962962967e-07,
            "weight": 2.99999999730845,
        }
    ],
    "count": 1,
    "mean": 4.42857142835171,
    "low": 3.5164310883830128,
    "high": 5.0,
    "client": None,
}

ANSWERS: dict[str, Any] = {
    "Review": _REVIEW,
    "review_reply": {**_OPEN_REVIEW, "reply": "Thank you. The day was lost to a public holiday.", "replied_at": "2026-04-04T09:00:00Z"},
    "review_read": _OPEN_REVIEW,
    "user_reviews": page(_OPEN_REVIEW),
    "OwnReview": {
        **_REVIEW,
        "rating": 4,
        "text": "Careful, a day late.",
        "edited_at": "2026-04-01T12:00:00Z",
        "versions": [{"rating": 5, "text": "On time and careful.", "replaced_at": "2026-04-01T12:00:00Z"}],
    },
    "Reviews": {"results": [_REVIEW], "may_write": False, "window_shuts_at": "2026-04-14T18:00:00Z"},
    "Reputation": _REPUTATION,
    "report_file": _REPORT,
    "Report": {**_REPORT, "answered_at": "2026-03-04T15:00:00Z", "outcome": "measures"},
    "Decision": _DECISION,
    "letter_decision": _DECISION,
    "decision_appeal": _APPEALED,
    "letter_decision_appeal": _APPEALED,
    "Case": {name: _CASE[name] for name in _CASE if name not in ("subject", "reports", "flags")},
    "staff_case": _CASE,
    "staff_case_claim": _CLAIMED,
    "staff_case_release": _CASE,
    "staff_case_send_back": _CASE,
    "staff_case_decide": _DECIDED,
    "staff_case_approve": {**_DECIDED, "needs_second": True, "second_by_id": 6, "second_at": "2026-03-04T16:00:00Z"},
    "staff_case_decide_appeal": {
        **_DECIDED,
        "state": "overturned",
        "appeal_reason": "It was a sum that I pay, not one that I ask for.",
        "appealed_at": "2026-03-05T08:00:00Z",
        "appeal_decided_at": "2026-03-06T08:00:00Z",
        "appeal_answer": "You are right: the post offers the deposit.",
    },
    "SecondRating": {"id": 6, **REQUESTS["staff_case_rate"], "rated_at": "2026-03-05T08:00:00Z"},
    "BlindCase": {"id": 6, "asked_at": "2026-03-05T07:00:00Z", "subject_type": "job", "subject": _SUBJECT, "reasons": ["paid_to_apply"]},
    "AgreementFigures": {
        "n": 40,
        "act": {"n": 40, "agreed": 36, "share": 0.9, "kappa": 0.8},
        "reason_code": {"n": 40, "agreed": 34, "share": 0.85, "kappa": 0.78},
        "by_reason_code": [{"n": 12, "agreed": 11, "share": 0.917, "kappa": 0.82, "code": "paid_to_apply"}],
    },
}
