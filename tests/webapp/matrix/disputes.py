"""Rows of the permission matrix for the routes of `disputes`: see tests/webapp/test_permission_matrix.py."""

from __future__ import annotations

from .table import Row

#: bodies that get past the check of shapes, so that the door itself answers
BODIES: dict[str, dict[str, object]] = {
    "milestones/<int:pk>/dispute": {"claim": "It is not what we agreed on."},
    "disputes/<int:pk>/settle": {"to_freelancer_minor": 0, "to_client_minor": 40000, "reason": "Nothing was delivered."},
}

# fmt: off
ROWS: dict[tuple[str, str], Row] = {
    ("POST", "milestones/<int:pk>/dispute"): (401, 404, 409, 409, 409),
    ("GET", "disputes/<int:pk>"): (401, 404, 200, 200, 200),
    ("POST", "disputes/<int:pk>/withdraw"): (401, 404, 200, 403, 403),
    ("POST", "disputes/<int:pk>/settle"): (401, 404, 403, 403, 200),
}
# fmt: on
