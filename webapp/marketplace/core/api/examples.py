"""What the API document shows of the clock; requests by operation, answers by operation or else by the shape they have."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

from .errors import SIGN_IN

REQUESTS: dict[str, Any] = {
    "clock_advance": {"seconds": 86400},
}

ALICE = {"id": 7, "display_name": "Alice Meyer"}
BOB = {"id": 8, "display_name": "Bob Otieno"}
FILE = {
    "id": 12,
    "name": "report.pdf",
    "content_type": "application/pdf",
    "size": 48211,
    "sha256": "9f2c1d7e5b0a4c3e8f6d2b1a0c9e8d7f6b5a4c3d2e1f0a9b8c7d6e5f4a3b2c1d",
    "uploaded_at": "2026-03-12T15:58:00Z",
    "url": "/api/v1/files/12",
}
PAYMENT = {
    "id": 91,
    "state": "succeeded",
    "provider": "sandbox",
    "amount_minor": 80000,
    "currency": "USD",
    "purpose": "milestone",
    "purpose_id": 51,
    "failure_code": "",
    "next_action": None,
    "received_minor": None,
    "created_at": "2026-03-06T09:29:58Z",
    "settled_at": "2026-03-06T09:30:00Z",
}
_OFFER_DAYS = {
    "name": "OFFER_EXPIRES_DAYS",
    "words": "Days for which an offer stands.",
    "switch": False,
    "value": 7,
    "default": 7,
    "changed": False,
    "low": 1,
    "high": 60,
}
_BULK = {
    "id": 4,
    "name": "payout_allow",
    "actor_id": 3,
    "reason": "checked by phone",
    "total": 2,
    "done": 1,
    "refused": 1,
    "failed": 0,
    "refusals": [{"object_id": 18, "code": "not_found", "message": "There is no such payout, or you may not see it."}],
    "created_at": "2026-03-02T09:00:00Z",
    "finished_at": "2026-03-02T09:00:02Z",
}


def sent(name: str, /, **value: Any) -> OpenApiExample:
    """A body that somebody sends, for a view that names its examples itself."""
    return OpenApiExample(name, request_only=True, value=value)


def page(*rows: Any) -> dict[str, Any]:
    """The only page of a list."""
    return {"results": list(rows), "next": None}


def usd(minor: int) -> dict[str, Any]:
    return {"minor": minor, "currency": "USD"}


def quote(gross: int, clears_on: str, clears_on_if_silent: str) -> dict[str, Any]:
    """What a price in US dollars brings under the schedule standard-1, which takes ten percent."""
    return {
        "gross": usd(gross),
        "fee": usd(gross // 10),
        "tax": usd(0),
        "net": usd(gross - gross // 10),
        "payee_net": usd(gross - gross // 10),
        "fee_schedule": "standard-1",
        "fx_rate": None,
        "spread_bps": 0,
        "clears_on": clears_on,
        "clears_on_if_silent": clears_on_if_silent,
    }


ANSWERS: dict[str, Any] = {
    "Health": {"status": "ok", "database": "ok", "redis": "ok"},
    "health 503": {"status": "failing", "database": "ok", "redis": "failing"},
    "Clock": {"now": "2026-03-02T09:00:00Z", "movable": False},
    "clock_advance": {"now": "2026-03-03T09:00:00Z", "movable": True},
    "FileOut": FILE,
    "StaffActOut": {
        "id": 24,
        "actor_id": 3,
        "action": "groups_change",
        "object_type": "accounts.user",
        "object_id": 19,
        "field": "groups",
        "before": [],
        "after": ["moderator"],
        "reason": "Starts on Monday.",
        "at": "2026-03-02T09:00:00Z",
    },
    "FeatureOut": {**_OFFER_DAYS, "value": 14, "changed": True},
    "FeaturesOut": {
        "results": [
            _OFFER_DAYS,
            {
                "name": "PAYOUTS_OPEN",
                "words": "Freelancers can ask for payouts.",
                "switch": True,
                "value": True,
                "default": True,
                "changed": False,
                "low": None,
                "high": None,
            },
        ]
    },
    "bulk_act_start": {**_BULK, "done": 0, "refused": 0, "refusals": [], "finished_at": None},
    "BulkActOut": _BULK,
}

#: what a refusal looks like, by status; the document holds each of them once
REFUSALS: dict[str, Any] = {
    "400": {
        "code": "invalid",
        "message": "Please correct the marked fields and send it again.",
        "fields": {"amount_minor": ["A valid integer is required."]},
    },
    "401": {"code": "not_authenticated", "message": SIGN_IN, "fields": {}},
    "403": {"code": "token_scope", "message": "This token lacks the scope “write”.", "fields": {}},
    "404": {"code": "not_found", "message": "There is no such contract, or you may not see it.", "fields": {}},
    "409": {
        "code": "idempotency_key_reused",
        "message": "This Idempotency-Key was used with a different request. Use a fresh key for a new request.",
        "fields": {},
    },
    "411": {"code": "length_required", "message": "Send the header Content-Length: how many bytes the form has.", "fields": {}},
    "415": {"code": "unsupported_media_type", "message": 'Unsupported media type "text/plain" in request.', "fields": {}},
    "429": {"code": "throttled", "message": "Request was throttled. Expected available in 12 seconds.", "fields": {}},
}
