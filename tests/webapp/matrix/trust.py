"""Rows of the permission matrix for the routes of `trust`: see tests/webapp/test_permission_matrix.py."""

from __future__ import annotations

from .table import Row

#: bodies that get past the check of shapes, so that the door itself answers
BODIES: dict[str, dict[str, object]] = {
    "contracts/<int:pk>/review": {"rating": 5, "text": "Good work, on time."},
    "reviews/<int:pk>": {"rating": 4, "text": "Good work, late."},
    "reviews/<int:pk>/reply": {"text": "It was a holiday."},
    "text-check": {"text": "We meet 0900 - 1200 eastern."},
}

# fmt: off
ROWS: dict[tuple[str, str], Row] = {
    ("POST", "contracts/<int:pk>/review"): (401, 404, 409, 409, 403),
    ("GET", "contracts/<int:pk>/reviews"): (401, 404, 200, 200, 200),
    ("GET", "reviews/<int:pk>"): (401, 200, 200, 200, 200),
    ("PUT", "reviews/<int:pk>"): (401, 403, 409, 403, 403),
    ("POST", "reviews/<int:pk>/reply"): (401, 403, 403, 201, 403),
    ("GET", "users/<int:pk>/reviews"): (401, 200, 200, 200, 200),
    ("POST", "text-check"): (401, 200, 200, 200, 200),
    ("GET", "users/<int:pk>/reputation"): (401, 200, 200, 200, 200),
}
# fmt: on
