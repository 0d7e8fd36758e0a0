"""What the API document shows of accounts and profiles; requests by operation, answers by operation or else by the shape they have."""

from __future__ import annotations

from typing import Any

from marketplace.core.api.examples import ALICE, BOB, FILE, page

from .access import EXAMPLE_TOKEN

_ORDER = {"ids": [12, 9, 10]}

REQUESTS: dict[str, Any] = {
    "me_update": {
        "display_name": "Alice Meyer",
        "country": "DE",
        "time_zone": "Europe/Berlin",
        "language": "en",
        "display_currency": "EUR",
    },
    "me_client_profile": {
        "company_name": "Meyer Toys",
        "about": "A family's toy shop with four stores in Berlin and one on the web.",
        "website": "https://meyer-toys.example",
    },
    "certification_order": _ORDER,
    "education_order": _ORDER,
    "experience_order": _ORDER,
    "portfolio_piece_order": _ORDER,
}

_CLIENT_PROFILE = {
    **REQUESTS["me_client_profile"],
    "payment_verified": True,
    "verification": {"state": "unchecked", "checked_at": None, "reason": ""},
}
_FREELANCER_PROFILE = {
    "title": "Python developer",
    "overview": "I build data pipelines.",
    "hourly_rate_minor": 4500,
    "currency": "USD",
    "experience_level": "expert",
    "years_experience": 8,
    "availability": "available",
    "hours_per_week": 30,
    "languages": [{"code": "en", "level": "fluent"}],
    "category": "data",
    "skills": [{"skill": "python", "name": "Python", "level": 5, "years": 8}],
}
_ME = {
    "id": 7,
    "public_id": "0aa9aa9c-92d9-49f7-8e22-7e29656ee0a4",
    "email": "alice@example.org",
    **REQUESTS["me_update"],
    "roles": {"client": True, "freelancer": False, "staff": False, "groups": []},
    "client_profile": _CLIENT_PROFILE,
    "freelancer_profile": None,
}
_CERTIFICATION = {
    "id": 12,
    "name": "Certified Kubernetes Administrator",
    "issuer": "The Linux Foundation",
    "issued_on": "2025-03-01",
    "expires_on": "2027-03-01",
    "credential_url": "https://example.org/badges/1",
    "check_state": "unchecked",
    "checked_at": None,
    "check_reason": "",
    "files": [FILE],
}
_VERIFIED = {
    **_CERTIFICATION,
    "check_state": "verified",
    "checked_at": "2026-03-02T11:00:00Z",
    "check_reason": "The issuer's page names the person.",
}
_EDUCATION = {
    "id": 12,
    "degree": "BSc",
    "school": "University of Nairobi",
    "field": "Computer science",
    "description": "",
    "started_on": "2015-09-01",
    "ended_on": "2019-06-30",
}
_EXPERIENCE = {
    "id": 12,
    "role": "Data engineer",
    "employer": "Acme",
    "description": "Moved data every night.",
    "started_on": "2021-01-01",
    "ended_on": None,
}
_PIECE = {
    "id": 12,
    "title": "A booking system",
    "description": "Rooms, prices, payments.",
    "finished_on": "2025-06-30",
    "links": ["https://example.org/booking"],
    "files": [FILE],
}
_CLOSING = {
    "id": 2,
    "state": "pending",
    "reason": "I found a job.",
    "requested_at": "2026-03-02T09:00:00Z",
    "closes_at": "2026-03-16T09:00:00Z",
    "put_off_at": None,
}
_SUSPENSION = {"id": 2, "user_id": 21, "reason": "Asked clients to pay outside.", "at": "2026-03-04T08:00:00Z", "lifted_at": None}
_ACTING = {
    "id": 1,
    "staff_id": 3,
    "user_id": 12,
    "reason": "Ticket 481: the page stays empty.",
    "started_at": "2026-03-04T08:00:00Z",
    "expires_at": "2026-03-04T08:30:00Z",
    "ended_at": None,
}

ANSWERS: dict[str, Any] = {
    "Me": _ME,
    "ClientProfile": _CLIENT_PROFILE,
    "me_freelancer_profile": _FREELANCER_PROFILE,
    "me_freelancer_profile_change": {**_FREELANCER_PROFILE, "availability": "partly", "hours_per_week": 20},
    "Client": {
        **ALICE,
        "public_id": _ME["public_id"],
        "country": "DE",
        **{name: _CLIENT_PROFILE[name] for name in ("company_name", "about", "website", "payment_verified")},
        "verification": {"state": "verified"},
        "client_since": "2026-03-01T10:00:00Z",
        "history": {
            "jobs_posted": 3,
            "jobs_open": 1,
            "hires": 2,
            "contracts_active": 1,
            "contracts_completed": 1,
            "spent_band": "under_10k",
        },
        "rating": {},
    },
    "Freelancer": {
        **BOB,
        "public_id": "aba517d3-1b6f-42a8-933c-c23d47ea29de",
        "country": "KE",
        "time_zone": "Africa/Nairobi",
        "profile": _FREELANCER_PROFILE,
        "certifications": [{name: _CERTIFICATION[name] for name in _CERTIFICATION if name not in ("checked_at", "check_reason", "files")}],
        "portfolio": [_PIECE],
        "experience": [_EXPERIENCE],
        "education": [_EDUCATION],
        "rating": {},
    },
    "CertificationOut": _CERTIFICATION,
    "staff_certification_check": _VERIFIED,
    "CertificationQueuePage": page({**_CERTIFICATION, "user_id": 8, "display_name": "Bob Otieno"}),
    "EducationOut": _EDUCATION,
    "ExperienceOut": _EXPERIENCE,
    "PortfolioOut": _PIECE,
    "CompletenessOut": {
        "percent": 85,
        "missing": [{"name": "overview", "weight": 15, "advice": "Write an overview of 30 words or more."}],
        "there": [{"name": "title", "weight": 10, "advice": "Give yourself a title that says what you do."}],
    },
    "CompanyCheck": {"state": "refused", "checked_at": "2026-03-02T11:00:00Z", "reason": "The website names another company."},
    "ClosingOut": _CLOSING,
    "closing_cancel": {**_CLOSING, "state": "cancelled"},
    "ExportOut": {
        "id": 7,
        "state": "ready",
        "percent": 100,
        "step": "",
        "requested_at": "2026-11-29T10:00:00Z",
        "ready_at": "2026-11-29T10:01:10Z",
        "expires_at": "2026-12-06T10:01:10Z",
        "size": 48211,
        "sha256": FILE["sha256"],
        "url": "/api/v1/me/exports/7/download",
    },
    "ApiTokenOut": {**EXAMPLE_TOKEN, "last_used_at": "2026-03-04T07:12:00Z"},
    "SessionOut": {
        "id": 26,
        "device": "Firefox on Linux",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "ip": "203.0.113.7",
        "created_at": "2026-03-02T08:55:00Z",
        "last_seen_at": "2026-03-04T07:12:00Z",
        "current": True,
    },
    "StaffGroupOut": {"id": 1, "name": "support", "actions": ["account_manage", "records_see"]},
    "StaffPersonOut": {
        "id": 19,
        "display_name": "Sam Reed",
        "email": "sam@example.org",
        "is_active": True,
        "is_superuser": False,
        "groups": ["support"],
    },
    "user_suspend": _SUSPENSION,
    "user_restore": {**_SUSPENSION, "lifted_at": "2026-03-05T09:00:00Z"},
    "impersonation_start": _ACTING,
    "ImpersonationOut": {**_ACTING, "ended_at": "2026-03-04T08:12:00Z"},
    "ImpersonatedRequestOut": {"id": 9, "method": "GET", "path": "/api/v1/me/contracts", "status": 200, "at": "2026-03-04T08:03:00Z"},
}
