"""Rows of the permission matrix for the routes of `trust`: see tests/webapp/test_permission_matrix.py."""

from __future__ import annotations

from .table import Row

#: bodies that get past the check of shapes, so that the door itself answers
BODIES: dict[str, dict[str, object]] = {
    "contracts/<int:pk>/review": {"rating": 5, "text": "Good work, on time."},
}

# fmt: off
ROWS: dict[tuple[str, str], Row] = {
    ("POST", "contracts/<int:pk>/review"): (401, 404, 409, 409, 403),
    ("GET", "contracts/<int:pk>/reviews"): (401, 404, 200, 200, 200),
    ("GET", "users/<int:pk>/reputation"): (401, 200, 200, 200, 200),
}
# fmt: on
