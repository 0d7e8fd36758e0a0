"""Rows of the permission matrix for the routes of `disputes`: see tests/webapp/test_permission_matrix.py."""

from __future__ import annotations

from .table import Row

#: bodies that get past the check of shapes, so that the door itself answers
BODIES: dict[str, dict[str, object]] = {
    "disputes/<int:pk>/respond": {"text": "It is all there."},
    "disputes/<int:pk>/offer": {"to_freelancer_minor": 1},
    "disputes/<int:pk>/evidence": {"text": "See the log."},
    "disputes/<int:pk>/decide": {"to_freelancer_minor": 0, "to_client_minor": 40000, "reason": "Nothing was delivered."},
    "disputes/<int:pk>/appeal": {"reason": "The log was not read."},
    "milestones/<int:pk>/dispute": {"claim": "It is not what we agreed on."},
    "disputes/<int:pk>/settle": {"to_freelancer_minor": 0, "to_client_minor": 40000, "reason": "Nothing was delivered."},
}

# fmt: off
ROWS: dict[tuple[str, str], Row] = {
    ("POST", "milestones/<int:pk>/dispute"): (401, 404, 409, 409, 409),
    ("GET", "disputes/<int:pk>"): (401, 404, 200, 200, 200),
    ("POST", "disputes/<int:pk>/withdraw"): (401, 404, 200, 403, 403),
    ("POST", "disputes/<int:pk>/settle"): (401, 404, 403, 403, {"support": 200, "admin": 200, "*": 403}),
    ("POST", "disputes/<int:pk>/respond"): (401, 404, 403, 200, 403),
    ("POST", "disputes/<int:pk>/offer"): (401, 404, 409, 409, 403),
    ("POST", "disputes/<int:pk>/accept"): (401, 404, 409, 409, 403),
    ("POST", "disputes/<int:pk>/evidence"): (401, 404, 409, 409, 403),
    ("POST", "disputes/<int:pk>/decide"): (401, 404, 403, 403, {"support": 409, "admin": 409, "*": 403}),
    ("POST", "disputes/<int:pk>/appeal"): (401, 404, 409, 409, 403),
    ("GET", "me/disputes"): (401, 200, 200, 200, 200),
    ("GET", "staff/disputes"): (401, 403, 403, 403, {"support": 200, "admin": 200, "*": 403}),
    ("GET", "dispute-precedents"): (401, 400, 400, 400, 400),
}
# fmt: on
