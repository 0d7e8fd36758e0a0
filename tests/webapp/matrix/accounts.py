"""Rows of the permission matrix for the routes of `accounts`: see tests/webapp/test_permission_matrix.py."""

from __future__ import annotations

from .table import Row

#: bodies that get past the check of shapes, so that the door itself answers
BODIES: dict[str, dict[str, object]] = {
    "me/freelancer-profile": {"title": "Somebody"},
}

# fmt: off
ROWS: dict[tuple[str, str], Row] = {
    ("GET", "me"): (401, 200, 200, 200, 200),
    ("PATCH", "me"): (401, 200, 200, 200, 200),
    ("PUT", "me/client-profile"): (401, 200, 200, 200, 200),
    ("PUT", "me/freelancer-profile"): (401, 200, 200, 200, 200),
    ("GET", "freelancers/<int:user_id>"): (401, 200, 200, 200, 200),
}
# fmt: on
