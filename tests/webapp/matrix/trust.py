"""Rows of the permission matrix for the routes of `trust`: see tests/webapp/test_permission_matrix.py."""

from __future__ import annotations

from .table import Row

#: bodies that get past the check of shapes, so that the door itself answers
BODIES: dict[str, dict[str, object]] = {
    "contracts/<int:pk>/review": {"rating": 5, "text": "Good work, on time."},
    "reviews/<int:pk>": {"rating": 4, "text": "Good work, late."},
    "reviews/<int:pk>/reply": {"text": "It was a holiday."},
    "reports": {"subject_type": "job", "subject_id": 2**62, "reason_code": "spam"},
    "decisions/<int:pk>/appeal": {"reason": "It is a time, not a number."},
    "letter-decisions/<slug:token>": {"reason": "It is a time, not a number."},
    "staff/cases/<int:pk>/decide": {"act": "allow", "reason_code": "no_breach"},
    "staff/cases/<int:pk>/send-back": {"reason": "The evidence shows something else."},
    "staff/cases/<int:pk>/decide-appeal": {"overturn": False, "reason": "It is a number."},
    "staff/cases/<int:pk>/rate": {"act": "allow", "reason_code": "no_breach"},
    "text-check": {"text": "We meet 0900 - 1200 eastern."},
}

_MODERATORS: dict[str, int] = {"moderator": 200, "admin": 200, "*": 403}

# fmt: off
ROWS: dict[tuple[str, str], Row] = {
    ("POST", "contracts/<int:pk>/review"): (401, 404, 409, 409, 403),
    ("GET", "contracts/<int:pk>/reviews"): (401, 404, 200, 200, 200),
    ("GET", "reviews/<int:pk>"): (401, 200, 200, 200, 200),
    ("PUT", "reviews/<int:pk>"): (401, 403, 409, 403, 403),
    ("POST", "reviews/<int:pk>/reply"): (401, 403, 403, 201, 403),
    ("GET", "users/<int:pk>/reviews"): (401, 200, 200, 200, 200),
    ("POST", "reports"): (401, 404, 404, 404, 404),
    ("GET", "me/reports"): (401, 200, 200, 200, 200),
    ("GET", "me/decisions"): (401, 200, 200, 200, 200),
    ("POST", "decisions/<int:pk>/appeal"): (401, 404, 200, 404, 404),
    ("GET", "letter-decisions/<slug:token>"): (404, 404, 404, 404, 404),
    ("POST", "letter-decisions/<slug:token>"): (404, 404, 404, 404, 404),
    ("GET", "staff/cases"): (401, 403, 403, 403, _MODERATORS),
    ("GET", "staff/cases/<int:pk>"): (401, 403, 403, 403, _MODERATORS),
    ("POST", "staff/cases/<int:pk>/claim"): (401, 403, 403, 403, _MODERATORS),
    ("POST", "staff/cases/<int:pk>/release"): (401, 403, 403, 403, 403),
    ("POST", "staff/cases/<int:pk>/decide"): (401, 403, 403, 403, 403),
    ("POST", "staff/cases/<int:pk>/approve"): (401, 403, 403, 403, {"admin": 409, "*": 403}),
    ("POST", "staff/cases/<int:pk>/send-back"): (401, 403, 403, 403, {"admin": 409, "*": 403}),
    ("POST", "staff/cases/<int:pk>/decide-appeal"): (401, 403, 403, 403, {"moderator": 409, "admin": 409, "*": 403}),
    ("POST", "staff/cases/<int:pk>/rate"): (401, 403, 403, 403, {"moderator": 404, "admin": 404, "*": 403}),
    ("GET", "staff/second-ratings"): (401, 403, 403, 403, _MODERATORS),
    ("GET", "staff/moderation-agreement"): (401, 403, 403, 403, _MODERATORS),
    ("POST", "text-check"): (401, 200, 200, 200, 200),
    ("GET", "users/<int:pk>/reputation"): (401, 200, 200, 200, 200),
}
# fmt: on
