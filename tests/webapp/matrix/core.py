"""Rows of the permission matrix for the routes of `core`: see tests/webapp/test_permission_matrix.py."""

from __future__ import annotations

from .table import Row

#: bodies that get past the check of shapes, so that the door itself answers
BODIES: dict[str, dict[str, object]] = {
    "clock/advance": {"seconds": 1},
    "feature-settings/<slug:feature>": {"value": None, "reason": "r"},
    "bulk-acts": {"name": "payout_refuse", "object_ids": [1], "reason": "r"},
}

# fmt: off
ROWS: dict[tuple[str, str], Row] = {
    ("GET", "schema"): (200, 200, 200, 200, 200),
    ("GET", "health"): (200, 200, 200, 200, 200),
    ("GET", "clock"): (200, 200, 200, 200, 200),
    ("POST", "clock/advance"): (401, 403, 403, 403, {"admin": 200, "*": 403}),
    ("GET", "audit"): (401, 403, 403, 403, {"admin": 200, "analyst": 200, "*": 403}),
    ("GET", "feature-settings"): (401, 403, 403, 403, {"admin": 200, "*": 403}),
    ("PUT", "feature-settings/<slug:feature>"): (401, 403, 403, 403, {"admin": 404, "*": 403}),
    ("GET", "bulk-acts"): (401, 200, 200, 200, 200),
    ("POST", "bulk-acts"): (401, 403, 403, 403, {"finance": 201, "admin": 201, "*": 403}),
    ("GET", "bulk-acts/<int:act_id>"): (401, 404, 404, 404, {"finance": 200, "admin": 200, "*": 404}),
    ("POST", "files"): (401, 415, 415, 415, 415),
    ("GET", "files/<int:file_id>"): (401, 404, 404, 200, 404),
    ("DELETE", "files/<int:file_id>"): (401, 404, 404, 204, 404),
}
# fmt: on
