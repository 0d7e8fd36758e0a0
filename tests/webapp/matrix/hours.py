"""Rows of the permission matrix for weekly hours: see tests/webapp/test_permission_matrix.py.

The contract of the house is one of milestones, so what belongs to weekly contracts alone is absent or impossible on it. The week, its entry
and the wish for another cap (Bob's) belong to a second contract of the same two.
"""

from __future__ import annotations

from .table import Row

BODIES: dict[str, dict[str, object]] = {
    "contracts/<int:pk>/cap-changes": {"weekly_cap_minutes": 60},
    "weeks/<int:pk>/entries": {"day": "2020-01-06", "minutes": 30, "what": "The cart."},
    "weeks/<int:pk>/question": {"questions": [{"entry_id": 1, "reason": "Why?"}]},
    "weeks/<int:pk>/answer": {"answers": [{"entry_id": 1, "minutes": 0}]},
    "time-entries/<int:pk>": {"minutes": 1440},
}

# fmt: off
ROWS: dict[tuple[str, str], Row] = {
    ("GET", "contracts/<int:pk>/hours"): (401, 404, 404, 404, 404),
    ("POST", "contracts/<int:pk>/hours"): (401, 404, 409, 403, 403),
    ("POST", "contracts/<int:pk>/hours/stop"): (401, 404, 409, 409, 403),
    ("POST", "contracts/<int:pk>/cap-changes"): (401, 404, 409, 409, 403),
    ("GET", "contracts/<int:pk>/weeks"): (401, 404, 200, 200, 200),
    ("GET", "contracts/<int:pk>/timesheet.csv"): (401, 404, 200, 200, 200),
    ("POST", "cap-changes/<int:pk>/accept"): (401, 404, 200, 403, 403),
    ("POST", "cap-changes/<int:pk>/decline"): (401, 404, 200, 403, 403),
    ("POST", "cap-changes/<int:pk>/withdraw"): (401, 404, 403, 200, 403),
    ("GET", "weeks/<int:pk>"): (401, 404, 200, 200, 200),
    ("POST", "weeks/<int:pk>/entries"): (401, 404, 403, 400, 403),
    ("POST", "weeks/<int:pk>/submit"): (401, 404, 403, 200, 403),
    ("POST", "weeks/<int:pk>/question"): (401, 404, 409, 403, 403),
    ("POST", "weeks/<int:pk>/answer"): (401, 404, 403, 409, 403),
    ("PATCH", "time-entries/<int:pk>"): (401, 404, 403, 400, 403),
    ("DELETE", "time-entries/<int:pk>"): (401, 404, 403, 200, 403),
}
# fmt: on
